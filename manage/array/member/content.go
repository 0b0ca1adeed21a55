package member

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/fresh"
	"github.com/mdkit/mdkit/engine/partition"
	"github.com/mdkit/mdkit/engine/probe"
	"github.com/mdkit/mdkit/manage/array/device"
	"github.com/mdkit/mdkit/manage/array/live"
	"github.com/mdkit/mdkit/manage/note"
)

// ErrOccupied marks a device that is not made a spare because it holds something else.
var ErrOccupied = errors.New("the device holds something else")

// MayAdd asks about all devices that a request would make spares, before anything is
// done. A device that cannot be opened is left for the addition to report. MayAdd fails
// with ErrOccupied.
func (m *Manager) MayAdd() error {
	if len(m.Devices) == 0 || m.Overwrite {
		return nil
	}
	s := live.ReadSample(m.Live)
	for _, dv := range m.Devices {
		d, err := device.Open(dv.Name, block.ForReading)
		if err != nil {
			continue
		}
		err = m.mayOverwrite(&Target{Subdev: dv}, d, s)
		_ = d.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// blocksFit refuses a device with larger logical blocks than the array has. Linux
// 6.1 uses it and enlarges the array's, so that a filesystem made for the smaller
// ones can no longer be mounted; later kernels never make it more than a spare.
func (m *Manager) blocksFit(t *Target, d *device.Device) error {
	array, err := device.Open(m.Array, block.ForReading)
	if err != nil {
		return nil // the kernel has the last word
	}
	defer array.Close()
	has, wants := d.SectorSize(), array.SectorSize()
	if has <= wants {
		return nil
	}
	m.Report.Say(note.Always, "member.blocks-too-large", t.Name, has, m.Array, wants)
	return errDeclined
}

// mayOverwrite asks for confirmation before a device becomes a spare, if it holds
// anything other than what this array has left there. mdadm 4.2 overwrites it without a
// word. s is nil for an array without metadata.
func (m *Manager) mayOverwrite(t *Target, d *device.Device, s *fresh.Sample) error {
	if m.Force || m.Overwrite {
		return nil
	}
	found, err := m.foreign(d, s)
	if err != nil {
		m.Report.Say(note.Always, "member.cannot-open", t.Name, note.Errno{Err: err})
		return &note.Reported{Err: err}
	}
	if len(found) == 0 {
		return nil
	}
	said := map[string]bool{}
	for _, f := range found {
		if !said[f.Type] {
			said[f.Type] = true
			m.Report.Beside("member.appears-contain", t.Name, f)
		}
	}
	if m.Confirm != nil && m.Confirm() {
		return nil
	}
	m.Report.Extra(note.Always, "member.force-adds-it-all-same")
	return &note.Reported{Err: fmt.Errorf("%s: %w", t.Name, ErrOccupied)}
}

// foreign lists what a device holds besides what an earlier membership in this array has
// left.
func (m *Manager) foreign(d *device.Device, s *fresh.Sample) ([]probe.Signature, error) {
	if s != nil && formerMember(d, s.Member.UUID()) {
		return nil, nil
	}
	bitmap, err := bitmapLeft(d, s)
	if err != nil {
		return nil, err
	}
	found, err := probe.Probe(d)
	if err != nil {
		return nil, err
	}
	var foreign []probe.Signature
	for _, f := range found {
		if !m.leftBehind(d, s, f) && !(bitmap && m.madeOnArray(d, f)) {
			foreign = append(foreign, f)
		}
	}
	return foreign, nil
}

// formerMember reports whether the device has a superblock of the array.
func formerMember(d block.Device, uuid md.UUID) bool {
	for _, v := range []md.Version{md.V090, md.V10, md.V11, md.V12} {
		if member, err := md.ReadMember(d, v); err == nil && member.UUID() == uuid && !isShared(d, member) {
			return true
		}
	}
	return false
}

// bitmapLeft reports whether the device has a bitmap of the array where that has its own:
// what is left of a former member whose superblock has been zeroed. A device with
// partitions has none: the bitmap may be that of the last one.
func bitmapLeft(d block.Device, s *fresh.Sample) (bool, error) {
	if s == nil {
		return false, nil
	}
	if list, err := partition.Read(d); err != nil || len(list) > 0 {
		return false, err
	}
	there := *s.Member
	off, ok := there.Version.SuperOffset(d.Size())
	if there.Offset = off; !ok {
		return false, nil
	}
	b, _ := there.ReadBitmap(d) // whatever is wrong with it, it is none of the array's
	return b != nil && b.UUID == there.NativeUUID(), nil
}

// madeOnArray reports whether a filesystem at the start of a former member is one that
// was made on the array, and not on the device later: it is too small for that, as a
// mirror is smaller than its members, or too large.
func (m *Manager) madeOnArray(d block.Device, f probe.Signature) bool {
	array, err := device.Open(m.Array, block.ForReading)
	if err != nil {
		return false
	}
	defer array.Close()
	size := array.Size()
	return f.Span > 0 && f.Span <= size && (size < d.Size() || f.Span > d.Size())
}

// isShared reports whether a superblock is that of a partition of the device as well,
// so that the device itself has none.
func isShared(d block.Device, m *md.Member) bool {
	p, err := m.SharedWith(d)
	return p != nil || err != nil
}

// leftBehind reports whether a signature is part of the array's own contents: if data
// begins at the start of members, a former holder of the array's first chunk still has
// what is there, even if its superblock has been zeroed.
func (m *Manager) leftBehind(d block.Device, s *fresh.Sample, f probe.Signature) bool {
	if s != nil && s.Member.DataOffset() != 0 || strings.HasPrefix(f.Type, "linux_raid_") {
		return false
	}
	array, err := device.Open(m.Array, block.ForReading)
	if err != nil {
		return false
	}
	defer array.Close()
	const page = 4096
	off := f.Off &^ (page - 1)
	here, there := make([]byte, page), make([]byte, page)
	return block.ReadFull(d, here, off) == nil && block.ReadFull(array, there, off) == nil && bytes.Equal(here, there)
}
