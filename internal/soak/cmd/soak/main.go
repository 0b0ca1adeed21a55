// Soak runs the kernel tests on every lab kernel with many seeds and writes
// docs/soak.md. It exits 1 if a test failed.
//
//	go run ./internal/soak/cmd/soak -kernels 6.1,6.12,7.2 -seeds 5 PACKAGE...
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"time"

	"github.com/mdkit/mdkit/internal/coverage"
	"github.com/mdkit/mdkit/internal/soak"
)

func main() {
	kernels := flag.String("kernels", "6.1,6.12,7.2", "lab kernels, separated by commas")
	seeds := flag.Int("seeds", 3, "rounds with a new seed on each kernel")
	page := flag.String("o", "docs/soak.md", "report `file`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, strings.Split(*kernels, ","), *seeds, *page, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, kernels []string, seeds int, page string, packages []string) error {
	var rounds []soak.Round
	var failed bool
	for _, kernel := range kernels {
		for range seeds {
			round, err := runRound(ctx, kernel, rand.Uint64(), packages)
			if err != nil {
				return err
			}
			rounds = append(rounds, round)
			failed = failed || len(round.Failures()) > 0
		}
	}
	if err := os.WriteFile(page, []byte(soak.Report(time.Now(), packages, rounds)), 0o644); err != nil {
		return err
	}
	if failed {
		return fmt.Errorf("tests failed; see %s", page)
	}
	return nil
}

// runRound runs the tests once and follows their JSON stream.
func runRound(ctx context.Context, kernel string, seed uint64, packages []string) (soak.Round, error) {
	fmt.Printf("== kernel %s, seed %d\n", kernel, seed)
	start := time.Now()
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-json", "-count=1", "-p=1", "-timeout=2h"}, packages...)...)
	cmd.Env = append(os.Environ(), "MDKIT_LAB=require", "MDKIT_SOAK=1", "MDKIT_LAB_KERNEL="+kernel, fmt.Sprintf("MDKIT_SEED=%d", seed))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return soak.Round{}, err
	}
	if err := cmd.Start(); err != nil {
		return soak.Round{}, err
	}
	results := coverage.NewRun(os.Stdout)
	readErr := results.Read(out)
	results.Summary()
	waitErr := cmd.Wait()
	if ctx.Err() != nil {
		return soak.Round{}, ctx.Err()
	}
	if waitErr != nil && !results.Failed {
		readErr = errors.Join(readErr, waitErr)
	}
	return soak.Round{Kernel: kernel, Seed: seed, Took: time.Since(start), Results: results.Results}, readErr
}
