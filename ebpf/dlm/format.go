package dlm

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ErrFormat marks a description of a tracepoint that is not in the form of tracefs
// (kernel/trace/trace_events.c, f_show).
var ErrFormat = errors.New("not a description of a tracepoint")

// Place is where a field lies in the record of a tracepoint.
type Place struct {
	Offset uint16 // in bytes
	Size   uint16 // in bytes; of a dynamic array, that of its __data_loc word, which is 4
}

// ParseFormat reads the file format of a tracepoint in tracefs and returns its fields by
// name. An error matches [ErrFormat], or is of r.
func ParseFormat(r io.Reader) (map[string]Place, error) {
	fields := map[string]Place{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		decl, rest, ok := strings.Cut(strings.TrimSpace(lines.Text()), ";")
		decl, isField := strings.CutPrefix(decl, "field:")
		if !ok || !isField {
			continue
		}
		var p Place
		if _, err := fmt.Sscanf(strings.TrimSpace(rest), "offset:%d;\tsize:%d;", &p.Offset, &p.Size); err != nil {
			return nil, fmt.Errorf("%w: %q: %w", ErrFormat, lines.Text(), err)
		}
		name := decl[strings.LastIndexAny(decl, " *")+1:]
		name, _, _ = strings.Cut(name, "[")
		fields[name] = p
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(fields) == 0 {
		return nil, fmt.Errorf("%w: it has no fields", ErrFormat)
	}
	return fields, nil
}
