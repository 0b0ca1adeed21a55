package mdadm

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/mdkit/mdkit/internal/lab"
)

// TestMdcheck interrupts the script that checks arrays, and has it go on. Upstream's left
// the check running when it was told to end, and began anew what had only been paused
// (mended by 303362be, a40a6a7e, cfca87ca).
func TestMdcheck(t *testing.T) {
	beside(t)
	files := map[string]string{}
	maps.Copy(files, lab.Peer(t, "mdadm").Files) // a guest has none
	files["/bin/mdcheck"] = "../../../dist/share/mdcheck"
	for _, name := range []string{"sh", "cat", "date", "mkdir", "rm", "sed", "sleep"} {
		files["/bin/"+name] = lab.Peer(t, "busybox").Files["/bin/busybox"]
	}
	lab.Run(t, lab.Spec{
		Modules: []string{"raid1", fmt.Sprintf("brd rd_nr=%d rd_size=%d", devs, ramSize>>10)},
		Files:   files,
		Memory:  1 << 30,
	}, lab.Case{Name: "interrupted", Run: func(t *testing.T, _ *lab.Guest) { interruptMdcheck(t) }})
}

func interruptMdcheck(t *testing.T) {
	const array, state = "/sys/block/md9/md/", "/var/lib/mdcheck/"
	do(t, quickCreate+"md9 -u "+twinUUID+" -l1 -n2 r0 r1")
	place, checked := state+"MD_UUID_"+twinUUID, state+"Checked_"+twinUUID
	is := func(path string, want bool) {
		t.Helper()
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("%s: %v", path, err)
		}
	}
	// check runs until the array is where it should be, and is then told to end.
	check := func(mode string, until func() bool) {
		t.Helper()
		cmd := exec.Command("/bin/sh", "/bin/mdcheck", mode)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lab.Until(t, "the check", until)
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != 129 {
			t.Errorf("%s: %v", mode, cmd.ProcessState)
		}
		do(t, "await "+array+"sync_action idle")
	}
	do(t, "write "+array+"sync_speed_max 1000")
	check("--start", func() bool {
		var n int
		_, err := fmt.Sscan(readText(t, array+"sync_completed"), &n)
		return err == nil && n > 0
	})
	from := readText(t, place)
	is(checked, false)
	began := false
	check("--continue", func() bool {
		switch idle := readText(t, array+"sync_action") == "idle\n"; {
		case began:
			return idle
		case !idle:
			began = true
			if at := readText(t, array+"sync_min"); at != from {
				t.Errorf("it goes on from %s, not %s", at, from)
			}
			do(t, "write "+array+"sync_speed_max 2000000")
		}
		return false
	})
	is(place, false)
	is(checked, true)
	for _, mode := range []string{"--start", "--continue"} {
		if out, err := exec.Command("/bin/sh", "/bin/mdcheck", mode).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s when there is nothing to do: %v\n%s", mode, err, out)
		}
	}
	if got := strings.TrimSpace(readText(t, array+"sync_action")); got != "idle" {
		t.Errorf("it has begun anew: %s", got)
	}
	if err := exec.Command("/bin/sh", "/bin/mdcheck", "--restart").Run(); err != nil {
		t.Error(err)
	}
	is(checked, false)
	reset(t)
}
