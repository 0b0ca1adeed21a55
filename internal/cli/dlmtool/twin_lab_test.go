package dlmtool

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/dlm"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/internal/lab"
	"github.com/mdkit/mdkit/internal/lab/corosync"
	"github.com/mdkit/mdkit/sysfs"
)

const program = "/usr/sbin/dlm_tool"

// outcome is what a command line comes to.
type outcome struct {
	code     int
	out, err string
}

func (o outcome) String() string {
	return fmt.Sprintf("exit %d\n--- stdout\n%s--- stderr\n%s", o.code, o.out, o.err)
}

// ours runs a command line here.
func ours(_ *testing.T, args ...string) outcome {
	var out, errs bytes.Buffer
	code := Main(context.Background(), append([]string{program}, args...), ui.IO{In: strings.NewReader(""), Out: &out, Err: &errs})
	return outcome{code, out.String(), errs.String()}
}

// theirs runs it with the original.
func theirs(t *testing.T, args ...string) outcome {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return outcome{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// passing are numbers that pass with time.
var passing = regexp.MustCompile(`(monotime=|daemon now |run_uuid: )[-0-9a-f]+`)

// why is the line in which we say why, where the original has none.
var why = regexp.MustCompile(`(?m)^dlm_tool: [a-z_]+: .*\n`)

// compare holds both outcomes of a line against each other. Whatever fails or does nothing
// is explained by us in one line.
func compare(t *testing.T, line string, want, got outcome) {
	t.Helper()
	reasons := why.FindAllString(got.err, -1)
	if len(reasons) > 1 {
		t.Errorf("dlm_tool %s: more than one reason:\n%s", line, got.err)
	}
	got.err = why.ReplaceAllString(got.err, "")
	if want.code != 0 && want.err == "" && want.out != usage && len(reasons) == 0 {
		t.Errorf("dlm_tool %s: fails without a reason:\n%v", line, got)
	}
	for _, o := range []*outcome{&want, &got} {
		o.out = passing.ReplaceAllString(o.out, "${1}N")
	}
	if want != got {
		t.Errorf("dlm_tool %s\n--- want\n%v\n--- got\n%v--- why\n%s", line, want, got, strings.Join(reasons, ""))
	}
}

// tell runs all lines with the original, and then with ours.
func tell(t *testing.T, lines []string) {
	t.Helper()
	run := func(tool func(*testing.T, ...string) outcome) (all []outcome) {
		for _, line := range lines {
			all = append(all, tool(t, strings.Fields(line)...))
		}
		return all
	}
	want, got := run(theirs), run(ours)
	for i, line := range lines {
		compare(t, line, want[i], got[i])
	}
}

// wrong are command lines that go no further, and those that go nowhere: no daemon runs.
var wrong = []string{
	"", "-h", "nosuch", "nosuch -n", "-z", "-m", "-nz", "--nosuch", "--help", "ls -i", "-h -z", "-z -h",
	"set_config", "fence_ack", "plocks", "run", "run_start", "run_check", "run_cancel", "join", "leave", "joinleave", "lockdebug", "lockdump", "deadlock_check",
	"plocks " + strings.Repeat("x", 1023), "run " + strings.Repeat("y", 1023) + " z",
}

// silent are those that ask a daemon which does not run.
var silent = []string{
	"ls", "ls -n", "ls x", "status", "status -v", "dump", "dump_config", "reload_config", "set_config log_debug=1", "fence_ack 3",
	"log_plock", "plocks x", "run_list", "run true", "run_start true", "run_check x", "run_cancel x", "deadlock_check x",
	"nosuch ls", "ls x y", "-- ls", "ls -- x",
}

// told are those that a daemon answers.
var told = []string{
	"ls", "ls -n", "ls x", "status", "status -v", "dump_config", "plocks x", "run_list",
	"leave x", "join x", "join x", "ls", "ls x", "ls -n", "ls -n x", "ls y", "plocks x", "status", "leave x", "ls", "leave x", "ls", "leave x",
	"join -e 1 x", "join -e 1 x", "ls -n", "leave x", "join -f 1 -m 0644 x", "join -e1 -f1 x", "leave x", "joinleave x", "joinleave -m 777 y", "ls",
	"set_config nosuch=1", "set_config restore_all", "reload_config", "fence_ack 1", "fence_ack 7", "run_check x", "run_cancel x", "run -i 1 true", "run_list",
	"lockdebug x", "lockdump x", "lockdump -M x", "deadlock_check x",
}

// machine is one with corosync's daemons, not yet running.
func machine(t *testing.T) lab.Spec {
	t.Helper()
	return lab.Spec{
		Modules: []string{"dlm"}, Files: corosync.Files(t, 1), Memory: 1 << 30,
		NICs: []*lab.Port{lab.NewSwitch(t).Port(corosync.Address(1))},
	}
}

// TestTwins compares with dlm_tool 4.2.0, beside the same dlm_controld.
func TestTwins(t *testing.T) {
	lab.Run(t, machine(t),
		lab.Case{Name: "wrong", Run: func(t *testing.T, _ *lab.Guest) { tell(t, wrong) }},
		lab.Case{Name: "silent", Run: func(t *testing.T, _ *lab.Guest) { tell(t, silent) }},
		lab.Case{Name: "told", Run: func(t *testing.T, _ *lab.Guest) {
			corosync.Start(t)
			tell(t, told)
		}},
		lab.Case{Name: "dump", Run: sameDump},
		lab.Case{Name: "mode", Run: sameMode},
		lab.Case{Name: "settings", Run: sameSettings},
		lab.Case{Name: "documents", Run: documents},
		lab.Case{Name: "hung", Run: hung},
	)
}

// TestTwinsWithoutDLM compares on a machine whose kernel has no lock manager, with files
// such as it would have.
func TestTwinsWithoutDLM(t *testing.T) {
	lab.Run(t, lab.Spec{Files: lab.Peer(t, "cluster").Files}, lab.Case{Name: "all", Run: func(t *testing.T, _ *lab.Guest) {
		tell(t, []string{"join x", "join -e 1 -f 1 x", "leave x", "joinleave x", "lockdebug x", "lockdump x", "ls", "status"})
	}}, lab.Case{Name: "dumps", Run: sameDumps})
}

// hung stops the daemon and checks that whoever asks it can be interrupted, also where so
// many wait that it takes no more, and is answered when it goes on.
func hung(t *testing.T, _ *lab.Guest) {
	pid := daemonPID(t)
	if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"ls", "status", "dump_config", "run_check x"} {
		if o := interrupted(line); o.code != verbNamed(strings.Fields(line)[0]).failed || !ranOut(o) {
			t.Errorf("%s, interrupted: %v", line, o)
		}
	}
	// Orders are not answered, so that the first ones end while the daemon stands.
	last := outcome{}
	for range 8 {
		last = interrupted("fence_ack 7")
	}
	if !ranOut(last) {
		t.Errorf("fence_ack, with a full queue: %v", last)
	}
	if err := unix.Kill(pid, unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	tell(t, []string{"ls", "status"})
}

// ranOut reports whether the time was over: the context's, or, a moment earlier, that of
// the socket, which is set by it.
func ranOut(o outcome) bool {
	return strings.Contains(o.err, context.DeadlineExceeded.Error()) || strings.Contains(o.err, os.ErrDeadlineExceeded.Error())
}

// interrupted runs a command line that is interrupted before long.
func interrupted(line string) outcome {
	var out, errs bytes.Buffer
	std := ui.IO{In: strings.NewReader(""), Out: &out, Err: &errs, Interrupt: func(ctx context.Context) (context.Context, context.CancelFunc) {
		return context.WithTimeout(ctx, 100*time.Millisecond) // somebody who interrupts it; a stopped daemon never answers
	}}
	code := Main(context.Background(), append([]string{program}, strings.Fields(line)...), std)
	return outcome{code, out.String(), errs.String()}
}

// daemonPID finds dlm_controld.
func daemonPID(t *testing.T) int {
	t.Helper()
	names, err := filepath.Glob("/proc/[0-9]*/comm")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if comm, err := os.ReadFile(name); err == nil && strings.TrimSpace(string(comm)) == "dlm_controld" {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			if err != nil {
				t.Fatal(err)
			}
			return pid
		}
	}
	t.Fatal("no dlm_controld runs")
	return 0
}

// sameDump compares the logs, which may have grown when we ask.
func sameDump(t *testing.T, _ *lab.Guest) {
	for _, verb := range []string{"dump", "log_plock"} {
		want, got := theirs(t, verb), ours(t, verb)
		was := strings.TrimSuffix(want.out, "\n")
		if got.code != want.code || len(was) < 100 || !strings.HasPrefix(got.out, was) || !strings.HasSuffix(got.out, "\n") || got.err != want.err {
			t.Errorf("%s: want\n%q\ngot\n%q", verb, want.out[max(0, len(want.out)-300):], got.out[max(0, len(got.out)-300):])
		}
	}
}

// sameSettings changes settings with each, and has both show them. The daemon takes
// orders when it comes to them.
func sameSettings(t *testing.T, _ *lab.Guest) {
	for _, tool := range []func(*testing.T, ...string) outcome{theirs, ours} {
		for _, s := range []struct{ order, shown string }{
			{"log_debug=1 plock_debug=1", "plock_debug=1"},
			{"plock_debug=restore", "plock_debug=0"},
			{"post_join_delay=7", "post_join_delay=7"},
			{"restore_all", "post_join_delay=30"},
		} {
			if o := tool(t, append([]string{"set_config"}, strings.Fields(s.order)...)...); o.out != "set_config done\n" || o.code != 0 {
				t.Errorf("set_config %s: %v", s.order, o)
			}
			lab.Poll(t, func() string {
				if o := ours(t, "dump_config"); !strings.Contains(o.out, "\n"+s.shown) {
					return s.shown + " is not in\n" + o.String()
				}
				return ""
			})
			compare(t, "dump_config", theirs(t, "dump_config"), ours(t, "dump_config"))
		}
	}
}

// sameMode compares the modes of devices.
func sameMode(t *testing.T, _ *lab.Guest) {
	for _, mode := range []string{"", "-m0", "-m 666", "-m 4755", "-m 9", "-m x", "-m 00000644", "-m 17777"} {
		made := func(tool func(*testing.T, ...string) outcome) string {
			args := append(strings.Fields(mode), "join", "moded")
			o := tool(t, args...)
			st, err := os.Stat("/dev/dlm_moded")
			if err != nil {
				t.Fatal(err)
			}
			tool(t, "leave", "moded")
			return fmt.Sprintf("%v\n%v", o, st.Mode())
		}
		if want, got := made(theirs), made(ours); want != got {
			t.Errorf("join %s\n--- want\n%s\n--- got\n%s", mode, want, got)
		}
	}
}

// documents checks that every command prints one document with --json, with an error where
// the command has one.
func documents(t *testing.T, _ *lab.Guest) {
	for _, line := range []string{
		"status", "join x", "ls -n", "!ls nosuch", "dump", "dump_config", "plocks x", "!plocks nosuch", "log_plock", "run true", "run_list",
		"!run_check nosuch", "!leave nosuch", "fence_ack 7", "set_config log_debug=0", "reload_config", "!lockdump x", "!lockdebug x", "leave x",
	} {
		line, fails := strings.CutPrefix(line, "!")
		args := append(strings.Fields(line), "--json")
		o := ours(t, args...)
		var doc struct{ Schema, Error string }
		if err := json.Unmarshal([]byte(o.out), &doc); err != nil {
			t.Errorf("%s: %v\n%v", line, err, o)
			continue
		}
		if want := "mdkit.dlm_tool." + args[0] + "/1"; doc.Schema != want || (doc.Error != "") != fails || doc.Error != "" && !strings.Contains(o.err, doc.Error) {
			t.Errorf("%s: want %s, failure %t\n%v", line, want, fails, o)
		}
	}
}

// TestTwinsOfLocks compares what both make of the kernel's dumps, which Debian's kernel
// has and user-mode Linux has not.
func TestTwinsOfLocks(t *testing.T) {
	s := machine(t)
	s.Backend = "qemu"
	lab.Run(t, s, lab.Case{Name: "locks", Run: func(t *testing.T, g *lab.Guest) {
		if err := os.MkdirAll("/sys/kernel/debug", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount("debugfs", "/sys/kernel/debug", "debugfs", 0, ""); err != nil && !errors.Is(err, unix.EBUSY) {
			t.Fatal(err)
		}
		corosync.Start(t)
		if o := ours(t, "join", "held"); o.code != 0 {
			t.Fatal(o)
		}
		holdLocks(t)
		tell(t, []string{
			"lockdebug held", "lockdebug -s held", "lockdebug -v held", "lockdebug -vw held", "lockdebug -vsw held", "lockdump held", "lockdump -M held",
			"lockdebug nosuch", "lockdump nosuch",
		})
		if o := ours(t, "lockdump", "held"); strings.Count(o.out, "\n") < 4 {
			t.Errorf("too few locks to compare:\n%v\n%s", o, strings.Join(g.KernelLog(t), "\n"))
		}
	}})
}

// holdLocks takes locks of all kinds in a lockspace, for as long as the test runs.
func holdLocks(t *testing.T) {
	t.Helper()
	s, err := dlm.Open(sysfs.Host, "held")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	var value [dlm.ValueSize]byte
	for i := range value {
		value[i] = byte(7 * i)
	}
	take := func(name string, mode dlm.Mode, opts ...dlm.Option) *dlm.Lock {
		l, err := s.Lock(t.Context(), name, mode, opts...)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	written := take("with value", dlm.EX, dlm.WithValue(value))
	if err := written.Convert(t.Context(), dlm.PR, dlm.WithValue(value)); err != nil {
		t.Fatal(err)
	}
	take("with value", dlm.CR)
	take("hex\x01name", dlm.PW)
	take("wanted", dlm.PR)
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	go s.Lock(ctx, "wanted", dlm.EX) //nolint:errcheck // it waits until the end
	lab.Poll(t, func() string {
		if o := ours(t, "lockdump", "held"); !strings.Contains(o.out, "rq EX") {
			return "nobody waits:\n" + o.String()
		}
		return ""
	})
}
