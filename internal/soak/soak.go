// Package soak runs the kernel tests of which `make test` runs a sample: all of
// them, package by package on every lab kernel, and writes down what ran and
// what came of it (docs/soak.md). It goes on after failures, and takes up where
// it was interrupted.
package soak

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mdkit/mdkit/internal/coverage"
)

// Step is one package's tests on one kernel with one seed.
type Step struct {
	Package string // ./engine/md
	Kernel  string // a lab kernel: oldest
	Seed    uint64 // MDKIT_SEED
}

// Done is a step with what came of it.
type Done struct {
	Step
	Commit   string  // what was tested, by its commit
	Minutes  float64 // wall time, with the build
	Passed   int
	Skipped  int
	Failures []string // failed tests, sorted; parents of failed subtests too
	Broken   string   // why there are no results, e.g. it did not build
}

// Failed says whether the step has anything to be looked at.
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

// Plan lists every step: the kernels in turn, the packages on each, and so many
// seeds, counted up from the first, for each package.
func Plan(kernels, packages []string, first uint64, seeds int) []Step {
	var list []Step
	for i := range seeds {
		for _, kernel := range kernels {
			for _, pkg := range packages {
				list = append(list, Step{Package: pkg, Kernel: kernel, Seed: first + uint64(i)})
			}
		}
	}
	return list
}

// Load reads the steps that earlier runs have written to the file with Append.
// Where there is no file there were none.
func Load(path string) ([]Done, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var list []Done
	r := bufio.NewReader(f)
	for {
		line, err := r.ReadBytes('\n')
		if err == io.EOF {
			return list, nil // an unfinished line is of a step that was cut off
		}
		if err != nil {
			return nil, err
		}
		var d Done
		if err := json.Unmarshal(line, &d); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		list = append(list, d)
	}
}

// Append adds a step to the file.
func Append(path string, d Done) error {
	b, err := json.Marshal(d)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	return errors.Join(err, f.Close())
}

// Find returns the last run of the step that counts: one of this commit, or,
// with keep, one of any commit that passed.
func Find(list []Done, s Step, commit string, keep bool) (Done, bool) {
	for _, d := range slices.Backward(list) {
		same := d.Package == s.Package && d.Kernel == s.Kernel
		if same && d.Seed == s.Seed && d.Commit == commit || same && keep && !d.Failed() {
			return d, true
		}
	}
	return Done{}, false
}

// Report renders docs/soak.md: what is done of so many steps.
func Report(date time.Time, total int, list []Done) string {
	var b strings.Builder
	b.WriteString("# The last soak\n\n")
	fmt.Fprintf(&b, "Written by `make soak` on %s. Each line is all tests of one package\n", date.UTC().Format(time.DateOnly))
	b.WriteString("on one lab kernel, with `MDKIT_SOAK=1`: nothing is left to a sample.\n\n")
	if len(list) < total {
		fmt.Fprintf(&b, "**Unfinished**: %d of %d steps are done.\n\n", len(list), total)
	}
	b.WriteString("| kernel | package | commit | seed | passed | failed | skipped | minutes |\n|---|---|---|---|---|---|---|---|\n")
	var minutes float64
	for _, d := range list {
		fmt.Fprintf(&b, "| %s | %s | %s | %d | %d | %d | %d | %.1f |\n", d.Kernel, strings.TrimPrefix(d.Package, "./"), d.Commit, d.Seed,
			d.Passed, len(d.Failures), d.Skipped, d.Minutes)
		minutes += d.Minutes
	}
	fmt.Fprintf(&b, "\n%.0f minutes of tests.\n\n## What failed\n\n", minutes)
	found := false
	for _, d := range list {
		for _, name := range d.Failures {
			found = true
			fmt.Fprintf(&b, "- kernel %s, seed %d: `%s`\n", d.Kernel, d.Seed, name)
		}
		if d.Broken != "" {
			found = true
			fmt.Fprintf(&b, "- kernel %s, seed %d: %s: %s\n", d.Kernel, d.Seed, d.Package, d.Broken)
		}
	}
	if !found {
		b.WriteString("Nothing.\n")
	}
	return b.String()
}
