package mdadm

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/internal/lab"
)

// guarded is a reshape in place whose guard is told to end while somebody writes to the
// array.
type guarded struct {
	name         string
	create, grow string
	signal       syscall.Signal
	suspends     bool   // the guard has suspended writes when the signal comes
	level        string // that follows the reshape
}

func guards() []guarded {
	const (
		layout = "-l5 -n3 -c64 r0 r1 r2"
		down   = "-l5 -n4 -c64 r0 r1 r2 r3"
		file   = " --backup-file=" + backupPath
	)
	return []guarded{
		{"layout SIGTERM", layout, "-p ra" + file, syscall.SIGTERM, true, ""},
		{"chunk SIGINT", layout, "-c 128" + file, syscall.SIGINT, true, ""},
		{"chunk SIGHUP", layout, "-c 32" + file, syscall.SIGHUP, true, ""},
		{"level SIGTERM", "-l6 -n4 -c64 r0 r1 r2 r3", "-l5" + file, syscall.SIGTERM, true, "raid5"},
		{"fewer SIGTERM", down, "-n 3" + file, syscall.SIGTERM, false, ""},
	}
}

// TestGrowGuard ends the process that guards a reshape. Writers go on, the reshape goes no
// further, and --grow --continue brings it to its end.
func TestGrowGuard(t *testing.T) {
	var cases []lab.Case
	for _, to := range guards() {
		cases = append(cases, lab.Case{Name: strings.ReplaceAll(to.name, " ", "_"), Run: func(t *testing.T, _ *lab.Guest) { to.run(t) }})
	}
	runSome(t, 2, cases)
}

func (to guarded) run(t *testing.T) {
	defer reset(t)
	defer os.Remove(backupPath)
	defer killGrowers(t)
	reset(t)
	do(t, "mdadm --create --run --quiet md0 "+to.create)
	lab.ArraysIdle(t)
	scribble(t, "/dev/md0", 7)
	want := beginning(t)
	if !to.suspends {
		do(t, "mdadm --grow md0 --array-size=80M")
	}
	speed(t, "500")
	ourTool.run(t, "--grow md0 "+to.grow)
	killGrowers(t) // the guard in the background

	guard := to.guard(t)
	from, end := to.reached(t)
	write := writeBetween(t, want, from, end)
	_ = guard.cmd.Process.Signal(to.signal)
	err := guard.cmd.Wait()
	to.checkEnd(t, guard, err)
	<-write // nothing holds it
	speed(t, "system")

	last := to.guard(t)
	if err := last.cmd.Wait(); err != nil {
		t.Fatalf("--grow --continue: %v\n%s", err, last.said.String())
	}
	reshaped(t)
	gone(t, backupPath)
	if got := beginning(t); !bytes.Equal(got, want) {
		t.Error("other data after the reshape")
	}
	if !to.suspends {
		return // what is beyond the end of the smaller array is not compared
	}
	do(t, "write /sys/block/md0/md/sync_action check")
	lab.ArraysIdle(t)
	if n := readText(t, "/sys/block/md0/md/mismatch_cnt"); n != "0\n" {
		t.Errorf("mismatches: %s", n)
	}
}

// guardian is a process of mdadm --grow --continue.
type guardian struct {
	cmd  *exec.Cmd
	said bytes.Buffer
}

func (to guarded) guard(t *testing.T) *guardian {
	t.Helper()
	g := &guardian{cmd: exec.Command("/proc/self/exe", "--grow", "--continue", "/dev/md0")}
	g.cmd.Args[0] = "mdadm"
	if to.level != "" {
		g.cmd.Args = append(g.cmd.Args, "--level="+to.level)
	}
	g.cmd.Stdout, g.cmd.Stderr = &g.said, &g.said
	if err := g.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return g
}

// reached waits until the reshape is where the signal is to come, and returns a range of
// sectors to write to: what is suspended, or the beginning.
func (to guarded) reached(t *testing.T) (from, end int64) {
	t.Helper()
	end = 2048
	patiently(t, func() string {
		if to.suspends {
			from, end = suspended(t)
		} else if done := readText(t, "/sys/block/md0/md/sync_completed"); strings.HasPrefix(done, "0 ") || done == "none\n" {
			return "sync_completed is " + done
		}
		if from < end {
			return ""
		}
		return "nothing is suspended"
	})
	return from, end
}

// checkEnd checks how a guard has ended that was told to.
func (to guarded) checkEnd(t *testing.T, g *guardian, err error) {
	t.Helper()
	way := "mdadm --grow --continue /dev/md0"
	if to.level != "" {
		way += " --level=" + to.level
	}
	said := fmt.Sprintf("mdadm: /dev/md0: interrupted before the end of the reshape, go on with: %s --backup-file=%s\n", way, backupPath)
	if code := g.cmd.ProcessState.ExitCode(); code != ui.ExitCancelled || g.said.String() != said {
		t.Errorf("%v: %d, %v: %s\nwant %d: %s", to.signal, code, err, g.said.String(), ui.ExitCancelled, said)
	}
	if from, end := suspended(t); from != 0 || end != 0 {
		t.Errorf("%d to %d is still suspended", from, end)
	}
	if limit := readText(t, "/sys/block/md0/md/sync_max"); limit == "max\n" {
		t.Error("the reshape goes on without a limit")
	}
	if _, err := os.Stat(backupPath); err != nil {
		t.Error(err)
	}
}

// suspended returns the range of sectors to which writes are suspended.
func suspended(t *testing.T) (from, end int64) {
	t.Helper()
	from, err := strconv.ParseInt(strings.TrimSpace(readText(t, "/sys/block/md0/md/suspend_lo")), 10, 64)
	if err == nil {
		end, err = strconv.ParseInt(strings.TrimSpace(readText(t, "/sys/block/md0/md/suspend_hi")), 10, 64)
	}
	if err != nil {
		t.Fatal(err)
	}
	return from, end
}

// writeBetween writes to a range of sectors of the array while the test goes on, and to
// want what has been written. The channel is closed when the array has taken it.
func writeBetween(t *testing.T, want []byte, from, end int64) <-chan struct{} {
	t.Helper()
	f, err := os.OpenFile("/dev/md0", os.O_WRONLY|os.O_SYNC, 0)
	if err != nil {
		t.Fatal(err)
	}
	news := want[from*512 : min(end*512, int64(len(want)))]
	for i := range news {
		news[i] ^= 0x5a
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer f.Close()
		if _, err := f.WriteAt(news, from*512); err != nil {
			t.Error(err)
		}
	}()
	return done
}

// beginning reads the first 40 MiB of the array from its members.
func beginning(t *testing.T) []byte {
	t.Helper()
	flush(t, "/dev/md0")
	f, err := os.Open("/dev/md0")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 40<<20)
	if _, err := io.ReadFull(f, b); err != nil {
		t.Fatal(err)
	}
	return b
}

// speed sets how fast the array reshapes, in KiB/s.
func speed(t *testing.T, word string) {
	t.Helper()
	for _, limit := range []string{"min", "max"} {
		do(t, "write /sys/block/md0/md/sync_speed_"+limit+" "+word)
	}
}
