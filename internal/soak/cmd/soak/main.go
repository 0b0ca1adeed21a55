// Soak runs all kernel tests, step by step, on every lab kernel. After every step
// it appends the result to docs/soak.jsonl and renders docs/soak.md from that;
// both are to be committed. Steps with a result that still counts are not
// repeated. It exits 1 if a step that counts has failed.
//
//	go run ./internal/soak/cmd/soak [-group md] [-for 30m] PACKAGE...
//
// The packages must be all those that have kernel tests: the page is about all of
// them, whatever is selected to run.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mdkit/mdkit/internal/coverage"
	"github.com/mdkit/mdkit/internal/lab"
	"github.com/mdkit/mdkit/internal/soak"
)

// long are the packages that take more than 20 minutes on two processors: each of
// their tests that uses the lab is a step.
var long = []string{"./engine/md", "./internal/cli/mdadm", "./internal/lab/powercut"}

// options are the command line.
type options struct {
	kernels  []string
	only     []string
	group    string
	packages []string
	seeds    int
	limit    time.Duration
	retry    bool
	render   bool
	page     string
	log      string
}

func main() {
	var o options
	kernels := flag.String("kernels", strings.Join(lab.Kernels(), ","), "run on these lab kernels, separated by commas")
	only := flag.String("only", "", "run these packages, separated by commas")
	flag.StringVar(&o.group, "group", "", "run this group of packages")
	flag.IntVar(&o.seeds, "seeds", 1, "how many seeds to run each package with")
	flag.DurationVar(&o.limit, "for", 0, "begin no step after this long")
	flag.BoolVar(&o.retry, "retry", false, "run again what failed")
	flag.BoolVar(&o.render, "render", false, "write the page and run nothing")
	flag.StringVar(&o.page, "o", "docs/soak.md", "report `file`")
	flag.StringVar(&o.log, "log", "docs/soak.jsonl", "`file` of what is done")
	flag.Parse()
	o.kernels, o.packages = words(*kernels), flag.Args()
	for _, p := range words(*only) {
		o.only = append(o.only, "./"+strings.Trim(strings.TrimPrefix(p, "./"), "/"))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

// soaking is one run of the command.
type soaking struct {
	options
	commit string
	split  map[string][]string
	steps  []soak.Step // all there are
	state  soak.State
}

func run(ctx context.Context, o options) error {
	begin := time.Now()
	if err := soak.CheckGroup(o.group); err != nil {
		return err
	}
	s := &soaking{options: o}
	if err := s.look(ctx); err != nil {
		return err
	}
	if err := s.writePage(); err != nil || o.render {
		return err
	}
	first, err := firstSeed()
	if err != nil {
		return err
	}
	failed, left := 0, 0
	for _, step := range s.steps {
		if !s.selected(step) {
			continue
		}
		for _, seed := range s.state.Seeds(step, first, o.seeds, o.retry) {
			if o.limit > 0 && time.Since(begin) >= o.limit {
				left++
				continue
			}
			if err := s.runStep(ctx, step, seed); err != nil {
				return err
			}
		}
		for _, d := range s.state.Runs(step) {
			if d.Failed() {
				failed++
			}
		}
	}
	if left > 0 {
		fmt.Printf("soak: the time is over, %d steps are left\n", left)
	}
	if failed > 0 {
		return fmt.Errorf("%d steps failed; see %s", failed, o.page)
	}
	return nil
}

// look finds out what there is to do and what has been done.
func (s *soaking) look(ctx context.Context) error {
	var err error
	if s.commit, err = commit(ctx, s.page, s.log); err != nil {
		return err
	}
	if s.state.Log, err = soak.Load(s.log); err != nil {
		return err
	}
	s.state.Releases = map[string]string{}
	for _, role := range lab.Kernels() {
		if _, s.state.Releases[role], err = lab.FindKernel(ctx, role); err != nil {
			return err
		}
	}
	for i, name := range s.kernels {
		if s.kernels[i], _, err = lab.FindKernel(ctx, name); err != nil {
			return err
		}
	}
	tree, err := soak.ReadTree(ctx, ".")
	if err != nil {
		return err
	}
	s.state.Inputs, s.split = map[string]string{}, map[string][]string{}
	for _, pkg := range s.packages {
		if s.state.Inputs[pkg], err = tree.Inputs(pkg); err != nil {
			return err
		}
		if slices.Contains(long, pkg) {
			if s.split[pkg], err = tree.LabTests(pkg); err != nil {
				return err
			}
		}
	}
	s.steps = soak.Plan(lab.Kernels(), s.packages, s.split)
	return nil
}

// selected reports whether this run includes the step.
func (s *soaking) selected(step soak.Step) bool {
	return slices.Contains(s.kernels, step.Kernel) &&
		(s.group == "" || soak.Group(step.Package) == s.group) &&
		(len(s.only) == 0 || slices.Contains(s.only, step.Package))
}

// writePage writes the report of what counts so far.
func (s *soaking) writePage() error {
	return os.WriteFile(s.page, []byte(soak.Report(today(), s.steps, s.state)), 0o644)
}

// runStep runs a step's tests and follows their JSON stream. Only an interruption
// is an error: everything else is a result, and is recorded.
func (s *soaking) runStep(ctx context.Context, step soak.Step, seed uint64) error {
	fmt.Printf("== kernel %s, %s, seed %d\n", step.Kernel, step, seed)
	start := time.Now()
	args := append([]string{"test", "-json", "-count=1", "-timeout=3h"}, step.Selection(s.split)...)
	cmd := exec.CommandContext(ctx, "go", append(args, step.Package)...)
	cmd.Env = append(os.Environ(), "MDKIT_LAB=require", "MDKIT_SOAK=1", "MDKIT_LAB_KERNEL="+step.Kernel, fmt.Sprintf("MDKIT_SEED=%d", seed))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("go test: %w", err)
	}
	results := coverage.NewRun(os.Stdout)
	readErr := results.Read(out)
	results.Summary()
	waitErr := cmd.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	d := soak.Done{
		Step: step, Release: s.state.Releases[step.Kernel], Seed: seed, Inputs: s.state.Inputs[step.Package],
		Commit: s.commit, Date: today(), Machines: results.Machines(),
	}
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
	d.Minutes, err = strconv.ParseFloat(fmt.Sprintf("%.2f", time.Since(start).Minutes()), 64)
	if err != nil {
		return err
	}
	if err := soak.Append(s.log, d); err != nil {
		return err
	}
	s.state.Log = append(s.state.Log, d)
	return s.writePage()
}

// today is the date in the form of the log.
func today() string { return time.Now().UTC().Format(time.DateOnly) }

// commit names what is tested: the commit, and whether files have changed since,
// not counting those that a soak writes.
func commit(ctx context.Context, written ...string) (string, error) {
	id, err := exec.CommandContext(ctx, "git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return "", fmt.Errorf("git rev-parse: %w", err)
	}
	args := []string{"status", "--porcelain", "--", "."}
	for _, path := range written {
		args = append(args, ":!"+path)
	}
	changed, err := exec.CommandContext(ctx, "git", args...).Output()
	if err != nil {
		return "", fmt.Errorf("git status: %w", err)
	}
	if len(changed) > 0 {
		return strings.TrimSpace(string(id)) + " and changes", nil
	}
	return strings.TrimSpace(string(id)), nil
}

// firstSeed is $MDKIT_SEED, which the Makefile sets from the commit, or else a
// random number.
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
