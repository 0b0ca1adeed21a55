package dmsetup

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/mdkit/mdkit/internal/lab"
)

// TestRefusedLikeTheOriginal runs the original beside ours where ours says why, and
// leaves less behind.
func TestRefusedLikeTheOriginal(t *testing.T) {
	var cases []lab.Case
	for _, c := range []struct {
		name string
		run  func(t *testing.T, w *world)
	}{
		{"another major", testAnotherMajor},
		{"signals", testSignals},
	} {
		cases = append(cases, ownCase(c.name, c.run))
	}
	lab.Run(t, lab.Spec{Files: lab.Peer(t, "dmsetup").Files, Modules: labModules()}, cases...)
}

// ownCase is a case that begins and ends without devices.
func ownCase(name string, run func(t *testing.T, w *world)) lab.Case {
	return lab.Case{Name: name, Run: func(t *testing.T, _ *lab.Guest) {
		reset(t)
		defer reset(t)
		w := &world{t: t}
		defer w.release()
		run(t, w)
	}}
}

// testAnotherMajor asks for numbers that no mapped device has. The original fails, and
// leaves the device behind, since it looks for it under that number to remove it.
func testAnotherMajor(t *testing.T, w *world) {
	for _, line := range []string{
		"dmsetup create a -j 9 -m 77 --table '0 64 linear 1:0 0'",
		"dmsetup create a -j 253 -m 78 -u U --table '0 64 linear 1:0 0'",
		"dmsetup create a -v -j 9 -m 81 --table '0 64 linear 1:0 0'",
		"dmsetup create a -j 9 -m 82 --addnodeoncreate --table '0 64 linear 1:0 0'",
		"dmsetup create a -j 9 -m 80 --table '0 8 nosuch'",
		"dmsetup create a -j 0 -m 84 --table '0 64 linear 1:0 0'",
	} {
		reset(t)
		want, _ := w.step(line, peers)
		reset(t)
		before := state(t)
		got, _ := w.step(line, ours)
		first, _, _ := strings.Cut(got.err, "\n")
		if wanted, _, _ := strings.Cut(want.err, "\n"); want.code != 1 || got.code != 1 || first != wanted || got.out != want.out {
			t.Errorf("%s\ndmsetup:\n%v\nours:\n%v", line, want, got)
		}
		if strings.Contains(first, "resume") && !strings.Contains(got.err, "\n  the device mapper's major number is ") {
			t.Errorf("%v\ndoes not say why", got)
		}
		if after := state(t); after != before {
			t.Errorf("%s has left\n%s", line, after)
		}
	}
	if o := w.do("dmsetup create a -j 9 -m 77 --dry-run --table '0 8 zero'"); !strings.Contains(o.err, "major number") {
		t.Errorf("the dry run does not foresee it: %v", o)
	}
}

// testSignals ends the command wait by signals: no word is said, and the process dies of
// the signal.
func testSignals(t *testing.T, w *world) {
	w.do("dmsetup create a --table '0 8 zero'")
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		want, got := signalled(t, "/sbin/dmsetup", sig), signalled(t, "/proc/self/exe", sig)
		if want != got {
			t.Errorf("%v:\ndmsetup: %s\nours: %s", sig, want, got)
		}
		if !strings.HasPrefix(want, "signal: ") {
			t.Errorf("%v: dmsetup itself: %s", sig, want)
		}
	}
}

// signalled runs "wait a", sends a signal once it waits, and returns how it ended and what
// it said.
func signalled(t *testing.T, program string, sig syscall.Signal) string {
	t.Helper()
	var said bytes.Buffer
	cmd := exec.Command(program, "wait", "a")
	cmd.Args[0] = "dmsetup"
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lab.Until(t, "the control device to be open", func() bool {
		return opened(t, cmd.Process.Pid, "/dev/mapper/control")
	})
	if err := cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	if err == nil {
		t.Fatalf("%s was not ended by %v", program, sig)
	}
	return err.Error() + "\n" + said.String()
}

// opened reports whether a process has a file open.
func opened(t *testing.T, pid int, path string) bool {
	t.Helper()
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(links, func(link string) bool {
		to, err := os.Readlink(link)
		return err == nil && to == path
	})
}
