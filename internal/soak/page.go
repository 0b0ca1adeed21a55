package soak

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// row is what the page says about a package on a kernel.
type row struct {
	steps, done int
	runs        []Done
}

// Report renders docs/soak.md: which results of the steps count on that day, what
// failed, and which results no longer count.
func Report(date string, steps []Step, st State) string {
	var b strings.Builder
	b.WriteString("# Soak\n\n")
	fmt.Fprintf(&b, "Written by `make soak` from `docs/soak.jsonl`, as of %s. A soak runs all\n", date)
	b.WriteString("tests of the packages that have kernel tests, on every lab kernel, with\n" +
		"`MDKIT_SOAK=1`: nothing is left to a sample. A pass counts until something changes\n" +
		"that the package's tests depend on, or the kernel's release.\n\n")
	rows, order := collect(steps, st)
	done := 0
	for _, r := range rows {
		done += r.done
	}
	if done < len(steps) {
		fmt.Fprintf(&b, "**Unfinished**: %d of %d steps count.\n\n", done, len(steps))
	} else {
		fmt.Fprintf(&b, "All %d steps count.\n\n", len(steps))
	}
	b.WriteString("| kernel | package | steps | passed | failed | skipped | seeds | minutes | since |\n|---|---|---|---|---|---|---|---|---|\n")
	var minutes float64
	var missing []string
	for _, key := range order {
		r := rows[key]
		if r.done == 0 {
			missing = append(missing, fmt.Sprintf("%s (%s)", strings.TrimPrefix(key.Package, "./"), key.Kernel))
			continue
		}
		var passed, failed, skipped int
		var took float64
		seeds := map[uint64]bool{}
		for _, d := range r.runs {
			passed, failed, skipped, took = passed+d.Passed, failed+len(d.Failures), skipped+d.Skipped, took+d.Minutes
			seeds[d.Seed] = true
		}
		first := slices.MinFunc(r.runs, func(a, b Done) int { return strings.Compare(a.Date, b.Date) })
		fmt.Fprintf(&b, "| %s (%s) | %s | %d of %d | %d | %d | %d | %d | %.1f | %s |\n", key.Kernel, st.Releases[key.Kernel],
			strings.TrimPrefix(key.Package, "./"), r.done, r.steps, passed, failed, skipped, len(seeds), took, first.Date)
		minutes += took
	}
	fmt.Fprintf(&b, "\n%.0f minutes of tests.\n\n", minutes)
	if len(missing) > 0 {
		fmt.Fprintf(&b, "Nothing that counts: %s.\n\n", strings.Join(missing, ", "))
	}
	b.WriteString("## What failed\n\n")
	b.WriteString(cmp.Or(failed(st), "Nothing.\n"))
	b.WriteString("\n## Stale\n\nRuns that do not count any more.\n\n")
	b.WriteString(cmp.Or(stale(st), "None.\n"))
	return b.String()
}

// collect gathers the runs that count by package and kernel.
func collect(steps []Step, st State) (rows map[Step]*row, order []Step) {
	rows = map[Step]*row{}
	for _, s := range steps {
		key := Step{Package: s.Package, Kernel: s.Kernel}
		r := rows[key]
		if r == nil {
			r = &row{}
			rows[key], order = r, append(order, key)
		}
		r.steps++
		runs := st.Runs(s)
		if len(runs) > 0 {
			r.done++
		}
		for _, d := range runs {
			r.runs = append(r.runs, d)
		}
	}
	return rows, order
}

// failed lists the failures of runs that are not stale. A failure remains one even
// if the test passed when it was run again.
func failed(st State) string {
	var b strings.Builder
	for _, d := range st.Log {
		if !d.Failed() || st.Stale(d) != "" {
			continue
		}
		again := ""
		if last := st.Runs(d.Step)[d.Seed]; !last.Failed() {
			again = fmt.Sprintf("; passed when it was run again on %s", last.Date)
		}
		for _, name := range d.Failures {
			fmt.Fprintf(&b, "- kernel %s (%s), seed %d: `%s`%s\n", d.Kernel, d.Release, d.Seed, name, again)
		}
		if d.Broken != "" {
			fmt.Fprintf(&b, "- kernel %s (%s), seed %d: %s: %s%s\n", d.Kernel, d.Release, d.Seed, d.Step, d.Broken, again)
		}
	}
	return b.String()
}

// stale lists the last stale run of each step that has only stale ones, in one
// line for each kernel, release, package and reason.
func stale(st State) string {
	type key struct{ kernel, release, pkg, why string }
	last := map[Step]Done{}
	for _, d := range st.Log {
		last[d.Step] = d
	}
	count := map[key]int{}
	date := map[key]string{}
	for _, d := range last {
		if why := st.Stale(d); why != "" {
			k := key{d.Kernel, d.Release, strings.TrimPrefix(d.Package, "./"), why}
			count[k]++
			date[k] = max(date[k], d.Date)
		}
	}
	var lines []string
	for k, n := range count {
		lines = append(lines, fmt.Sprintf("- %s on %s (%s), %d steps, the last on %s: %s\n", k.pkg, k.kernel, k.release, n, date[k], k.why))
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}
