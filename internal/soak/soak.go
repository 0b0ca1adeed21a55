// Package soak runs all of the kernel tests of which `make test` runs a sample, on
// every lab kernel, step by step, and records what ran and with what result: in
// docs/soak.jsonl, and in docs/soak.md for people.
//
// A pass counts in any checkout, as long as nothing has changed that the tests
// depend on (Tree.Inputs) and the kernels are of the same releases. So a soak
// continues where it was stopped, and loses one step at most.
package soak

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/mdkit/mdkit/internal/coverage"
)

// Rest is the Test of the step that runs the tests of a package that are not steps
// of their own.
const Rest = "rest"

// Step is one package's tests on one kernel, or a part of them.
type Step struct {
	Package string // ./engine/md
	Test    string `json:",omitempty"` // one top-level test, Rest, or "" for all
	Kernel  string // a lab kernel: oldest
}

// String names the step as `go test` would say it.
func (s Step) String() string {
	return strings.TrimSpace(strings.TrimPrefix(s.Package, "./") + " " + s.Test)
}

// Done is a step with its result.
type Done struct {
	Step
	Release  string   // of the kernel
	Machines []string `json:",omitempty"` // the kernels of all machines that were booted: "6.1.176 (oldest, uml)"
	Seed     uint64   // MDKIT_SEED
	Inputs   string   // what was tested: Tree.Inputs
	Commit   string   // and where it came from
	Date     string   // when it ended, as 2006-01-02
	Minutes  float64  // wall time, with the build
	Passed   int
	Skipped  int
	Failures []string `json:",omitempty"` // failed tests, sorted; parents of failed subtests too
	Broken   string   `json:",omitempty"` // why there are no results, e.g. it did not build
}

// Failed reports whether the step has anything that needs to be looked at.
func (d Done) Failed() bool { return len(d.Failures) > 0 || d.Broken != "" }

// Take counts the results of a step.
func (d *Done) Take(results coverage.Results) {
	for name, outcome := range results {
		switch outcome {
		case coverage.Passed:
			d.Passed++
		case coverage.Skipped:
			d.Skipped++
		case coverage.Failed:
			d.Failures = append(d.Failures, name)
		}
	}
	slices.Sort(d.Failures)
	if d.Passed+d.Skipped+len(d.Failures) == 0 && d.Broken == "" {
		d.Broken = "no test ran"
	}
}

// Plan lists every step: the packages on each kernel in turn. split has the tests
// of a package that are steps of their own; most packages have none.
func Plan(kernels, packages []string, split map[string][]string) []Step {
	var list []Step
	for _, kernel := range kernels {
		for _, pkg := range packages {
			tests := split[pkg]
			for _, test := range tests {
				list = append(list, Step{Package: pkg, Test: test, Kernel: kernel})
			}
			if len(tests) == 0 {
				list = append(list, Step{Package: pkg, Kernel: kernel})
			} else {
				list = append(list, Step{Package: pkg, Test: Rest, Kernel: kernel})
			}
		}
	}
	return list
}

// Selection returns the arguments of go test that select the step's tests.
func (s Step) Selection(split map[string][]string) []string {
	switch s.Test {
	case "":
		return nil
	case Rest:
		return []string{"-skip=^(" + strings.Join(split[s.Package], "|") + ")$"}
	}
	return []string{"-run=^" + s.Test + "$"}
}

// Load reads the steps that earlier runs have written to the file with Append. No
// file means that there were none.
func Load(path string) ([]Done, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []Done
	for line := range bytes.Lines(text) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break // of a step that was interrupted while it was being written
		}
		var d Done
		if err := json.Unmarshal(line, &d); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		list = append(list, d)
	}
	return list, nil
}

// Append adds a step to the file, replacing an unfinished last line if there is
// one.
func Append(path string, d Done) error {
	line, err := json.Marshal(d)
	if err != nil {
		return err
	}
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	end := int64(bytes.LastIndexByte(old, '\n') + 1)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	err = f.Truncate(end)
	if err == nil {
		_, err = f.WriteAt(append(line, '\n'), end)
	}
	return errors.Join(err, f.Close())
}

// State is what decides whether runs count: the log, and the inputs and releases
// that a run must have had to count now.
type State struct {
	Log      []Done
	Inputs   map[string]string // by package
	Releases map[string]string // by kernel
}

// Stale says why a run no longer counts, "" if it does.
func (st State) Stale(d Done) string {
	inputs, ok := st.Inputs[d.Package]
	switch {
	case !ok:
		return "the package is gone"
	case d.Inputs != inputs:
		return "what it depends on has changed"
	case d.Release != st.Releases[d.Kernel]:
		return "the kernel is another now"
	}
	for _, m := range d.Machines {
		release, rest, _ := strings.Cut(m, " (")
		role, isUML := strings.CutSuffix(rest, ", uml)")
		if isUML && release != st.Releases[role] {
			return "the kernel of one of its machines is another now"
		}
	}
	return ""
}

// Runs returns the runs of a step that count, by their seeds: the last for each
// seed. If an earlier one with the same seed failed, the log and the page show it.
func (st State) Runs(s Step) map[uint64]Done {
	runs := map[uint64]Done{}
	for _, d := range st.Log {
		if d.Step == s && st.Stale(d) == "" {
			runs[d.Seed] = d
		}
	}
	return runs
}

// Seeds lists the seeds to run a step with until it has n runs that count: first,
// and the numbers after it. With retry, failed runs do not count.
func (st State) Seeds(s Step, first uint64, n int, retry bool) []uint64 {
	runs := st.Runs(s)
	var list []uint64
	for seed, d := range runs {
		if retry && d.Failed() {
			delete(runs, seed)
			if len(runs)+len(list) < n {
				list = append(list, seed)
			}
		}
	}
	slices.Sort(list)
	for seed := first; len(runs)+len(list) < n; seed++ {
		if _, ok := runs[seed]; !ok && !slices.Contains(list, seed) {
			list = append(list, seed)
		}
	}
	return list
}
