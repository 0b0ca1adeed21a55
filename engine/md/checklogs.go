package md

import (
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/mdkit/mdkit/engine/binfmt"
	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/finding"
)

// Rules about the partial parity log and the journal.
var (
	rulePPLHeader   = &Rule{"md.ppl.header", "checksum", finding.Warning, "the log begins with a sound header"}
	rulePPLSign     = &Rule{"md.ppl.signature", "signature", finding.Warning, "the signature is the array's"}
	rulePPLReserved = &Rule{"md.ppl.reserved", "reserved", finding.Warning, "reserved bytes are ones, padding and unused entries are zero"}
	rulePPLEntry    = &Rule{"md.ppl.entry", "entries", finding.Error, "entries are writes to the array, in whole sectors"}
	rulePPLData     = &Rule{"md.ppl.data", "entries", finding.Error, "the partial parity matches its checksum"}

	ruleJournalBlock   = &Rule{"md.journal.block", "magic", finding.Error, "there is a block where the journal's tail is"}
	ruleJournalPad     = &Rule{"md.journal.pad", "pad1", finding.Warning, "padding is zero"}
	ruleJournalPayload = &Rule{"md.journal.payload", "payloads", finding.Error, "payloads fit into their block, lie on block boundaries and belong to the array"}
	ruleJournalData    = &Rule{"md.journal.data", "payloads", finding.Info, "the data in the journal matches its checksums"}
)

func logRules() []*Rule {
	return []*Rule{
		rulePPLHeader, rulePPLSign, rulePPLReserved, rulePPLEntry, rulePPLData,
		ruleJournalBlock, ruleJournalPad, ruleJournalPayload, ruleJournalData,
	}
}

// PPLLog is where the member's partial parity log is, in bytes from the start of
// the device, and its length in bytes; ok is false if there is none.
func (m *Member) PPLLog() (off, length int64, ok bool) {
	if m.Super1 == nil || !m.Super1.HasPPL() {
		return 0, 0, false
	}
	o, size := m.Super1.PPL()
	return m.Offset + int64(o)*SectorSize, int64(size) * SectorSize, true
}

// ReadPPL reads the header at the start of the member's partial parity log. It
// returns nil and no error if the member has no log. With multiple_ppls, more
// headers may follow, each Len bytes after the one before.
func (m *Member) ReadPPL(d block.Device) (*PPLHeader, error) {
	off, _, ok := m.PPLLog()
	if !ok {
		return nil, nil
	}
	return m.readPPLAt(d, off)
}

func (m *Member) readPPLAt(d block.Device, off int64) (*PPLHeader, error) {
	buf := make([]byte, PPLHeaderSize)
	if err := block.ReadFull(d, buf, off); err != nil {
		return nil, fmt.Errorf("partial parity log of %s: %w", m.Name, err)
	}
	h, err := ParsePPL(buf)
	return h, binfmt.At(err, m.Name, off)
}

// ppl checks the headers in turn, as the kernel reads them (raid5-ppl.c,
// ppl_load_distributed): up to the first that does not match.
func (c *checker) ppl(d block.Device) {
	off, length, ok := c.m.PPLLog()
	if _, slot := c.m.Role().Slot(); !ok || !slot || c.over || off < 0 || length < PPLHeaderSize || off > d.Size()-length {
		return // md1.ppl has reported it, or it is a spare, whose log is empty
	}
	for at := off; at <= off+length-PPLHeaderSize && !c.over; {
		h, err := c.m.readPPLAt(d, at)
		if err != nil {
			if at == off {
				c.failed(rulePPLHeader, err)
			}
			return
		}
		if want := PPLSignature(c.m.NativeUUID()); h.Signature != want {
			if at == off {
				c.report(rulePPLSign, at+pplReserved, 4, "signature is %#x, the array's is %#x", h.Signature, want)
			}
			return
		}
		c.pplHeader(d, h, at, off+length)
		at += h.Len()
	}
}

func (c *checker) pplHeader(d block.Device, h *PPLHeader, at, end int64) {
	for i, b := range h.Reserved {
		if b != 0xff {
			c.report(rulePPLReserved, at+int64(i), 1, "reserved byte %d is %#x, want 0xff", i, b)
			break
		}
	}
	if h.Padding != 0 || h.Tail != [8]byte{} {
		c.report(rulePPLReserved, at+pplReserved+4, 4, "padding is not zero")
	}
	for i := min(h.EntriesCount, PPLMaxEntries); i < PPLMaxEntries; i++ {
		if h.Entries[i] != (PPLEntry{}) {
			c.report(rulePPLReserved, at+pplFixed+int64(i)*pplEntrySize, pplEntrySize, "entry %d is not in use, but not zero", i)
			break
		}
	}
	data := at + PPLHeaderSize
	for i := range int(min(h.EntriesCount, PPLMaxEntries)) {
		e := &h.Entries[i]
		place := at + pplFixed + int64(i)*pplEntrySize
		limit := c.m.ArraySize()
		switch {
		case e.DataSize%SectorSize != 0 || e.DataSize == 0:
			c.report(rulePPLEntry, place+12, 4, "entry %d is a write of %d bytes", i, e.DataSize)
		case e.DataSector > limit || uint64(e.DataSize/SectorSize) > limit-e.DataSector:
			c.report(rulePPLEntry, place, 8, "entry %d is a write of %d bytes at sector %d of an array of %d", i, e.DataSize, e.DataSector, limit)
		case uint64(e.ParityDisk) >= uint64(max(c.m.Slots(), 0)):
			c.report(rulePPLEntry, place+16, 4, "entry %d has its parity in slot %d of %d", i, e.ParityDisk, c.m.Slots())
		case int64(e.PPSize) > end-data:
			c.report(rulePPLEntry, place+8, 4, "entry %d has %d bytes of partial parity, %d are left in the log", i, e.PPSize, end-data)
			return
		}
		sum, err := sumOf(d, data, int64(e.PPSize))
		switch {
		case err != nil:
			c.report(ruleRead, data, int64(e.PPSize), "%v", err)
			return
		case sum != e.Checksum:
			c.report(rulePPLData, place+20, 4, "entry %d: partial parity has checksum %#x, want %#x", i, sum, e.Checksum)
		}
		data += int64(e.PPSize)
	}
}

// sumOf is the crc32c of a range of the device, read piece by piece.
func sumOf(d block.Device, off, length int64) (uint32, error) {
	buf := make([]byte, min(length, bitmapReadSize))
	var sum uint32
	for length > 0 {
		b := buf[:min(length, int64(len(buf)))]
		if err := block.ReadFull(d, b, off); err != nil {
			return 0, err
		}
		sum = crc32.Update(sum, castagnoli, b)
		off, length = off+int64(len(b)), length-int64(len(b))
	}
	return sum, nil
}

// journal follows the blocks of a journal device from its tail, as the kernel does
// (raid5-cache.c, r5l_load_log and r5l_recovery_log): up to the first block that
// is not the next in sequence.
func (c *checker) journal(d block.Device) {
	m := c.m
	if c.over || m.Super1 == nil || m.Role() != RoleJournal || m.Features()&FeatureJournal == 0 {
		return
	}
	size := m.DataSize() &^ (JournalBlockSectors - 1)
	if m.DataOffset() > uint64(m.sectors()) || size > uint64(m.sectors())-m.DataOffset() || size == 0 {
		return // md1.data_size has reported it
	}
	pos := m.Super1.JournalTail()
	if pos >= size || pos%JournalBlockSectors != 0 {
		pos = 0
	}
	buf := make([]byte, JournalBlockSize)
	var seq uint64
	for used := uint64(0); used < size && !c.over; {
		at := int64(m.DataOffset()+pos) * SectorSize
		if err := block.ReadFull(d, buf, at); err != nil {
			c.report(ruleRead, at, JournalBlockSize, "%v", err)
			return
		}
		j, err := ParseJournalBlock(buf, m.NativeUUID())
		if err != nil || j.Position != pos || used > 0 && j.Seq != seq {
			if used == 0 {
				c.noJournalTail(binfmt.At(err, m.Name, at), at)
			}
			return
		}
		seq = j.Seq + 1
		n := c.journalBlock(d, j, at, size)
		pos, used = (pos+n)%size, used+n
	}
}

// noJournalTail reports that the first block is not there, unless the journal was
// never used: then its tail is still what --create wrote.
func (c *checker) noJournalTail(err error, at int64) {
	switch {
	case errors.Is(err, binfmt.ErrMagic) && c.m.Events() <= 2:
	case err != nil:
		c.failed(ruleJournalBlock, err)
	default:
		c.report(ruleJournalBlock, at+24, 8, "the block at the journal's tail belongs elsewhere")
	}
}

// journalBlock checks one block and returns how many sectors it and its payload
// take.
func (c *checker) journalBlock(d block.Device, j *JournalBlock, at int64, size uint64) uint64 {
	if j.Pad1 != 0 || j.Pad2 != 0 {
		c.report(ruleJournalPad, at+9, 3, "padding is not zero")
	}
	n := uint64(JournalBlockSectors)
	buf := make([]byte, JournalBlockSize)
	for p, err := range j.Payloads() {
		if err != nil {
			c.failed(ruleJournalPayload, binfmt.At(err, c.m.Name, at))
			return size
		}
		if p.Size%JournalBlockSectors != 0 || uint64(p.Size) > size-n%size {
			c.report(ruleJournalPayload, at, JournalBlockSize, "%v payload of %d sectors", p.Type, p.Size)
			return size
		}
		if limit := c.m.UsedSize(); p.Type == PayloadParity && p.Location >= limit {
			c.report(ruleJournalPayload, at, JournalBlockSize, "parity of sector %d of %d", p.Location, limit)
		} else if limit := c.m.ArraySize(); p.Type == PayloadData && p.Location >= limit {
			c.report(ruleJournalPayload, at, JournalBlockSize, "data of sector %d of an array of %d", p.Location, limit)
		}
		for i, want := range p.Checksums {
			place := int64(c.m.DataOffset()+(j.Position+n+uint64(i)*JournalBlockSectors)%size) * SectorSize
			if err := block.ReadFull(d, buf, place); err != nil {
				c.report(ruleRead, place, JournalBlockSize, "%v", err)
				return size
			}
			if got := JournalSum(buf, c.m.NativeUUID()); got != want {
				c.report(ruleJournalData, place, JournalBlockSize, "%v in the journal has checksum %#x, want %#x: it will be dropped", p.Type, got, want)
			}
		}
		n += uint64(p.Size)
	}
	return n
}
