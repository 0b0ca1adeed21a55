package native

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	lockmanager "github.com/mdkit/mdkit/dlm"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/internal/lab"
	"github.com/mdkit/mdkit/internal/lab/corosync"
	"github.com/mdkit/mdkit/sysfs"
)

// TestTrace has the verb watch locks being taken, on Debian's kernel.
func TestTrace(t *testing.T) {
	lab.Run(t, lab.Spec{
		Backend: "qemu", Modules: []string{"dlm"}, Files: corosync.Files(t, 1), Memory: 1 << 30,
		NICs: []*lab.Port{lab.NewSwitch(t).Port(corosync.Address(1))},
	}, lab.Case{Name: "dlm", Run: traceVerb})
}

func traceVerb(t *testing.T, _ *lab.Guest) {
	corosync.Start(t)
	ctl, err := lockmanager.OpenControl(sysfs.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer ctl.Close()
	if _, err := ctl.Create(t.Context(), "seen", true); err != nil {
		t.Fatal(err)
	}
	s, err := lockmanager.Open(sysfs.Host, "seen")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, format := range []string{"--jsonl", ""} {
		var out, errs bytes.Buffer
		ended := make(chan int, 1)
		args := append([]string{"trace", "dlm", "--lockspace", "seen", "--count", "60"}, strings.Fields(format)...)
		go func() { ended <- Main(t.Context(), args, ui.IO{In: strings.NewReader(""), Out: &out, Err: &errs}) }()
		code := -1
		for code < 0 { // until the trace, which takes a while to begin, has seen enough
			l, err := s.Lock(t.Context(), "a b", lockmanager.EX)
			if err != nil {
				t.Fatal(err)
			}
			if err := l.Unlock(t.Context()); err != nil {
				t.Fatal(err)
			}
			select {
			case code = <-ended:
			default:
			}
		}
		if code != 0 || !strings.Contains(errs.String(), " events, 0 lost, 60 shown\n") || strings.Count(out.String(), "\n") != 60 {
			t.Errorf("exit %d, %s%s", code, out.String(), errs.String())
		}
		for text := range strings.Lines(out.String()) {
			var e struct {
				Node                int
				Lockspace, Resource string
			}
			if format == "" {
				if _, err := fmt.Sscanf(text, "%f", new(float64)); err != nil || !strings.Contains(text, "  seen  a b  ") {
					t.Errorf("%v: %s", err, text)
				}
			} else if err := json.Unmarshal([]byte(text), &e); err != nil || e.Node != 1 || e.Lockspace != "seen" || e.Resource != "a b" {
				t.Errorf("%v: %s", err, text)
			}
		}
	}
}
