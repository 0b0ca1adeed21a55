package mdadm

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/internal/lab"
	"github.com/mdkit/mdkit/manage/plan"
)

// growth is a chain of changes to one array by our mdadm: after each, the data must
// be what it was, and redundancy what it should be. Lines that begin with "mdadm"
// are run by ours; all others are steps as in scenario.
type growth struct {
	name   string
	create string
	lines  []string
}

func growths() []growth {
	const level = "await /sys/block/md0/md/level "
	return []growth{
		{"raid5 up", "-l5 -n3 -c64 r0 r1 r2", []string{"mdadm --grow md0 -n4 --add r3", "mdadm --grow md0 -n5 --add r4", "mdadm --grow md0 -z max"}},
		{"raid5 big chunk", "-l5 -n3 r0 r1 r2", []string{"mdadm --grow md0 -n4 --add r3"}},
		{"raid5 no room", "-l5 -n4 r0 r1 r2 r3", []string{"mdadm --grow md0 -n5 --add r4"}},
		{"raid5 0.90", "-l5 -n3 -c64 -e0.90 r0 r1 r2", []string{"mdadm --grow md0 -n4 --add r3"}},
		{"raid5 1.0", "-l5 -n3 -c64 -e1.0 r0 r1 r2", []string{"mdadm --grow md0 -n4 --add r3 --backup-file=/run/backup"}},
		{"raid5 down", "-l5 -n4 -c64 --size=30M r0 r1 r2 r3", []string{"mdadm --grow md0 --array-size=44M", "mdadm --grow md0 -n3", "mdadm md0 --remove r3"}},
		{"raid5 down by file", "-l5 -n4 -c64 r0 r1 r2 r3", []string{"mdadm --grow md0 --array-size=80M", "mdadm --grow md0 -n3 --backup-file=/run/backup"}},
		{"raid5 layout", "-l5 -n3 -c64 r0 r1 r2", []string{"mdadm --grow md0 -p ra", "mdadm --grow md0 -c 128", "mdadm --grow md0 -c 32"}},
		{"raid5 layout by file", "-l5 -n3 -c64 --size=12M r0 r1 r2", []string{"mdadm --grow md0 -p ra --backup-file=/run/backup"}},
		{"raid5 to raid6", "-l5 -n3 -c64 r0 r1 r2", []string{"mdadm --grow md0 -l6 --add r3", "mdadm --grow md0 -l5", level + "raid5"}},
		{"raid5 to raid6 by file", "-l5 -n3 -c64 r0 r1 r2", []string{"mdadm --grow md0 -l6 --add r3 --backup-file=/run/backup"}},
		{"raid6", "-l6 -n4 -c64 r0 r1 r2 r3", []string{"mdadm --grow md0 -n5 --add r4", "mdadm --grow md0 -p rs"}},
		{"raid0 up", "-l0 -n2 -c64 r0 r1", []string{"mdadm --grow md0 -n3 --add r2", level + "raid0"}},
		{"raid0 to raid5", "-l0 -n2 -c64 r0 r1", []string{"mdadm --grow md0 -l5 --add r2", "mdadm --grow md0 -n4 --add r3"}},
		{"raid5 to raid0", "-l5 -n3 -c64 r0 r1 r2", []string{"mdadm --grow md0 -l0", level + "raid0"}},
		{"raid5 with a spare to raid0", "-l5 -n3 -x1 -c64 r0 r1 r2 r3", []string{"mdadm --grow md0 -l0", level + "raid0"}},
		{"raid6 to raid0", "-l6 -n4 -c64 r0 r1 r2 r3", []string{"mdadm --grow md0 -l5", level + "raid5", "mdadm --grow md0 -l0", level + "raid0"}},
		{"raid1 to raid5", "-l1 -n2 r0 r1", []string{"mdadm --grow md0 -l5", "mdadm --grow md0 -n3 --add r2"}},
		{"raid10 up", "-l10 -n4 -c64 r0 r1 r2 r3", []string{"mdadm --grow md0 -n5 --add r4", "mdadm --grow md0 -c 128"}},
		{"raid10 down", "-l10 -n6 -c64 r0 r1 r2 r3 r4 r5", []string{"mdadm --grow md0 --array-size=80M", "mdadm --grow md0 -n4"}},
		{"raid10 odd", "-l10 -n3 -c64 r0 r1 r2", []string{"mdadm --grow md0 --data-offset=512K"}},
		{"raid0 to raid10", "-l0 -n2 -c64 r0 r1", []string{"mdadm --grow md0 -l10 --add r2 r3", "mdadm --grow md0 -l0"}},
		{"raid1", "-l1 -n2 -b internal r0 r1", []string{"mdadm --grow md0 -n3 --add r2", "mdadm --grow md0 -b none", "mdadm --grow md0 -b internal", "mdadm --grow md0 -b none", "mdadm --grow md0 -l0"}},
		{"linear", "-llinear -n2 r0 r1", []string{"mdadm --grow md0 --add r2", "mdadm --grow md0 --add r3"}},
		{"linear by two", "-llinear -n2 r0 r1", []string{"mdadm --grow md0 --add r2 r3"}},
		{"linear 0.90", "-llinear -n2 -e0.90 r0 r1", []string{"mdadm --grow md0 --add r2 r3"}},
		{"raid0 to raid5 up", "-l0 -n2 -c64 r0 r1", []string{"mdadm --grow md0 -l5 -n4 --add r2 r3"}},
		{"raid0 to raid4", "-l0 -n2 -c64 r0 r1", []string{"mdadm --grow md0 -l4 --add r2", "mdadm --grow md0 -l0"}},
	}
}

// TestGrowKeepsData takes arrays through changes of shape and looks at the
// data after each.
func TestGrowKeepsData(t *testing.T) {
	var cases []lab.Case
	for _, gr := range growths() {
		cases = append(cases, lab.Case{Name: strings.ReplaceAll(gr.name, " ", "_"), Run: func(t *testing.T, g *lab.Guest) {
			if strings.HasPrefix(gr.create, "-llinear") && !g.HasModule("linear") {
				t.Skip("this kernel has no linear personality")
			}
			gr.run(t)
		}})
	}
	runSome(t, 2, cases)
}

func (gr growth) run(t *testing.T) {
	defer reset(t)
	defer os.Remove("/run/backup")
	reset(t)
	do(t, "mdadm --create --run --quiet md0 "+gr.create)
	lab.ArraysIdle(t)
	const kept = 20 << 20
	scribble(t, "/dev/md0", 7)
	want := prefix(t, "/dev/md0", kept)
	for _, line := range gr.lines {
		if rest, ours := strings.CutPrefix(line, "mdadm "); ours {
			foretold(t, rest)
			reshaped(t)
		} else {
			do(t, line)
		}
		gone(t, "/run/backup")
		reshaped(t)
		if prefix(t, "/dev/md0", kept) != want {
			t.Fatalf("other data after %s", line)
		}
		if b, err := os.ReadFile("/sys/block/md0/md/degraded"); err == nil && string(b) != "0\n" {
			stat, _ := os.ReadFile("/proc/mdstat")
			t.Fatalf("after %s: degraded %s\n%s", line, b, stat)
		}
	}
	gone(t, "/run/backup")
	members, _ := filepath.Glob("/sys/block/md0/md/dev-*")
	for i, m := range members {
		members[i] = "/dev/" + strings.TrimPrefix(filepath.Base(m), "dev-")
	}
	do(t, "mdadm --stop md0")
	do(t, "mdadm --assemble md0 "+strings.Join(members, " "))
	lab.ArraysIdle(t)
	if prefix(t, "/dev/md0", kept) != want {
		t.Error("other data after assembly")
	}
	if _, err := os.Stat("/sys/block/md0/md/sync_action"); err == nil {
		do(t, "write /sys/block/md0/md/sync_action check")
		lab.ArraysIdle(t)
		if b, _ := os.ReadFile("/sys/block/md0/md/mismatch_cnt"); string(b) != "0\n" {
			t.Errorf("mismatches: %s", b)
		}
	}
}

// foretold runs a line, which has to take the steps that its dry run has listed.
func foretold(t *testing.T, line string) {
	t.Helper()
	dry, _ := stepsOf(t, line+" --dry-run")
	wet, said := stepsOf(t, line)
	if dry != wet {
		t.Errorf("%s: other steps than those of its dry run\n%s--- these:\n%s", line, dry, wet)
	}
	if said.code != 0 {
		t.Fatalf("%s: %v", line, said)
	}
}

// stepsOf runs a line and gives its steps, one a line.
func stepsOf(t *testing.T, line string) (steps string, said outcome) {
	t.Helper()
	said = oursLine(line + " --json")
	var doc struct{ Steps []plan.StepInfo }
	if err := json.Unmarshal([]byte(said.out), &doc); err != nil {
		t.Fatalf("%s: %v: %v", line, err, said)
	}
	for _, s := range doc.Steps {
		steps += s.String() + "\n"
	}
	return steps, said
}

// TestGrowStopKeepsData stops restripes that move data to another offset in the
// middle. Begun by mdadm 4.2, the superblocks say then that less was done than
// was, and what that sends back to its old place has been overwritten there.
func TestGrowStopKeepsData(t *testing.T) {
	var cases []lab.Case
	growths := map[string]growth{
		"raid6_chunk":  {create: "-l6 -n5 -c64 r0 r1 r2 r3 r4", lines: []string{"--grow /dev/md0 -c 32"}},
		"raid5_layout": {create: "-l5 -n4 -c32 r0 r1 r2 r3", lines: []string{"--grow /dev/md0 -p ra"}},
		"raid5_up":     {create: "-l5 -n3 -c32 r0 r1 r2", lines: []string{"--grow /dev/md0 -n4 --add /dev/ram3"}},
	}
	for _, name := range slices.Sorted(maps.Keys(growths)) {
		gr := growths[name]
		cases = append(cases, lab.Case{Name: name, Run: func(t *testing.T, _ *lab.Guest) {
			gr.stopped(t)
		}})
	}
	runSome(t, 1, cases)
}

// stopped begins a restripe, stops it half way, lets it finish, and checks that the
// data is what it was.
func (gr growth) stopped(t *testing.T) {
	t.Helper()
	defer reset(t)
	reset(t)
	do(t, "mdadm --create --run --quiet md0 "+gr.create)
	lab.ArraysIdle(t)
	const kept = 20 << 20
	scribble(t, "/dev/md0", 7)
	want := prefix(t, "/dev/md0", kept)
	do(t, "write /sys/block/md0/md/sync_speed_min 1000")
	do(t, "write /sys/block/md0/md/sync_speed_max 1000")
	if got := oursLine(gr.lines[0]); got.code != 0 {
		t.Fatalf("%s: %v", gr.lines[0], got)
	}
	patiently(t, func() string {
		b, err := os.ReadFile("/sys/block/md0/md/reshape_position")
		if position := strings.TrimSpace(string(b)); err == nil && position != "none" && position != "0" {
			return ""
		}
		return "reshape_position is " + string(b)
	})
	members, _ := filepath.Glob("/sys/block/md0/md/dev-*")
	for i, m := range members {
		members[i] = "/dev/" + strings.TrimPrefix(filepath.Base(m), "dev-")
	}
	if got := oursLine("--stop /dev/md0"); got.code != 0 {
		t.Fatalf("--stop: %v", got)
	}
	do(t, "mdadm --assemble md0 "+strings.Join(members, " "))
	reshaped(t)
	if prefix(t, "/dev/md0", kept) != want {
		t.Error("other data after the stop")
	}
}

// TestGrowRevertKeepsData stops reshapes that can be reverted, those to fewer devices
// too, and reverts them: --stop must leave them where that is possible (Manage.c,
// Manage_stop).
func TestGrowRevertKeepsData(t *testing.T) {
	var cases []lab.Case
	for name, gr := range map[string]growth{
		"raid5 small":         {create: "-e0.90 -l5 -n4 -z19456 r0 r1 r2 r3", lines: []string{"-G /dev/md0 -n5 -a /dev/ram4"}},
		"raid5":               {create: "-l5 -n4 -c64 r0 r1 r2 r3", lines: []string{"-G /dev/md0 -n5 -a /dev/ram4"}},
		"raid6":               {create: "-l6 -n5 -c64 r0 r1 r2 r3 r4", lines: []string{"-G /dev/md0 -n6 -a /dev/ram5"}},
		"raid5 0.90":          {create: "-e0.90 -l5 -n4 -c64 r0 r1 r2 r3", lines: []string{"-G /dev/md0 -n5 -a /dev/ram4"}},
		"raid5 fewer":         {create: "-l5 -n5 -c64 --size=30M r0 r1 r2 r3 r4", lines: []string{"-G /dev/md0 -Z 90M", "-G /dev/md0 -n4"}},
		"raid6 fewer":         {create: "-l6 -n6 -c64 --size=30M r0 r1 r2 r3 r4 r5", lines: []string{"-G /dev/md0 -Z 90M", "-G /dev/md0 -n5"}},
		"raid5 fewer by file": {create: "-l5 -n5 -c64 r0 r1 r2 r3 r4", lines: []string{"-G /dev/md0 -Z 60M", "-G /dev/md0 -n4 --backup-file=/run/backup"}},
		"raid5 by file":       {create: "-e0.90 -l5 -n4 -c64 r0 r1 r2 r3", lines: []string{"-G /dev/md0 -n5 -a /dev/ram4 --backup-file=/run/backup"}},
		"raid10 fewer":        {create: "-l10 -n6 -c64 r0 r1 r2 r3 r4 r5", lines: []string{"-G /dev/md0 -Z 60M", "-G /dev/md0 -n4"}},
		"raid10 chunk":        {create: "-l10 -n6 -c64 r0 r1 r2 r3 r4 r5", lines: []string{"-G /dev/md0 -c 32"}},
	} {
		cases = append(cases, lab.Case{Name: strings.ReplaceAll(name, " ", "_"), Run: func(t *testing.T, _ *lab.Guest) { gr.reverted(t) }})
	}
	slices.SortFunc(cases, func(a, b lab.Case) int { return strings.Compare(a.Name, b.Name) })
	runSome(t, 1, cases)
}

// reverted begins the reshape of the last line, stops it, and reverts it, after several
// numbers of sectors of each member. The file for backups is not always there yet.
func (gr growth) reverted(t *testing.T) {
	t.Helper()
	defer reset(t)
	for _, begun := range []int{1, 1000, 3000} {
		reset(t)
		os.Remove("/run/backup")
		do(t, "mdadm --create --run --quiet md0 "+gr.create)
		lab.ArraysIdle(t)
		const kept = 20 << 20
		scribble(t, "/dev/md0", 7)
		want, disks := prefix(t, "/dev/md0", kept), readText(t, "/sys/block/md0/md/raid_disks")
		do(t, "write /sys/block/md0/md/sync_speed_min 1000")
		do(t, "write /sys/block/md0/md/sync_speed_max 1000")
		for _, line := range gr.lines {
			if got := oursLine(line); got.code != 0 {
				t.Fatalf("%s: %v", line, got)
			}
		}
		patiently(t, func() string {
			done := readText(t, "/sys/block/md0/md/sync_completed")
			sectors, _, _ := strings.Cut(done, " ")
			if n, err := strconv.Atoi(sectors); err == nil && n >= begun {
				return ""
			}
			return "sync_completed is " + done
		})
		members, _ := filepath.Glob("/sys/block/md0/md/dev-*")
		for i, m := range members {
			members[i] = "/dev/" + strings.TrimPrefix(filepath.Base(m), "dev-")
		}
		do(t, "write /sys/block/md0/md/sync_speed_max 20000") // --stop must not be outrun
		if got := oursLine("-S /dev/md0"); got.code != 0 {
			t.Fatalf("-S: %v", got)
		}
		revert := "-A /dev/md0 -U revert-reshape --backup-file=/run/backup " + strings.Join(members, " ")
		if got := oursLine(revert); got.code != 0 {
			t.Fatalf("stopped from %d on: %s: %v", begun, revert, got)
		}
		reshaped(t)
		if prefix(t, "/dev/md0", kept) != want || readText(t, "/sys/block/md0/md/raid_disks") != disks {
			t.Errorf("stopped from %d on: other data, or %s devices", begun, readText(t, "/sys/block/md0/md/raid_disks"))
		}
	}
}

// gone waits until a file is no longer there.
func gone(t *testing.T, path string) {
	t.Helper()
	patiently(t, func() string {
		if _, err := os.Stat(path); err != nil {
			return ""
		}
		return path + " is still there"
	})
}

// reshaped waits until the array does nothing, however long a reshape takes: those
// in place are slow under load.
func reshaped(t *testing.T) {
	t.Helper()
	patiently(t, func() string {
		b, err := os.ReadFile("/sys/block/md0/md/sync_action")
		if err != nil || string(b) == "idle\n" {
			return ""
		}
		return "md0 is at " + string(b)
	})
	lab.ArraysIdle(t)
}

// patiently waits until busy returns "".
func patiently(t *testing.T, busy func() string) {
	t.Helper()
	lab.Poll(t, func() string {
		text := busy()
		if text == "" {
			return ""
		}
		stat, _ := os.ReadFile("/proc/mdstat")
		return fmt.Sprintf("%s\n%s", text, stat)
	})
}

// prefix is the checksum of the first n bytes of a device, read past the cache.
func prefix(t *testing.T, path string, n int64) [32]byte {
	t.Helper()
	flush(t, path)
	f := openDirect(t, path)
	defer f.Close()
	h, buf := sha256.New(), make([]byte, 1<<20)
	for ; n > 0; n -= int64(len(buf)) {
		if _, err := io.ReadFull(f, buf); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		h.Write(buf)
	}
	return [32]byte(h.Sum(nil))
}
