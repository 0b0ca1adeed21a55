package probe

import (
	"errors"
	"fmt"

	"github.com/mdkit/mdkit/engine/binfmt"
	"github.com/mdkit/mdkit/engine/md"
)

// findMD looks for md superblocks of every version, and for what a superblock
// says is elsewhere on the device: write-intent bitmap and journal.
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

// memberBitmap looks for the internal bitmap that a superblock announces.
func memberBitmap(s *scanner, m *md.Member) (Signature, bool) {
	off, ok := m.BitmapOffset()
	if !ok {
		return Signature{}, false
	}
	return bitmapAt(s, off)
}

// bitmapAt looks for a bitmap's superblock.
func bitmapAt(s *scanner, off int64) (Signature, bool) {
	b := s.bytes(off, md.BitmapSuperSize)
	if b == nil {
		return Signature{}, false
	}
	v, _ := md.ParseBitmap(b) // one with odd values is still a bitmap
	if v == nil {
		return Signature{}, false
	}
	return Signature{
		Type: "linux_raid_bitmap", Class: RAID, Version: fmt.Sprint(v.Version), Off: off, Len: md.BitmapSuperSize,
		UUID: v.UUID.String(), Checksum: Unchecked,
		Detail: fmt.Sprintf("events %d, chunks of %d bytes", v.Events, v.ChunkSize),
	}, true
}

// memberJournal looks for the log of a journal device, at the tail recorded in
// its superblock (raid5-cache.c, r5l_load_log).
func memberJournal(s *scanner, m *md.Member) (Signature, bool) {
	if m.Super1 == nil || m.Role() != md.RoleJournal {
		return Signature{}, false
	}
	sector := m.Super1.DataOffset + m.Super1.JournalTail()
	if sector > uint64(s.size)/md.SectorSize {
		return Signature{}, false
	}
	off := int64(sector) * md.SectorSize
	b := s.bytes(off, md.JournalBlockSize)
	if b == nil {
		return Signature{}, false
	}
	v, err := md.ParseJournalBlock(b, m.NativeUUID())
	if v == nil {
		return Signature{}, false
	}
	return Signature{
		Type: "linux_raid_journal", Class: RAID, Version: fmt.Sprint(v.Version), Off: off, Len: md.JournalBlockSize,
		UUID: m.UUID().String(), Checksum: verdict(!errors.Is(err, binfmt.ErrChecksum)),
		Detail: fmt.Sprintf("log tail, sequence %d", v.Seq),
	}, true
}

// memberPPL looks for the header of a partial parity log. It has no magic
// number; the signature derived from the array's uuid serves as one.
func memberPPL(s *scanner, m *md.Member) (Signature, bool) {
	off, _, ok := m.PPLLog()
	if !ok {
		return Signature{}, false
	}
	b := s.bytes(off, md.PPLHeaderSize)
	if b == nil {
		return Signature{}, false
	}
	v, err := md.ParsePPL(b)
	if v == nil || v.Signature != md.PPLSignature(m.NativeUUID()) {
		return Signature{}, false
	}
	return Signature{
		Type: "linux_raid_ppl", Class: RAID, Off: off, Len: md.PPLHeaderSize, UUID: m.UUID().String(),
		Checksum: verdict(!errors.Is(err, binfmt.ErrChecksum)),
		Detail:   fmt.Sprintf("generation %d, %d entries", v.Generation, v.EntriesCount),
	}, true
}
