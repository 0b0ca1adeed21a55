package array_test

import (
	"encoding/binary"
	"hash/crc32"
	"runtime"
	"testing"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/array"
)

// replay opens an array for reading and then for writing, and fails if that takes
// more memory than logs of this size warrant.
func replay(t *testing.T, disks []block.Device) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, readOnly := range []bool{true, false} {
		a, err := openArray(disks, array.Options{ReadOnly: readOnly, Dirty: true})
		if err != nil {
			continue // refused, with a reason
		}
		b := make([]byte, a.Size())
		if err := block.ReadFull(a, b, 0); err != nil {
			t.Fatal(err)
		}
		if readOnly {
			continue
		}
		if _, err := a.WriteAt(b[:600], 100); err != nil {
			t.Fatal(err)
		}
		mustClose(t, a)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 32<<20 {
		t.Errorf("%d bytes of garbage", got)
	}
}

// markDirty marks the members of an array as not cleanly shut down.
func markDirty(t *testing.T, disks []*block.Memory) {
	t.Helper()
	for _, d := range disks {
		m, err := md.ReadMember(d)
		if err != nil {
			t.Fatal(err)
		}
		m.Super1.ResyncOffset = 0
		if _, err := d.WriteAt(m.AppendSuper(nil), m.Offset); err != nil {
			t.Fatal(err)
		}
	}
}

// FuzzPPLReplay recovers from a log with one header with right checksums.
func FuzzPPLReplay(f *testing.F) {
	entry := func(sector uint64, partial, data, parity uint32) []byte {
		b := binary.LittleEndian.AppendUint64(nil, sector)
		b = binary.LittleEndian.AppendUint32(b, partial)
		b = binary.LittleEndian.AppendUint32(b, data)
		return binary.LittleEndian.AppendUint32(b, parity)
	}
	f.Add(uint8(2), entry(0, 4096, 4096, 2))
	f.Add(uint8(2), append(entry(8, 512, 512, 2), entry(0, 0, 8192, 2)...))
	f.Add(uint8(1), entry(1<<63, 1<<31, 1<<32-512, 77))
	f.Add(uint8(0), entry(24, 4096, 512, 0))
	spec := loggedSpec{level: md.LevelRAID5, layout: 2, chunk: 8, disks: 3, size: 64, ppl: 600}
	f.Fuzz(func(t *testing.T, slot uint8, b []byte) {
		disks := spec.make(t)
		markDirty(t, disks)
		h := &md.PPLHeader{Signature: md.PPLSignature(md.UUID{1, 2, 3}), Generation: 7}
		for ; len(b) >= 20 && h.EntriesCount < md.PPLMaxEntries; b = b[20:] {
			e := md.PPLEntry{
				DataSector: binary.LittleEndian.Uint64(b), PPSize: binary.LittleEndian.Uint32(b[8:]),
				DataSize: binary.LittleEndian.Uint32(b[12:]), ParityDisk: binary.LittleEndian.Uint32(b[16:]),
			}
			if n := uint64(e.PPSize); n <= 1<<20 { // partial parity is zeroes
				e.Checksum = crc32.Checksum(make([]byte, n), crc32.MakeTable(crc32.Castagnoli))
			}
			h.Entries[h.EntriesCount] = e
			h.EntriesCount++
		}
		if _, err := disks[slot%3].WriteAt(h.AppendTo(nil), 16*md.SectorSize); err != nil {
			t.Fatal(err)
		}
		replay(t, devices(disks))
	})
}

// FuzzJournalReplay recovers from a journal with one block with the right checksum.
func FuzzJournalReplay(f *testing.F) {
	uuid := md.UUID{1, 2, 3}
	zeroes := md.JournalSum(make([]byte, md.JournalBlockSize), uuid)
	spec := loggedSpec{level: md.LevelRAID6, layout: 2, chunk: 8, disks: 4, size: 64, journal: 256}
	for _, list := range [][]md.JournalPayload{
		{{Type: md.PayloadData, Size: 8, Location: 8, Checksums: []uint32{zeroes}}},
		{
			{Type: md.PayloadData, Size: 8, Location: 0, Checksums: []uint32{zeroes}},
			{Type: md.PayloadParity, Size: 16, Location: 0, Checksums: []uint32{zeroes, zeroes}},
			{Type: md.PayloadFlush, Stripes: []uint64{0, 8}},
			{Type: md.PayloadData, Size: 8, Location: 16, Checksums: []uint32{zeroes}},
		},
		{{Type: md.PayloadParity, Size: 8, Location: 1 << 60, Checksums: []uint32{zeroes}}},
	} {
		var j md.JournalBlock
		if err := j.SetPayloads(list); err != nil {
			f.Fatal(err)
		}
		f.Add(j.MetaSize, j.Body[:j.MetaSize-32])
	}
	f.Fuzz(func(t *testing.T, size uint32, body []byte) {
		disks := spec.make(t)
		j := &md.JournalBlock{Magic: md.JournalMagic, Version: md.JournalVersion, MetaSize: size, Seq: 3}
		copy(j.Body[:], body)
		if _, err := disks[spec.disks].WriteAt(j.AppendTo(nil, uuid), int64(spec.dataAt())*md.SectorSize); err != nil {
			t.Fatal(err)
		}
		replay(t, devices(disks))
	})
}
