package ondisk

import (
	"fmt"
	"math/bits"
	"strings"

	"github.com/mdkit/mdkit/engine/dm"
)

// The superblock of dm-integrity (dm-integrity.c, struct superblock).
const (
	integrityMagic = "integrt\x00"
	integrityBytes = 8 << 9 // SB_SECTORS

	hasJournalMAC = 1
	recalculating = 2
	fixedPadding  = 8
	fixedHMAC     = 16
)

// integrity is what dm_integrity_ctr makes of the superblock. Inline mode, which is laid
// out otherwise, is left to it.
func (e *exam) integrity(a dm.Integrity) error {
	if a.Mode == "I" {
		return nil
	}
	ref := a.Device
	if a.MetaDevice != "" {
		ref = a.MetaDevice
	}
	b := e.read("device", ref, integrityBytes, int64(a.Start)<<9) //nolint:gosec // beyond the end it cannot be read
	switch {
	case b == nil:
		return nil
	case string(b[:8]) == integrityMagic:
		return e.formatted(a, b)
	case a.Mode != "R" && !blank(b):
		return e.refuse("device", "The device is not initialized", "neither a superblock nor zeroes are at sector "+fmt.Sprint(a.Start))
	}
	e.open("device", "whether it provides as many sectors as the line has: it is formatted")
	return nil
}

// formatted judges a superblock against the table.
func (e *exam) formatted(a dm.Integrity, b []byte) error {
	l := newLayout(a, b)
	block := uint32(512)
	if a.BlockSize != nil {
		block = *a.BlockSize
	}
	flags := le.Uint32(b[24:])
	tag := a.TagSize
	if tag == 0 {
		tag = e.digest(a.InternalHash)
	}
	noInterleave := a.MetaDevice == "" && (l.interleave < 3 || l.interleave > 31) || a.MetaDevice != "" && l.interleave != 0
	for _, c := range []struct {
		wrong       bool
		reason, why string
	}{
		{b[8] == 0 || b[8] > e.newest(), "Unknown version", fmt.Sprint(b[8])},
		{tag != 0 && uint32(l.tag) != tag, "Tag size doesn't match the information in superblock", fmt.Sprintf("%d bytes there, %d here", l.tag, tag)},
		{uint32(512)<<l.block != block, "Block size doesn't match the information in superblock", fmt.Sprintf("2^%d sectors there, %d bytes here", l.block, block)},
		{l.sections == 0, "Corrupted superblock, journal_sections is 0", ""},
		{noInterleave, "Invalid interleave_sectors in the superblock", fmt.Sprintf("2^%d", l.interleave)},
		{flags&hasJournalMAC != 0 != (a.JournalMAC != ""), "Journal mac mismatch", ""},
	} {
		if c.wrong {
			return e.refuse("device", c.reason, c.why)
		}
	}
	return e.provides(a, l, flags, le.Uint64(b[32:]), tag != 0)
}

// provides judges the sizes, and whether it can be recalculated.
func (e *exam) provides(a dm.Integrity, l layout, flags uint32, at uint64, known bool) error {
	data, err := e.world.Device(a.Device)
	if err != nil {
		return nil //nolint:nilerr // judged with the table
	}
	l.size = data.Size
	if a.MetaDevice != "" {
		meta, err := e.world.Device(a.MetaDevice)
		if err != nil {
			return nil //nolint:nilerr // likewise
		}
		l.data, l.size = data.Size, meta.Size
	}
	provided := l.provided()
	_, key, keyed := strings.Cut(a.InternalHash, ":")
	_, _, keyedMAC := strings.Cut(a.JournalMAC, ":")
	insecure := keyed && key != "" || keyedMAC
	if flags&fixedHMAC != 0 {
		insecure = keyed && !keyedMAC
	}
	switch {
	case provided == 0:
		return e.refuse("device", "The device is too small", "")
	case e.line.Length > provided:
		return e.refuse("device", "Not enough provided sectors for requested mapping size", fmt.Sprintf("%d of %d", provided, e.line.Length))
	case flags&recalculating != 0 && a.InternalHash == "":
		return e.refuse("device", "Recalculate can only be specified with internal_hash", "the superblock asks for it")
	case (flags&recalculating != 0 && at < provided || a.Recalculate) && insecure && !a.LegacyRecalc:
		return e.refuse("device", "Recalculating with HMAC is disabled for security reasons - if you really need it, use the argument \"legacy_recalculate\"", "")
	}
	e.settle("device")
	if !known {
		e.open("tag size", fmt.Sprintf("whether the hash has the %d bytes of the superblock", l.tag))
	}
	return nil
}

// newest is the newest version of the superblock that the kernel knows: 6 came with inline
// mode.
func (e *exam) newest() byte {
	if v, has := e.world.Target("integrity"); has == dm.Has && v[0] == 1 && v[1] < 12 {
		return 5
	}
	return 6
}

// digest returns the size of a hash, 0 if the kernel has not loaded it.
func (e *exam) digest(spec string) uint32 {
	name, _, _ := strings.Cut(spec, ":")
	for _, a := range e.world.Algorithms(name) {
		if a.Digest > 0 {
			return uint32(a.Digest) //nolint:gosec // a digest is short
		}
	}
	return 0
}

// layout is how dm-integrity divides its device.
type layout struct {
	interleave, block byte   // log2, in sectors
	tag               uint16 // bytes
	sections          uint32 // of the journal
	mac, padded       bool
	buffer            uint32 // log2 of buffer_sectors
	start             uint64
	size              uint64 // sectors of the device with the tags
	data              uint64 // sectors of the device with the data, if that is another one
}

func newLayout(a dm.Integrity, b []byte) layout {
	flags := le.Uint32(b[24:])
	buffer := uint32(128)
	if a.BufferSectors != nil {
		buffer = max(1, *a.BufferSectors)
	}
	return layout{
		interleave: b[9], tag: le.Uint16(b[10:]), sections: le.Uint32(b[12:]), block: b[28],
		mac: flags&hasJournalMAC != 0, padded: flags&fixedPadding == 0, start: a.Start,
		buffer: uint32(min(bits.Len32(buffer)-1, 31-9)), //nolint:gosec // small
	}
}

// initial is where the journal ends (calculate_journal_section_size).
func (l layout) initial() uint64 {
	entry := (8 + 8<<l.block + uint64(l.tag) + 7) &^ 7
	space := uint64(512 - 8)
	if l.mac {
		space -= 8
	}
	entries := space / entry * 8
	return 8 + (entries<<l.block+8)*uint64(l.sections)
}

// fits is calculate_device_limits.
func (l layout) fits(provided uint64) bool {
	initial := l.initial()
	if initial+8 >= l.size || initial > 1<<32-1 {
		return false
	}
	if l.data != 0 {
		meta := (provided >> l.block) * uint64(l.tag)
		for buffer := l.buffer; ; buffer-- {
			unit := uint64(1) << (buffer + 9)
			if initial+(meta+unit-1)>>(buffer+9)<<buffer <= l.size {
				return true
			}
			if buffer <= 3 {
				return false
			}
		}
	}
	unit := uint64(4096)
	if l.padded {
		unit = 512 << 8
	}
	run := (uint64(l.tag)<<(l.interleave-l.block) + unit - 1) / unit * unit >> 9
	last := provided - 1
	area, offset := last>>l.interleave, last&(1<<l.interleave-1)
	sector := area<<l.interleave + (area+1)*run + initial + offset + l.start
	return sector >= l.start && sector < l.size
}

// provided is get_provided_data_sectors: the kernel goes by the devices, and not by what
// the superblock says of it.
func (l layout) provided() uint64 {
	if l.data != 0 {
		n := l.data &^ (1<<l.block - 1)
		if !l.fits(n) {
			return 0
		}
		return n
	}
	n := uint64(0)
	for bit := bits.Len64(l.size) - 1; bit >= 3; bit-- {
		if more := n | 1<<bit; l.fits(more) {
			n = more
		}
	}
	return n
}
