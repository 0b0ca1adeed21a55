// Package coverage turns test results into docs/coverage.md: one row for every
// source file of linux/drivers/md v4.11, each cell backed by named tests that
// passed in the run from which the table was made.
package coverage

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Outcome is how a test ended.
type Outcome string

// Outcomes, in test2json's words.
const (
	Passed  Outcome = "pass"
	Failed  Outcome = "fail"
	Skipped Outcome = "skip"
)

// Results holds how every test of a run ended, by "package Test/subtest", the
// package without the module's path.
type Results map[string]Outcome

// event is one line of what `go test -json` prints (cmd/test2json).
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
	Elapsed float64
}

// Run follows a `go test -json` stream as it comes.
type Run struct {
	Results Results
	Failed  bool   // a test or a package failed
	Times   []Time // what packages with tests took; no stage

	kernels map[string]bool // of its machines: "6.1.176 (oldest, uml)"
	out     io.Writer
	pending map[string]*bytes.Buffer // output of tests and packages that have not ended
	skips   map[string][]string      // names by reason
	booted  map[string]int           // lab machines, by package
}

// NewRun returns a Run that prints what happens to out, for people: a line for
// each package, the whole output of what failed, a line for each skip.
func NewRun(out io.Writer) *Run {
	return &Run{Results: make(Results), out: out, pending: make(map[string]*bytes.Buffer), skips: make(map[string][]string), booted: make(map[string]int), kernels: make(map[string]bool)}
}

// Read consumes a stream to its end. Lines that are not JSON, such as a
// compiler's, are passed on, and do not count as a failure by themselves.
func (r *Run) Read(in io.Reader) error {
	sc := bufio.NewScanner(in)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		var e event
		if json.Unmarshal(sc.Bytes(), &e) != nil {
			fmt.Fprintln(r.out, sc.Text())
			continue
		}
		r.take(e)
	}
	return sc.Err()
}

// modulePath begins the names of all packages.
const modulePath = "github.com/mdkit/mdkit/"

func (r *Run) take(e event) {
	key := strings.TrimPrefix(e.Package, modulePath)
	if e.Test != "" {
		key += " " + e.Test
	}
	switch e.Action {
	case "output", "build-output":
		r.buffer(key).WriteString(e.Output)
		if strings.Contains(e.Output, Booted) {
			r.booted[strings.TrimPrefix(e.Package, modulePath)]++
		}
		if m := machine.FindStringSubmatch(e.Output); m != nil {
			r.kernels[m[1]] = true
		}
	case "build-fail":
		r.Failed = true
		r.show(key)
	case "pass", "fail", "skip":
		r.end(key, e)
	}
}

// machine matches what the lab logs for every machine that it boots.
var machine = regexp.MustCompile(`: ` + Booted + `Linux (\S+ \(\w+, \w+\))\n$`)

// Machines lists the kernels of the run's machines, sorted.
func (r *Run) Machines() []string { return slices.Sorted(maps.Keys(r.kernels)) }

func (r *Run) buffer(key string) *bytes.Buffer {
	b := r.pending[key]
	if b == nil {
		b = new(bytes.Buffer)
		r.pending[key] = b
	}
	return b
}

func (r *Run) end(key string, e event) {
	outcome := Outcome(e.Action)
	if e.Test != "" {
		r.Results[key] = outcome
	}
	if outcome == Failed {
		r.Failed = true
		r.show(key)
		if e.Test == "" {
			r.unended(key)
		}
	}
	if outcome == Skipped && e.Test != "" {
		reason := reasonOf(r.buffer(key).String())
		r.skips[reason] = append(r.skips[reason], key)
	}
	delete(r.pending, key)
	if e.Test == "" && outcome != Skipped {
		r.Times = append(r.Times, Time{Package: key, Seconds: e.Elapsed, Machines: r.booted[key]})
		fmt.Fprintf(r.out, "%-4s %-40s %6.1fs\n", map[Outcome]string{Passed: "ok", Failed: "FAIL"}[outcome], key, e.Elapsed)
	}
}

// unended shows the tests of a failed package that never ended, with their output:
// when a package runs out of time, its stacks are printed as output of a test.
func (r *Run) unended(pkg string) {
	for _, key := range slices.Sorted(maps.Keys(r.pending)) {
		if strings.HasPrefix(key, pkg+" ") {
			r.Results[key] = Failed
			r.show(key)
			delete(r.pending, key)
		}
	}
}

func (r *Run) show(key string) {
	fmt.Fprintf(r.out, "--- %s\n%s", key, r.buffer(key).String())
}

// Summary prints how many tests ended how, then every reason for a skip with the
// tests that were skipped for it, so that no skip goes unnoticed, and last the
// names of what failed.
func (r *Run) Summary() {
	count := map[Outcome]int{}
	for _, o := range r.Results {
		count[o]++
	}
	for _, reason := range slices.Sorted(maps.Keys(r.skips)) {
		names := r.skips[reason]
		fmt.Fprintf(r.out, "skip %d tests: %s: %s\n", len(names), reason, strings.Join(names, ", "))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Results)) {
		if r.Results[name] == Failed {
			fmt.Fprintln(r.out, "failed:", name)
		}
	}
	fmt.Fprintf(r.out, "%d passed, %d failed, %d skipped\n", count[Passed], count[Failed], count[Skipped])
}

// place is the file and line that testing puts before a message.
var place = regexp.MustCompile(`^\S+\.go:\d+: `)

// reasonOf returns the reason for a skip: the last line of a test's output that
// package testing did not add, without file and line.
func reasonOf(output string) string {
	reason := "no reason given"
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "---") && !strings.HasPrefix(line, "===") {
			reason = place.ReplaceAllString(line, "")
		}
	}
	return reason
}

// Match returns the names of passed tests that pattern matches: a package, a
// blank, and a path.Match pattern for the test. ok is false if a test that
// matches did not pass, or none matches.
func (r Results) Match(pattern string) (names []string, ok bool) {
	ok = true
	for name, outcome := range r {
		if match, err := path.Match(pattern, name); err != nil || !match {
			continue
		}
		names = append(names, name)
		ok = ok && outcome == Passed
	}
	return names, ok && len(names) > 0
}
