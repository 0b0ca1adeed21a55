package array_test

import (
	"fmt"
	"testing"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/block/blocktest"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/array"
	"github.com/mdkit/mdkit/internal/lab"
)

// TestPowerCutLeavesADirtyArray cuts the power at every write and sync of a small
// session. Members may disagree then, but only if the superblocks say that a resync is
// due; and after Close the array must be clean.
func TestPowerCutLeavesADirtyArray(t *testing.T) {
	seed := lab.Seed(t)
	for _, spec := range []arraySpec{
		{level: md.LevelRAID1, sizes: same(2, 64)},
		{level: md.LevelRAID5, layout: md.LayoutLeftSymmetric, chunk: 8, sizes: same(3, 64)},
	} {
		dry := block.NewPower(0)
		if err := session(powered(dry, makeArray(t, spec))); err != nil {
			t.Fatal(err)
		}
		torn := 0
		for n := 1; n <= dry.Ops(); n++ {
			disks := makeArray(t, spec)
			power := block.NewPower(seed + uint64(n))
			power.CutAfter(n)
			if err := session(powered(power, disks)); err == nil {
				t.Fatalf("%v: the session outlived a cut at operation %d of %d", spec, n, dry.Ops())
			}
			a := mustOpen(t, devices(disks), array.Options{ReadOnly: true})
			if a.Degraded() > 0 {
				t.Fatalf("%v: cut at %d: a member is left out", spec, n)
			}
			if agree(t, spec, disks) {
				continue
			}
			torn++
			if freshest(t, disks).Clean() {
				t.Fatalf("%v: cut at %d: members disagree, and the array says it is clean", spec, n)
			}
		}
		if torn == 0 {
			t.Errorf("%v: no cut left members that disagree, so nothing was tested", spec)
		}
		disks := makeArray(t, spec)
		if err := session(devices(disks)); err != nil {
			t.Fatal(err)
		}
		if !agree(t, spec, disks) || !freshest(t, disks).Clean() {
			t.Errorf("%v: not clean after Close", spec)
		}
	}
}

func powered(p *block.Power, disks []*block.Memory) []block.Device {
	list := make([]block.Device, len(disks))
	for i, d := range disks {
		list[i] = p.Attach(d)
	}
	return list
}

// session opens an array, writes to it and closes it.
func session(disks []block.Device) error {
	a, err := openArray(disks, array.Options{})
	if err != nil {
		return err
	}
	for i := range 4 {
		if _, err := a.WriteAt(blocktest.Pattern(uint64(i), 6000), int64(i)*5000); err != nil {
			return err
		}
		if i == 1 {
			if err := a.Sync(); err != nil {
				return err
			}
		}
	}
	return a.Close()
}

// agree reports whether the xor of all members is zero, as it is for two mirrors too.
func agree(t *testing.T, spec arraySpec, disks []*block.Memory) bool {
	t.Helper()
	n := int(spec.sizes[0]) * md.SectorSize
	sum := make([]byte, n)
	for _, d := range disks {
		p := make([]byte, n)
		if err := block.ReadFull(d, p, dataStart*md.SectorSize); err != nil {
			t.Fatal(err)
		}
		for j := range p {
			sum[j] ^= p[j]
		}
	}
	for _, b := range sum {
		if b != 0 {
			return false
		}
	}
	return true
}

func freshest(t *testing.T, disks []*block.Memory) *md.Member {
	t.Helper()
	var members []*md.Member
	for _, d := range disks {
		m, err := md.ReadMember(d)
		if err != nil {
			t.Fatal(err)
		}
		members = append(members, m)
	}
	return md.Assess(members, md.Strict).Freshest
}

// TestFailedMemberIsWrittenDown wants a member that refused a write to be recorded as
// out before the write is acknowledged, so that the array opens without it next time.
func TestFailedMemberIsWrittenDown(t *testing.T) {
	spec := arraySpec{level: md.LevelRAID1, sizes: same(2, 100)}
	disks := makeArray(t, spec)
	bad, err := block.NewFault(disks[1], fmt.Sprintf("write %ds+1T error", dataStart))
	if err != nil {
		t.Fatal(err)
	}
	a := mustOpen(t, []block.Device{disks[0], bad}, array.Options{})
	want := blocktest.Pattern(1, int(a.Size()))
	if _, err := a.WriteAt(want, 0); err != nil {
		t.Fatal(err)
	}
	// Not closed: the machine stops here.
	again := mustOpen(t, devices(disks), array.Options{ReadOnly: true, Dirty: true})
	if again.Degraded() != 1 {
		t.Errorf("degraded by %d; want 1", again.Degraded())
	}
	wantArray(t, again, want)
}
