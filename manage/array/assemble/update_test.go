package assemble

import (
	"encoding/binary"
	"testing"

	"github.com/mdkit/mdkit/engine/md"
)

// TestUpdate0 updates superblocks that no twin story can have: those of other machines.
func TestUpdate0(t *testing.T) {
	s := &md.Super0{
		Order: binary.BigEndian, MDMagic: md.SuperMagic, MinorVersion: 90, Level: md.LevelRAID1, RaidDisks: 2, Events: 5,
	}
	u := &Updater{Update: Update{What: "byteorder"}}
	edit := md.SuperEdit{V0: s}
	if _, err := u.Super0(&FoundMember{Path: "a"}, nil, &md.Member{}, &edit, nil); err != nil {
		t.Fatal(err)
	}
	again, err := md.ParseSuper0(edit.Bytes())
	if err != nil || again.Order != NativeByteOrder() || again.Events != 5 || again.RaidDisks != 2 {
		t.Errorf("byteorder: %+v, %v", again, err)
	}
	// Linux 2.2 on sparc had an extra word before the event count.
	b := (&md.Super0{Order: NativeByteOrder(), MDMagic: md.SuperMagic, MinorVersion: 90, Level: md.LevelRAID1, RaidDisks: 2, Events: 5, ChunkSize: 4096}).AppendTo(nil)
	copy(b[40*4:], append([]byte(nil), b[39*4:len(b)-4]...))
	shifted, _ := md.ParseSuper0(b)
	if shifted == nil {
		t.Fatal("not read at all")
	}
	moved, err := SparcMoved(shifted)
	if err != nil || moved.Events != 5 || moved.ChunkSize != 4096 {
		t.Errorf("sparc2.2: %+v, %v", moved, err)
	}
	if _, err := (&Updater{Update: Update{What: "bbl"}}).Super0(&FoundMember{}, nil, &md.Member{}, &md.SuperEdit{V0: s}, nil); err == nil {
		t.Error("0.90 has got a list of bad blocks")
	}
}

// TestMisaligned: a reshape is reversed only at a whole stripe of the shape it came
// from.
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
		if got := Misaligned(tc.position, tc.chunk, tc.disks, tc.level); got != tc.want {
			t.Errorf("%+v: %v", tc, got)
		}
	}
}
