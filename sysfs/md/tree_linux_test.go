package md

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/internal/lab"
	"github.com/mdkit/mdkit/sysfs"
)

// treeFile holds the attributes of a whole array as a kernel shows them.
const treeFile = "testdata/tree-6.1.txtar"

// TestLabTree makes a degraded raid5 with a bitmap, a write-mostly member and a
// spare, and records what the kernel shows of it. With -update it writes that
// to testdata.
func TestLabTree(t *testing.T) {
	mdadm := lab.Peer(t, "mdadm")
	spec := lab.Spec{Kernel: lab.Oldest, Modules: labModules, Disks: labDisks(4, 16<<20), Files: mdadm.Files}
	show := lab.Case{Name: "raid5", Run: func(t *testing.T, g *lab.Guest) {
		s := &stage{t, g}
		s.mdadm("--create", "/dev/md0", "--run", "--level=5", "--raid-devices=3", "--assume-clean",
			"--bitmap=internal", "--uuid=818ca0a2:0e4363e9:fe4ff391:01401bd4", "--name=lab:0", g.Disks[0], g.Disks[1], g.Disks[2])
		a, err := Open(sysfs.Host, "md0")
		must(t, err)
		must(t, a.SetSyncAction(Frozen)) // the spare stays a spare, and the failed member stays in its slot
		s.mdadm("/dev/md0", "--fail", g.Disks[1], "--add", g.Disks[3])
		checkTree(t, a)
		var tree archive
		err = filepath.WalkDir(string(a.Dir()), func(path string, e os.DirEntry, err error) error {
			must(t, err)
			rel, err := filepath.Rel("/", path)
			must(t, err)
			rel = strings.Replace(rel, "sys/devices/virtual/block/", "sys/block/", 1)
			if e.Type()&os.ModeSymlink != 0 {
				target, err := os.Readlink(path)
				must(t, err)
				tree.add(rel+" -> "+target, "")
				return nil
			}
			if fi, err := e.Info(); err != nil || !fi.Mode().IsRegular() || fi.Mode()&0o400 == 0 {
				return err
			}
			text, err := sysfs.ReadAttr(path)
			must(t, err)
			if text != "" && !strings.HasSuffix(text, "\n") {
				t.Errorf("%s ends without a newline", path)
			}
			tree.add(rel, text)
			return nil
		})
		must(t, err)
		g.Publish("tree", []byte(tree.String()))
		s.mdadm("--stop", "/dev/md0")
	}}
	if !*update || lab.InGuest() {
		lab.Run(t, spec, show)
		return
	}
	r := lab.Cases(t, show).Start(t, spec, show.Name).Wait()
	if t.Failed() {
		return
	}
	text := "An array as Linux " + r.Release + " showed it; see tree_linux_test.go.\n" + string(r.Published["tree"])
	if err := os.WriteFile(treeFile, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// checkTree compares the array of TestLabTree with what was made.
func checkTree(t *testing.T, a *Array) {
	t.Helper()
	all := map[string]any{}
	for name, v := range a.All() {
		if err, ok := v.(error); ok {
			t.Errorf("%s: %v", name, err)
		}
		all[name] = v
	}
	uuid, err := parseUUID("818ca0a2-0e43-63e9-fe4f-f39101401bd4")
	must(t, err)
	for name, want := range map[string]any{
		"level": RAID5, "raid_disks": Transition{Now: 3, Old: 3}, "chunk_size": Transition{Now: 524288, Old: 524288},
		"layout": Transition{Now: 2, Old: 2}, "uuid": uuid, "component_size": uint64(14336), "array_size": None,
		"metadata_version": Metadata{Kind: MetadataNative, Major: 1, Minor: 2}, "resync_start": None,
		"consistency_policy": PolicyBitmap, "degraded": 1, "sync_action": Frozen, "sync_completed": Progress{},
		"bitmap/metadata": BitmapInternal, "bitmap/chunksize": uint64(67108864), "reshape_direction": Forwards,
		"serialize_policy": None, "stripe_size": uint64(4096),
	} {
		if !reflect.DeepEqual(all[name], want) {
			t.Errorf("%s is %#v, want %#v", name, all[name], want)
		}
	}
	members, err := a.Members()
	must(t, err)
	want := []struct {
		name  string
		slot  Slot
		state MemberState
	}{{"ubda", 0, MemberInSync}, {"ubdb", 1, MemberFaulty}, {"ubdc", 2, MemberInSync}, {"ubdd", NoSlot, MemberSpare}}
	if len(members) != len(want) {
		t.Fatalf("members %v", members)
	}
	for i, m := range members {
		slot, err := m.Slot()
		must(t, err)
		state, err := m.State()
		must(t, err)
		offset, err := m.Offset()
		must(t, err)
		block, err := m.Block()
		must(t, err)
		if m.Name() != want[i].name || block != want[i].name || slot != want[i].slot || state != want[i].state || offset == 0 {
			t.Errorf("member %s in slot %v is %v, offset %d", m.Name(), slot, state, offset)
		}
		for name, v := range m.All() {
			if err, ok := v.(error); ok {
				t.Errorf("%s %s: %v", m.Name(), name, err)
			}
		}
	}
	slots, err := a.Slots()
	if err != nil || len(slots) != 3 || slots[1].Name() != "ubdb" {
		t.Errorf("slots %v, %v", slots, err)
	}
}

// TestTree reads the array back from files.
func TestTree(t *testing.T) {
	fsys, err := unpack(treeFile, t.TempDir())
	must(t, err)
	a, err := Open(fsys, "md0")
	must(t, err)
	checkTree(t, a)
}
