package dm

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/mdkit/mdkit/engine/dm/lex"
)

// Line is one line of a table as text.
type Line struct {
	Start  uint64 // first sector of the mapped device, in 512-byte sectors
	Length uint64 // sectors mapped by this line
	Type   string // target type, such as "linear"
	// Params are the target's arguments as dmsetup reads and kernels print
	// them: words separated by white space, in which a backslash is an ordinary
	// character. EscapeParams gives the form the ioctl wants.
	Params string
}

// NewLine makes the line that maps length sectors from start with the target
// and arguments of a.
func NewLine(start, length uint64, a Args) Line {
	return Line{Start: start, Length: length, Type: a.Type(), Params: a.Params()}
}

// String returns the line as dmsetup prints it: a target without arguments ends
// with a blank.
func (l Line) String() string {
	return fmt.Sprintf("%d %d %s %s", l.Start, l.Length, l.Type, l.Params)
}

// EscapeParams doubles every backslash, because the kernel treats a backslash
// as a quote and removes it (dm-table.c, dm_split_args). This is the text for
// DM_TABLE_LOAD.
func EscapeParams(params string) string { return strings.ReplaceAll(params, `\`, `\\`) }

// Table is a table: its lines in the order of their sectors.
type Table []Line

// String returns one line per target, each ended by a newline.
func (t Table) String() string {
	var b strings.Builder
	for _, l := range t {
		b.WriteString(l.String())
		b.WriteByte('\n')
	}
	return b.String()
}

// Sectors is the size of the device that the table makes: the end of its last
// line, in 512-byte sectors.
func (t Table) Sectors() uint64 {
	if len(t) == 0 {
		return 0
	}
	last := t[len(t)-1]
	return last.Start + last.Length
}

// ParseTable reads a table as dmsetup does: one target per line; blank lines
// and lines that begin with # are skipped, and so is everything from a # in the
// arguments on. The error is an *Error that names the line.
func ParseTable(text string) (Table, error) {
	var t Table
	n := 0
	for raw := range strings.SplitSeq(text, "\n") {
		n++
		s := strings.TrimFunc(raw, lex.IsSpace)
		if s == "" || s[0] == '#' {
			continue
		}
		l, ok := parseLine(s)
		if !ok {
			return nil, &Error{Op: "parse", Line: n, Reason: "not of the form <start> <length> <target type> <arguments>", Err: ErrSyntax}
		}
		t = append(t, l)
	}
	return t, nil
}

// parseLine reads a trimmed line as sscanf does with "%llu %llu %s".
func parseLine(s string) (Line, bool) {
	var l Line
	var ok bool
	if l.Start, s, ok = cutNumber(s); !ok {
		return l, false
	}
	if l.Length, s, ok = cutNumber(s); !ok {
		return l, false
	}
	s = strings.TrimLeftFunc(s, lex.IsSpace)
	if s == "" {
		return l, false
	}
	end := strings.IndexFunc(s, lex.IsSpace)
	if end < 0 {
		end = len(s)
	}
	l.Type, s = s[:end], strings.TrimLeftFunc(s[end:], lex.IsSpace)
	l.Params, _, _ = strings.Cut(s, "#")
	return l, true
}

// cutNumber takes the decimal number that s begins with.
func cutNumber(s string) (uint64, string, bool) {
	s = strings.TrimLeftFunc(s, lex.IsSpace)
	end := 0
	for end < len(s) && lex.IsDigit(s[end]) {
		end++
	}
	n, err := strconv.ParseUint(s[:end], 10, 64)
	return n, s[end:], err == nil
}
