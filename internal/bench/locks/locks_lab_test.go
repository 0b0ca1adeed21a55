// Package locks times our package dlm beside libdlm: locks, conversions and unlocks, one
// after the other, in one lockspace of one lab machine. As a test it makes a few and checks
// only that both work; `make bench` sets MDKIT_BENCH_LOCKS and reads the times.
package locks

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mdkit/mdkit/dlm"
	"github.com/mdkit/mdkit/internal/lab"
	"github.com/mdkit/mdkit/internal/lab/corosync"
	"github.com/mdkit/mdkit/internal/lab/fetch"
	"github.com/mdkit/mdkit/sysfs"
)

// wanted names the setting for how many rounds are timed.
const wanted = "MDKIT_BENCH_LOCKS"

const program = "/usr/bin/locks"

func TestMain(m *testing.M) { lab.Main(m) }

func TestLocks(t *testing.T) {
	rounds := os.Getenv(wanted)
	if rounds == "" && !lab.InGuest() && !lab.Soak() {
		t.Skip("needs libdlm's headers and a compiler: make bench and the soak run it")
	}
	if rounds == "" {
		rounds = "10"
	}
	lab.Run(t, lab.Spec{
		Modules: []string{"dlm"}, Files: files(t), Env: map[string]string{wanted: rounds}, Memory: 1 << 30,
		NICs: []*lab.Port{lab.NewSwitch(t).Port(corosync.Address(1))},
	}, lab.Case{Name: "race", Run: race})
}

// files are corosync's, libdlm, and the peer that uses it.
func files(t *testing.T) map[string]string {
	t.Helper()
	all := corosync.Files(t, 1)
	if lab.InGuest() {
		return all
	}
	for guest, host := range lab.Peer(t, "libdlm").Files {
		all[guest] = host
	}
	all[program] = build(t)
	return all
}

// build compiles the peer.
func build(t *testing.T) string {
	t.Helper()
	store, err := fetch.Open()
	if err != nil {
		t.Fatal(err)
	}
	gcc, err := store.Compiler(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	root, ok := store.LookupTree("bookworm", "libdlm")
	if !ok {
		t.Fatal("libdlm is not in the cache")
	}
	out := filepath.Join(t.TempDir(), "locks")
	said, err := exec.CommandContext(t.Context(), gcc, "-O2", "-Wall", "-I", filepath.Join(root, "usr/include"),
		"-L", filepath.Join(root, "usr/lib/x86_64-linux-gnu"), "-o", out, "peer/locks.c", "-l:libdlm_lt.so.3").CombinedOutput()
	if err != nil {
		t.Fatalf("build the peer: %v\n%s", err, said)
	}
	return out
}

// race lets both take turns, eight times, and takes the best of each. Neither can be
// cancelled: libdlm knows nothing of that.
func race(t *testing.T, g *lab.Guest) {
	rounds, err := strconv.Atoi(g.Env[wanted])
	if err != nil {
		t.Fatal(err)
	}
	// With a single one Go takes the processor away in each system call, as if another
	// thread had use for it; real machines have more than one.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	corosync.Start(t)
	ctl, err := dlm.OpenControl(sysfs.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer ctl.Close()
	if _, err := ctl.Create(t.Context(), "bench", true); err != nil {
		t.Fatal(err)
	}
	var ours, peer time.Duration
	for range 8 {
		ours = best(ours, throughPackage(t, rounds))
		peer = best(peer, throughLibrary(t, rounds))
	}
	rate := func(d time.Duration) float64 { return float64(3*rounds) / d.Seconds() }
	t.Logf("measured dlm.lock %.3f %.3f", rate(ours), rate(peer))
}

func best(a, b time.Duration) time.Duration {
	if a == 0 {
		return b
	}
	return min(a, b)
}

func throughPackage(t *testing.T, rounds int) time.Duration {
	t.Helper()
	s, err := dlm.Open(sysfs.Host, "bench")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	began := time.Now()
	for range rounds {
		l, err := s.Lock(context.Background(), "resource", dlm.PR)
		if err == nil {
			err = l.Convert(context.Background(), dlm.EX)
		}
		if err == nil {
			err = l.Unlock(context.Background())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return time.Since(began)
}

func throughLibrary(t *testing.T, rounds int) time.Duration {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), program, strconv.Itoa(rounds)).Output()
	if err != nil {
		t.Fatal(err)
	}
	ns, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(ns)
}
