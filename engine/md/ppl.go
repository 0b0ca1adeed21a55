package md

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"sync"

	"github.com/mdkit/mdkit/engine/binfmt"
)

// PPLHeaderSize is the size of a partial parity log's header in bytes (md_p.h,
// PPL_HEADER_SIZE).
const PPLHeaderSize = 4096

// PPLMaxEntries is how many entries a header has room for (md_p.h,
// PPL_HDR_MAX_ENTRIES).
const PPLMaxEntries = 148

const (
	pplReserved   = 512
	pplFixed      = pplReserved + 24
	pplEntrySize  = 24
	pplCsumOff    = pplReserved + 20
	pplMinSectors = 16 // a header and one page of partial parity (raid5-ppl.c, ppl_validate_rdev)
)

// PPLEntry is struct ppl_header_entry: one write that was logged.
type PPLEntry struct {
	DataSector uint64 // array sector of the new data
	PPSize     uint32 // bytes of partial parity; 0 for a write of whole stripes
	DataSize   uint32 // bytes of new data
	ParityDisk uint32 // slot that holds the parity
	Checksum   uint32 // crc32c of the partial parity
}

// PPLHeader is struct ppl_header, the first 4096 bytes of a partial parity log.
// The partial parity of the entries follows it, in order. It is little-endian.
type PPLHeader struct {
	Reserved     [pplReserved]byte // all ones
	Signature    uint32            // see PPLSignature
	Padding      uint32
	Generation   uint64 // grows with every header written
	EntriesCount uint32 // at most PPLMaxEntries
	Checksum     uint32 // as found on disk; AppendTo computes its own
	Entries      [PPLMaxEntries]PPLEntry
	Tail         [8]byte
}

var pplLayout = sync.OnceValue(func() *binfmt.Layout[PPLHeader] {
	type s = PPLHeader
	fields := []binfmt.Field[s]{
		binfmt.Raw("reserved", 0, pplReserved, func(v *s) []byte { return v.Reserved[:] }),
		binfmt.U32("signature", 512, func(v *s) *uint32 { return &v.Signature }, binfmt.Hex),
		binfmt.U32("padding", 516, func(v *s) *uint32 { return &v.Padding }),
		binfmt.U64("generation", 520, func(v *s) *uint64 { return &v.Generation }),
		binfmt.U32("entries_count", 528, func(v *s) *uint32 { return &v.EntriesCount }),
		binfmt.U32("checksum", pplCsumOff, func(v *s) *uint32 { return &v.Checksum }, binfmt.Hex),
	}
	for i := range PPLMaxEntries {
		name, off := fmt.Sprintf("entries[%d]", i), pplFixed+i*pplEntrySize
		at := func(v *s) *PPLEntry { return &v.Entries[i] }
		fields = append(
			fields,
			binfmt.U64(name+".data_sector", off, func(v *s) *uint64 { return &at(v).DataSector }, binfmt.Sectors),
			binfmt.U32(name+".pp_size", off+8, func(v *s) *uint32 { return &at(v).PPSize }, bytesText),
			binfmt.U32(name+".data_size", off+12, func(v *s) *uint32 { return &at(v).DataSize }, bytesText),
			binfmt.U32(name+".parity_disk", off+16, func(v *s) *uint32 { return &at(v).ParityDisk }),
			binfmt.U32(name+".checksum", off+20, func(v *s) *uint32 { return &at(v).Checksum }, binfmt.Hex),
		)
	}
	fields = append(fields, binfmt.Raw("tail", 4088, 8, func(v *s) []byte { return v.Tail[:] }))
	return binfmt.New("md-ppl", PPLHeaderSize, fields...)
})

// PPLSignature is the signature of the logs of the array with the given uuid
// (Member.NativeUUID): the crc32c of the uuid (raid5-ppl.c, ppl_init_log).
func PPLSignature(uuid UUID) uint32 { return CRC32C(uuid[:]) }

// ParsePPL reads a partial parity log header from the first 4096 bytes of b.
// If the error is of class binfmt.ErrChecksum or binfmt.ErrCorrupt (too many
// entries, sizes that are not whole sectors), it returns the header too: for the
// kernel, the log ends there.
func ParsePPL(b []byte) (*PPLHeader, error) {
	l := pplLayout()
	h := new(PPLHeader)
	if err := l.Decode(h, b, binary.LittleEndian); err != nil {
		return nil, err
	}
	if want := pplSum(b[:PPLHeaderSize]); h.Checksum != want {
		return h, l.Errorf(binfmt.ErrChecksum, h, "checksum", "%#x", want)
	}
	if h.EntriesCount > PPLMaxEntries {
		return h, l.Errorf(binfmt.ErrCorrupt, h, "entries_count", "at most %d", PPLMaxEntries)
	}
	for i := range h.EntriesCount {
		if h.Entries[i].PPSize%SectorSize != 0 {
			return h, l.Errorf(binfmt.ErrCorrupt, h, fmt.Sprintf("entries[%d].pp_size", i), "whole sectors")
		}
	}
	return h, nil
}

// AppendTo appends the 4096 bytes of the header, with a computed checksum.
func (h *PPLHeader) AppendTo(b []byte) []byte {
	at := len(b)
	b = append(b, make([]byte, PPLHeaderSize)...)
	raw := b[at:]
	pplLayout().Encode(h, raw, binary.LittleEndian)
	binary.LittleEndian.PutUint32(raw[pplCsumOff:], pplSum(raw))
	return b
}

// Len is how many bytes the header and the partial parity behind it take; the next
// header would follow them. Entries beyond PPLMaxEntries do not count.
func (h *PPLHeader) Len() int64 {
	n := int64(PPLHeaderSize)
	for i := range min(h.EntriesCount, PPLMaxEntries) {
		n += int64(h.Entries[i].PPSize)
	}
	return n
}

func pplSum(raw []byte) uint32 {
	sum := crc32.Update(0, castagnoli, raw[:pplCsumOff])
	sum = crc32.Update(sum, castagnoli, make([]byte, 4))
	return crc32.Update(sum, castagnoli, raw[pplCsumOff+4:])
}

// castagnoli is the polynomial of crc32c. crc32.Update works on the inverted
// remainder, as the kernel's ~crc32c_le(~0, ...) does.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// CRC32C is the checksum of the partial parity log and of the journal, the kernel's
// ~crc32c_le(~0, b) (raid5-ppl.c, raid5-cache.c).
func CRC32C(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }
