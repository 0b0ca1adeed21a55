package dm_test

import (
	_ "embed"
	"slices"
	"strings"
	"testing"
)

//go:embed testdata/reasons.txt
var reasonsText string

// reason is one line of testdata/reasons.txt.
type reason struct {
	class string
	file  string
	text  string // a star at the end stands for a word
}

func (r reason) is(text string) bool {
	if head, ok := strings.CutSuffix(r.text, "*"); ok {
		return strings.HasPrefix(text, head)
	}
	return r.text == text
}

func reasons(t *testing.T) []reason {
	t.Helper()
	var list []reason
	for line := range strings.Lines(reasonsText) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) != 3 {
			t.Fatalf("testdata/reasons.txt: %q", line)
		}
		list = append(list, reason{f[0], f[1], f[2]})
	}
	return list
}

// kernelReasons is how many reasons the list for Linux 6.12 has.
const kernelReasons = 605

// TestReasons compares the list of the kernel's reasons with the tables that
// provoke them: each reason that a table can provoke is provoked, and no table
// provokes one that is not in the list.
func TestReasons(t *testing.T) {
	list := reasons(t)
	provoked := map[string][]string{}
	for _, b := range badTables(t, refs) {
		provoked["table"] = append(provoked["table"], b.reason)
	}
	for _, b := range worldTables {
		provoked["world"] = append(provoked["world"], b.reason)
	}
	for _, c := range coreTables {
		provoked["core"] = append(provoked["core"], c.reason)
	}
	provoked["beyond"] = provoked["table"]
	counts := map[string]int{}
	for _, r := range list {
		counts[r.class]++
		switch r.class {
		case "table", "core", "world", "beyond":
			if !slices.ContainsFunc(provoked[r.class], r.is) {
				t.Errorf("%s: %q is provoked by no %s table", r.file, r.text, r.class)
			}
		case "hidden", "alloc", "disk", "state", "crypto", "device", "never", "other":
		default:
			t.Errorf("%s: %q is of an unknown class %q", r.file, r.text, r.class)
		}
	}
	if n := len(list) - counts["beyond"]; n != kernelReasons {
		t.Errorf("%d reasons in the list, want %d", n, kernelReasons)
	}
	for _, text := range append(provoked["table"], provoked["world"]...) {
		if !slices.ContainsFunc(list, func(r reason) bool {
			return slices.Contains([]string{"table", "core", "world", "beyond"}, r.class) && r.is(text)
		}) {
			t.Errorf("%q is provoked, and not in the list as such", text)
		}
	}
	t.Logf("reasons by class: %v", counts)
}
