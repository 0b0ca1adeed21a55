// Fuzz runs every native fuzz test of the module, one after the other, each for
// the time or the executions given, and prints a line for each. It exits 1 if one failed.
//
//	go run ./internal/house/cmd/fuzz -t 10m|10000x [PACKAGE...]
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strings"
)

func main() {
	each := flag.String("t", "10m", "how `long` to run each fuzz test: a time, or executions as 10000x")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	packages := flag.Args()
	if len(packages) == 0 {
		packages = []string{"./..."}
	}
	failed, err := fuzzAll(ctx, *each, packages)
	if err == nil && failed > 0 {
		err = fmt.Errorf("%d fuzz tests failed", failed)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "fuzz:", err)
		os.Exit(1)
	}
}

func fuzzAll(ctx context.Context, each string, packages []string) (failed int, err error) {
	listing, err := output(ctx, append([]string{"list", "-f", "{{.ImportPath}} {{.Dir}}{{range .TestGoFiles}} {{.}}{{end}}{{range .XTestGoFiles}} {{.}}{{end}}"}, packages...)...)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(listing) {
		fields := strings.Fields(line)
		for _, name := range fuzzTests(fields[1], fields[2:]) {
			if err := ctx.Err(); err != nil {
				return failed, err
			}
			if !fuzzOne(ctx, each, fields[0], name) {
				failed++
			}
		}
	}
	return failed, nil
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

// fuzzOne runs one fuzz test and prints its line, or all it said if it failed.
func fuzzOne(ctx context.Context, each string, pkg, name string) bool {
	// Left alone, go test spends a minute to shorten each input that reached
	// new code, and hardly tries another one.
	out, err := output(ctx, "test", "-run=^$", "-fuzz=^"+name+"$", "-fuzztime="+each, "-fuzzminimizetime=20x", pkg)
	short := strings.TrimPrefix(pkg, "github.com/mdkit/mdkit/")
	if err != nil {
		fmt.Printf("FAIL %-24s %s\n%s\n%v\n", short, name, out, err)
		return false
	}
	fmt.Printf("ok   %-24s %-28s %s\n", short, name, lastProgress(out))
	return true
}

// lastProgress is the tail of the last line in which the fuzzer counts.
func lastProgress(out string) string {
	last := ""
	for line := range strings.Lines(out) {
		if _, after, ok := strings.Cut(strings.TrimSpace(line), "elapsed: "); ok {
			last = after
		}
	}
	return last
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
