package md

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"iter"
	"strings"
	"sync"

	"github.com/mdkit/mdkit/engine/binfmt"
)

// Journal constants (md_p.h, R5LOG_*; raid5-cache.c, BLOCK_SECTORS).
const (
	JournalMagic     = 0x6433c509
	JournalVersion   = 1
	JournalBlockSize = 4096 // bytes of a meta block, and of each block of payload

	JournalBlockSectors = JournalBlockSize / SectorSize
	JournalHeaderSize   = 32
	journalCsumOff      = 4
)

// PayloadType is the type of a journal's payload (md_p.h, enum r5l_payload_type).
type PayloadType uint16

// Payload types.
const (
	PayloadData   PayloadType = 0 // data of one or more pages
	PayloadParity PayloadType = 1 // parity of a stripe: P, or P and Q
	PayloadFlush  PayloadType = 2 // stripes that have reached the array
)

// String returns "data", "parity", "flush" or "payload(3)".
func (t PayloadType) String() string {
	switch t {
	case PayloadData:
		return "data"
	case PayloadParity:
		return "parity"
	case PayloadFlush:
		return "flush"
	}
	return fmt.Sprintf("payload(%d)", uint16(t))
}

// JournalPayload is one entry of a meta block.
type JournalPayload struct {
	Type  PayloadType
	Flags uint16
	// Size is how many sectors of the journal hold the payload; 0 for a flush.
	Size uint32
	// Location is the array sector of data, or the member sector of a stripe's
	// parity.
	Location uint64
	// Checksums has one for each block of 4096 bytes; see JournalSum.
	Checksums []uint32
	// Stripes lists the flushed stripes by member sector.
	Stripes []uint64
}

// JournalBlock is struct r5l_meta_block, which describes the blocks that follow it
// in the journal. It is little-endian.
type JournalBlock struct {
	Magic    uint32 // JournalMagic
	Checksum uint32 // as found on disk; AppendTo computes its own
	Version  uint8  // JournalVersion
	Pad1     uint8
	Pad2     uint16
	MetaSize uint32 // bytes of this block that are in use, header included
	Seq      uint64 // grows by one with each block
	Position uint64 // of this block, in sectors from the data offset of the journal device
	Body     [JournalBlockSize - JournalHeaderSize]byte
}

var journalLayout = sync.OnceValue(func() *binfmt.Layout[JournalBlock] {
	type s = JournalBlock
	return binfmt.New("md-journal", JournalBlockSize,
		binfmt.U32("magic", 0, func(v *s) *uint32 { return &v.Magic }, binfmt.Hex),
		binfmt.U32("checksum", journalCsumOff, func(v *s) *uint32 { return &v.Checksum }, binfmt.Hex),
		binfmt.U8("version", 8, func(v *s) *uint8 { return &v.Version }),
		binfmt.U8("pad1", 9, func(v *s) *uint8 { return &v.Pad1 }),
		binfmt.U16("pad2", 10, func(v *s) *uint16 { return &v.Pad2 }),
		binfmt.U32("meta_size", 12, func(v *s) *uint32 { return &v.MetaSize }, bytesText),
		binfmt.U64("seq", 16, func(v *s) *uint64 { return &v.Seq }),
		binfmt.U64("position", 24, func(v *s) *uint64 { return &v.Position }, binfmt.Sectors),
		binfmt.Raw("payloads", 32, JournalBlockSize-JournalHeaderSize, func(v *s) []byte { return v.Body[:] }, payloadText),
	)
})

// payloadText is the length without trailing zeroes: a dump shows the bytes anyway.
func payloadText(b []byte) string {
	return fmt.Sprintf("%d bytes", len(strings.TrimRight(string(b), "\x00")))
}

// ParseJournalBlock reads a meta block from the first 4096 bytes of b; uuid is the
// array's (Member.NativeUUID).
//
// Without one it returns nil and an error of class binfmt.ErrTruncated or
// binfmt.ErrMagic. A block that the kernel would not follow is returned with
// the reason, of class binfmt.ErrUnsupported (version), binfmt.ErrChecksum, or
// binfmt.ErrCorrupt (meta_size). The caller has to check by Seq and Position
// whether it is the block that should be there.
func ParseJournalBlock(b []byte, uuid UUID) (*JournalBlock, error) {
	l := journalLayout()
	j := new(JournalBlock)
	if err := l.Decode(j, b, binary.LittleEndian); err != nil {
		return nil, err
	}
	if j.Magic != JournalMagic {
		return nil, l.Errorf(binfmt.ErrMagic, j, "magic", "%#x", uint32(JournalMagic))
	}
	if j.Version != JournalVersion {
		return j, l.Errorf(binfmt.ErrUnsupported, j, "version", "%d", JournalVersion)
	}
	if want := journalBlockSum(b[:JournalBlockSize], uuid); j.Checksum != want {
		return j, l.Errorf(binfmt.ErrChecksum, j, "checksum", "%#x", want)
	}
	if j.MetaSize < JournalHeaderSize || j.MetaSize > JournalBlockSize {
		return j, l.Errorf(binfmt.ErrCorrupt, j, "meta_size", "%d to %d bytes", JournalHeaderSize, JournalBlockSize)
	}
	return j, nil
}

// AppendTo appends the 4096 bytes of the block, with the checksum computed for
// the array with the given uuid.
func (j *JournalBlock) AppendTo(b []byte, uuid UUID) []byte {
	at := len(b)
	b = append(b, make([]byte, JournalBlockSize)...)
	raw := b[at:]
	journalLayout().Encode(j, raw, binary.LittleEndian)
	binary.LittleEndian.PutUint32(raw[journalCsumOff:], journalBlockSum(raw, uuid))
	return b
}

// SetPayloads fills Body and MetaSize. It fails if the payloads do not fit.
func (j *JournalBlock) SetPayloads(payloads []JournalPayload) error {
	var b []byte
	for _, p := range payloads {
		b = binary.LittleEndian.AppendUint16(b, uint16(p.Type))
		b = binary.LittleEndian.AppendUint16(b, p.Flags)
		if p.Type == PayloadFlush {
			b = binary.LittleEndian.AppendUint32(b, uint32(8*len(p.Stripes)))
			for _, s := range p.Stripes {
				b = binary.LittleEndian.AppendUint64(b, s)
			}
			continue
		}
		b = binary.LittleEndian.AppendUint32(b, p.Size)
		b = binary.LittleEndian.AppendUint64(b, p.Location)
		for _, sum := range p.Checksums {
			b = binary.LittleEndian.AppendUint32(b, sum)
		}
	}
	if len(b) > len(j.Body) {
		return fmt.Errorf("journal block: %d bytes of payloads, room for %d", len(b), len(j.Body))
	}
	j.Body = [len(j.Body)]byte{}
	copy(j.Body[:], b)
	j.MetaSize = uint32(JournalHeaderSize + len(b))
	return nil
}

// Payloads yields the entries of the block. It ends with an error of class
// binfmt.ErrCorrupt at an entry that reaches past MetaSize or is of an unknown
// type, because the kernel gives up there.
func (j *JournalBlock) Payloads() iter.Seq2[JournalPayload, error] {
	return func(yield func(JournalPayload, error) bool) {
		end := min(max(int(j.MetaSize), JournalHeaderSize), JournalBlockSize) - JournalHeaderSize
		for at, i := 0, 0; at < end; i++ {
			p, n, got := parsePayload(j.Body[at:end])
			if got != "" {
				yield(JournalPayload{}, &binfmt.Error{
					Op: "parse", Format: "md-journal", Field: fmt.Sprintf("payloads[%d]", i),
					Off: int64(JournalHeaderSize + at), Err: binfmt.ErrCorrupt, Got: got,
				})
				return
			}
			if !yield(p, nil) {
				return
			}
			at += n
		}
	}
}

// parsePayload reads one entry and returns its length, or what is wrong with it.
func parsePayload(b []byte) (p JournalPayload, n int, wrong string) {
	if len(b) < 8 {
		return p, 0, fmt.Sprintf("%d bytes left", len(b))
	}
	p.Type = PayloadType(binary.LittleEndian.Uint16(b))
	p.Flags = binary.LittleEndian.Uint16(b[2:])
	size := binary.LittleEndian.Uint32(b[4:])
	switch p.Type {
	case PayloadFlush:
		if uint64(size) > uint64(len(b)-8) {
			return p, 0, fmt.Sprintf("a flush of %d bytes, %d left", size, len(b)-8)
		}
		for at := 8; at+8 <= 8+int(size); at += 8 {
			p.Stripes = append(p.Stripes, binary.LittleEndian.Uint64(b[at:]))
		}
		return p, 8 + int(size), ""
	case PayloadData, PayloadParity:
		sums := uint64(size / JournalBlockSectors)
		if len(b) < 16 || sums > uint64(len(b)-16)/4 {
			return p, 0, fmt.Sprintf("a %v payload of %d sectors, %d bytes left", p.Type, size, len(b))
		}
		p.Size = size
		p.Location = binary.LittleEndian.Uint64(b[8:])
		for i := range int(sums) {
			p.Checksums = append(p.Checksums, binary.LittleEndian.Uint32(b[16+4*i:]))
		}
		return p, 16 + 4*int(sums), ""
	}
	return p, 0, p.Type.String()
}

// JournalSum is the checksum of a block of payload in the journal of the array
// with the given uuid: a crc32c that starts from that of the uuid and is not
// inverted at the end (raid5-cache.c, uuid_checksum and
// r5l_recovery_verify_data_checksum).
func JournalSum(block []byte, uuid UUID) uint32 {
	return ^crc32.Update(CRC32C(uuid[:]), castagnoli, block)
}

func journalBlockSum(raw []byte, uuid UUID) uint32 {
	sum := crc32.Update(CRC32C(uuid[:]), castagnoli, raw[:journalCsumOff])
	sum = crc32.Update(sum, castagnoli, make([]byte, 4))
	return ^crc32.Update(sum, castagnoli, raw[journalCsumOff+4:])
}
