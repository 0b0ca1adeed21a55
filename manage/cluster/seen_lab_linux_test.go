package cluster

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/mdkit/mdkit/internal/lab"
	"github.com/mdkit/mdkit/internal/lab/corosync"
	"github.com/mdkit/mdkit/sysfs"
)

// sharedDisks makes images that several machines use at once.
func sharedDisks(t *testing.T, n int, size int64) []lab.Disk {
	t.Helper()
	var disks []lab.Disk
	for i := range n {
		path := filepath.Join(t.TempDir(), fmt.Sprintf("shared%d", i))
		if !lab.InGuest() {
			f, err := os.Create(path)
			if err == nil {
				err = errors.Join(f.Truncate(size), f.Close())
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		disks = append(disks, lab.Disk{Path: path, Shared: true})
	}
	return disks
}

// mdadmFiles has mdkit for guests, and as mdadm, built from this tree.
func mdadmFiles(t *testing.T) map[string]string {
	t.Helper()
	if lab.InGuest() {
		return nil
	}
	path := filepath.Join(t.TempDir(), "mdkit")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", path, "../../cmd/mdkit")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return map[string]string{"/sbin/mdadm": path, "/sbin/mdkit": path}
}

func (s *site) mdadm(args ...string) {
	s.t.Helper()
	if out, err := exec.Command("/sbin/mdadm", args...).CombinedOutput(); err != nil {
		s.t.Fatalf("mdadm %v: %v\n%s", args, err, out)
	}
}

// seesArray waits until the one array is idle here and in these slots, where nothing is
// dirty. A slot that nobody has is node 0.
func (s *site) seesArray(own int, nodes ...int) {
	s.t.Helper()
	lab.Poll(s.t, func() string {
		st, err := Look(sysfs.Host, Dir)
		s.must(err)
		if len(st.Arrays) != 1 {
			return fmt.Sprintf("an array among %+v", st.Arrays)
		}
		a := st.Arrays[0]
		good := a.Name == "md0" && a.Slot == own && a.Sync == "" && a.Degraded == 0 && len(a.Slots) == len(nodes)
		for i := range a.Slots {
			good = good && a.Slots[i] == SlotStatus{Slot: i + 1, Node: nodes[i]}
		}
		if !good {
			return fmt.Sprintf("%+v, want slot %d and nodes %v", a, own, nodes)
		}
		return ""
	})
}

// TestShared looks from two nodes at the array that they share, and from the one that is
// left when the other dies. No array is stopped: Linux 6.1 can panic then (md-cluster.c,
// sync_ast after lockres_free).
func TestShared(t *testing.T) {
	set := lab.Cases(t, lab.Case{Name: "first", Run: labFirst}, lab.Case{Name: "second", Run: labSecond})
	sw, disks, files := lab.NewSwitch(t), sharedDisks(t, 2, 24<<20), mdadmFiles(t)
	start := func(addr, name string) *lab.Machine {
		return set.Start(t, lab.Spec{Modules: []string{"raid1", "md-cluster"}, Disks: disks, Files: files, NICs: []*lab.Port{sw.Port(addr)}}, name)
	}
	a, b := start("10.9.0.1/24", "first"), start("10.9.0.2/24", "second")
	b.Tell("made", a.Await("made"))
	a.Tell("assembled", b.Await("assembled"))
	b.Await("seen")
	a.Await("seen")
	b.Kill()
	b.Wait()
	a.Tell("dead", nil)
	a.Await("recovered")
	a.Kill()
	a.Wait()
}

func labFirst(t *testing.T, g *lab.Guest) {
	s := &site{t: t, nodes: 2, lowest: true}
	s.up()
	s.sees("", NodeMember, NodeMember)
	s.mdadm("--create", "/dev/md0", "--run", "-l1", "-n2", "--bitmap=clustered", "--nodes=2", g.Disks[0], g.Disks[1])
	s.seesArray(1, 1, 0)
	g.Publish("made", nil)
	g.Await("assembled")
	s.seesArray(1, 1, 2)
	g.Publish("seen", nil)
	g.Await("dead")
	s.sees("", NodeMember, NodeDead)
	s.seesArray(1, 1, 0)
	g.Publish("recovered", nil)
	g.Await("never")
}

func labSecond(t *testing.T, g *lab.Guest) {
	s := &site{t: t, nodes: 2, lowest: true}
	s.up()
	g.Await("made")
	s.mdadm("--assemble", "/dev/md0", g.Disks[0], g.Disks[1])
	s.seesArray(2, 1, 2)
	g.Publish("assembled", nil)
	g.Publish("seen", nil)
	g.Await("never")
}

// TestBeside looks at a cluster that dlm_controld controls.
func TestBeside(t *testing.T) {
	files := corosync.Files(t, 1)
	lab.Run(t, lab.Spec{Modules: []string{"dlm"}, Files: files, NICs: []*lab.Port{lab.NewSwitch(t).Port(corosync.Address(1))}},
		lab.Case{Name: "dlm_controld", Run: labBeside})
}

func labBeside(t *testing.T, _ *lab.Guest) {
	corosync.Start(t)
	s := &site{t: t}
	s.must(Find(sysfs.Host, Dir).Join(lab.Patient(t), "tst"))
	lab.Poll(t, func() string {
		st, err := Look(sysfs.Host, Dir)
		s.must(err)
		good := st.Controller == daemon && st.Cluster == corosync.Cluster && st.Quorate && st.Node == 1 &&
			len(st.Nodes) == 1 && st.Nodes[0].State == NodeMember && st.Nodes[0].Local &&
			len(st.Spaces) == 1 && st.Spaces[0].State == "running" && st.Spaces[0].Settled
		if !good {
			return fmt.Sprintf("a quorum, a member and a lockspace that runs: %+v", st)
		}
		return ""
	})
	s.must(Find(sysfs.Host, Dir).Leave(lab.Patient(t), "tst", false))
}
