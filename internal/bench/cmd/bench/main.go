// Bench runs the benchmarks, ours and the peer's in one go. Each row is printed
// and saved as soon as it has been measured, so that an interrupted run keeps what
// it has.
//
//	go run ./internal/bench/cmd/bench -bin bin -o bench/results.json
//	go run ./internal/bench/cmd/bench -only examine.one -page docs/performance.md
//
// With BENCH_CHECK=1 in the environment it fails if a row is below its floor.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"

	"github.com/mdkit/mdkit/internal/bench"
)

func main() {
	bin := flag.String("bin", "bin", "`folder` with our programs")
	var r runner
	flag.StringVar(&r.out, "o", "bench/results.json", "result `file`; rows of it that are not measured stay")
	flag.StringVar(&r.page, "page", "", "`file` with the table for people, whose other rows stay too")
	only := flag.String("only", "", "measure only the row of this `name`")
	flag.Parse()
	r.check = os.Getenv("BENCH_CHECK") == "1"
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := r.run(ctx, bench.All(*bin, "."), *only)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type runner struct {
	out, page string
	check     bool
}

// run measures the rows. It goes on after one that could not be measured: the
// others are still worth having.
func (r runner) run(ctx context.Context, all []bench.Benchmark, only string) error {
	var names []string
	for _, b := range all {
		names = append(names, b.Name)
	}
	if only != "" && !slices.Contains(names, only) {
		return fmt.Errorf("there is no row %s; there are %s", only, strings.Join(names, ", "))
	}
	fmt.Print(bench.Header)
	var results []bench.Result
	var failures []error
	for _, b := range all {
		if only != "" && b.Name != only {
			continue
		}
		row, err := b.Measure(ctx)
		if ctx.Err() != nil {
			failures = append(failures, ctx.Err())
			break
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			failures = append(failures, fmt.Errorf("%s could not be measured", b.Name))
			continue
		}
		results = append(results, row)
		if err := errors.Join(row.Print(os.Stdout), r.save(names, row)); err != nil {
			return err
		}
	}
	if r.check {
		for _, line := range bench.Check(results) {
			failures = append(failures, errors.New(line))
		}
	}
	return errors.Join(failures...)
}

// save replaces one row in the results.
func (r runner) save(names []string, row bench.Result) error {
	old, err := bench.Load(r.out)
	if err != nil {
		return err
	}
	news := []bench.Result{row}
	if err := bench.Save(r.out, bench.Merge(names, old, news)); err != nil {
		return err
	}
	if r.page == "" {
		return nil
	}
	if old, err = bench.ReadPage(r.page); err != nil {
		return err
	}
	return os.WriteFile(r.page, []byte(bench.Page(bench.Merge(names, old, news))), 0o644)
}
