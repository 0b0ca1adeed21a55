package dmsetup

import (
	"strings"
	"testing"
)

// FuzzConcise: a specification that is accepted has whole devices only.
func FuzzConcise(f *testing.F) {
	for _, spec := range []string{"a,,,,0 8 zero", "a,u,1,ro,0 8 zero,8 8 error; b,,,,0 1 error;", `a\,b,,,,0 8 zero\`, ";", ",,,,", "a,,,,x;b"} {
		f.Add(spec)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		list, err := conciseFields(spec)
		if err == nil && len(list) > strings.Count(spec, ";")+1 {
			t.Errorf("%q: %d devices", spec, len(list))
		}
		for _, d := range list {
			if d[3] != "" && d[3] != "ro" && d[3] != "rw" {
				t.Errorf("%q: flags %q", spec, d[3])
			}
		}
	})
}

// TestCut holds splitting of names against what libdevmapper documents.
func TestCut(t *testing.T) {
	for name, want := range map[string][3]string{
		"vg-lv":          {"vg", "lv", ""},
		"v--g-l--v-ly":   {"v-g", "l-v", "ly"},
		"vg":             {"vg", "", ""},
		"":               {"", "", ""},
		"vg-lv-":         {"vg", "lv-", ""},
		"a-b-c-d":        {"a", "b", "c"},
		"vg0-thin_tmeta": {"vg0", "thin_tmeta", ""},
	} {
		n := split("LVM", name)
		if got := [3]string{n.group, n.volume, n.layer}; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
