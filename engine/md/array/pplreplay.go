package array

import (
	"errors"
	"fmt"

	"github.com/mdkit/mdkit/engine/binfmt"
	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/raid"
)

// pplRecovery recovers parity from the partial parity logs, as the kernel does before
// it starts an array that was not shut down cleanly (raid5-ppl.c, ppl_load and
// ppl_recover). The parity becomes patches of the members.
type pplRecovery struct {
	a          *parityArray
	signature  uint32
	recovered  int // entries
	mismatches int // headers or entries that are damaged
}

// pplHome is the place of a member's log.
type pplHome struct {
	slot int
	leg  *leg
	off  int64 // bytes from the start of the device
	size int64 // bytes in use: a header and whole pages
}

// errPPLEntry marks entries that no kernel writes.
var errPPLEntry = errors.New("an entry of the partial parity log does not belong to this array")

// pplHomes finds the log of each slot. The log of a replacement is not used.
func pplHomes(slots []slot) ([]pplHome, error) {
	areas := make([]pplHome, len(slots))
	for i, s := range slots {
		if len(s) == 0 {
			continue
		}
		area := pplHome{slot: i, leg: s[0]}
		off, size, ok := s[0].member.PPLLog()
		size = md.PPLHeaderSize + (size-md.PPLHeaderSize)/patchSize*patchSize
		if !ok || size < md.PPLHeaderSize+patchSize || off < 0 || off > s[0].dev.Size()-size {
			return nil, fmt.Errorf("%s: its partial parity log of %d bytes at byte %d does not fit", s[0].member.Name, size, off)
		}
		area.off, area.size = off, size
		areas[i] = area
	}
	return areas, nil
}

// recoverPPL patches parity that may be outdated after a power failure.
func recoverPPL(a *parityArray, areas []pplHome, uuid md.UUID) (*pplRecovery, error) {
	r := &pplRecovery{a: a, signature: md.PPLSignature(uuid)}
	for _, area := range areas {
		if area.leg == nil {
			continue
		}
		h, at, err := area.newest(r.signature)
		if err != nil {
			return nil, err
		}
		if h == nil {
			r.mismatches++
			continue
		}
		if err := r.entries(area, h, at); err != nil {
			return nil, fmt.Errorf("%s: %w", area.leg.member.Name, err)
		}
	}
	return r, nil
}

// complete reports whether nothing is left to resync. For the kernel, this is so if
// there was something to recover and nothing was damaged (ppl_init_log).
func (r *pplRecovery) complete(f *md.Member) bool {
	return r.recovered > 0 && r.mismatches == 0 && f.ResyncOffset() == 0
}

// newest follows the headers of a log up to the first that is damaged or older
// than the one before it. It returns the last good one, with its offset on the
// device.
func (area pplHome) newest(signature uint32) (newest *md.PPLHeader, at int64, err error) {
	buf := make([]byte, md.PPLHeaderSize)
	for off := area.off; off < area.off+area.size-md.PPLHeaderSize; {
		if err := block.ReadFull(area.leg.dev, buf, off); err != nil {
			return nil, 0, fmt.Errorf("partial parity log: %w", err)
		}
		h, err := md.ParsePPL(buf)
		if err != nil || h.Signature != signature || newest != nil && newest.Generation > h.Generation {
			break
		}
		newest, at = h, off
		off += h.Len()
	}
	return newest, at, nil
}

// entries recovers the parity that the entries of a header are about. It leaves out
// entries whose partial parity is damaged.
func (r *pplRecovery) entries(area pplHome, h *md.PPLHeader, at int64) error {
	at += md.PPLHeaderSize
	for i := range int(h.EntriesCount) {
		e := &h.Entries[i]
		size := int64(e.PPSize)
		if size > area.off+area.size-at {
			r.mismatches++
			return nil // entries behind it are damaged too
		}
		partial := make([]byte, size)
		if err := block.ReadFull(area.leg.dev, partial, at); err != nil {
			return err
		}
		at += size
		if md.CRC32C(partial) != e.Checksum {
			r.mismatches++
			continue
		}
		if err := r.entry(area, e, partial); err != nil {
			return fmt.Errorf("entry %d: %w", i, err)
		}
		r.recovered++
	}
	return nil
}

// strip is the range that an entry covers: n bytes in each of up to disks data
// chunks, from array byte first to last.
type strip struct {
	first, last, n int64
	disks          int64
	unit           int64 // bytes that are recovered at a time
}

// stripOf computes what an entry covers (raid5-ppl.c, ppl_recover_entry), and
// reports whether that is possible in this array.
func (r *pplRecovery) stripOf(e *md.PPLEntry) (strip, bool) {
	chunk, disks := r.a.geometry.Chunk(), int64(r.a.geometry.DataSlots())
	size := r.a.geometry.Size()
	if e.DataSector > uint64(size)/md.SectorSize || int64(e.DataSize) > size {
		return strip{}, false
	}
	s := strip{first: int64(e.DataSector) * md.SectorSize, disks: disks, n: chunk, unit: md.SectorSize}
	data, partial := int64(e.DataSize), int64(e.PPSize)
	switch {
	case partial >= chunk:
		s.last = s.first + data
	case partial > 0:
		s.disks, s.n = data/partial, partial
		s.last = s.first + (s.disks-1)*chunk + s.n
	default:
		s.n = data / md.SectorSize / disks * md.SectorSize
		s.last = s.first + (disks-1)*chunk + s.n
	}
	if s.first%patchSize == 0 && s.last%patchSize == 0 {
		s.unit = patchSize
	}
	ok := s.disks <= disks && s.n <= chunk && s.last <= size && s.n%s.unit == 0 && partial%s.unit == 0 && partial <= chunk
	return s, ok
}

// entry computes the parity of the data that is on the members now: of the blocks
// that were being written, whether old or new, and of the rest, whose xor is in the
// log.
func (r *pplRecovery) entry(area pplHome, e *md.PPLEntry, partial []byte) error {
	s, ok := r.stripOf(e)
	if !ok {
		return fmt.Errorf("%w: %w: %d bytes of data at sector %d, %d bytes of partial parity",
			errPPLEntry, binfmt.ErrCorrupt, e.DataSize, e.DataSector, e.PPSize)
	}
	for i := int64(0); i < s.n; i += s.unit {
		blocks, err := r.modified(s, i)
		if err != nil {
			return err
		}
		if blocks == nil {
			continue
		}
		if len(partial) > 0 {
			blocks = append(blocks, partial[i:i+s.unit])
		}
		row, _, within := r.a.geometry.Locate(s.first + i)
		if p := r.a.geometry.Stripe(row).P; p != area.slot || uint32(p) != e.ParityDisk {
			return fmt.Errorf("%w: %w: parity in slot %d, the log is of slot %d and says %d",
				errPPLEntry, binfmt.ErrCorrupt, p, area.slot, e.ParityDisk)
		}
		parity := make([]byte, s.unit)
		raid.GenP(parity, blocks)
		if err := patchedLeg(area.leg).put(parity, row*r.a.geometry.Chunk()+within); err != nil {
			return err
		}
	}
	return nil
}

// modified reads the data blocks of one stripe that were being written, i bytes
// into the strip. It returns nil if one of their members is missing.
func (r *pplRecovery) modified(s strip, i int64) (blocks [][]byte, err error) {
	for disk := range s.disks {
		at := s.first + i + disk*r.a.geometry.Chunk()
		if at >= s.last {
			continue
		}
		place := r.a.geometry.Map(at)
		slot := r.a.slots[place.Slot]
		if len(slot) == 0 || place.Off >= slot[0].insync {
			return nil, nil
		}
		b := make([]byte, s.unit)
		if err := slot[0].read(b, place.Off); err != nil {
			return nil, err
		}
		blocks = append(blocks, b)
	}
	return blocks, nil
}
