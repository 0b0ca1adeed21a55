package dmsetup

import (
	"strings"
	"testing"
)

// FuzzConcise: a specification that is accepted contains only complete devices.
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
