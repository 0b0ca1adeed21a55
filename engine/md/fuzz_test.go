package md_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/mdkit/mdkit/engine/binfmt"
	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/internal/house/fuzztest"
)

// stable checks that first, which was parsed and appended, stays the same when it is
// parsed and appended again.
func stable(t *testing.T, first []byte, again func(b []byte) ([]byte, error)) {
	t.Helper()
	second, err := again(first)
	if err != nil {
		t.Fatalf("what was appended does not parse: %v", err)
	}
	if !bytes.Equal(first, second) {
		t.Fatalf("parse and append changed\n%x to\n%x", first, second)
	}
}

func FuzzSuper1(f *testing.F) {
	for _, b := range supers(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var s *md.Super1
		var err error
		fuzztest.Bounded(t, len(b), func() { s, err = md.ParseSuper1(b) })
		if s == nil && err == nil {
			t.Fatal("neither a superblock nor an error")
		}
		if err != nil {
			return
		}
		first := s.AppendTo(nil)
		if !bytes.Equal(first, b[:len(first)]) {
			t.Fatalf("a sound superblock is written as\n%x, it was\n%x", first, b[:len(first)])
		}
		stable(t, first, func(b []byte) ([]byte, error) {
			s, err := md.ParseSuper1(b)
			if err != nil {
				return nil, err
			}
			return s.AppendTo(nil), nil
		})
	})
}

func FuzzSuper0(f *testing.F) {
	for _, b := range supers(f) {
		f.Add(b)
		if s, err := md.ParseSuper0(b); err == nil && s.Order == binary.ByteOrder(binary.LittleEndian) {
			f.Add(bigEndian(f, b))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var s *md.Super0
		var err error
		fuzztest.Bounded(t, len(b), func() { s, err = md.ParseSuper0(b) })
		if err != nil {
			return
		}
		// The checksum of an Alpha machine is only the fold of ours, so the bytes
		// may change once.
		stable(t, s.AppendTo(nil), func(b []byte) ([]byte, error) {
			s, err := md.ParseSuper0(b)
			if err != nil {
				return nil, err
			}
			return s.AppendTo(nil), nil
		})
	})
}

// parts returns the bytes that read finds on the images of the fixtures.
func parts(t testing.TB, read func(d block.Device, m *md.Member) (off, length int64, ok bool)) [][]byte {
	var list [][]byte
	for _, f := range loadFixtures(t) {
		for _, img := range f.images {
			m, err := md.ReadMember(img)
			if err != nil {
				t.Fatal(err)
			}
			if off, length, ok := read(img, m); ok {
				b := make([]byte, length)
				if err := block.ReadFull(img, b, off); err != nil {
					t.Fatal(err)
				}
				list = append(list, b)
			}
		}
	}
	if len(list) == 0 {
		t.Fatal("no fixture has that")
	}
	return list
}

func FuzzBitmap(f *testing.F) {
	for _, b := range parts(f, func(d block.Device, m *md.Member) (int64, int64, bool) {
		b, err := m.ReadBitmap(d)
		if b == nil || err != nil {
			return 0, 0, false
		}
		return b.Offset, int64(b.Len()), true
	}) {
		f.Add(b)
	}
	// Two bitmaps that are yet to be set up, one that covers nothing, one that covers
	// more than there is, and one for more nodes than an int has on a 32-bit machine.
	for _, v := range []md.Bitmap{
		{Version: md.BitmapLockless, State: md.BitmapFirstUse},
		{Version: md.BitmapLockless, State: md.BitmapFirstUse, ChunkSize: 3, SyncSize: 1 << 40},
		{Version: md.BitmapLockless, ChunkSize: 8},
		{Version: md.BitmapLittleEndian, ChunkSize: 4096, SyncSize: md.MaxSector},
		{Version: md.BitmapClustered, ChunkSize: 4096, SyncSize: 64, Nodes: 1<<32 - 1},
	} {
		v.Magic = md.BitmapMagic
		f.Add(v.AppendTo(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := md.ParseBitmap(b)
		if err != nil {
			return
		}
		stable(t, v.AppendTo(nil), func(b []byte) ([]byte, error) {
			v, err := md.ParseBitmap(b)
			if err != nil {
				return nil, err
			}
			return v.AppendTo(nil), nil
		})
		// The bits of a hostile bitmap are read only as far as the device reaches.
		d := block.NewMemory("bits", int64(len(b)))
		if _, err := d.WriteAt(b, 0); err != nil {
			t.Fatal(err)
		}
		fuzztest.Bounded(t, len(b), func() {
			count, err := v.Count(d)
			if err == nil && (count.Total != v.Chunks() || count.Dirty > count.Total) {
				t.Fatalf("counted %+v of %d", count, v.Chunks())
			}
			if err == nil && v.Len() > uint64(len(b)) {
				t.Fatalf("counted %d bytes of bitmap on a device of %d", v.Len(), len(b))
			}
			if n := v.Copies(); n < 1 || n > 1024 {
				t.Fatalf("%d copies", n)
			}
		})
	})
}

func FuzzBadBlocks(f *testing.F) {
	for _, b := range parts(f, func(_ block.Device, m *md.Member) (int64, int64, bool) { return m.BadBlockLog() }) {
		f.Add(b, uint8(0))
		f.Add(b, uint8(3))
	}
	f.Fuzz(func(t *testing.T, b []byte, shift uint8) {
		var list []md.BadBlock
		var err error
		fuzztest.Bounded(t, len(b), func() { list, err = md.ParseBadBlocks(b, shift) })
		if len(list) > len(b)/8 {
			t.Fatalf("%d entries in %d bytes", len(list), len(b))
		}
		for _, bb := range list {
			if bb.Length == 0 || bb.Sector+uint64(bb.Length) < bb.Sector {
				t.Fatalf("%d sectors from %d", bb.Length, bb.Sector)
			}
		}
		if err != nil || len(b) > 4096 {
			return
		}
		out, err := md.AppendBadBlocks(nil, list, shift, 8)
		if err != nil {
			return // runs longer than the kernel would ever write
		}
		again, err := md.ParseBadBlocks(out, shift)
		if err != nil || len(again) != len(list) {
			t.Fatalf("%v became %v, %v", list, again, err)
		}
		for i := range list {
			if list[i] != again[i] {
				t.Fatalf("%v became %v", list[i], again[i])
			}
		}
	})
}

func FuzzBackup(f *testing.F) {
	one := md.Backup{UUID: md.UUID{1, 2, 3}, MTime: 1000000, DevStart: 8, Sections: [2]md.BackupSection{{Start: 96, Length: 48}}}
	two := one
	two.Second, two.Offset2, two.Sections[1] = true, 48, md.BackupSection{Start: 144, Length: 48}
	far := two
	far.Offset2, far.Sections[1].Start = 1<<64-8, 1<<63
	for _, v := range []md.Backup{one, two, far} {
		f.Add(v.AppendTo(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var v *md.Backup
		var err error
		fuzztest.Bounded(t, len(b), func() { v, err = md.ParseBackup(b) })
		if err != nil {
			if !errors.Is(err, md.ErrBackup) {
				t.Fatal(err)
			}
			return
		}
		// Readers of the data compute offsets in bytes from the header.
		bytesAt := func(sector uint64) int64 { return int64(sector * md.SectorSize) }
		lo, hi := v.Span()
		for i, s := range v.Sections {
			at := v.DevStart + v.Offset2*uint64(i)
			if bytesAt(at) < 0 || bytesAt(at+s.Length) < bytesAt(at) || bytesAt(s.End()) < bytesAt(s.Start) {
				t.Fatalf("%+v: an offset in bytes overflows", v)
			}
			if s.Length > 0 && (s.Start < lo || s.End() > hi) {
				t.Fatalf("%+v spans %d to %d", v, lo, hi)
			}
		}
		stable(t, v.AppendTo(nil), func(b []byte) ([]byte, error) {
			v, err := md.ParseBackup(b)
			if err != nil {
				return nil, err
			}
			return v.AppendTo(nil), nil
		})
	})
}

func FuzzPPL(f *testing.F) {
	for _, b := range parts(f, func(_ block.Device, m *md.Member) (int64, int64, bool) {
		off, _, ok := m.PPLLog()
		return off, md.PPLHeaderSize, ok
	}) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var h *md.PPLHeader
		var err error
		fuzztest.Bounded(t, len(b), func() { h, err = md.ParsePPL(b) })
		if err != nil {
			return
		}
		if h.Len() < md.PPLHeaderSize {
			t.Fatalf("length %d", h.Len())
		}
		stable(t, h.AppendTo(nil), func(b []byte) ([]byte, error) {
			h, err := md.ParsePPL(b)
			if err != nil {
				return nil, err
			}
			return h.AppendTo(nil), nil
		})
	})
}

func FuzzJournal(f *testing.F) {
	var uuid md.UUID
	for _, b := range parts(f, func(_ block.Device, m *md.Member) (int64, int64, bool) {
		if m.Role() != md.RoleJournal {
			return 0, 0, false
		}
		uuid = m.NativeUUID()
		return int64(m.DataOffset()+m.Super1.JournalTail()) * md.SectorSize, md.JournalBlockSize, true
	}) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var j *md.JournalBlock
		fuzztest.Bounded(t, len(b), func() {
			if j, _ = md.ParseJournalBlock(b, uuid); j == nil {
				return
			}
			for p, err := range j.Payloads() {
				if err == nil && len(p.Checksums) > len(b)/4 {
					t.Fatalf("%d checksums", len(p.Checksums))
				}
			}
		})
		if j == nil {
			return
		}
		// With a new checksum, it parses or fails for another reason.
		first := j.AppendTo(nil, uuid)
		if again, err := md.ParseJournalBlock(first, uuid); err == nil {
			stable(t, first, func([]byte) ([]byte, error) { return again.AppendTo(nil, uuid), nil })
		}
	})
}

// FuzzMember puts the input at every place of a superblock on a small device, and
// reads, checks, assesses and dumps the device.
func FuzzMember(f *testing.F) {
	for _, b := range supers(f) {
		f.Add(b, uint32(20<<20))
	}
	f.Fuzz(func(t *testing.T, b []byte, size uint32) {
		size %= 32 << 20
		b = b[:min(len(b), md.Super1Size)]
		d := block.NewMemory("member", int64(size))
		for _, v := range []md.Version{md.V090, md.V10, md.V11, md.V12} {
			if off, ok := v.SuperOffset(d.Size()); ok {
				if _, err := d.WriteAt(b, off); err != nil {
					t.Fatal(err)
				}
			}
		}
		fuzztest.Bounded(t, 2<<20, func() {
			for range md.CheckDevice(d) {
			}
		})
		m, err := md.ReadMember(d)
		if err != nil {
			return
		}
		a := md.Assess([]*md.Member{m, m}, md.Strict)
		for range a.Findings() {
		}
		if err := a.Startable(); err != nil && err.Error() == "" {
			t.Error("no reason")
		}
		for part := range m.Parts(d) {
			binfmt.Fold(part.Pieces)
		}
		again, err := md.ReadMember(d, m.Version)
		if err != nil {
			t.Fatalf("read again: %v", err)
		}
		if again.UUID() != m.UUID() || again.ArraySize() != m.ArraySize() {
			t.Errorf("read again: %v of %d sectors, then %v of %d", m.UUID(), m.ArraySize(), again.UUID(), again.ArraySize())
		}
	})
}
