package md

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/mdkit/mdkit/engine/binfmt"
	"github.com/mdkit/mdkit/engine/block"
)

// Dump writes annotated hex of everything md keeps on the member to w: the
// superblock, and what it points to. Structures that cannot be parsed are shown
// as the bytes they are, with the reason.
func (m *Member) Dump(w io.Writer, d block.Device) error {
	p := &dumper{w: w, d: d}
	if m.Super0 != nil {
		dumpStruct(p, "superblock "+m.Version.String(), super0Layout(), m.Offset, m.Super0.order())
	} else {
		dumpStruct(p, "superblock "+m.Version.String(), super1Layout(), m.Offset, binary.LittleEndian)
		p.roles(m)
	}
	if off, ok := m.BitmapOffset(); ok {
		dumpStruct(p, "bitmap", bitmapLayout(), off, binary.LittleEndian)
	}
	if off, length, ok := m.BadBlockLog(); ok {
		p.badBlocks(off, length)
	}
	if off, _, ok := m.PPLLog(); ok {
		dumpStruct(p, "partial parity log", pplLayout(), off, binary.LittleEndian)
	}
	if m.Role() == RoleJournal {
		pos := m.Super1.JournalTail()
		if pos < m.DataSize() && m.DataOffset() < uint64(m.sectors()) {
			dumpStruct(p, "journal", journalLayout(), int64(m.DataOffset()+pos)*SectorSize, binary.LittleEndian)
		}
	}
	return p.err
}

type dumper struct {
	w   io.Writer
	d   block.Device
	err error // the first failed write; ends the output
}

func (p *dumper) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

func dumpStruct[T any](p *dumper, title string, l *binfmt.Layout[T], off int64, o binary.ByteOrder) {
	p.printf("# %s (%s) at byte %d\n", title, l.Format, off)
	buf := make([]byte, l.Size)
	if err := block.ReadFull(p.d, buf, off); err != nil {
		p.printf("# %v\n", err)
		return
	}
	if p.err == nil {
		p.err = l.Dump(p.w, off, buf, o)
	}
}

// roles writes the table behind a 1.x superblock: devices that have a role one
// by one, the spares between them in one line.
func (p *dumper) roles(m *Member) {
	d := binfmt.Dumper{W: p.w}
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
		raw := binary.LittleEndian.AppendUint16(nil, uint16(list[i]))
		d.Field(m.Offset+super1Fixed+2*int64(i), raw, name, list[i].String())
		i = n
	}
	if p.err == nil {
		p.err = d.Err
	}
}

func (p *dumper) badBlocks(off, length int64) {
	p.printf("# bad block log at byte %d\n", off)
	buf := make([]byte, length)
	if err := block.ReadFull(p.d, buf, off); err != nil {
		p.printf("# %v\n", err)
		return
	}
	d := binfmt.Dumper{W: p.w}
	for at := 0; at < len(buf); at += badBlockSize {
		e := binary.LittleEndian.Uint64(buf[at:])
		value := fmt.Sprintf("sector %d for %d", e>>badBlockLenBits, e&badBlockLenMask)
		if e == badBlockEnd {
			value = "end"
		}
		d.Field(off+int64(at), buf[at:at+badBlockSize], fmt.Sprintf("entry[%d]", at/badBlockSize), value)
		if e == badBlockEnd {
			break
		}
	}
	if p.err == nil {
		p.err = d.Err
	}
}

// Fields yields every field of the member's superblock as name and text, in
// the order they have on disk; the table of roles of 1.x is left out.
func (m *Member) Fields() func(yield func(name, text string) bool) {
	if m.Super0 != nil {
		return super0Layout().Values(m.Super0)
	}
	return super1Layout().Values(m.Super1)
}
