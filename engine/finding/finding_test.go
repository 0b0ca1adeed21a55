package finding_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/mdkit/mdkit/engine/finding"
)

func TestString(t *testing.T) {
	for _, c := range []struct {
		f    finding.Finding
		want string
	}{
		{
			finding.Finding{Rule: "md1.checksum", Severity: finding.Fatal, Device: "/dev/sda", Off: 4312, Message: "bad checksum"},
			"fatal: /dev/sda: at 0x10d8: bad checksum [md1.checksum]",
		},
		{
			finding.Finding{Rule: "md.member.missing", Severity: finding.Warning, Off: -1, Message: "slot 1 is missing"},
			"warning: slot 1 is missing [md.member.missing]",
		},
		{finding.Finding{Rule: "x.y", Severity: 9, Off: 0, Message: "m"}, "severity(9): at 0x0: m [x.y]"},
	} {
		if got := c.f.String(); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

func TestJSON(t *testing.T) {
	b, err := json.Marshal(finding.Finding{Rule: "r", Severity: finding.Error, Off: -1, Message: "m"})
	if want := `{"rule":"r","severity":"error","device":"","offset":-1,"message":"m"}`; err != nil || string(b) != want {
		t.Errorf("got %s, %v; want %s", b, err, want)
	}
}

func TestWorst(t *testing.T) {
	list := []finding.Finding{{Severity: finding.Warning}, {Severity: finding.Error}, {Severity: finding.Warning}}
	worst, count := finding.Worst(slices.Values(list))
	if worst != finding.Error || count[finding.Warning] != 2 || count[finding.Error] != 1 || count[finding.Fatal] != 0 {
		t.Errorf("%v %v", worst, count)
	}
	if worst, count := finding.Worst(slices.Values[[]finding.Finding](nil)); worst != finding.Info || len(count) != 0 {
		t.Errorf("of none: %v %v", worst, count)
	}
}

func ExampleWorst() {
	found := []finding.Finding{
		{Rule: "md1.checksum", Severity: finding.Fatal, Device: "sda", Off: 4312, Message: "bad checksum"},
		{Rule: "md1.devflags", Severity: finding.Warning, Device: "sda", Off: 4280, Message: "unknown bits"},
	}
	worst, count := finding.Worst(slices.Values(found))
	fmt.Println(worst, count[finding.Warning])
	// Output: fatal 1
}
