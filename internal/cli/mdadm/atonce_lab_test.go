package mdadm

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/internal/lab"
)

// TestIncrementalAtOnce gives the members of three arrays to as many processes at once,
// as udev does at boot: of ours alone, and of ours and Debian's mdadm in turn, which
// have to mind each other's lock on the map of arrays (mapfile.c, map_lock). Whoever
// comes last, each array is there once, whole, and with its data.
func TestIncrementalAtOnce(t *testing.T) {
	beside(t)
	lab.Run(t, lab.Spec{
		Modules: []string{"raid1", "raid10", "raid456", fmt.Sprintf("brd rd_nr=%d rd_size=%d", devs, ramSize>>10)},
		Files:   lab.Peer(t, "mdadm").Files,
		Memory:  1 << 30,
	},
		lab.Case{Name: "ours", Run: func(t *testing.T, _ *lab.Guest) { arriveAtOnce(t, "/proc/self/exe") }},
		lab.Case{Name: "ours and mdadm", Run: func(t *testing.T, _ *lab.Guest) { arriveAtOnce(t, "/proc/self/exe", "mdadm") }},
	)
}

func arriveAtOnce(t *testing.T, programs ...string) {
	defer reset(t)
	reset(t)
	do(t, "conf DEVICE /dev/ram*")
	var want [][32]byte
	for i, shape := range []string{"-l5 -n4 r0 r1 r2 r3", "-l1 -n2 -b internal -x1 r4 r5 r6", "-l10 -n3 -e1.0 r7 r8 r9"} {
		array := fmt.Sprintf("md%d", i)
		do(t, fmt.Sprintf("%s%s -N a%d %s", quickCreate, array, i, shape))
		fill(t, "/dev/"+array)
		want = append(want, sum(t, "/dev/"+array))
	}
	do(t, "tidy")
	rng := lab.Rand(t)
	for range 8 {
		var begun []*exec.Cmd
		for i, n := range rng.Perm(devs) {
			c := exec.Command(programs[i%len(programs)])
			c.Args = []string{"mdadm", "--incremental", ram(n), "-c", labConf}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			begun = append(begun, c)
		}
		for _, c := range begun {
			if err := c.Wait(); err != nil {
				t.Errorf("%s of %s: %v", c.Args, c.Path, err)
			}
		}
		lab.ArraysIdle(t)
		if up := arraysUp(t); len(up) != len(want) {
			t.Fatalf("%d arrays of %d:\n%s", len(up), len(want), readText(t, "/proc/mdstat"))
		}
		wholeAgain(t, want)
		do(t, "tidy")
	}
}

// wholeAgain looks whether the arrays have all members and the contents that they had.
func wholeAgain(t *testing.T, want [][32]byte) {
	t.Helper()
	stat := readText(t, "/proc/mdstat")
	for n := range devs {
		if !holds(t, fmt.Sprintf("ram%d", n)) {
			t.Errorf("ram%d is in no array:\n%s", n, stat)
		}
	}
	if strings.Contains(stat, "inactive") || strings.Contains(stat, "_]") || strings.Contains(stat, "[_") {
		t.Fatalf("not all of them run with all members:\n%s", stat)
	}
	var got [][32]byte
	for i := range want {
		got = append(got, sum(t, fmt.Sprintf("/dev/md/a%d", i)))
	}
	if !slices.Equal(got, want) {
		t.Errorf("other data on the arrays:\n%s", stat)
	}
}
