package coverage

import (
	"fmt"
	"slices"
	"strings"
)

// preamble opens docs/coverage.md.
const preamble = `# Coverage of linux/drivers/md

One row for every source file of ` + "`drivers/md`" + ` in Linux v4.11, headers beside
the file they belong to. A cell says **yes** only if every test that proves it
passed in the run this page was made from (` + "`make coverage`" + ` writes it, ` + "`make test`" + `
fails when it is out of date); *part* means that the tests named at the end
prove a part of it. An empty cell is work that has not been done.

- **drive**: the in-kernel driver is driven live through our packages.
- **read**: what the driver leaves on disk is read and verified offline.
- **run**: the engine runs the same thing without a kernel.
- **equal**: engine and kernel were shown to agree byte for byte.

`

// kernelsLine opens the line that says which kernels a run had.
const kernelsLine = "The kernels of that run: Linux "

// Render returns the text of docs/coverage.md for a run's results and the
// kernels of its machines.
func Render(rows []Row, results Results, kernels []string) string {
	var b strings.Builder
	b.WriteString(preamble)
	if len(kernels) > 0 {
		fmt.Fprintf(&b, "%s%s.\n\n", kernelsLine, strings.Join(kernels, ", "))
	}
	section := ""
	for _, row := range rows {
		if row.Section != section {
			section = row.Section
			fmt.Fprintf(&b, "\n## %s\n\n| file | what it is | drive | read | run | equal |\n|---|---|---|---|---|---|\n", section)
		}
		fmt.Fprintf(&b, "| %s | %s |", strings.Join(row.Files, " "), row.What)
		for _, c := range Columns() {
			fmt.Fprintf(&b, " %s |", cell(row.Proofs[c], results))
		}
		b.WriteString("\n")
	}
	writeProofs(&b, rows, results)
	return b.String()
}

// SameProofs reports whether two pages prove the same. They may be from different
// kernels: a suite's next kernel does not make a page out of date.
func SameProofs(a, b string) bool {
	return withoutKernels(a) == withoutKernels(b)
}

func withoutKernels(page string) string {
	before, rest, ok := strings.Cut(page, kernelsLine)
	if !ok {
		return page
	}
	_, after, _ := strings.Cut(rest, "\n\n")
	return before + after
}

// cell is "yes" if all proofs hold, and empty if one does not or if there are none.
// A pattern that starts with "part:" proves only a part.
func cell(patterns []string, results Results) string {
	if len(patterns) == 0 {
		return ""
	}
	word := "yes"
	for _, p := range patterns {
		p, partial := strings.CutPrefix(p, "part:")
		if partial {
			word = "*part*"
		}
		if _, ok := results.Match(p); !ok {
			return ""
		}
	}
	return word
}

func writeProofs(b *strings.Builder, rows []Row, results Results) {
	b.WriteString("\n## The tests behind the cells\n\n")
	for _, row := range rows {
		if len(row.Proofs) == 0 {
			continue
		}
		fmt.Fprintf(b, "- %s\n", row.Files[0])
		for _, c := range Columns() {
			for _, p := range row.Proofs[c] {
				if cell([]string{p}, results) != "" {
					fmt.Fprintf(b, "  - %s: `%s`\n", c, strings.TrimPrefix(p, "part:"))
				}
			}
		}
	}
}

// Unproven returns a line for every proof that names no passing test.
func Unproven(rows []Row, results Results) []string {
	var missing []string
	for _, row := range rows {
		for _, c := range Columns() {
			for _, p := range row.Proofs[c] {
				if _, ok := results.Match(strings.TrimPrefix(p, "part:")); !ok {
					missing = append(missing, fmt.Sprintf("%s %s: %s", row.Files[0], c, p))
				}
			}
		}
	}
	slices.Sort(missing)
	return missing
}
