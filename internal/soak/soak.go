// Package soak runs the kernel tests of which `make test` runs a sample: on
// every lab kernel, with many seeds, and writes down what ran and what came of
// it (docs/soak.md).
package soak

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mdkit/mdkit/internal/coverage"
)

// Round is one run of the tests with one kernel and one seed.
type Round struct {
	Kernel  string
	Seed    uint64
	Took    time.Duration
	Results coverage.Results
}

// count says how many tests of the round ended that way.
func (r Round) count(o coverage.Outcome) int {
	n := 0
	for _, got := range r.Results {
		if got == o {
			n++
		}
	}
	return n
}

// Failures lists the failed tests, sorted; parents of failed subtests too.
func (r Round) Failures() []string {
	var names []string
	for name, o := range r.Results {
		if o == coverage.Failed {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Report renders docs/soak.md.
func Report(date time.Time, packages []string, rounds []Round) string {
	var b strings.Builder
	b.WriteString("# The last soak\n\n")
	fmt.Fprintf(&b, "Written by `make soak` on %s. Each round runs the tests of\n", date.UTC().Format(time.DateOnly))
	fmt.Fprintf(&b, "%s\nwith `MDKIT_SOAK=1` on one lab kernel with one seed.\n\n", strings.Join(packages, ", "))
	b.WriteString("| kernel | seed | passed | failed | skipped | minutes |\n|---|---|---|---|---|---|\n")
	for _, r := range rounds {
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %.1f |\n", r.Kernel, r.Seed,
			r.count(coverage.Passed), r.count(coverage.Failed), r.count(coverage.Skipped), r.Took.Minutes())
	}
	b.WriteString("\n## What failed\n\n")
	found := false
	for _, r := range rounds {
		for _, name := range r.Failures() {
			found = true
			fmt.Fprintf(&b, "- kernel %s, seed %d: `%s`\n", r.Kernel, r.Seed, name)
		}
	}
	if !found {
		b.WriteString("Nothing.\n")
	}
	return b.String()
}
