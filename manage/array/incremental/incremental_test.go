package incremental

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/manage/array/assemble"
)

// TestCountActive judges members that came one by one.
func TestCountActive(t *testing.T) {
	m := func(name string, slot int, events uint64) *assemble.FoundMember {
		return &assemble.FoundMember{Path: name, Member: newMember(name, md.LevelRAID5, 3, slot, events)}
	}
	without := func(c *assemble.FoundMember, slot int) *assemble.FoundMember {
		for i, r := range c.Member.Super1.DevRoles {
			if int(r) == slot {
				c.Member.Super1.DevRoles[i] = md.RoleFaulty
			}
		}
		return c
	}
	for _, tc := range []struct {
		name    string
		devices []*assemble.FoundMember
		active  int
		enough  bool
		reject  string
	}{
		{name: "none"},
		{"one", []*assemble.FoundMember{m("a", 0, 9)}, 1, false, ""},
		{"two", []*assemble.FoundMember{m("a", 0, 9), m("b", 1, 8)}, 2, true, ""},
		{"old", []*assemble.FoundMember{m("a", 0, 9), m("b", 1, 7)}, 1, false, ""},
		{"the newer comes last", []*assemble.FoundMember{m("b", 1, 7), m("a", 0, 9), m("c", 2, 9)}, 2, true, ""},
		{"same slot", []*assemble.FoundMember{m("a", 0, 8), m("b", 0, 9), m("c", 1, 9)}, 2, true, ""},
		{"reports the freshest as failed", []*assemble.FoundMember{m("a", 0, 9), without(m("b", 1, 8), 0), m("c", 2, 9)}, 2, true, "b"},
	} {
		n := countActive(tc.devices)
		var reject []string
		for _, c := range n.reject {
			reject = append(reject, c.Path)
		}
		if n.active != tc.active || n.enough() != tc.enough || strings.Join(reject, " ") != tc.reject {
			t.Errorf("%s: %d active, enough %v, rejected %v", tc.name, n.active, n.enough(), reject)
		}
	}
}

// TestUpdate0 changes what no twin story can: superblocks of other machines.
func TestUpdate0(t *testing.T) {
	s := &md.Super0{
		Order: binary.BigEndian, MDMagic: md.SuperMagic, MinorVersion: 90, Level: md.LevelRAID1, RaidDisks: 2, Events: 5,
	}
	u := &assemble.Updater{Update: assemble.Update{What: "byteorder"}}
	edit := md.SuperEdit{V0: s}
	if _, err := u.Super0(&assemble.FoundMember{Path: "a"}, nil, &md.Member{}, &edit, nil); err != nil {
		t.Fatal(err)
	}
	again, err := md.ParseSuper0(edit.Bytes())
	if err != nil || again.Order != assemble.NativeByteOrder() || again.Events != 5 || again.RaidDisks != 2 {
		t.Errorf("byteorder: %+v, %v", again, err)
	}
	// Linux 2.2 on sparc had a word more before the event count.
	b := (&md.Super0{Order: assemble.NativeByteOrder(), MDMagic: md.SuperMagic, MinorVersion: 90, Level: md.LevelRAID1, RaidDisks: 2, Events: 5, ChunkSize: 4096}).AppendTo(nil)
	copy(b[40*4:], append([]byte(nil), b[39*4:len(b)-4]...))
	shifted, _ := md.ParseSuper0(b)
	if shifted == nil {
		t.Fatal("not read at all")
	}
	moved, err := assemble.SparcMoved(shifted)
	if err != nil || moved.Events != 5 || moved.ChunkSize != 4096 {
		t.Errorf("sparc2.2: %+v, %v", moved, err)
	}
	if _, err := (&assemble.Updater{Update: assemble.Update{What: "bbl"}}).Super0(&assemble.FoundMember{}, nil, &md.Member{}, &md.SuperEdit{V0: s}, nil); err == nil {
		t.Error("0.90 has got a list of bad blocks")
	}
}

// TestMisaligned: a reshape is turned around only at a whole stripe of the
// shape it came from.
func TestMisaligned(t *testing.T) {
	for _, tc := range []struct {
		position     uint64
		chunk, disks int64
		level        md.Level
		want         bool
	}{
		{3 * 128 * 7, 128, 4, md.LevelRAID5, false},
		{3*128*7 + 128, 128, 4, md.LevelRAID5, true},
		{2 * 128, 128, 4, md.LevelRAID6, false},
		{0, 0, 4, md.LevelRAID5, true},
		{0, 128, 1, md.LevelRAID5, true},
	} {
		if got := assemble.Misaligned(tc.position, tc.chunk, tc.disks, tc.level); got != tc.want {
			t.Errorf("%+v: %v", tc, got)
		}
	}
}

// newMember makes the superblock of a member of a three-letter kind of array: of
// n slots, by version 1.2, all of whose slots it believes to be in use.
func newMember(name string, level md.Level, n, slot int, events uint64) *md.Member {
	s := &md.Super1{
		Magic: md.SuperMagic, MajorVersion: 1, SetUUID: md.UUID{1}, Level: level, RaidDisks: uint32(n),
		Size: 2048, ChunkSize: 128, DataOffset: 2048, SuperOffset: 8, DevNumber: uint32(slot),
		Events: events, ResyncOffset: md.MaxSector,
	}
	if level == md.LevelRAID10 {
		s.Layout = 0x102
	}
	for i := range n {
		s.DevRoles = append(s.DevRoles, md.Role(i))
	}
	return &md.Member{Name: name, Version: md.V12, Offset: 4096, Super1: s}
}
