package md

import (
	"encoding/binary"
	"testing"

	"github.com/mdkit/mdkit/engine/block"
)

// TestLoadSuper loads superblocks of a given version, and has the reasons why there
// is none (super0.c and super1.c, load_super).
func TestLoadSuper(t *testing.T) {
	const size = 64 << 20
	put := func(v Version, size int64, edit func(raw []byte)) *block.Memory {
		d := block.NewMemory("disk", size)
		off, ok := v.SuperOffset(size)
		if !ok {
			return d
		}
		raw := (&Super0{MDMagic: SuperMagic, MinorVersion: 90, Level: LevelRAID1, RaidDisks: 2, Size: 1024, CTime: 5}).AppendTo(nil)
		if v != V090 {
			s := newArray(LevelRAID1, 0, 2, roles(2), nil)[0].Super1
			s.SuperOffset = uint64(off / SectorSize)
			raw = s.AppendTo(nil)
		}
		if edit != nil {
			edit(raw)
		}
		if _, err := d.WriteAt(raw, off); err != nil {
			t.Fatal(err)
		}
		return d
	}
	nothing := func(raw []byte) { clear(raw) }
	major := func(raw []byte) { binary.LittleEndian.PutUint32(raw[4:], 2) }
	for _, c := range []struct {
		name    string
		d       *block.Memory
		v       Version
		want    string // "" if it loads
		foreign bool
	}{
		{"0.90", put(V090, size, nil), V090, "", false},
		{"1.0", put(V10, size, nil), V10, "", false},
		{"1.1", put(V11, size, nil), V11, "", false},
		{"1.2", put(V12, size, nil), V12, "", false},
		{"nothing", put(V12, size, nothing), V12, "disk: no superblock: magic 00000000 instead of a92b4efc", true},
		{"nothing, 0.90", put(V090, size, nothing), V090, "disk: no superblock: magic 00000000 instead of a92b4efc", true},
		{"another version is there", put(V11, size, nil), V12, "disk: no superblock: magic 00000000 instead of a92b4efc", true},
		{"later major", put(V12, size, major), V12, "disk: a superblock of version 2", true},
		{"made for another place", put(V12, size, func(raw []byte) { raw[144] ^= 0xff }), V12, "disk: a superblock that says that it belongs elsewhere", true},
		{"too small", block.NewMemory("disk", 24*512-1), V12, "disk: too small for a superblock: 23", false},
		{"too small for 0.90", block.NewMemory("disk", 60000), V090, "disk: too small for a superblock: 60000", false}, // in bytes, as in mdadm
	} {
		m, err := LoadSuper(c.d, c.v)
		switch {
		case c.want == "":
			if err != nil || m.Version != c.v {
				t.Errorf("%s: %v", c.name, err)
			}
		case err == nil || err.Error() != c.want || err.Foreign() != c.foreign:
			t.Errorf("%s: %+v; want %q, foreign %v", c.name, err, c.want, c.foreign)
		}
	}
}

// TestLoadSwapped loads 0.90 superblocks, which are in the byte order of the machine
// that wrote them: LoadSwapped accepts only those of the other order.
func TestLoadSwapped(t *testing.T) {
	const size = 1 << 20
	own, other := binary.ByteOrder(binary.LittleEndian), binary.ByteOrder(binary.BigEndian)
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		own, other = other, own
	}
	put := func(order binary.ByteOrder) *block.Memory {
		d := block.NewMemory("disk", size)
		off, _ := V090.SuperOffset(size)
		s := &Super0{Order: order, MDMagic: SuperMagic, MinorVersion: 90, Level: LevelRAID1, RaidDisks: 2, Size: 1024}
		if _, err := d.WriteAt(s.AppendTo(nil), off); err != nil {
			t.Fatal(err)
		}
		return d
	}
	if m, err := LoadSwapped(put(other)); err != nil || NativeOrder(m) {
		t.Errorf("one of the other order: %v", err)
	}
	if _, err := LoadSuper(put(other), V090); err == nil || !err.Foreign() || err.Found != 0xfc4e2ba9 {
		t.Errorf("one of the other order, taken for ours: %+v", err)
	}
	if _, err := LoadSwapped(put(own)); err == nil || !err.Foreign() || err.Found != 0xfc4e2ba9 {
		t.Errorf("ours, taken for one of the other order: %+v", err)
	}
	if m, err := GuessSuper(put(other)); err == nil {
		t.Errorf("a superblock that this machine cannot use was taken: %v", m.Version)
	}
}

// TestLoadNewest wants a reason for each place without a superblock, but only one
// if the device itself is at fault.
func TestLoadNewest(t *testing.T) {
	if m, why := LoadNewest(block.NewMemory("disk", 1000)); m != nil || len(why) != 1 || why[0].Foreign() {
		t.Errorf("too small: %v, %v", m, why)
	}
	if m, why := LoadNewest(block.NewMemory("disk", 1<<20)); m != nil || len(why) != 3 {
		t.Errorf("empty: %v, %v", m, why)
	}
	d := ofAllVersions(t, 64<<20)
	if m, why := LoadNewest(d); m == nil || m.Version != V10 || len(why) != 0 {
		t.Errorf("all three: %v, %v", m, why)
	}
}

// ofAllVersions is a device with superblocks of all versions.
func ofAllVersions(t *testing.T, size int64) *block.Memory {
	t.Helper()
	d := block.NewMemory("disk", size)
	for _, v := range []Version{V090, V10, V11, V12} {
		off, _ := v.SuperOffset(size)
		raw := member0().AppendSuper(nil)
		if v != V090 {
			s := newArray(LevelRAID1, 0, 2, roles(2), nil)[0].Super1
			s.SuperOffset, s.SetUUID = uint64(off/SectorSize), UUID{9}
			raw = s.AppendTo(nil)
		}
		if _, err := d.WriteAt(raw, off); err != nil {
			t.Fatal(err)
		}
	}
	return d
}
