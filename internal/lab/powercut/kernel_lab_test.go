package powercut

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mdkit/mdkit/internal/lab"
)

// byKernel has the kernel assemble states, and looks at the data.
func byKernel(t *testing.T, set *lab.CaseSet, op operation, states []kernelState) {
	t.Helper()
	if len(states) == 0 {
		return
	}
	var spots []lab.Disk
	var acked []string
	for _, s := range states {
		spots = append(spots, lab.Disk{Path: s.image, COW: true})
		acked = append(acked, strconv.Itoa(s.acked))
		t.Logf("%s: %s for the kernel, generation %d was safe", op.name, s.what, s.acked)
	}
	sp := spec(t, spots...)
	sp.Env = map[string]string{"ACKED": strings.Join(acked, " ")}
	set.Start(t, sp, kernelCase().Name).Wait()
}

// TestKill ends real machines in the middle of operations, as a power cut does,
// and boots others on the same disks. The soak does so twenty times for each
// operation.
func TestKill(t *testing.T) {
	rng := lab.Rand(t)
	set := lab.Cases(t, guestCases()...)
	ops, kills := lab.Sample(t, operations(), 1), 1
	if lab.Soak() {
		kills = 20
	}
	for _, op := range ops {
		t.Run(caseName(op), func(t *testing.T) {
			for range kills {
				op.kill(t, set, time.Duration(rng.IntN(2000))*time.Millisecond) // when is left to chance
			}
		})
	}
}

// kill ends a machine that runs the operation, some time after it has created
// the array, and lets another one find out what is left.
func (op operation) kill(t *testing.T, set *lab.CaseSet, after time.Duration) {
	t.Helper()
	m := set.Start(t, spec(t, lab.Disk{Size: diskSize}), "killed_"+caseName(op))
	m.Await("ready")
	time.Sleep(after) // when is left to chance
	var marks []string
	for name := range m.Kill().Published {
		marks = append(marks, name)
	}
	byKernel(t, set, op, []kernelState{{image: m.Disks[0], what: "killed", promise: promisedBy(marks)}})
}

func kernelCase() lab.Case {
	return lab.Case{Name: "kernel", Run: func(t *testing.T, g *lab.Guest) {
		for i, text := range strings.Fields(g.Env["ACKED"]) {
			acked, err := strconv.Atoi(text)
			if err != nil {
				t.Fatal(err)
			}
			if err := assembled(t, g.Disks[i], promise{acked: acked}); err != nil {
				t.Errorf("disk %d: %v", i, err)
			}
		}
	}}
}

// assembled assembles the array on the slices of a disk and looks at its data.
func assembled(t *testing.T, disk string, p promise) error {
	cutUp(t, disk, "s")
	defer func() {
		for i := range disks {
			dmsetup(t, "remove", fmt.Sprintf("s%d", i))
		}
	}()
	var members []string
	for _, i := range membersIn(t, disk) {
		members = append(members, fmt.Sprintf("s%d", i))
	}
	run(t, "--assemble --run md0 "+strings.Join(members, " "))
	defer run(t, "--stop md0")
	f, err := os.Open("/dev/md0")
	if err != nil {
		return err
	}
	defer f.Close()
	return p.kept(func(b []byte, off int64) error {
		_, err := io.ReadFull(io.NewSectionReader(f, off, int64(len(b))), b)
		return err
	})
}
