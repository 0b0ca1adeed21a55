package md

import (
	"encoding/binary"
	"fmt"
	"iter"

	"github.com/mdkit/mdkit/engine/binfmt"
	"github.com/mdkit/mdkit/engine/block"
)

// Part is one structure that md keeps on a member, field by field.
type Part struct {
	Kind   string // "superblock", "bitmap", "badblocks", "ppl", "journal"
	Format string // as errors name it: "md1", "md-bitmap", ...
	Off    int64  // bytes from the start of the device
	Pieces []binfmt.Piece
	Err    error // why there are no pieces
}

// Parts yields everything md keeps on the member: the superblock, and what it
// points to. What a field says is shown as it is, sound or not.
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
		list = append(list, func() Part { return part(d, "bitmap", bitmapLayout(), off, binary.LittleEndian) })
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
			list = append(list, func() Part { return part(d, "journal", journalLayout(), off, binary.LittleEndian) })
		}
	}
	return list
}

// part reads a structure and cuts it up.
func part[T any](d block.Device, kind string, l *binfmt.Layout[T], off int64, o binary.ByteOrder) Part {
	p := Part{Kind: kind, Format: l.Format, Off: off}
	buf := make([]byte, l.Size)
	if p.Err = block.ReadFull(d, buf, off); p.Err == nil {
		p.Pieces, p.Err = l.Pieces(off, buf, o)
	}
	return p
}

// rolePieces describes the table behind a 1.x superblock: devices that have a
// role one by one, the spares between them together.
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
			Off: m.Offset + super1Fixed + 2*int64(i), Bytes: raw, Name: name, Value: list[i].String(),
		})
		i = n
	}
	return pieces
}

// badBlockPart describes the entries of a bad block log, up to the end mark.
func badBlockPart(d block.Device, off, length int64) Part {
	p := Part{Kind: "badblocks", Format: "md-badblocks", Off: off}
	buf := make([]byte, min(length, badBlockMaxSectors*SectorSize))
	if p.Err = block.ReadFull(d, buf, off); p.Err != nil {
		return p
	}
	for at := 0; at+badBlockSize <= len(buf); at += badBlockSize {
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
