package md

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/mdkit/mdkit/engine/binfmt"
)

func sampleSuper1() *Super1 {
	s := &Super1{
		Magic: SuperMagic, MajorVersion: 1, Level: LevelRAID5, Layout: 2, Size: 0x7f000, ChunkSize: 0x400,
		RaidDisks: 3, DataOffset: 0x1000, DataSize: 0x7f000, SuperOffset: 8, BblogSize: 8, BblogOffset: 16,
		CTime: 0x6b02b0d8, UTime: 0x6b02b0d8, Events: 2, ResyncOffset: MaxSector,
		DevRoles: []Role{0, 1, 2, RoleSpare, RoleSpare},
	}
	s.SetUUID = UUID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	s.SetNameString("host:0")
	return s
}

func TestSuper1RoundTrip(t *testing.T) {
	b := sampleSuper1().AppendTo(nil)
	s, err := ParseSuper1(b)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.AppendTo(nil); !bytes.Equal(got, b) {
		t.Errorf("parse and append changed\n%x to\n%x", b, got)
	}
	if s.Name() != "host:0" || s.Role() != 0 || s.MaxDev != 5 {
		t.Errorf("name %q, role %v, max_dev %d", s.Name(), s.Role(), s.MaxDev)
	}
}

func TestParseSuper1Refuses(t *testing.T) {
	put := func(off int, v uint32) func([]byte) {
		return func(b []byte) { binary.LittleEndian.PutUint32(b[off:], v) }
	}
	for _, c := range []struct {
		name   string
		damage func([]byte)
		class  error
		text   string
		super  bool
	}{
		{"magic", put(0, 1), binfmt.ErrMagic, "md1: check: magic at 0x0: bad magic: got 0x1, want 0xa92b4efc", false},
		{"major", put(4, 2), binfmt.ErrUnsupported, "md1: check: major_version at 0x4: unsupported: got 2, want 1", true},
		{"feature", put(8, 0x4001), binfmt.ErrUnsupported, "md1: check: feature_map at 0x8: unsupported: got unknown bits 0x4000 in 0x4001 (bitmap 0x4000)", true},
		{"max_dev", put(220, 1921), binfmt.ErrCorrupt, "md1: check: max_dev at 0xdc: invalid value: got 1921, want at most 1920", true},
		{"short", put(220, 100), binfmt.ErrTruncated, "md1: dev_roles at 0x100: truncated: got 266 bytes, want 456 bytes", true},
		{"sum", put(216, 7), binfmt.ErrChecksum, "", true},
	} {
		b := sampleSuper1().AppendTo(nil)
		c.damage(b)
		s, err := ParseSuper1(b)
		if !errors.Is(err, c.class) {
			t.Errorf("%s: got %v, want class %v", c.name, err, c.class)
		} else if c.text != "" && err.Error() != c.text {
			t.Errorf("%s: got  %v\nwant %s", c.name, err, c.text)
		}
		if (s != nil) != c.super {
			t.Errorf("%s: superblock %v", c.name, s)
		}
	}
}

func TestSuper0BothOrders(t *testing.T) {
	for _, o := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		in := &Super0{
			Order: o, MDMagic: SuperMagic, MinorVersion: 90, Level: LevelRAID1, RaidDisks: 2, NrDisks: 2,
			Events: 0x1_0000_0002, CPEvents: 0x1_0000_0002, Size: 1024, State: Super0Clean,
		}
		in.SetUUID(UUID{0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
		in.Disks[1] = Disk0{Number: 1, RaidDisk: 1, State: DiskActive | DiskSync}
		in.ThisDisk = in.Disks[1]
		b := in.AppendTo(nil)
		s, err := ParseSuper0(b)
		if err != nil {
			t.Fatal(o, err)
		}
		if got := s.AppendTo(nil); !bytes.Equal(got, b) {
			t.Errorf("%v: parse and append changed the bytes", o)
		}
		if s.Order != o || s.Events != in.Events || s.Role() != 1 {
			t.Errorf("%v: order %v, events %#x, role %v", o, s.Order, s.Events, s.Role())
		}
		if got, want := s.UUID().String(), "deadbeef:01020304:05060708:090a0b0c"; got != want {
			t.Errorf("%v: uuid %s, want %s", o, got, want)
		}
		// events_hi is word 39 on big-endian machines and word 40 on little-endian ones.
		hi := 39
		if o == binary.ByteOrder(binary.LittleEndian) {
			hi = 40
		}
		if got := o.Uint32(b[4*hi:]); got != 1 {
			t.Errorf("%v: events_hi is %d, want 1", o, got)
		}
	}
}
