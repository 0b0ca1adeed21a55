package watch

import (
	"slices"
	"testing"
)

// TestMailArgs checks who is the envelope sender of a mail.
func TestMailArgs(t *testing.T) {
	for from, want := range map[string][]string{
		"":                            {"-t"},
		"raid@example.org":            {"-fraid@example.org", "-t"},
		"mdadm of a <md@example.org>": {"-fmd@example.org", "-t"},
		"root":                        {"-t"},
		"a@b -oQ/tmp":                 {"-t"},
	} {
		if got := (&Mailer{From: from}).Args(); !slices.Equal(got, want) {
			t.Errorf("from %q: %q, not %q", from, got, want)
		}
	}
}
