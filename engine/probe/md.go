package probe

import (
	"errors"
	"fmt"

	"github.com/mdkit/mdkit/engine/binfmt"
	"github.com/mdkit/mdkit/engine/md"
)

const (
	bitmapMagic  = "bitm"             // md-bitmap.h, BITMAP_MAGIC, on little-endian machines
	journalMagic = "\x09\xc5\x33\x64" // md_p.h, R5LOG_MAGIC
)

// findMD looks for md superblocks of every version, and for what a superblock
// says lies elsewhere on the device: write-intent bitmap, journal.
func findMD(s *scanner) []Signature {
	var found []Signature
	for _, v := range []md.Version{md.V090, md.V10, md.V11, md.V12} {
		m, err := md.ReadMember(s.dev, v)
		switch {
		case errors.Is(err, md.ErrNoSuper):
			continue
		case err != nil:
			if s.err == nil {
				s.err = err
			}
			continue
		}
		found = append(found, member(m))
		if sig, ok := memberBitmap(s, m); ok {
			found = append(found, sig)
		}
		if sig, ok := memberJournal(s, m); ok {
			found = append(found, sig)
		}
		if sig, ok := memberPPL(s, m); ok {
			found = append(found, sig)
		}
	}
	// A bitmap kept in a file of its own.
	if sig, ok := bitmapAt(s, 0); ok {
		found = append(found, sig)
	}
	return found
}

func member(m *md.Member) Signature {
	sig := Signature{
		Type: "linux_raid_member", Class: RAID, Version: m.Version.String(),
		Off: m.Offset, Len: md.Super1Size, UUID: m.UUID().String(),
		Checksum: verdict(!errors.Is(m.Err, binfmt.ErrChecksum)),
		Detail: fmt.Sprintf("%s of %d devices, %s, events %d, device uuid %s",
			m.Level(), m.RaidDisks(), m.Role(), m.Events(), m.DeviceUUID()),
	}
	if m.Super1 != nil {
		sig.Label = label([]byte(m.SetName()))
	} else {
		sig.Detail = fmt.Sprintf("%s of %d devices, %s, events %d", m.Level(), m.RaidDisks(), m.Role(), m.Events())
	}
	if m.Err != nil && sig.Checksum == ChecksumOK {
		var e *binfmt.Error
		if errors.As(m.Err, &e) {
			sig.Detail += fmt.Sprintf("; the kernel would not load it: %s %v", e.Field, e.Err)
		}
	}
	return sig
}

// memberBitmap looks for the internal bitmap that a superblock tells of.
func memberBitmap(s *scanner, m *md.Member) (Signature, bool) {
	switch {
	case m.Super1 != nil && m.Features()&md.FeatureBitmapOffset != 0:
		return bitmapAt(s, m.Offset+int64(m.Super1.BitmapOffset)*md.SectorSize)
	case m.Super0 != nil && m.Super0.State&md.Super0BitmapPresent != 0:
		return bitmapAt(s, m.Offset+md.Super0Size)
	}
	return Signature{}, false
}

// bitmapAt examines a bitmap's superblock (md-bitmap.h, struct bitmap_super_s).
func bitmapAt(s *scanner, off int64) (Signature, bool) {
	b := s.bytes(off, 256)
	if b == nil || string(b[:4]) != bitmapMagic {
		return Signature{}, false
	}
	return Signature{
		Type: "linux_raid_bitmap", Class: RAID, Version: fmt.Sprint(le.Uint32(b[4:])), Off: off, Len: 256,
		UUID: md.UUID(b[8:24]).String(), Checksum: Unchecked,
		Detail: fmt.Sprintf("events %d, chunks of %d bytes", le.Uint64(b[24:]), le.Uint32(b[52:])),
	}, true
}

// memberJournal looks for the log of a journal device, at the tail that its
// superblock names (raid5-cache.c, r5l_load_log).
func memberJournal(s *scanner, m *md.Member) (Signature, bool) {
	if m.Super1 == nil || m.Role() != md.RoleJournal {
		return Signature{}, false
	}
	sector := m.Super1.DataOffset + m.Super1.JournalTail()
	if sector > uint64(s.size)/md.SectorSize {
		return Signature{}, false
	}
	off := int64(sector) * md.SectorSize
	b := s.bytes(off, 4096)
	if b == nil || string(b[:4]) != journalMagic {
		return Signature{}, false
	}
	// The checksum is seeded with that of the array's uuid (raid5-cache.c, r5l_init_log).
	uuid := m.UUID()
	c := append([]byte(nil), b...)
	clear(c[4:8])
	return Signature{
		Type: "linux_raid_journal", Class: RAID, Version: fmt.Sprint(b[8]), Off: off, Len: 4096,
		UUID: uuid.String(), Checksum: verdict(crc32cFrom(crc32cRaw(uuid[:]), c) == le.Uint32(b[4:])),
		Detail: fmt.Sprintf("log tail, sequence %d", le.Uint64(b[16:])),
	}, true
}

// memberPPL looks for the header of a partial parity log (md_p.h, struct
// ppl_header): 512 bytes of ones, then a signature made from the array's uuid
// (raid5-ppl.c, ppl_init_log); its crc32c is over the block with the field zero.
func memberPPL(s *scanner, m *md.Member) (Signature, bool) {
	if m.Super1 == nil || !m.Super1.HasPPL() {
		return Signature{}, false
	}
	at, _ := m.Super1.PPL()
	off := m.Offset + int64(at)*md.SectorSize
	b := s.bytes(off, 4096)
	uuid := m.UUID()
	if b == nil || le.Uint32(b[512:]) != ^crc32cRaw(uuid[:]) {
		return Signature{}, false
	}
	c := append([]byte(nil), b...)
	clear(c[532:536])
	return Signature{
		Type: "linux_raid_ppl", Class: RAID, Off: off, Len: 4096, UUID: uuid.String(),
		Checksum: verdict(^crc32cRaw(c) == le.Uint32(b[532:])),
		Detail:   fmt.Sprintf("generation %d, %d entries", le.Uint64(b[520:]), le.Uint32(b[528:])),
	}, true
}
