package mdadm

import (
	"slices"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/internal/lab"
)

// TestEmptyValues gives options an empty value: most are taken as mdadm takes them, and
// those that then name nothing are refused.
func TestEmptyValues(t *testing.T) {
	const create = "mdadm --create --run --quiet --assume-clean md0 "
	grow := []string{
		"mdadm --grow md0 --layout=", "mdadm --grow md0 -p x --layout=x", "mdadm --grow md0 --layout= --layout=x", "mdadm --grow md0 --layout= -n3",
		"mdadm --grow md0 --layout= -z 9000", "mdadm --grow md0 --layout= -b none",
	}
	var cases []lab.Case
	for name, setup := range map[string]string{
		"raid1": "-l1 -n2 r0 r1", "raid5": "-l5 -n3 r0 r1 r2", "raid6": "-l6 -n4 r0 r1 r2 r3",
	} {
		tw := twin{name: name, setup: []string{create + setup}, lines: grow}
		cases = append(cases, lab.Case{Name: name, Run: func(t *testing.T, _ *lab.Guest) { tw.run(t) }})
	}
	slices.SortFunc(cases, func(a, b lab.Case) int { return strings.Compare(a.Name, b.Name) })
	dump := twin{name: "dump", setup: []string{create + "-l1 -n2 r0 r1"}, lines: []string{
		"mdadm --dump= r0", "mdadm --dump= --dump=x r0", "mdadm --restore= r0", "mdadm --restore= --restore=x r0",
	}}
	cases = append(cases, lab.Case{Name: "dump", Run: func(t *testing.T, _ *lab.Guest) { dump.run(t) }},
		lab.Case{Name: "refused", Run: func(t *testing.T, _ *lab.Guest) { emptyNames(t) }})
	runSome(t, 2, cases)
}

// emptyNames sees that mdadm goes on without the file, or fails when it needs it, and
// that ours refuses at once.
func emptyNames(t *testing.T) {
	reset(t)
	defer reset(t)
	do(t, "mdadm --create --run --quiet --assume-clean md0 -l5 -n3 -c64 r0 r1 r2")
	if o := peers(t, "--grow", "/dev/md0", "-c128", "--backup-file="); o.code != 1 || !strings.Contains(o.err, "cannot create backup file : No such file or directory") {
		t.Errorf("mdadm: %v", o)
	}
	for _, line := range []string{
		"--grow /dev/md0 -c128 --backup-file=", "--assemble /dev/md1 --backup-file= /dev/ram0", "--monitor -1 --mail= /dev/md0",
		"--monitor -1 --scan --program=", "--monitor -1 --pid-file= /dev/md0",
	} {
		o := ours(strings.Fields(line)...)
		if o.code != 2 || !strings.HasSuffix(o.err, " is empty: give it a value, or leave it out.\n") || strings.Count(o.err, "\n") != 1 {
			t.Errorf("%s: %v", line, o)
		}
	}
	if s := strings.TrimSpace(readText(t, "/sys/block/md0/md/chunk_size")); s != "65536" {
		t.Errorf("the chunk is %s", s)
	}
	reset(t)
	do(t, "mdadm --create --run --quiet --assume-clean md0 -l10 -n2 r0 r1")
	if o := peers(t, "--grow", "/dev/md0", "--layout="); o.code != 1 || !strings.Contains(o.err, "Cannot change number of copies") {
		t.Errorf("mdadm: %v", o)
	}
	if o := ours("--grow", "/dev/md0", "--layout="); o.code != 1 || !strings.Contains(o.err, "layout  not understood for this level") {
		t.Errorf("raid10: %v", o)
	}
}
