package coverage

import (
	"bufio"
	_ "embed"
	"fmt"
	"strings"
)

//go:embed proofs.txt
var proofsText string

// Column is one of the four ways in which a source file of the kernel must be
// covered.
type Column string

// The columns of the table, in its order.
const (
	Drive Column = "drive" // the in-kernel driver is driven live
	Read  Column = "read"  // what it leaves on disk is read and verified offline
	RunIt Column = "run"   // the engine runs the same thing without a kernel
	Equal Column = "equal" // shown equal to a real kernel, byte for byte
)

// Columns lists the columns in the table's order.
func Columns() []Column { return []Column{Drive, Read, RunIt, Equal} }

// Row is what proofs.txt says about one source file and the headers that belong to
// it.
type Row struct {
	Section string
	Files   []string // relative to drivers/md
	What    string
	Proofs  map[Column][]string // patterns for Results.Match
}

// Rows parses proofs.txt: sections in brackets, a line "files: what it is" for
// each row, and under it, indented, "column package Test" lines.
func Rows() ([]Row, error) { return parse(proofsText) }

func parse(text string) ([]Row, error) {
	var rows []Row
	section := ""
	sc := bufio.NewScanner(strings.NewReader(text))
	for n := 1; sc.Scan(); n++ {
		line := sc.Text()
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "["):
			section = strings.Trim(line, "[]")
		case strings.HasPrefix(line, " "):
			if err := addProof(rows, line); err != nil {
				return nil, fmt.Errorf("proofs.txt line %d: %w", n, err)
			}
		default:
			files, what, ok := strings.Cut(line, ": ")
			if !ok {
				return nil, fmt.Errorf("proofs.txt line %d: want \"files: what it is\", got %q", n, line)
			}
			rows = append(rows, Row{Section: section, Files: strings.Fields(files), What: what, Proofs: map[Column][]string{}})
		}
	}
	return rows, sc.Err()
}

func addProof(rows []Row, line string) error {
	column, pattern, ok := strings.Cut(strings.TrimSpace(line), " ")
	if !ok || len(rows) == 0 {
		return fmt.Errorf("want \"column package Test\" under a row, got %q", line)
	}
	for _, c := range Columns() {
		if string(c) == column {
			last := rows[len(rows)-1]
			last.Proofs[c] = append(last.Proofs[c], strings.TrimSpace(pattern))
			return nil
		}
	}
	return fmt.Errorf("unknown column %q", column)
}
