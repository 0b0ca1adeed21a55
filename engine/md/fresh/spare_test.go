package fresh

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
)

// TestBitmapSpace holds the space against mdadm's numbers (super1.c,
// choose_bm_space), on both sides of each step.
func TestBitmapSpace(t *testing.T) {
	const gib = 2048 << 10 // sectors
	for _, c := range []struct {
		size uint64
		want int64
	}{
		{0, 0}, {127, 0}, {128, 8}, {8*gib + 8, 8}, {8*gib + 9, 128}, {200*gib + 127, 128}, {200*gib + 128, 256}, {1 << 40, 256},
	} {
		if got := bitmapSpace(c.size); got != c.want {
			t.Errorf("%d sectors: %d; want %d", c.size, got, c.want)
		}
	}
}

// sampleOf is a sample of an array of three members with superblocks of version v
// and 129024 sectors in use.
func sampleOf(v md.Version, edit func(*md.Super1)) *Sample {
	m := newArray(md.LevelRAID5, md.LayoutLeftSymmetric, 3, roles(3), func(_ int, s *md.Super1) {
		switch v {
		case md.V10:
			s.SuperOffset, s.DataOffset, s.BblogSize, s.BblogOffset = 131056, 0, 8, -8
		case md.V11:
			s.SuperOffset = 0
		}
		if edit != nil {
			edit(s)
		}
	})[0]
	m.Version = v
	return &Sample{Member: m}
}

// bitmapOf gives the sample a bitmap at an offset from the superblock.
func (s *Sample) bitmapOf(chunk uint32, at int32) *Sample {
	s.Bitmap = &md.Bitmap{Magic: md.BitmapMagic, Version: md.BitmapLittleEndian, UUID: s.Member.NativeUUID(), SyncSize: 129024, ChunkSize: chunk}
	s.Member.Super1.FeatureMap |= md.FeatureBitmapOffset
	s.Member.Super1.BitmapOffset = at
	return s
}

func ppl(s *md.Super1) { s.FeatureMap |= md.FeaturePPL }

// roomForPPL has a partial parity log, and data behind it.
func roomForPPL(s *md.Super1) {
	ppl(s)
	s.DataOffset = 4096
}

// TestPlaceOnSpare lays out new members at mdadm's places (super1.c,
// write_init_super1).
func TestPlaceOnSpare(t *testing.T) {
	const mib = 2048 // sectors
	data := func(at uint64) func(*md.Super1) { return func(s *md.Super1) { s.DataOffset = at } }
	for _, c := range []struct {
		name     string
		sample   *Sample
		sectors  int64
		data     uint64 // sectors for data
		bblog    string // "SIZE at OFFSET" from the superblock
		pplAt    int16
		pplSpace uint16
	}{
		{name: "1.2", sample: sampleOf(md.V12, nil), sectors: 64 * mib, data: 64*mib - 2048, bblog: "8 at 16"},
		{name: "1.2, larger device", sample: sampleOf(md.V12, nil), sectors: 100 * mib, data: 100*mib - 2048, bblog: "8 at 16"},
		{name: "1.1", sample: sampleOf(md.V11, nil), sectors: 64 * mib, data: 64*mib - 2048, bblog: "8 at 16"},
		{name: "1.2, behind a bitmap", sample: sampleOf(md.V12, nil).bitmapOf(4096, 8), sectors: 64 * mib, data: 64*mib - 2048, bblog: "8 at 16"},
		{name: "1.2, behind a long bitmap", sample: sampleOf(md.V12, nil).bitmapOf(512, 8), sectors: 64 * mib, data: 64*mib - 2048, bblog: "8 at 40"},
		{name: "1.2, data close by", sample: sampleOf(md.V12, data(24)), sectors: 64 * mib, data: 64*mib - 24, bblog: "8 at 8"},
		{name: "1.2, as close as can be", sample: sampleOf(md.V12, data(32)), sectors: 64 * mib, data: 64*mib - 32, bblog: "8 at 16"},
		{name: "1.2, no space", sample: sampleOf(md.V12, data(16)), sectors: 64 * mib, data: 64*mib - 16, bblog: "8 at 16"}, // the sample's stays
		{name: "1.2, ppl", sample: sampleOf(md.V12, roomForPPL), sectors: 64 * mib, data: 64*mib - 4096, bblog: "8 at 2056", pplAt: 8, pplSpace: 2048},
		{name: "1.0", sample: sampleOf(md.V10, nil), sectors: 64 * mib, data: 131056 - 16, bblog: "8 at -8"},
		{name: "1.0, larger device", sample: sampleOf(md.V10, nil), sectors: 100 * mib, data: 204784 - 16, bblog: "8 at -8"},
		{name: "1.0, just enough", sample: sampleOf(md.V10, nil), sectors: 129024 + 24, data: 129024, bblog: "8 at -8"},
		{name: "1.0, hardly any space", sample: sampleOf(md.V10, func(s *md.Super1) { s.BblogSize, s.BblogOffset = 0, 0 }), sectors: 129024 + 16, data: 129024, bblog: "0 at 0"},
		{name: "1.0, bitmap", sample: sampleOf(md.V10, nil).bitmapOf(4096, -16), sectors: 64 * mib, data: 131056 - 16, bblog: "8 at -8"},
		{name: "1.0, ppl", sample: sampleOf(md.V10, func(s *md.Super1) {
			s.Size = 128000
			ppl(s)
		}), sectors: 64 * mib, data: 131056 - 2048 - 8, bblog: "8 at -8", pplAt: -2056, pplSpace: 2048},
	} {
		t.Run(c.name, func(t *testing.T) {
			super := c.sample.Member.Super1.Clone()
			off, _ := c.sample.Member.Version.SuperOffset(c.sectors * md.SectorSize)
			c.sample.place(super, c.sectors, off/md.SectorSize)
			if super.SuperOffset != uint64(off/md.SectorSize) || super.DataSize != c.data {
				t.Errorf("superblock at %d, %d sectors of data; want %d, %d", super.SuperOffset, super.DataSize, off/md.SectorSize, c.data)
			}
			if got := fmt.Sprintf("%d at %d", super.BblogSize, super.BblogOffset); got != c.bblog {
				t.Errorf("bad block log: %s; want %s", got, c.bblog)
			}
			at, space := super.PPL()
			if super.HasPPL() != (c.pplSpace != 0) {
				t.Errorf("has a ppl: %v; want %d sectors", super.HasPPL(), c.pplSpace)
			}
			if super.HasPPL() && (at != c.pplAt || space != c.pplSpace) {
				t.Errorf("ppl: %d at %d; want %d at %d", space, at, c.pplSpace, c.pplAt)
			}
		})
	}
}

// TestRoom holds the room on a device against mdadm's avail_size.
func TestRoom(t *testing.T) {
	super0 := &Sample{Member: &md.Member{Version: md.V090, Super0: &md.Super0{}}}
	for _, c := range []struct {
		name   string
		sample *Sample
		bytes  int64
		want   int64
	}{
		{"0.90", super0, 64 << 20, 131072 - 128},
		{"0.90, odd end", super0, 64<<20 + 1000, 131072 - 128},
		{"0.90, one sector less", super0, 64<<20 - 512, 131072 - 256},
		{"0.90, tiny", super0, 1000, -128},
		{"1.0", sampleOf(md.V10, nil), 64 << 20, 131072 - 24},
		{"1.0 without a bad block log", sampleOf(md.V10, func(s *md.Super1) { s.BblogSize = 0 }), 64 << 20, 131072 - 16},
		{"1.1", sampleOf(md.V11, nil), 64 << 20, 131072 - 2048},
		{"1.2", sampleOf(md.V12, nil), 64 << 20, 131072 - 2048},
		{"1.2, smaller than its offset", sampleOf(md.V12, nil), 100 << 10, 200 - 2048},
		{"1.2, tiny", sampleOf(md.V12, nil), 24*512 - 1, 0},
	} {
		if got := c.sample.Room(c.bytes); got != c.want {
			t.Errorf("%s: %d; want %d", c.name, got, c.want)
		}
	}
}

// sample0 is a sample of a 0.90 array of three members.
func sample0() *Sample {
	s := &md.Super0{MDMagic: md.SuperMagic, MinorVersion: 90, Level: md.LevelRAID5, Size: 64512, RaidDisks: 3, NrDisks: 3, CTime: 1700000000, ChunkSize: 512 << 10}
	for i := range 3 {
		s.Disks[i] = md.Disk0{Number: uint32(i), Major: 8, Minor: uint32(i), RaidDisk: uint32(i), State: md.DiskActive | md.DiskSync}
	}
	s.ThisDisk = s.Disks[0]
	return &Sample{Member: &md.Member{Name: "disk0", Size: 64 << 20, Version: md.V090, Super0: s}}
}

// TestPrepare makes spares of devices that were members elsewhere: their old
// superblocks are gone, and the new one is that of a spare of the array.
func TestPrepare(t *testing.T) {
	const size = 64 << 20
	odd := sampleOf(md.V12, func(s *md.Super1) {
		s.FeatureMap |= md.FeatureBadBlocks | md.FeatureRecoveryOffset | md.FeatureReplacement | md.FeatureBitmapOffset
		s.DevFlags, s.RecoveryOffset, s.CntCorrectedRead = md.DevWriteMostly, 77, 5
	})
	for _, c := range []struct {
		name   string
		sample *Sample
		spare  NewSpare
		flags  md.DevFlags
	}{
		{name: "0.90", sample: sample0(), spare: NewSpare{Number: 3, Major: 8, Minor: 48}},
		{name: "1.0", sample: sampleOf(md.V10, nil), spare: NewSpare{Number: 3}},
		{name: "1.1", sample: sampleOf(md.V11, nil), spare: NewSpare{Number: 3}},
		{name: "1.2", sample: sampleOf(md.V12, nil), spare: NewSpare{Number: 3}},
		{name: "1.2, far number", sample: sampleOf(md.V12, nil), spare: NewSpare{Number: 7}},
		{name: "1.2, number of one that left", sample: sampleOf(md.V12, nil), spare: NewSpare{Number: 1}},
		{name: "1.2, write-mostly", sample: sampleOf(md.V12, nil), spare: NewSpare{Number: 3, WriteMostly: true}, flags: md.DevWriteMostly},
		{name: "1.2, failfast", sample: sampleOf(md.V12, nil), spare: NewSpare{Number: 3, FailFast: true}, flags: md.DevFailFast},
		{name: "1.2, bitmap", sample: sampleOf(md.V12, nil).bitmapOf(4096, 8), spare: NewSpare{Number: 3}},
		{name: "1.2, odd bitmap", sample: sampleOf(md.V12, nil).bitmapOf(4096, 9), spare: NewSpare{Number: 3}},
		{name: "1.2, ppl", sample: sampleOf(md.V12, roomForPPL), spare: NewSpare{Number: 3}},
		{name: "1.2, from a member with a past", sample: odd, spare: NewSpare{Number: 3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := formerMember(t, size)
			if err := c.sample.Prepare(d, c.spare); err != nil {
				t.Fatal(err)
			}
			m, err := md.ReadMember(d)
			if err != nil || m.Err != nil {
				t.Fatal(err, m)
			}
			if m.Version != c.sample.Member.Version || len(m.Others) != 0 || m.NativeUUID() != c.sample.Member.NativeUUID() {
				t.Errorf("version %v, also %v, array %v", m.Version, m.Others, m.NativeUUID())
			}
			state := m.State()
			if int(m.DevNumber()) != c.spare.Number || m.Slot() != md.SlotNone || state.Active || state.Faulty {
				t.Errorf("number %d, slot %d, %+v; want spare %d", m.DevNumber(), m.Slot(), state, c.spare.Number)
			}
			if m.Super0 != nil {
				want := md.Disk0{Number: 3, Major: 8, Minor: 48, RaidDisk: ^uint32(0)}
				if m.Super0.ThisDisk != want || m.Super0.Disks[3] != want {
					t.Errorf("descriptors %+v and %+v; want %+v", m.Super0.ThisDisk, m.Super0.Disks[3], want)
				}
				return
			}
			checkSpare1(t, c.sample, d, m.Super1, c.flags)
		})
	}
}

// formerMember is a device full of noise with superblocks of all versions.
func formerMember(t *testing.T, size int64) *block.Memory {
	t.Helper()
	d := block.NewMemoryFrom("spare", bytes.Repeat([]byte{0x5a}, int(size)))
	for _, v := range []md.Version{md.V090, md.V10, md.V11, md.V12} {
		off, _ := v.SuperOffset(size)
		raw := (&md.Super0{MDMagic: md.SuperMagic, MinorVersion: 90, Level: md.LevelRAID1, RaidDisks: 2, Size: 1024, CTime: 5}).AppendTo(nil)
		if v != md.V090 {
			s := newArray(md.LevelRAID1, 0, 2, roles(2), nil)[0].Super1
			s.SuperOffset, s.SetUUID = uint64(off/md.SectorSize), md.UUID{9}
			raw = s.AppendTo(nil)
		}
		if _, err := d.WriteAt(raw, off); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// checkSpare1 compares the superblock of a new spare, and what lies around it,
// with the sample.
func checkSpare1(t *testing.T, sample *Sample, d *block.Memory, s *md.Super1, flags md.DevFlags) {
	t.Helper()
	const ofOthers = md.FeatureBadBlocks | md.FeatureRecoveryOffset | md.FeatureRecoveryBitmap | md.FeatureReplacement
	if s.DevFlags != flags || s.Events != 0 || s.FeatureMap&ofOthers != 0 || s.RecoveryOffset != 0 || s.CntCorrectedRead != 0 {
		t.Errorf("flags %v, events %d, features %v, recovery %d, corrected %d", s.DevFlags, s.Events, s.FeatureMap, s.RecoveryOffset, s.CntCorrectedRead)
	}
	if s.DeviceUUID == sample.Member.Super1.DeviceUUID || s.DeviceUUID == (md.UUID{}) {
		t.Errorf("device uuid %v", s.DeviceUUID)
	}
	if want := sample.Member.Super1.DevRoles; !slices.Equal(s.DevRoles[:1], want[:1]) {
		t.Errorf("roles %v; those of others were %v", s.DevRoles, want)
	}
	if (s.FeatureMap&md.FeatureBitmapOffset != 0) != (sample.Bitmap != nil) {
		t.Errorf("features %v, bitmap %v", s.FeatureMap, sample.Bitmap)
	}
	if s.HasPPL() {
		at, _ := s.PPL()
		want := EmptyPPL(s)
		got := make([]byte, len(want))
		err := block.ReadFull(d, got, int64(s.SuperOffset+uint64(at))*md.SectorSize)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("the partial parity log is not empty (%v)", err)
		}
	}
	if sample.Bitmap == nil {
		return
	}
	length := int(sample.Bitmap.CopyLen())
	if s.BitmapOffset&7 != 0 {
		length = (int(sample.Bitmap.Len()) + 511) &^ 511
	}
	buf := make([]byte, length+md.SectorSize)
	if err := block.ReadFull(d, buf, int64(s.SuperOffset)*md.SectorSize+int64(s.BitmapOffset)*md.SectorSize); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(buf[:md.BitmapSuperSize], sample.Bitmap.AppendTo(nil)) {
		t.Error("another bitmap than the array's")
	}
	if bytes.Count(buf[md.BitmapSuperSize:length], []byte{0xff}) != length-md.BitmapSuperSize {
		t.Error("not all is to be resynced")
	}
	if buf[length] != 0x5a {
		t.Error("written beyond the bitmap")
	}
}
