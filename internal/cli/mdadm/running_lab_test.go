package mdadm

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/internal/lab"
)

// story is a list of command lines to run one after the other, first with Debian's
// mdadm and then, from the same blank disks, with ours. Lines with "?" are run with
// Debian's in both rounds, to set the stage. Text, exit codes and what the kernel
// shows have to be the same after every line.
type story []string

func stories() map[string]story {
	return map[string]story{
		"build linear":    {"-B md9 -llinear -n2 r0 r1", "-S md9", "-S md9"},
		"build raid0":     {"--build md9 -l0 -n3 -v r0 r1 r2", "-o md9", "-w md9", "--stop md9 -v"},
		"build raid1":     {"-B md9 -l1 -n2 --assume-clean -W r0 r1", "-S md9"},
		"build raid1 gap": {"-B md9 -l1 -n2 r0 missing", "-S md9"},
		"build raid10":    {"-B md9 -l10 -n4 -v -c 64 r0 r1 r2 r3", "-S md9"},
		"build multipath": {"-B md9 -lmp -n2 r0 r1", "-S md9"},
		"build faulty":    {"-B md9 -lfaulty -n1 -p rt10 -v r0", "-S md9"},
		"build refused": {
			"-B md9 -l1 -n2 r0", "-B md9 -n2 r0 r1", "-B md9 -l1 r0 r1", "-B md9 -l1 -n2 /dev/null r0",
			"-B md9 -l1 -n2 /nowhere r0", "-B md9 -l0 -n2 -c 48 r0 r1", "-B md9 -l10 -n2 r0 r0",
			"-B /tmp -l1 -n2 r0 r1", "-B md9 -l1 -n1 r0", "-B md9 -l1 -n2 -b internal r0 r1",
			"-B md9 -l1 -n2 --write-behind=3 r0 r1",
		},
		"readonly": {
			"? -C md9 -l1 -n2 --assume-clean --run -q r0 r1", "--readonly md9", "--readonly md9", "--readwrite md9",
			"-w md9", "-S md9", "-o md9", "-w md9",
		},
		"run": {
			"? -C md9 -l1 -n2 --assume-clean --run -q r0 r1", "-R md9", "-S md9", "-R md9", "-R /dev/null", "-R r0",
		},
		"run inactive": {
			"? -C md9 -l1 -n2 --assume-clean --run -q r0 r1", "? -S md9", "? -I --no-degraded -q r0", "-R md9", "-S md9",
		},
		"stop": {
			"-S /nowhere", "-S r0", "-S /tmp", "-S md9", "-S", "--stop md9 --scan",
			"? -C md9 -l1 -n2 --assume-clean --run -q r0 r1", "-S -q md9",
			"? -C md9 -l1 -n2 --assume-clean --run -q r0 r1", "-S -v md9",
		},
		"stop stacked": {
			"? -C md8 -l0 -n2 --run -q r0 r1", "? -C md9 -l1 -n2 --assume-clean --run -q md8 r2",
			"-S md8", "--stop --scan", "-S --scan -v",
		},
		"stop all": {
			"? -C md8 -l0 -n2 --run -q r0 r1", "? -C md9 -l1 -n2 --assume-clean --run -q r2 r3", "-S -s -v",
		},
		"create on top": {
			"-C md9 -l1 -n2 --assume-clean -R r0 r1", "-C md9 -l1 -n2 -R r2 r3", "-C md8 -l1 -n2 -R r0 r2",
			"-C md8 -l1 -n2 -R -e1.2 r0 r2", "-C md8 -l1 -n2 -R -e0.90 r2 r1",
		},
		"create twice": {
			"-C md9 -l1 -n2 --assume-clean -R -e 1.0 r0 r1", "-S md9", "-C md9 -l5 -n3 r0 r1 r2",
			"-C md9 -l5 -n3 -R r0 r1 r2", "-S md9", "-C md9 -l0 -n2 -R -q r0 r1",
		},
		"create named": {
			"-C /dev/md/home -l1 -n2 -R --assume-clean r0 r1", "-S /dev/md/home",
			"-C work -l1 -n2 -R --assume-clean r0 r1", "-S /dev/md/work",
			"-C /dev/md/7 -l1 -n2 -R --assume-clean r0 r1", "-S /dev/md7",
			"-C /dev/md9 --name=other -l1 -n2 -R --assume-clean r0 r1", "-S /dev/md9",
			"-C /dev/home -l1 -n2 -R r0 r1", "-C /dev/md/a/b -l1 -n2 -R r0 r1", "-C /dev/md/ -l1 -n2 -R r0 r1",
		},
		"create refused": {
			"-C md9 -l1 -n2 /nowhere r0", "-C md9 -l1 -n2 /tmp r0", "-C md9 -l1 -n2 /sbin/mdadm r0",
			"-C md9 -l1 -n2 missing missing", "-C md9 -l0 -n2 r0 missing", "-C md9 -l1 -n2 r0 r0 -R",
			"-C md9 -l7 -n2 r0 r1", "-C /tmp -l1 -n2 r0 r1", "-C md9 -n2 r0 r1", "-C md9 -l1 r0 r1",
			"-C md9 -l1 -n2 r0 r1 r2", "-C md9 -l5 -n3 r0 r1", "-C md9 -l1 -n2 --write-behind=8 r0 r1",
			"-C md9 -l1 -n2 -z 60000 r0 r1", "-C md9 -l5 -n2 -c 64M r0 r1",
		},
		"create gaps": {
			"-C md9 -l1 -n2 r0 missing -R", "-S md9", "-C md9 -l5 -n3 r0 missing r2 -R", "-S md9",
			"-C md9 -l6 -n4 r0 missing r2 r3 -R", "-S md9", "-C md9 -l6 -n4 missing missing r2 r3 -R", "-S md9",
			"-C md9 -l10 -n4 r0 missing r2 r3 -R", "-S md9", "-C md9 -l5 -n3 missing missing r2 -R",
		},
		"create small": {
			"-C md9 -l1 -n2 r8 r9", "-C md9 -l1 -n2 -e1.0 r8 r9", "-C md9 -l1 -n2 -e0.90 r8 r9",
			"-C md9 -l1 -n2 -e1.1 r8 r0 -R", "-C md9 -l0 -n2 -R r8 r0",
		},
		"create journal": {
			"-C md9 -l5 -n3 --assume-clean r0 r1 r2 --write-journal r3 -R", "-S md9",
			"-C md9 -l5 --write-journal r3 -n3 -R r0 r1 r2", "-S md9", "-C md9 -l1 -n2 --write-journal r3 r0 r1",
		},
	}
}

// tiny is the size in bytes of the last two disks in stories.
const tiny = 64 << 10

// dumps is a folder that is empty when a story begins.
const dumps = "/run/dump"

// TestRunningLikeMdadm runs each story with both programs.
func TestRunningLikeMdadm(t *testing.T) {
	beside(t)
	mdadm := lab.Peer(t, "mdadm")
	cases := []lab.Case{{Name: "setup", Run: func(t *testing.T, _ *lab.Guest) {
		do(t, "hostname labhost")
		do(t, "write /proc/sys/dev/raid/speed_limit_min 1")
		do(t, "write /proc/sys/dev/raid/speed_limit_max 1")
	}}}
	all := stories()
	for _, name := range lab.Sample(t, slices.Sorted(maps.Keys(all)), 3) {
		s := all[name]
		cases = append(cases, lab.Case{Name: name, Run: func(t *testing.T, g *lab.Guest) { s.tell(t) }})
	}
	lab.Run(t, lab.Spec{
		Modules: []string{
			"linear", "raid0", "raid1", "raid10", "raid456", "multipath", "faulty",
			fmt.Sprintf("brd rd_nr=%d rd_size=%d", devs, ramSize>>10),
		},
		Disks:  []lab.Disk{{Size: tiny}, {Size: tiny}},
		Files:  mdadm.Files,
		Memory: 1 << 30,
	}, cases...)
}

func (s story) tell(t *testing.T) {
	var disks []string
	for i := range devs - 2 {
		disks = append(disks, fmt.Sprintf("/dev/ram%d", i))
	}
	disks = append(disks, "/dev/ubda", "/dev/ubdb")
	round := func(run func(args ...string) outcome) (all []string) {
		os.RemoveAll(dumps)
		if err := os.Mkdir(dumps, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, line := range s {
			w := strings.Fields(line)
			stage := w[0] == "?"
			if stage {
				w = w[1:]
			}
			for i := range w {
				w[i] = devName(w[i])
				switch w[i] {
				case "/dev/ram8":
					w[i] = "/dev/ubda"
				case "/dev/ram9":
					w[i] = "/dev/ubdb"
				}
			}
			o := outcome{}
			settle(t)
			if stage {
				if o = peers(t, w...); o.code != 0 {
					t.Fatalf("mdadm %s: %v", line, o)
				}
			} else {
				o = withoutExtras(run(w...))
			}
			all = append(all, fmt.Sprintf("%s\n%v%s", line, o, state(t)))
		}
		for range 2 {
			left, err := filepath.Glob("/sys/block/md*")
			if err != nil {
				t.Fatal(err)
			}
			for _, md := range left {
				peers(t, "--stop", "/dev/"+filepath.Base(md))
			}
		}
		wipeDevices(t, disks)
		os.RemoveAll("/run/mdadm")
		os.RemoveAll("/dev/md")
		return all
	}
	want := round(func(args ...string) outcome { return peers(t, args...) })
	got := round(ours)
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%s:\n%s", s[i], lineDiff(want[i], got[i]))
		}
	}
}
