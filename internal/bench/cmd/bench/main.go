// Bench runs every benchmark, ours and the peer's in one go, prints a table and
// writes the results as JSON.
//
//	go run ./internal/bench/cmd/bench -bin bin -o bench/results.json
//	go run ./internal/bench/cmd/bench -run parity
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"

	"github.com/mdkit/mdkit/internal/bench"
)

func main() {
	bin := flag.String("bin", "bin", "`folder` with our programs")
	out := flag.String("o", "bench/results.json", "result `file`")
	only := flag.String("run", "", "run only benchmarks whose name matches this `regexp`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *bin, *out, *only)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, bin, out, only string) error {
	wanted, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	benchmarks := []bench.Benchmark{
		bench.ExamineOne(filepath.Join(bin, "mdadm")),
		bench.ParityPQ(),
		bench.ParityPQKlauspost(),
		bench.ParityXor(),
		bench.ScrubRAID6(filepath.Join(bin, "mdkit")),
		bench.ReadDegraded(filepath.Join(bin, "mdkit")),
		bench.NBDRandRead(filepath.Join(bin, "mdkit")),
	}
	benchmarks = append(benchmarks, bench.Arrays(".")...)
	benchmarks = append(benchmarks, bench.Mapped(".")...)
	var results []bench.Result
	for _, b := range benchmarks {
		if !wanted.MatchString(b.Name) {
			continue
		}
		r, err := b.Measure(ctx)
		if err != nil {
			return err
		}
		results = append(results, r)
	}
	if err := bench.Print(os.Stdout, results); err != nil {
		return err
	}
	return bench.Save(out, results)
}
