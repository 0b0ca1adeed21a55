// Soak runs all kernel tests, package by package, on every lab kernel and
// writes docs/soak.md. It exits 1 if a test failed. What it has done it keeps
// in a file, so that a soak that was interrupted goes on where it stopped.
//
//	go run ./internal/soak/cmd/soak -kernels oldest,newest PACKAGE...
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/mdkit/mdkit/internal/coverage"
	"github.com/mdkit/mdkit/internal/lab"
	"github.com/mdkit/mdkit/internal/soak"
)

// options are the command line.
type options struct {
	kernels  []string
	packages []string
	seeds    int
	page     string
	log      string
	keep     bool
}

func main() {
	var o options
	kernels := flag.String("kernels", strings.Join(lab.Kernels(), ","), "lab kernels, separated by commas")
	flag.IntVar(&o.seeds, "seeds", 1, "how many seeds to run each package with")
	flag.StringVar(&o.page, "o", "docs/soak.md", "report `file`")
	flag.StringVar(&o.log, "log", "bin/soak.jsonl", "`file` of what is done")
	flag.BoolVar(&o.keep, "keep", false, "do not repeat what passed on an earlier commit")
	flag.Parse()
	o.kernels, o.packages = strings.Split(*kernels, ","), flag.Args()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	seed, err := firstSeed()
	if err != nil {
		return err
	}
	version, err := commit(ctx, o.page)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(o.log), 0o755); err != nil {
		return err
	}
	known, err := soak.Load(o.log)
	if err != nil {
		return err
	}
	steps := soak.Plan(o.kernels, o.packages, seed, o.seeds)
	done := make([]*soak.Done, len(steps)) // nil for those to run
	for i, s := range steps {
		if d, ok := soak.Find(known, s, version, o.keep); ok {
			done[i] = &d
		}
	}
	if err := writePage(o.page, done); err != nil {
		return err
	}
	for i, s := range steps {
		if done[i] != nil {
			continue
		}
		d, err := runStep(ctx, s, version)
		if err != nil {
			return err
		}
		if err := soak.Append(o.log, d); err != nil {
			return err
		}
		done[i] = &d
		if err := writePage(o.page, done); err != nil {
			return err
		}
	}
	return settle(o.page, done)
}

// writePage writes the report of what is done so far.
func writePage(path string, steps []*soak.Done) error {
	var done []soak.Done
	for _, d := range steps {
		if d != nil {
			done = append(done, *d)
		}
	}
	return os.WriteFile(path, []byte(soak.Report(time.Now(), len(steps), done)), 0o644)
}

// settle writes the page of a soak that is through, and fails if a step has.
func settle(page string, steps []*soak.Done) error {
	failed := 0
	for _, d := range steps {
		if d.Failed() {
			failed++
		}
	}
	if err := writePage(page, steps); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d steps failed; see %s", failed, len(steps), page)
	}
	return nil
}

// commit names what is tested: the commit, and whether files were changed since,
// the page itself left out.
func commit(ctx context.Context, page string) (string, error) {
	id, err := exec.CommandContext(ctx, "git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return "", fmt.Errorf("git rev-parse: %w", err)
	}
	changed, err := exec.CommandContext(ctx, "git", "status", "--porcelain", "--", ".", ":!"+page).Output()
	if err != nil {
		return "", fmt.Errorf("git status: %w", err)
	}
	if len(changed) > 0 {
		return strings.TrimSpace(string(id)) + " and changes", nil
	}
	return strings.TrimSpace(string(id)), nil
}

// firstSeed is $MDKIT_SEED, which the Makefile sets from the commit, or drawn.
func firstSeed() (uint64, error) {
	s := os.Getenv("MDKIT_SEED")
	if s == "" {
		return rand.Uint64() >> 32, nil
	}
	seed, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("MDKIT_SEED: %w", err)
	}
	return seed, nil
}

// runStep runs one package's tests and follows their JSON stream. Only an
// interruption is an error: all else is a result.
func runStep(ctx context.Context, s soak.Step, commit string) (soak.Done, error) {
	fmt.Printf("== kernel %s, %s, seed %d\n", s.Kernel, s.Package, s.Seed)
	start := time.Now()
	cmd := exec.CommandContext(ctx, "go", "test", "-json", "-count=1", "-timeout=3h", s.Package)
	cmd.Env = append(os.Environ(), "MDKIT_LAB=require", "MDKIT_SOAK=1", "MDKIT_LAB_KERNEL="+s.Kernel, fmt.Sprintf("MDKIT_SEED=%d", s.Seed))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return soak.Done{}, err
	}
	if err := cmd.Start(); err != nil {
		return soak.Done{}, err
	}
	results := coverage.NewRun(os.Stdout)
	readErr := results.Read(out)
	results.Summary()
	waitErr := cmd.Wait()
	if ctx.Err() != nil {
		return soak.Done{}, ctx.Err()
	}
	d := soak.Done{Step: s, Commit: commit}
	switch {
	case readErr != nil:
		d.Broken = readErr.Error()
	case waitErr != nil:
		d.Broken = waitErr.Error()
	}
	d.Take(results.Results)
	if len(d.Failures) > 0 {
		d.Broken = "" // the tests say it better
	}
	d.Minutes = time.Since(start).Minutes()
	return d, nil
}
