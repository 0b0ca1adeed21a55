package lab

import (
	"maps"
	"os"
	"sync"
	"testing"
)

// guestEnv is set in the test process of a guest, and nowhere else.
const guestEnv = "MDKIT_LAB_GUEST"

// InGuest reports whether this process runs inside a lab machine.
func InGuest() bool { return os.Getenv(guestEnv) != "" }

// Guest is the machine as its cases see it, from inside.
type Guest struct {
	Kernel  string            // Oldest, Stable or Newest
	Backend string            // "uml" or "qemu"
	Release string            // uname -r
	Disks   []string          // device names, in the order of Spec.Disks
	NICs    []string          // interface names, in the order of Spec.NICs
	Env     map[string]string // Spec.Env

	builtin map[string]bool
	kmsg    *os.File // at the first record that has not been asked for yet

	mu      sync.Mutex
	told    map[string][]byte // from Machine.Tell
	changed chan struct{}     // closed and replaced when told changes
}

// runCases is the guest's side of Run. The testing package itself leaves out the
// cases that were not asked for.
func runCases(t *testing.T, cases []Case) {
	t.Helper()
	g, err := thisGuest()
	if err != nil {
		t.Fatalf("lab: %v", err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			// Registered first, so that it runs after the case's own clean-ups.
			t.Cleanup(func() {
				send(note{Kind: noteCase, Name: t.Name(), Text: string(statusOf(t))})
			})
			g.skipLog()
			c.Run(t, g)
		})
	}
}

func statusOf(t *testing.T) Status {
	switch {
	case t.Failed():
		return Fail
	case t.Skipped():
		return Skip
	}
	return Pass
}

// send writes a note to the host. Standard output is the channel; one write
// keeps the note in one piece and in order with what testing prints.
func send(n note) {
	os.Stdout.Write(n.encode())
}

// Publish hands a value to the host, where Machine.Await and Result.Published
// have it. A later value of the same name replaces an earlier one.
func (g *Guest) Publish(name string, data []byte) {
	send(note{Kind: notePublish, Name: name, Data: data})
}

// Await returns the value that the host sends under that name with Machine.Tell,
// waiting for it if need be. If the host never sends one, the machine's time
// limit ends the wait.
func (g *Guest) Await(name string) []byte {
	for {
		g.mu.Lock()
		data, ok := g.told[name]
		changed := g.changed
		g.mu.Unlock()
		if ok {
			return data
		}
		<-changed
	}
}

// listen receives what the host sends, for ever.
func (g *Guest) listen(in *os.File) {
	s := stream{onNote: func(n note) {
		g.mu.Lock()
		defer g.mu.Unlock()
		if n.Kind == noteTell {
			g.told = maps.Clone(g.told)
			if g.told == nil {
				g.told = map[string][]byte{}
			}
			g.told[n.Name] = n.Data
			close(g.changed)
			g.changed = make(chan struct{})
		}
	}}
	buf := make([]byte, 4096)
	for {
		n, err := in.Read(buf)
		if err != nil {
			return
		}
		s.Write(buf[:n])
	}
}
