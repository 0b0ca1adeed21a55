// Fuzz runs every native fuzz test of the module, one after the other, each for
// the given time or number of executions, and prints a line for each. It exits 1
// if one fails. With -log it adds each run to a file, and begins with the tests
// that have run least.
//
//	go run ./internal/house/cmd/fuzz -t 10m|10000x [-log FILE] [PACKAGE...]
package main

import (
	"bytes"
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/mdkit/mdkit/internal/house/fuzzlog"
)

const module = "github.com/mdkit/mdkit/"

func main() {
	var r runner
	flag.StringVar(&r.each, "t", "10m", "how `long` to run each fuzz test: a time, or executions as 10000x")
	flag.StringVar(&r.log, "log", "", "add what was run to this `file`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	packages := flag.Args()
	if len(packages) == 0 {
		packages = []string{"./..."}
	}
	failed, err := r.all(ctx, packages)
	if err == nil && failed > 0 {
		err = fmt.Errorf("%d fuzz tests failed", failed)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "fuzz:", err)
		os.Exit(1)
	}
}

// runner is one run of all fuzz tests.
type runner struct {
	each   string
	log    string // no file if empty
	commit string
	cache  string // where go test keeps inputs that reached new code
	bin    string // folder for test programs
}

// suite is a package with fuzz tests.
type suite struct {
	path, dir string
	names     []string
	program   string // the test program, once it is built
	err       error  // why it could not be built
}

func (s *suite) short() string { return strings.TrimPrefix(s.path, module) }

func (r *runner) all(ctx context.Context, packages []string) (failed int, err error) {
	suites, err := find(ctx, packages)
	if err != nil {
		return 0, err
	}
	if r.log != "" {
		log, err := fuzzlog.Read(r.log)
		if err != nil {
			return 0, err
		}
		// Runs that are cut short must not leave out the same packages each time.
		slices.SortStableFunc(suites, func(a, b *suite) int { return cmp.Compare(least(log, a), least(log, b)) })
		r.commit = commit(ctx)
	}
	cache, err := output(ctx, "env", "GOCACHE")
	if err != nil {
		return 0, err
	}
	r.cache = filepath.Join(strings.TrimSpace(cache), "fuzz")
	if r.bin, err = os.MkdirTemp("", "mdkit-fuzz-"); err != nil {
		return 0, err
	}
	defer os.RemoveAll(r.bin)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	for s := range r.build(ctx, suites) {
		if s.err != nil && ctx.Err() == nil {
			fmt.Printf("FAIL %-24s\n%v\n", s.short(), s.err)
			failed += len(s.names)
			continue
		}
		for _, name := range s.names {
			if err := ctx.Err(); err != nil {
				return failed, err
			}
			ok, err := r.one(ctx, s, name)
			if err != nil {
				return failed, err
			}
			if !ok {
				failed++
			}
		}
		os.Remove(s.program)
	}
	return failed, ctx.Err()
}

// least is the least time that any fuzz test of a package has run.
func least(log fuzzlog.Log, s *suite) float64 {
	seconds := log.Of(s.short() + "." + s.names[0]).Seconds
	for _, name := range s.names {
		seconds = min(seconds, log.Of(s.short()+"."+name).Seconds)
	}
	return seconds
}

// commit names the tree that is being fuzzed: a log may be older than the tree.
func commit(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "rev-parse", "--short=12", "HEAD").Output()
	if name := strings.TrimSpace(string(out)); err == nil && name != "" {
		return name
	}
	return "-"
}

// find lists the packages that have fuzz tests.
func find(ctx context.Context, packages []string) ([]*suite, error) {
	listing, err := output(ctx, append([]string{"list", "-f", "{{.ImportPath}} {{.Dir}}{{range .TestGoFiles}} {{.}}{{end}}{{range .XTestGoFiles}} {{.}}{{end}}"}, packages...)...)
	if err != nil {
		return nil, err
	}
	var suites []*suite
	for line := range strings.Lines(listing) {
		fields := strings.Fields(line)
		if names := fuzzTests(fields[1], fields[2:]); len(names) > 0 {
			suites = append(suites, &suite{path: fields[0], dir: fields[1], names: names})
		}
	}
	return suites, nil
}

var declaration = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)

// fuzzTests lists the fuzz tests that the test files of a folder declare.
func fuzzTests(dir string, files []string) []string {
	var names []string
	for _, f := range files {
		src, err := os.ReadFile(dir + "/" + f)
		if err != nil {
			continue // go list has just named it; go test will say what is wrong
		}
		for _, m := range declaration.FindAllSubmatch(src, -1) {
			names = append(names, string(m[1]))
		}
	}
	return names
}

// build makes the test program of each package, one ahead of the one in use. go
// test would link it again for every fuzz test.
func (r *runner) build(ctx context.Context, suites []*suite) <-chan *suite {
	built := make(chan *suite, 1)
	go func() {
		defer close(built)
		for i, s := range suites {
			s.program = filepath.Join(r.bin, fmt.Sprintf("%d.test", i))
			_, s.err = output(ctx, "test", "-c", "-fuzz=.", "-o", s.program, s.path)
			select {
			case built <- s:
			case <-ctx.Done():
				return
			}
		}
	}()
	return built
}

// one runs one fuzz test and prints its line, or, if it fails, all its output. An
// error means that the log could not be written.
func (r *runner) one(ctx context.Context, s *suite, name string) (ok bool, err error) {
	// The flags are those of go test. By default the fuzzer spends a minute on
	// minimizing each input that reached new code, and hardly tries new ones.
	cmd := exec.CommandContext(ctx, s.program, "-test.paniconexit0", "-test.run=^$", "-test.fuzz=^"+name+"$", "-test.fuzztime="+r.each,
		"-test.fuzzminimizetime=20x", "-test.parallel=2", "-test.fuzzcachedir="+filepath.Join(r.cache, s.path))
	cmd.Dir = s.dir
	// The fuzzer ends cleanly at an interrupt, and says how far it has come.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	begin := time.Now()
	b, failure := cmd.CombinedOutput()
	out := string(b)
	last, executions := fuzzlog.Progress(out)
	if ctx.Err() != nil && !fuzzlog.Found(out) {
		failure = nil // it was cut short, which all reports at the end
	}
	if failure != nil {
		fmt.Printf("FAIL %-24s %s\n%s\n%v\n", s.short(), name, out, failure)
	} else {
		fmt.Printf("ok   %-24s %-28s %s\n", s.short(), name, last)
	}
	if r.log == "" {
		return failure == nil, nil
	}
	run := fuzzlog.Line{
		Target: s.short() + "." + name, Executions: executions, Seconds: time.Since(begin).Seconds(), Commit: r.commit,
	}
	if failure != nil && fuzzlog.Found(out) {
		run.Findings = 1
	}
	return failure == nil, fuzzlog.Record(r.log, run)
}

func output(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out), err
}
