package dlm

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/mdkit/mdkit/dlm"
	"github.com/mdkit/mdkit/internal/lab"
	"github.com/mdkit/mdkit/internal/lab/corosync"
	"github.com/mdkit/mdkit/sysfs"
)

// TestTrace takes a known number of locks on a node, and finds each of them.
func TestTrace(t *testing.T) {
	for _, kernel := range lab.Kernels() {
		if kernel != lab.Oldest && !lab.InGuest() && !lab.Soak() {
			continue
		}
		t.Run(kernel, func(t *testing.T) {
			lab.Run(t, lab.Spec{
				Backend: "qemu", Kernel: kernel, Modules: []string{"dlm"}, Files: corosync.Files(t, 1), Memory: 1 << 30,
				NICs: []*lab.Port{lab.NewSwitch(t).Port(corosync.Address(1))},
			}, lab.Case{Name: "locks", Run: traceLocks})
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func traceLocks(t *testing.T, g *lab.Guest) {
	tr, err := Open(Folder)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	defer tr.Close()
	for _, p := range tr.Probes() {
		if p.Missing != nil || len(p.Unfilled) > 0 && (p.Kind != Sent || g.AtLeast("6.12")) {
			t.Errorf("%+v", p)
		}
	}
	corosync.Start(t)
	ctl, err := dlm.OpenControl(sysfs.Host)
	must(t, err)
	defer ctl.Close()
	_, err = ctl.Create(t.Context(), "seen", true)
	must(t, err)
	s, err := dlm.Open(sysfs.Host, "seen")
	must(t, err)
	const rounds = 100
	for i := range rounds {
		l, err := s.Lock(t.Context(), fmt.Sprintf("res%03d", i), dlm.PR)
		must(t, err)
		must(t, l.Convert(t.Context(), dlm.EX))
		must(t, l.Unlock(t.Context()))
	}
	must(t, s.Close())
	must(t, ctl.Remove(t.Context(), "seen", false))

	done, stop := context.WithCancel(t.Context())
	stop() // what is in the buffer comes all the same
	var events []Event
	for e, err := range tr.Events(done) {
		must(t, err)
		events = append(events, e)
	}
	sent, lost, err := tr.Counts()
	must(t, err)
	if int(sent) != len(events) || lost != 0 {
		t.Errorf("%d events sent, %d lost, %d read", sent, lost, len(events))
	}
	count := map[string]int{}
	for _, e := range events {
		if e.Space == dlm.GlobalID("seen") && len(e.Resource) == 6 {
			count[fmt.Sprintf("%s %v %d", e.Kind, e.Mode, e.Status)]++
		}
	}
	const unlocked = -0x10002 // DLM_EUNLOCK
	ended := map[bool]int{}
	for _, e := range events {
		if e.Space == dlm.GlobalID("seen") && len(e.Resource) == 6 && e.Kind == Granted {
			ended[e.Status == unlocked]++
		}
	}
	// What Linux 6.12 shows of an unlock is a status of 0.
	if n := ended[true] + ended[false]; n != 3*rounds || !g.AtLeast("6.12") && ended[true] != rounds {
		t.Errorf("%d completions, %d of them unlocks", n, ended[true])
	}
	for what, n := range map[string]int{
		"lock_start PR 0": rounds, "lock_start EX 0": rounds, "lock_end PR 0": rounds, "lock_end EX 0": rounds,
		"unlock_start  0": rounds, "unlock_end  0": rounds,
	} {
		if count[what] != n {
			t.Errorf("%s: %d, want %d", what, count[what], n)
		}
	}
	if !slices.IsSortedFunc(events, func(a, b Event) int { return cmp.Compare(a.Time, b.Time) }) {
		t.Error("events of one processor are not in order")
	}
}
