package md

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/engine/binfmt"
	"github.com/mdkit/mdkit/engine/block"
)

// TestGuess puts several superblocks on one device: the one made last counts, or
// the first of several of the same age. A version that is asked for always counts.
func TestGuess(t *testing.T) {
	const size = 64 << 20
	put := func(d *block.Memory, v Version, ctime uint64) {
		off, _ := v.SuperOffset(size)
		var raw []byte
		if v == V090 {
			s := &Super0{MDMagic: SuperMagic, MinorVersion: 90, Level: LevelRAID1, RaidDisks: 2, Size: 1024, CTime: uint32(ctime)}
			raw = s.AppendTo(nil)
		} else {
			s := newArray(LevelRAID1, 0, 2, roles(2), nil)[0].Super1
			s.CTime, s.SuperOffset = ctime, uint64(off/SectorSize)
			raw = s.AppendTo(nil)
		}
		if _, err := d.WriteAt(raw, off); err != nil {
			t.Fatal(err)
		}
	}
	const micro = 1 << 40
	for _, c := range []struct {
		name   string
		ctimes [4]uint64 // of 0.90, 1.0, 1.1, 1.2
		want   Version
		others []Version
	}{
		{"one", [4]uint64{0, 0, 0, 5}, V12, nil},
		{"old one is newer", [4]uint64{9, 0, 0, 5}, V090, []Version{V12}},
		{"equal", [4]uint64{5, 5, 5, 5}, V090, []Version{V10, V11, V12}},
		{"later", [4]uint64{5, 6, 8, 7}, V11, []Version{V090, V10, V12}},
		{"microseconds within 1.x", [4]uint64{0, 5, 5 + micro, 5}, V11, []Version{V10, V12}},
	} {
		d := block.NewMemory(c.name, size)
		for i, ctime := range c.ctimes {
			if ctime != 0 {
				put(d, guessOrder[i], ctime)
			}
		}
		m, err := ReadMember(d)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		slices.SortFunc(m.Others, func(a, b Version) int { return slices.Index(guessOrder[:], a) - slices.Index(guessOrder[:], b) })
		if m.Version != c.want || !slices.Equal(m.Others, c.others) {
			t.Errorf("%s: %v and %v, want %v and %v", c.name, m.Version, m.Others, c.want, c.others)
		}
		for i, ctime := range c.ctimes {
			m, err := ReadMember(d, guessOrder[i])
			switch {
			case ctime == 0 && !errors.Is(err, ErrNoSuper):
				t.Errorf("%s: asked for %v, which is not there: %v, %v", c.name, guessOrder[i], m, err)
			case ctime != 0 && (err != nil || m.Version != guessOrder[i]):
				t.Errorf("%s: asked for %v: %v, %v", c.name, guessOrder[i], m, err)
			}
		}
	}
}

// TestNoSuper reads what people pass by mistake.
func TestNoSuper(t *testing.T) {
	text := block.NewMemory("notes.txt", 100<<10)
	if _, err := text.WriteAt([]byte(strings.Repeat("not a superblock\n", 6000)), 0); err != nil {
		t.Fatal(err)
	}
	moved := block.NewMemory("moved", 64<<20)
	s := newArray(LevelRAID1, 0, 2, roles(2), nil)[0].Super1
	s.SuperOffset = 16
	if _, err := moved.WriteAt(s.AppendTo(nil), 4096); err != nil {
		t.Fatal(err)
	}
	for want, d := range map[string]block.Device{
		"notes.txt: no md superblock": text,
		"empty: no md superblock: a device of 0 bytes is too small for one, want at least 12288":                            block.NewMemory("empty", 0),
		"tiny: no md superblock: a device of 511 bytes is too small for one, want at least 12288":                           block.NewMemory("tiny", 511),
		"moved: no md superblock; moved: md1: check: super_offset at 0x1090: invalid value: got 16 sectors, want 8 sectors": moved,
	} {
		if m, err := ReadMember(d); m != nil || !errors.Is(err, ErrNoSuper) || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
	if _, err := ReadMember(moved); !errors.Is(err, binfmt.ErrCorrupt) {
		t.Error("the near miss is not in the error")
	}
	var failed *block.Error
	if _, err := ReadMember(unreadable{text, 0}); errors.Is(err, ErrNoSuper) || !errors.As(err, &failed) {
		t.Errorf("unreadable: %v", err)
	}
}

// TestDamaged reads superblocks that the kernel would not load: they are returned
// with the reason, and their members are out of the array.
func TestDamaged(t *testing.T) {
	for want, damage := range map[error]func(s *Super1, raw []byte){
		binfmt.ErrChecksum:    func(_ *Super1, raw []byte) { raw[216]++ },
		binfmt.ErrUnsupported: func(_ *Super1, raw []byte) { raw[11] = 0x40 },
		binfmt.ErrCorrupt:     func(_ *Super1, raw []byte) { raw[221] = 0xff },
	} {
		p := lay(newArray(LevelRAID1, 0, 2, roles(2), nil))
		raw := p.members[0].AppendSuper(nil)
		damage(p.members[0].Super1, raw)
		p.put(raw, 0, 4096)
		m, err := ReadMember(p.devs[0])
		if err != nil || !errors.Is(m.Err, want) || m.Events() != 20 {
			t.Errorf("%v: %v, %v", want, m, err)
			continue
		}
		if v := Assess([]*Member{m, p.members[1]}, Strict).Verdicts[0]; v.In || !strings.HasPrefix(v.Rule, "md1.") {
			t.Errorf("%v: %v", want, v)
		}
	}
}

// bitmapOn puts a bitmap and its bits on a device.
func bitmapOn(t *testing.T, b *Bitmap, bits []byte) *block.Memory {
	t.Helper()
	b.Magic, b.Offset = BitmapMagic, 8192
	d := block.NewMemory("bits", 1<<20)
	for off, raw := range map[int64][]byte{b.Offset: b.AppendTo(nil), b.Offset + b.DataOffset(): bits} {
		if _, err := d.WriteAt(raw, off); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func TestBitmapRuns(t *testing.T) {
	// 70 chunks of 512 bytes: chunks 0 to 2, 9 and 64 to 69 are dirty.
	little := []byte{0x07, 0x02, 0, 0, 0, 0, 0, 0, 0xff}
	big := []byte{0, 0, 0, 0, 0, 0, 0x02, 0x07, 0, 0, 0, 0, 0, 0, 0, 0xff}
	plain := []ChunkRun{
		{0, 3, ChunkDirty},
		{3, 6, ChunkClean},
		{9, 1, ChunkDirty},
		{10, 54, ChunkClean},
		{64, 6, ChunkDirty},
	}
	for _, c := range []struct {
		name string
		b    Bitmap
		bits []byte
		want []ChunkRun
	}{
		{"little", Bitmap{Version: 4, ChunkSize: 512, SyncSize: 70}, little, plain},
		{"host, little", Bitmap{Version: 3, ChunkSize: 512, SyncSize: 70, order: binary.LittleEndian}, little, plain},
		{"host, big", Bitmap{Version: 3, ChunkSize: 512, SyncSize: 70, order: binary.BigEndian}, big, plain},
		{"lockless", Bitmap{Version: 6, ChunkSize: 8, SyncSize: 33}, []byte{0, 0, 1, 2, 3}, []ChunkRun{
			{0, 2, ChunkUnwritten},
			{2, 1, ChunkClean},
			{3, 1, ChunkDirty},
			{4, 1, ChunkNeedSync},
		}},
		{"none", Bitmap{Version: 4, ChunkSize: 512}, nil, nil},
		{"huge run", Bitmap{Version: 4, ChunkSize: 512, SyncSize: 4 << 20}, nil, []ChunkRun{{0, 4 << 20, ChunkClean}}},
	} {
		d := bitmapOn(t, &c.b, c.bits)
		var got []ChunkRun
		for run, err := range c.b.Runs(d) {
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			got = append(got, run)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		count, err := c.b.Count(d)
		if err != nil || count.Total != c.b.Chunks() {
			t.Errorf("%s: %+v, %v", c.name, count, err)
		}
	}
}

// TestBitmapBeyondDevice wants an error, not a huge loop, from a bitmap that says
// it is larger than its device.
func TestBitmapBeyondDevice(t *testing.T) {
	b := &Bitmap{Version: 4, ChunkSize: 512, SyncSize: MaxSector}
	d := bitmapOn(t, b, nil)
	if _, err := b.Count(d); !errors.Is(err, binfmt.ErrTruncated) {
		t.Error(err)
	}
	// These have no chunks, but the place of their bits is past the end.
	for _, b := range []*Bitmap{
		{Version: BitmapLockless, State: BitmapFirstUse},
		{Version: BitmapLockless, ChunkSize: 8},
	} {
		if _, err := b.Count(block.NewMemory("small", BitmapSuperSize)); !errors.Is(err, binfmt.ErrTruncated) {
			t.Errorf("%+v: %v", b, err)
		}
	}
}

// TestBitmapToBeSetUp counts nothing in a lockless bitmap that the kernel has
// not set up yet: neither its chunk size nor the bytes behind it mean anything.
func TestBitmapToBeSetUp(t *testing.T) {
	for _, chunk := range []uint32{0, 3, 8} {
		v := &Bitmap{Magic: BitmapMagic, Version: BitmapLockless, State: BitmapFirstUse, ChunkSize: chunk, SyncSize: 33}
		b, err := ParseBitmap(v.AppendTo(nil))
		if err != nil {
			t.Fatalf("chunksize %d: %v", chunk, err)
		}
		d := bitmapOn(t, b, []byte{2, 2, 2, 2, 2})
		if count, err := b.Count(d); err != nil || count != (BitmapCount{}) {
			t.Errorf("chunksize %d: %+v, %v", chunk, count, err)
		}
	}
}

// TestBitmapNodes refuses a number of copies that would be looped over for
// hours, and names the field.
func TestBitmapNodes(t *testing.T) {
	for _, nodes := range []uint32{1025, 1<<32 - 1} {
		v := &Bitmap{Magic: BitmapMagic, Version: BitmapClustered, ChunkSize: 4096, SyncSize: 64, Nodes: nodes}
		b, err := ParseBitmap(v.AppendTo(nil))
		var bad *binfmt.Error
		if !errors.As(err, &bad) || bad.Field != "nodes" || bad.Off != 68 || !errors.Is(err, binfmt.ErrCorrupt) {
			t.Errorf("%d nodes: %v", nodes, err)
		}
		if b.Copies() != 1024 {
			t.Errorf("%d nodes: %d copies", nodes, b.Copies())
		}
	}
}

func TestBadBlocks(t *testing.T) {
	list := []BadBlock{{8, 8}, {1 << 40, 512 << 3}}
	raw, err := AppendBadBlocks(nil, list, 3, 1)
	if err != nil || len(raw) != 512 {
		t.Fatal(len(raw), err)
	}
	if got := binary.LittleEndian.Uint64(raw); got != 1<<10|1 {
		t.Errorf("first entry %#x", got)
	}
	if got, err := ParseBadBlocks(raw, 3); err != nil || !slices.Equal(got, list) {
		t.Errorf("%v, %v", got, err)
	}
	for want, bad := range map[string][]BadBlock{
		"4 sectors from 8 cannot":       {{8, 4}},
		"8 sectors from 4 cannot":       {{4, 8}},
		"0 sectors from 8 cannot":       {{8, 0}},
		"4104 sectors from 8 cannot":    {{8, 4104}},
		"65 entries do not fit into 1 ": make([]BadBlock, 65),
	} {
		if _, err := AppendBadBlocks(nil, bad, 3, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	for _, bad := range []struct {
		raw   []byte
		shift uint8
	}{{make([]byte, 8), 0}, {raw, 22}, {binary.LittleEndian.AppendUint64(nil, 1<<63|1), 11}, {binary.LittleEndian.AppendUint64(nil, (1<<54-1)<<10|2), 10}} {
		if got, err := ParseBadBlocks(bad.raw, bad.shift); !errors.Is(err, binfmt.ErrCorrupt) {
			t.Errorf("%x: %v, %v", bad.raw, got, err)
		}
	}
}

func TestSetPPL(t *testing.T) {
	var s Super1
	for _, c := range []struct {
		off  int16
		size uint16
	}{{-1032, 1024}, {8, 2048}, {0, 65535}} {
		s.SetPPL(c.off, c.size)
		if off, size := s.PPL(); off != c.off || size != c.size {
			t.Errorf("%d, %d; want %d, %d", off, size, c.off, c.size)
		}
	}
}

// TestOddMaxDev changes the last half word of a superblock, which counts by itself
// in the checksum (md.c, calc_sb_1_csum).
func TestOddMaxDev(t *testing.T) {
	s := sampleSuper1()
	before := s.Checksum()
	s.DevRoles[4] = 1 // from 0xffff; the last of five
	if got := before - s.Checksum(); got != 0xfffe {
		t.Errorf("the checksum changed by %#x, want 0xfffe", got)
	}
}
