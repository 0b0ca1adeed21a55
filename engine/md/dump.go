package md

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"iter"

	"github.com/mdkit/mdkit/engine/binfmt"
	"github.com/mdkit/mdkit/engine/block"
)

// Part is one structure that md keeps on a member, split into its fields.
type Part struct {
	Kind   string // "superblock", "bitmap", "badblocks", "ppl", "journal"
	Format string // as errors name it: "md1", "md-bitmap", ...
	Off    int64  // bytes from the start of the device
	Pieces []binfmt.Piece
	Err    error // why there are no pieces
}

// Parts yields everything that md keeps on the member: the superblock and what it
// points to. Fields are shown as they are, sound or not.
func (m *Member) Parts(d block.Device) iter.Seq[Part] {
	return func(yield func(Part) bool) {
		for _, part := range m.parts(d) {
			if !yield(part()) {
				return
			}
		}
	}
}

func (m *Member) parts(d block.Device) []func() Part {
	var list []func() Part
	if m.Super0 != nil {
		list = append(list, func() Part { return part(d, "superblock", super0Layout(), m.Offset, m.Super0.order()) })
	} else {
		list = append(list, func() Part {
			p := part(d, "superblock", super1Layout(), m.Offset, binary.LittleEndian)
			p.Pieces = append(p.Pieces, rolePieces(m)...)
			return p
		})
	}
	if off, ok := m.BitmapOffset(); ok {
		list = append(list, func() Part { return bitmapPart(d, off) })
		// A failure to read the first copy shows in its part.
		if first, err := m.ReadBitmap(d); err == nil {
			for node := 1; node < first.Copies() && first.CopyLen() <= uint64(d.Size()); node++ {
				at := off + int64(node)*int64(first.CopyLen())
				list = append(list, func() Part { return bitmapPart(d, at) })
			}
		}
	}
	if off, length, ok := m.BadBlockLog(); ok {
		list = append(list, func() Part { return badBlockPart(d, off, length) })
	}
	if off, _, ok := m.PPLLog(); ok {
		list = append(list, func() Part { return part(d, "ppl", pplLayout(), off, binary.LittleEndian) })
	}
	if m.Super1 != nil && m.Role() == RoleJournal {
		pos := m.Super1.JournalTail()
		if pos < m.DataSize() && m.DataOffset() < uint64(m.sectors()) {
			off := int64(m.DataOffset()+pos) * SectorSize
			list = append(list, func() Part { return journalPart(d, off) })
		}
	}
	return list
}

// part reads a structure and splits it into its fields.
func part[T any](d block.Device, kind string, l *binfmt.Layout[T], off int64, o binary.ByteOrder) Part {
	p := Part{Kind: kind, Format: l.Format, Off: off}
	buf := make([]byte, l.Size)
	if p.Err = block.ReadFull(d, buf, off); p.Err == nil {
		p.Pieces, p.Err = l.Pieces(off, buf, o)
	}
	return p
}

// rolePieces describes the table behind a 1.x superblock: devices with a role one
// by one, runs of spares together.
func rolePieces(m *Member) []binfmt.Piece {
	var pieces []binfmt.Piece
	list := m.Super1.DevRoles
	for i := 0; i < len(list); {
		n := i + 1
		for list[i] == RoleSpare && n < len(list) && list[n] == RoleSpare {
			n++
		}
		name := fmt.Sprintf("dev_roles[%d]", i)
		if n > i+1 {
			name = fmt.Sprintf("dev_roles[%d] to [%d]", i, n-1)
		}
		var raw []byte
		for _, r := range list[i:n] {
			raw = binary.LittleEndian.AppendUint16(raw, uint16(r))
		}
		pieces = append(pieces, binfmt.Piece{
			Off: m.Offset + Super1Fixed + 2*int64(i), Bytes: raw, Name: name, Value: list[i].String(),
		})
		i = n
	}
	return pieces
}

// dumpedBits is how many bytes of a bitmap are shown.
const dumpedBits = 4096

// bitmapPart describes one copy of a bitmap, with its bits as they are on disk.
func bitmapPart(d block.Device, off int64) Part {
	p := part(d, "bitmap", BitmapLayout(), off, binary.LittleEndian)
	raw := make([]byte, BitmapSuperSize)
	if p.Err != nil || block.ReadFull(d, raw, off) != nil {
		return p
	}
	v, err := ParseBitmap(raw)
	if err != nil {
		return p
	}
	v.Offset = off
	at, size := off+v.DataOffset(), v.Len()-uint64(v.DataOffset())
	buf := make([]byte, min(size, dumpedBits))
	if p.Err = block.ReadFull(d, buf, at); p.Err != nil {
		return p
	}
	value := fmt.Sprintf("%d chunks", v.Chunks())
	if n, err := v.Count(d); err == nil {
		value += fmt.Sprintf(", %d dirty", n.Dirty)
	}
	if size > dumpedBits {
		value += fmt.Sprintf(" (the first %d of %d bytes)", dumpedBits, size)
	}
	p.Pieces = append(p.Pieces, binfmt.Piece{Off: at, Bytes: buf, Name: "bits", Value: value})
	return p
}

// journalPart describes a meta block, its payloads one by one.
func journalPart(d block.Device, off int64) Part {
	p := part(d, "journal", journalLayout(), off, binary.LittleEndian)
	if p.Err != nil || len(p.Pieces) == 0 {
		return p
	}
	body := p.Pieces[len(p.Pieces)-1]
	raw := make([]byte, JournalBlockSize)
	if p.Err = block.ReadFull(d, raw, off); p.Err != nil {
		return p
	}
	j := new(JournalBlock)
	if p.Err = journalLayout().Decode(j, raw, binary.LittleEndian); p.Err != nil {
		return p
	}
	pieces, at := p.Pieces[:len(p.Pieces)-1], int64(0)
	end := min(max(int64(j.MetaSize), JournalHeaderSize), JournalBlockSize) - JournalHeaderSize
	for i := 0; at < end; i++ {
		load, n, wrong := parsePayload(body.Bytes[at:end])
		if wrong != "" {
			break // shown as bytes; Check reports it
		}
		pieces = append(pieces, binfmt.Piece{
			Off: body.Off + at, Bytes: body.Bytes[at : at+int64(n)], Name: fmt.Sprintf("payloads[%d]", i), Value: load.text(),
		})
		at += int64(n)
	}
	if at < int64(len(body.Bytes)) {
		pieces = append(pieces, binfmt.Piece{Off: body.Off + at, Bytes: body.Bytes[at:]})
	}
	p.Pieces = pieces
	return p
}

// text says what a payload holds.
func (p JournalPayload) text() string {
	if p.Type == PayloadFlush {
		return fmt.Sprintf("flush of %d stripes", len(p.Stripes))
	}
	text := fmt.Sprintf("%v, %d sectors for sector %d", p.Type, p.Size, p.Location)
	if p.Flags != 0 {
		text += fmt.Sprintf(", flags %#x", p.Flags)
	}
	return text
}

// badBlockPart describes the entries of a bad block log, up to the end mark.
func badBlockPart(d block.Device, off, length int64) Part {
	p := Part{Kind: "badblocks", Format: "md-badblocks", Off: off}
	buf := make([]byte, min(length, badBlockMaxSectors*SectorSize))
	if p.Err = block.ReadFull(d, buf, off); p.Err != nil {
		return p
	}
	for at := 0; at+badBlockSize <= len(buf); at += badBlockSize {
		if len(bytes.Trim(buf[at:], "\x00")) == 0 { // a log that was never written
			p.Pieces = append(p.Pieces, binfmt.Piece{Off: off + int64(at), Bytes: buf[at:]})
			break
		}
		e := binary.LittleEndian.Uint64(buf[at:])
		value := fmt.Sprintf("sector %d for %d", e>>badBlockLenBits, e&badBlockLenMask)
		if e == badBlockEnd {
			value = "end"
		}
		p.Pieces = append(p.Pieces, binfmt.Piece{
			Off: off + int64(at), Bytes: buf[at : at+badBlockSize], Name: fmt.Sprintf("entry[%d]", at/badBlockSize), Value: value,
		})
		if e == badBlockEnd {
			break
		}
	}
	return p
}

// Fields yields every field of the member's superblock as name and text, in
// the order they have on disk; the table of roles of 1.x is left out.
func (m *Member) Fields() func(yield func(name, text string) bool) {
	if m.Super0 != nil {
		return super0Layout().Values(m.Super0)
	}
	return super1Layout().Values(m.Super1)
}
