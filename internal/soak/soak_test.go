package soak

import (
	"strings"
	"testing"
	"time"

	"github.com/mdkit/mdkit/internal/coverage"
)

func TestReportNamesWhatFailed(t *testing.T) {
	bad := Round{Kernel: "6.12", Seed: 7, Results: coverage.Results{"p TestA": coverage.Passed, "p TestB": coverage.Failed}}
	got := Report(time.Unix(0, 0), []string{"p"}, []Round{bad})
	for _, want := range []string{"1970-01-01", "| 6.12 | 7 | 1 | 1 | 0 |", "- kernel 6.12, seed 7: `p TestB`"} {
		if !strings.Contains(got, want) {
			t.Errorf("report lacks %q:\n%s", want, got)
		}
	}
	good := Round{Kernel: "6.1", Results: coverage.Results{"p TestA": coverage.Passed}}
	if got := Report(time.Unix(0, 0), []string{"p"}, []Round{good}); !strings.Contains(got, "Nothing.") {
		t.Errorf("a clean soak does not say so:\n%s", got)
	}
}
