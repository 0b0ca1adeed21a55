package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// innerEnv is set when TestInner is to run: its cases fail on purpose, each in
// its own way, and TestFailures checks how that is reported.
const innerEnv = "LAB_INNER"

func TestInner(t *testing.T) {
	if os.Getenv(innerEnv) == "" && !InGuest() {
		t.Skip("part of TestFailures")
	}
	spec := Spec{Env: map[string]string{innerEnv: "1"}}
	switch what, value, _ := strings.Cut(os.Getenv(innerEnv), "="); what {
	case "tests":
		spec.Timeout, _ = time.ParseDuration(value)
	case "boot":
		spec.boot, _ = time.ParseDuration(value)
	}
	Run(t, spec,
		Case{Name: "good", Run: func(t *testing.T, g *Guest) {
			t.Log("all is well")
			g.Publish("made by the guest", []byte{1})
		}},
		Case{Name: "fails", Run: func(t *testing.T, _ *Guest) {
			fmt.Print("no newline at the end")
			t.Error("the reason of the failure")
		}},
		Case{Name: "deep", Run: func(t *testing.T, _ *Guest) {
			t.Run("one", func(t *testing.T) {
				t.Run("two", func(t *testing.T) { t.Error("at the bottom") })
			})
			t.Run("beside", func(*testing.T) {})
		}},
		Case{Name: "panics", Run: func(*testing.T, *Guest) { panic("the test lost its head") }},
		Case{Name: "exits", Run: func(*testing.T, *Guest) { os.Exit(3) }},
		Case{Name: "oops", Run: func(t *testing.T, _ *Guest) {
			if err := os.WriteFile("/proc/sysrq-trigger", []byte("c"), 0); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Minute)
		}},
		Case{Name: "hangs", Run: func(*testing.T, *Guest) { time.Sleep(time.Hour) }},
		Case{Name: "stops", Run: func(*testing.T, *Guest) {
			unix.Kill(unix.Getpid(), unix.SIGSTOP)
			time.Sleep(time.Hour) // in case another thread takes the signal
		}},
		Case{Name: "after", Run: func(*testing.T, *Guest) {}},
	)
}

// inner runs the selected cases of TestInner as a test process of its own.
func inner(t *testing.T, pattern, setting string) (out string, failed bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestInner$/"+pattern, "-test.v", "-test.count=1")
	cmd.Env = append(os.Environ(), innerEnv+"="+setting)
	b, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(b), err != nil
}

// TestFailures checks that every way to fail in a guest fails the right test on
// the host, with all that is needed to understand it.
func TestFailures(t *testing.T) {
	if InGuest() {
		t.Skip("a host test")
	}
	if _, err := findKernel(t.Context(), Spec{Backend: "uml", Kernel: Oldest}); err != nil {
		noLab(t, err)
	}
	for _, c := range []struct {
		name, pattern, setting string
		want                   []string // patterns, in order
	}{
		{"good", "^good$", "1", []string{`all is well`, `--- PASS: TestInner/good`}},
		{"fails", "^(good|fails|after)$", "1", []string{
			`no newline at the end`, `inner_linux_test.go:\d+: the reason of the failure`,
			`--- FAIL: TestInner `, `--- PASS: TestInner/good`, `--- FAIL: TestInner/fails`, `--- PASS: TestInner/after`,
		}},
		{"deep", "^deep$", "1", []string{
			`at the bottom`, `--- FAIL: TestInner/deep `, `--- FAIL: TestInner/deep/one `, `--- FAIL: TestInner/deep/one/two `, `--- PASS: TestInner/deep/beside `,
		}},
		{"panics", "^(good|panics|after)$", "1", []string{
			`the test lost its head`, `inner_linux_test.go:\d+`, `--- PASS: TestInner/good`, `--- FAIL: TestInner/panics`, `--- FAIL: TestInner/after`,
		}},
		{"exits", "^exits$", "1", []string{`UNFINISHED`, `--- FAIL: TestInner/exits`}},
		{"oops", "^(good|oops)$", "1", []string{
			`Kernel panic - not syncing: `, `end of the console`, `--- PASS: TestInner/good`, `--- FAIL: TestInner/oops`,
		}},
		{"hangs", "^hangs$", "tests=2s", []string{`panic: test timed out`, `inner_linux_test.go:\d+`, `--- FAIL: TestInner/hangs`}},
		{"stops", "^stops$", "tests=2s", []string{`UNFINISHED`, `--- FAIL: TestInner/stops`}},
		{"slow boot", "^good$", "boot=10ms", []string{`was not up after 10ms`, `--- FAIL: TestInner/good`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, failed := inner(t, c.pattern, c.setting)
			// On a busy system the time may be over before the case begins.
			value, limited := strings.CutPrefix(c.setting, "tests=")
			limit, _ := time.ParseDuration(value)
			for limited && limit < patience && strings.Contains(out, string(NotRun)) {
				limit *= 4
				out, failed = inner(t, c.pattern, "tests="+limit.String())
			}
			if failed != (c.name != "good") {
				t.Errorf("failed: %v", failed)
			}
			rest := out
			for _, w := range c.want {
				at := regexp.MustCompile(w).FindStringIndex(rest)
				if at == nil {
					t.Errorf("no %q (after what came before) in:\n%s", w, out)
					break
				}
				rest = rest[at[1]:]
			}
		})
	}
}

// TestCoverage checks that the host's profile includes what ran only in the
// guest.
func TestCoverage(t *testing.T) {
	if InGuest() {
		t.Skip("a host test")
	}
	if _, err := findKernel(t.Context(), Spec{Backend: "uml", Kernel: Oldest}); err != nil {
		noLab(t, err)
	}
	profile := filepath.Join(t.TempDir(), "cover.out")
	cmd := exec.CommandContext(t.Context(), "go", "test", "-run=^TestInner$/^good$", "-count=1", "-coverprofile="+profile, ".")
	cmd.Env = append(os.Environ(), innerEnv+"=1", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), "go", "tool", "cover", "-func="+profile).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) == 3 && f[1] == "Publish" {
			if f[2] != "100.0%" {
				t.Errorf("Guest.Publish ran in the guest, and the profile says %s", f[2])
			}
			return
		}
	}
	t.Errorf("no Publish in\n%s", out)
}

// TestGuard kills a test process as a crash would, and checks that nothing of
// its machine is left.
func TestGuard(t *testing.T) {
	if InGuest() {
		t.Skip("a host test")
	}
	if _, err := findKernel(t.Context(), Spec{Backend: "uml", Kernel: Oldest}); err != nil {
		noLab(t, err)
	}
	tmp := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestInner$/^hangs$", "-test.count=1")
	cmd.Env = append(os.Environ(), innerEnv+"=1", "TMPDIR="+tmp)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// The machine's processes have its root in their command lines.
	running := func() (n int) {
		all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, f := range all {
			if b, err := os.ReadFile(f); err == nil && strings.Contains(string(b), "rootflags="+tmp) {
				n++
			}
		}
		return n
	}
	Until(t, "the machine and its helpers run", func() bool { return running() > 3 })
	cmd.Process.Kill()
	cmd.Wait() //nolint:errcheck // killed
	Until(t, "they are gone", func() bool { return running() == 0 })
	Until(t, "their folder is gone", func() bool {
		left, err := os.ReadDir(tmp)
		return err == nil && !slices.ContainsFunc(left, os.DirEntry.IsDir)
	})
}
