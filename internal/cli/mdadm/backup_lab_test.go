package mdadm

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mdkit/mdkit/internal/lab"
)

// interrupted is a reshape in place that is interrupted, and the assembly that
// resumes it, each by our mdadm or by mdadm 4.2.
type interrupted struct {
	name         string
	begun, ended tool
	killed       bool // the process that backs up the sections is killed first
	create, grow string
}

// tool is one of the two programs.
type tool bool

const (
	ourTool   tool = true
	theirTool tool = false
)

// run runs a command line, and does not wait for processes in the background.
func (tl tool) run(t *testing.T, line string) {
	t.Helper()
	stat := func() []byte { b, _ := os.ReadFile("/proc/mdstat"); return b }
	if tl == ourTool {
		if got := oursLine(line); got.code != 0 {
			t.Fatalf("%s: %v\n%s", line, got, stat())
		}
		return
	}
	out, err := os.Create("/run/theirs")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command("mdadm", devWords(line)...)
	cmd.Stdout, cmd.Stderr = out, out
	// If a process is already completing the reshape, mdadm 4.2 ends an
	// assembly with a fault of its own; what counts is what becomes of the data.
	err = cmd.Run()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signal() == syscall.SIGSEGV {
		t.Logf("mdadm 4.2 %s: %v", line, err)
		return
	}
	if err != nil {
		said, _ := os.ReadFile(out.Name())
		t.Fatalf("mdadm 4.2 %s: %v\n%s\n%s", line, err, said, stat())
	}
}

func devWords(line string) []string {
	w := strings.Fields(line)
	for i := range w {
		w[i] = devName(w[i])
	}
	return w
}

const backupPath = "/run/backup"

func interruptions() []interrupted {
	const file = " --backup-file=" + backupPath
	shapes := []struct{ name, create, grow string }{
		{"raid5_layout", "-l5 -n3 -c64 r0 r1 r2", "-p ra"},
		{"raid5_chunk_up", "-l5 -n3 -c64 r0 r1 r2", "-c 128"},
		{"raid5_chunk_down", "-l5 -n4 -c64 r0 r1 r2 r3", "-c 32"},
		{"raid5_chunk_0.90", "-l5 -n3 -c64 -e0.90 r0 r1 r2", "-c 32"},
		{"raid5_down", "-l5 -n4 -c64 r0 r1 r2 r3", "-n 3"},
		{"raid6_layout", "-l6 -n5 -c64 r0 r1 r2 r3 r4", "-p rs"},
		{"raid6_chunk_ddf", "-l6 -n5 -c64 -p ddf-N-restart r0 r1 r2 r3 r4", "-c 128"},
	}
	var list []interrupted
	for _, s := range shapes {
		for _, who := range []struct {
			name         string
			begun, ended tool
		}{{"ours", ourTool, ourTool}, {"mdadm_ours", theirTool, ourTool}, {"ours_mdadm", ourTool, theirTool}} {
			for _, how := range []string{"stopped", "killed"} {
				if s.name == "raid5_down" && who.ended == theirTool {
					continue // mdadm 4.2 takes it for a reshape to more devices than there are
				}
				list = append(list, interrupted{
					name: s.name + "_" + who.name + "_" + how, begun: who.begun, ended: who.ended, killed: how == "killed",
					create: s.create, grow: s.grow + file,
				})
			}
		}
	}
	return list
}

// TestBackupFile interrupts reshapes in place and assembles the array again
// from the backup file.
func TestBackupFile(t *testing.T) {
	var cases []lab.Case
	for _, in := range interruptions() {
		cases = append(cases, lab.Case{Name: in.name, Run: func(t *testing.T, _ *lab.Guest) { in.run(t) }})
	}
	runSome(t, 2, cases)
}

func (in interrupted) run(t *testing.T) {
	defer reset(t)
	defer os.Remove(backupPath)
	reset(t)
	os.Remove(backupPath)
	do(t, "mdadm --create --run --quiet md0 "+in.create)
	lab.ArraysIdle(t)
	const kept = 20 << 20
	scribble(t, "/dev/md0", 7)
	want := prefix(t, "/dev/md0", kept)
	if strings.HasPrefix(in.grow, "-n 3") {
		do(t, "mdadm --grow md0 --array-size=80M")
	}
	slowly(t, func() { in.begun.run(t, "--grow md0 "+in.grow); in.moved(t) })
	if in.killed {
		killGrowers(t)
	}
	members, _ := filepath.Glob("/sys/block/md0/md/dev-*")
	for i, m := range members {
		members[i] = "/dev/" + strings.TrimPrefix(filepath.Base(m), "dev-")
	}
	at, _ := os.ReadFile("/sys/block/md0/md/reshape_position")
	in.begun.run(t, "--stop md0")
	killGrowers(t)
	t.Logf("stopped at %s", at)
	in.ended.run(t, "--assemble md0 --backup-file="+backupPath+" "+strings.Join(members, " "))
	reshaped(t)
	gone(t, backupPath)
	if prefix(t, "/dev/md0", kept) != want {
		t.Error("other data after the assembly")
	}
	do(t, "write /sys/block/md0/md/sync_action check")
	lab.ArraysIdle(t)
	if b, _ := os.ReadFile("/sys/block/md0/md/mismatch_cnt"); string(b) != "0\n" {
		t.Errorf("mismatches: %s", b)
	}
}

// moved waits until the reshape is under way.
func (in interrupted) moved(t *testing.T) {
	t.Helper()
	patiently(t, func() string {
		b, err := os.ReadFile("/sys/block/md0/md/reshape_position")
		position := strings.TrimSpace(string(b))
		if err != nil || position == "none" {
			stat, _ := os.ReadFile("/proc/mdstat")
			said, _ := os.ReadFile("/run/theirs")
			t.Fatalf("no reshape: %q, %v\n%s\n%s", b, err, said, stat)
		}
		if n, _ := strconv.ParseUint(position, 10, 64); n > 0 {
			return ""
		}
		return "reshape_position is " + position
	})
}

// slowly keeps the array's syncs slow enough to be interrupted, even if a program
// raises the speed.
func slowly(t *testing.T, do func()) {
	t.Helper()
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			for _, limit := range []string{"min", "max"} {
				_ = os.WriteFile("/sys/block/md0/md/sync_speed_"+limit, []byte("500"), 0o644)
			}
			select {
			case <-done:
				return
			case <-time.After(time.Millisecond): // between two writes
			}
		}
	})
	defer wg.Wait()
	defer close(done)
	do()
}

// killGrowers kills the processes that complete reshapes.
func killGrowers(t *testing.T) {
	t.Helper()
	patiently(t, func() string {
		left := ""
		for pid, line := range growers() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			left = line + " is still there"
		}
		return left
	})
}

// growers returns the processes that complete reshapes, with their command lines.
func growers() map[int]string {
	list := make(map[int]string)
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range lines {
		b, _ := os.ReadFile(path)
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if bytes.Contains(b, []byte("--grow\x00")) && pid != os.Getpid() && !zombie(pid) {
			list[pid] = string(b)
		}
	}
	return list
}

// zombie reports whether a process has ended already.
func zombie(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	_, rest, _ := strings.Cut(string(b), ") ")
	return err != nil || strings.HasPrefix(rest, "Z")
}
