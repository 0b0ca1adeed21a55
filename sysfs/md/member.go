package md

import (
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/mdkit/mdkit/sysfs"
	"github.com/mdkit/mdkit/sysfs/block"
)

// Member is one device bound to an array. It holds no open file; each method
// reads or writes its attribute again.
type Member struct {
	dir  sysfs.Dir
	name string
}

var (
	attrMemberState    = rw("state", parseMemberState)
	attrErrors         = rw("errors", parseUint)
	attrSlot           = rw("slot", parseSlot)
	attrOffset         = rw("offset", parseUint)
	attrNewOffset      = rw("new_offset", parseUint)
	attrSize           = rw("size", parseUint)
	attrRecoveryStart  = rw("recovery_start", word("none"))
	attrBadBlocks      = rw("bad_blocks", parseBadBlocks)
	attrUnackBadBlocks = rw("unacknowledged_bad_blocks", parseBadBlocks)
	attrPPLSector      = rw("ppl_sector", parseUint)
	attrPPLSize        = rw("ppl_size", parseUint)
)

// memberNumber belongs to the device, not to the member, so it is not listed
// with the others.
var memberNumber = ro("block/dev", block.ParseNum)

var memberAttrs = []describer{
	attrMemberState, attrErrors, attrSlot, attrOffset, attrNewOffset, attrSize, attrRecoveryStart,
	attrBadBlocks, attrUnackBadBlocks, attrPPLSector, attrPPLSize,
}

// MemberAttributes returns every attribute this package knows of a member.
func MemberAttributes() []Attribute { return describeAll(memberAttrs) }

// All reads every attribute the kernel shows of the member, like [Array.All].
func (m *Member) All() iter.Seq2[string, any] { return allOf(m.dir, MemberAttributes()) }

// Name returns the kernel's name of the device, such as "sda1".
func (m *Member) Name() string { return m.name }

// Dir returns the folder of attributes.
func (m *Member) Dir() sysfs.Dir { return m.dir }

// Block returns the name of the block device that the link block points to. It
// differs from Name if the device has been renamed since it was bound. While
// the member is being released the link is gone, and the error is
// [sysfs.ErrNotSupported].
func (m *Member) Block() (string, error) {
	name, err := m.dir.Link("block")
	return strings.ReplaceAll(name, "!", "/"), err
}

// Number returns the number of the block device that the link block points to
// (block/dev; drivers/base/core.c dev_show).
func (m *Member) Number() (block.Num, error) { return memberNumber.get(m.dir) }

// Offline reports whether the member is a SCSI device that was set offline
// (block/device/state; drivers/scsi/scsi_sysfs.c show_state_field). It is false
// for other kinds of devices.
func (m *Member) Offline() bool {
	state, err := m.dir.Read("block/device/state")
	return err == nil && state == "offline"
}

// State returns the member's flags (state). Use [Member.WaitState] to wait for
// changes.
func (m *Member) State() (MemberState, error) { return attrMemberState.get(m.dir) }

// Command writes one word to the attribute state.
func (m *Member) Command(c MemberCommand) error { return m.CommandTo(c).Write() }

// Errors returns how many read errors were corrected by writing (errors).
func (m *Member) Errors() (uint64, error) { return attrErrors.get(m.dir) }

// SetErrors sets that count.
func (m *Member) SetErrors(n uint32) error { return attrErrors.set(m.dir, formatUint(uint64(n))) }

// Slot returns the member's slot in the array (slot).
func (m *Member) Slot() (Slot, error) { return attrSlot.get(m.dir) }

// SetSlot gives the member a slot or, with [NoSlot], removes a failed or
// spare one from its slot.
func (m *Member) SetSlot(s Slot) error { return m.SlotTo(s).Write() }

// Offset returns where the array's data begins on the member, in sectors of 512
// bytes (offset).
func (m *Member) Offset() (sector uint64, err error) { return attrOffset.get(m.dir) }

// SetOffset sets that offset on an array that does not run, before the size.
func (m *Member) SetOffset(sector uint64) error { return attrOffset.set(m.dir, formatUint(sector)) }

// NewOffset returns where the data will begin after the reshape, in sectors of
// 512 bytes (new_offset).
func (m *Member) NewOffset() (sector uint64, err error) { return attrNewOffset.get(m.dir) }

// SetNewOffset sets that offset, and with it the direction of the reshape.
func (m *Member) SetNewOffset(sector uint64) error { return m.NewOffsetTo(sector).Write() }

// Size returns how much of the device the array may use, in KiB (size).
func (m *Member) Size() (kib uint64, err error) { return attrSize.get(m.dir) }

// SetSize sets that size; 0 takes all the space there is, if the kernel keeps
// the metadata.
func (m *Member) SetSize(kib uint64) error { return m.SizeTo(kib).Write() }

// RecoveryStart returns up to where the member holds good data, in sectors of
// 512 bytes; [None] if all of it is good (recovery_start).
func (m *Member) RecoveryStart() (sector Number, err error) { return attrRecoveryStart.get(m.dir) }

// SetRecoveryStart sets that position on a member that is not active.
func (m *Member) SetRecoveryStart(sector Number) error {
	return attrRecoveryStart.set(m.dir, sector.text("none"))
}

// BadBlocks returns the ranges that are known to be bad and recorded in the
// metadata; at most as many as fit in a page (bad_blocks).
func (m *Member) BadBlocks() ([]BadBlocks, error) { return attrBadBlocks.get(m.dir) }

// AddBadBlocks adds a range that counts as recorded.
func (m *Member) AddBadBlocks(b BadBlocks) error { return attrBadBlocks.set(m.dir, b.String()) }

// UnacknowledgedBadBlocks returns the ranges that are bad and not yet recorded:
// writes to them wait (unacknowledged_bad_blocks).
func (m *Member) UnacknowledgedBadBlocks() ([]BadBlocks, error) {
	return attrUnackBadBlocks.get(m.dir)
}

// AddUnacknowledgedBadBlocks adds a range that is not recorded yet.
func (m *Member) AddUnacknowledgedBadBlocks(b BadBlocks) error {
	return attrUnackBadBlocks.set(m.dir, b.String())
}

// PPLSector returns where on the device the partial parity log begins, in
// sectors of 512 bytes (ppl_sector; Linux 4.12).
func (m *Member) PPLSector() (sector uint64, err error) { return attrPPLSector.get(m.dir) }

// SetPPLSector sets that position while the log is not in use.
func (m *Member) SetPPLSector(sector uint64) error { return m.PPLSectorTo(sector).Write() }

// PPLSize returns the size of the partial parity log in sectors of 512 bytes
// (ppl_size; Linux 4.12).
func (m *Member) PPLSize() (sectors uint64, err error) { return attrPPLSize.get(m.dir) }

// SetPPLSize sets that size while the log is not in use.
func (m *Member) SetPPLSize(sectors uint32) error { return m.PPLSizeTo(sectors).Write() }

// Slot is the number of a member's slot in the array, from 0.
type Slot int

// Slot values of members without a slot.
const (
	NoSlot      Slot = -1 // spare, or failed and moved out
	JournalSlot Slot = -2 // the write journal
)

// String returns the kernel's form: "3", "none", "journal".
func (s Slot) String() string {
	switch s {
	case NoSlot:
		return "none"
	case JournalSlot:
		return "journal"
	}
	return strconv.Itoa(int(s))
}

func parseSlot(s string) (Slot, error) {
	switch s {
	case "none":
		return NoSlot, nil
	case "journal":
		return JournalSlot, nil
	}
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		return NoSlot, wanted("a slot, none or journal")
	}
	return Slot(n), nil
}

// BadBlocks is a range of a member that cannot be read or written.
type BadBlocks struct {
	Sector uint64 // first, in sectors of 512 bytes from the start of the device
	Count  uint32 // length in sectors of 512 bytes; 512 at most in one entry
}

// String returns the kernel's form: "2048 8".
func (b BadBlocks) String() string { return fmt.Sprintf("%d %d", b.Sector, b.Count) }

// parseBadBlocks reads lines "sector count" (block/badblocks.c badblocks_show).
func parseBadBlocks(s string) ([]BadBlocks, error) {
	var list []BadBlocks
	for line := range strings.Lines(s) {
		sector, count, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		n, err1 := strconv.ParseUint(sector, 10, 64)
		c, err2 := strconv.ParseUint(count, 10, 32)
		if err1 != nil || err2 != nil {
			return nil, wanted("lines of sector and count")
		}
		list = append(list, BadBlocks{Sector: n, Count: uint32(c)})
	}
	return list, nil
}

// skippable reports whether an attribute has no value: the kernel does not show
// it, or it is empty.
func skippable(err error) bool {
	return errors.Is(err, sysfs.ErrNotSupported) || errors.Is(err, sysfs.ErrEmpty)
}
