package mdadm

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/internal/lab"
)

// liveLines are command lines that create an array and start it, or are refused.
func liveLines() []string {
	var lines []string
	for _, e := range []string{"0.90", "1.0", "1.2"} {
		for _, l := range []string{
			"-llinear -n2", "-l1 -n2", "-l4 -n3", "-l5 -n3", "-l6 -n4", "-l10 -n4", "-lmultipath -n2", "-lfaulty -n1 -f",
		} {
			lines = append(lines, "-e "+e+" "+l)
		}
	}
	return append(
		lines,
		"-l5 -n3 -v", "-l10 -n2 -vv", "-l1 -n2 -q", "-l0 -n2",
		"-l1 -n2 -e0.9", "-l1 -n2 -e00.90", "-l1 -n2 -e0", "-l1 -n2 -e0.91", "-l1 -n2 -e1", "-l1 -n2 -e1.00", "-l1 -n2 -e01.1",
		"-l6 -n4 -v -e1.1", "-l1 -n2 -o",
		"-l5 -n3 -x1 -b internal", "-l1 -n2 --bitmap-chunk=64K -b internal", "-l1 -n2 --bitmap-chunk=4K -b internal",
		"-l5 -n3 -k ppl", "-l5 -n3 -c 48", "-l5 -n3 -z 1", "-l5 -n3 -z 100", "-l5 -n3 -z 100G", "-l5 -n3 -e0.90 -k ppl",
		"-l1 -n2 -c 64", "-l10 -n2 -p n3", "-l6 -n3", "-l5 -n1 -f", "-l0 -n2 -x1", "-l1 -n30", "-l1 -n2 -x1",
		"-l0 -n2 -b internal", "-llinear -n2 -z 4000", "-l1 -n2 -d 7 -b internal", "-e1 -l5 -n3",
		"-e default -l5 -n3", "-l faulty -n1 -f -v", "-l4 -n3 -v", "-l1 -n2 --data-offset=100G",
	)
}

// TestCreateLikeMdadm lets both programs create the same arrays on the same
// devices and compares exit code, text, and what the kernel shows.
func TestCreateLikeMdadm(t *testing.T) {
	beside(t)
	mdadm := lab.Peer(t, "mdadm")
	cases := []lab.Case{{Name: "setup", Run: func(t *testing.T, _ *lab.Guest) {
		do(t, "hostname labhost")
		do(t, "write /proc/sys/dev/raid/speed_limit_min 1")
		do(t, "write /proc/sys/dev/raid/speed_limit_max 1")
	}}}
	for _, line := range lab.Sample(t, liveLines(), 5) {
		cases = append(cases, lab.Case{
			Name: strings.ReplaceAll(line, "/", "_"),
			Run:  func(t *testing.T, g *lab.Guest) { sameCreation(t, g, line, devicesOf(line)) },
		})
	}
	lab.Run(t, lab.Spec{
		Modules: []string{
			"linear", "raid0", "raid1", "raid10", "raid456", "multipath", "faulty",
			fmt.Sprintf("brd rd_nr=%d rd_size=%d", devs, ramSize>>10),
		},
		Files:  mdadm.Files,
		Memory: 1 << 30,
	}, cases...)
}

// state is what the kernel shows of an array, as far as it does not change by
// itself.
func state(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, attr := range []string{
		"level", "layout", "raid_disks", "chunk_size", "component_size", "metadata_version",
		"consistency_policy", "bitmap/location", "bitmap/chunksize", "array_size",
	} {
		// Only mdadm leaves an array behind, empty, that failed to start.
		text, err := os.ReadFile("/sys/block/md9/md/" + attr)
		if err != nil || !slices.Contains(arraysUp(t), "/dev/md9") {
			text = []byte("-\n")
		}
		fmt.Fprintf(&b, "%s %s", attr, text)
	}
	var stat []byte
	lab.Until(t, "the end of /proc/mdstat, which an array that goes away can take with it", func() bool {
		var err error
		if stat, err = os.ReadFile("/proc/mdstat"); err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(stat), "unused devices")
	})
	for line := range strings.Lines(string(stat)) {
		// How soon after the start a rebuild begins is chance.
		if !strings.Contains(line, "finish=") && !strings.Contains(line, "PENDING") && !strings.Contains(line, "DELAYED") {
			b.WriteString(strings.ReplaceAll(line, "(S)", ""))
		}
	}
	return b.String()
}

func sameCreation(t *testing.T, g *lab.Guest, line string, devices []string) {
	t.Helper()
	args := append([]string{"--create", "/dev/md9"}, strings.Fields(line)...)
	args = append(args, devices...)
	settle(t)
	want := withoutExtras(peersAnswered(t, "y\n", args...))
	wantState := state(t)
	peers(t, "--stop", "/dev/md9")
	wipeDevices(t, devices)
	g.KernelLog(t)
	settle(t)
	got := answered("y\n", args...)
	gotState := state(t)
	t.Cleanup(func() {
		peers(t, "--stop", "/dev/md9")
		wipeDevices(t, devices)
	})
	if got = withoutExtras(got); got != want {
		t.Errorf("mdadm %s:\n%s", line, lineDiff(want.String(), got.String()))
	}
	for _, l := range g.KernelLog(t) {
		if got.code == 0 && createComplaint.MatchString(l) {
			t.Errorf("mdadm %s: the kernel says %q", line, l)
		}
	}
	if gotState != wantState {
		t.Errorf("mdadm %s:\n%s", line, lineDiff(wantState, gotState))
	}
}

var createComplaint = regexp.MustCompile(`(?i)\b(error|fail(ed|ure)?|invalid|warning|bug|corrupt|bad|mismatch)\b`)

// withoutExtras drops the lines that say more than mdadm does, and the times.
func withoutExtras(o outcome) outcome {
	var b strings.Builder
	for l := range strings.Lines(o.err) {
		if !extraLine(l) {
			b.WriteString(ctimes.ReplaceAllString(l, "ctime=-"))
		}
	}
	o.err = b.String()
	return o
}

var ctimes = regexp.MustCompile(`ctime=.*`)

// settle waits until the kernel has removed arrays that were stopped.
func settle(t *testing.T) {
	t.Helper()
	tries := 0
	lab.Poll(t, func() string {
		left := emptyArray(t)
		if left == "" {
			return ""
		}
		if tries++; tries%50 == 0 {
			peers(t, "--stop", "/dev/"+left)
		}
		state, err := os.ReadFile("/sys/block/" + left + "/md/array_state")
		return fmt.Sprintf("%s to go, which was stopped: %s%v", left, state, err)
	})
}

// emptyArray names an array that exists but has nothing in it. Usually it is on
// its way out; mdadm may also leave one behind for good when it opens the node
// of one that has just gone (MD_UNTIL_IOCTL in md.c).
func emptyArray(t *testing.T) string {
	t.Helper()
	up := arraysUp(t)
	for _, n := range []string{"md7", "md8", "md9", "md126", "md127"} {
		if _, err := os.Stat("/sys/block/" + n); err == nil && !slices.Contains(up, "/dev/"+n) {
			return n
		}
	}
	return ""
}

// extraLine recognizes the lines of note.Note.Extra by their words.
func extraLine(l string) bool {
	for _, words := range []string{"       kernel: ", " is held by ", " are the same device", " is open in ", " is mounted on ", "       not taken back: ", "       No such file or directory", "       Is a directory", "mdadm: cannot write ", "       everything is as it was before"} {
		if strings.Contains(l, words) {
			return true
		}
	}
	return false
}

// wipeDevices blanks the devices that exist.
func wipeDevices(t *testing.T, devices []string) {
	t.Helper()
	for _, d := range devices {
		if _, err := os.Stat(d); err == nil {
			readImage(t, d).blankOut(t, d)
		}
	}
}
