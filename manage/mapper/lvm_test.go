package mapper

import "testing"

// TestSplitLVM compares splitting of names with what libdevmapper documents.
func TestSplitLVM(t *testing.T) {
	for name, want := range map[string][3]string{
		"vg-lv":          {"vg", "lv", ""},
		"v--g-l--v-ly":   {"v-g", "l-v", "ly"},
		"vg":             {"vg", "", ""},
		"":               {"", "", ""},
		"vg-lv-":         {"vg", "lv-", ""},
		"a-b-c-d":        {"a", "b", "c"},
		"vg0-thin_tmeta": {"vg0", "thin_tmeta", ""},
	} {
		group, volume, layer := SplitLVM(name)
		if got := [3]string{group, volume, layer}; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
