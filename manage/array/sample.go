package array

import (
	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
)

// sample is a superblock of a running array, taken from a member in sync, from
// which those of new members are made.
type sample struct {
	member *md.Member
	bitmap *md.Bitmap // nil if the array has no internal bitmap that can be used
}

// readSample reads one from the first member in sync that has it; nil if none
// can be read.
func readSample(l *liveArray) *sample {
	for i := range l.Disks {
		d := &l.Disks[i]
		if d.State&mdctl.DiskSync == 0 {
			continue
		}
		if s := sampleFrom(devNumber(d), l.Version); s != nil {
			return s
		}
	}
	return nil
}

func sampleFrom(name string, v md.Version) *sample {
	d, err := openDevice(name, block.ForReading)
	if err != nil {
		return nil
	}
	defer d.Close()
	member, bad := loadSuper(d, v)
	if bad != nil {
		return nil
	}
	return &sample{member: member, bitmap: usableBitmap(member, d)}
}

// usableBitmap reads the superblock of a member's bitmap, or gives nil if
// there is none or the kernel would not use it for this array.
func usableBitmap(m *md.Member, d block.Device) *md.Bitmap {
	b, err := m.ReadBitmap(d)
	if err != nil || b == nil || b.UUID != m.NativeUUID() {
		return nil
	}
	return b
}

// room is how many sectors a device of the given size could give to the array
// (avail_size in super0.c and super1.c); negative if it does not even hold the
// metadata.
func (s *sample) room(deviceSize int64) int64 {
	sectors := deviceSize / md.SectorSize
	if s.member.Super0 != nil {
		const reserved = minSize0 / md.SectorSize
		return sectors&^(reserved-1) - reserved
	}
	super := s.member.Super1
	if deviceSize < minSize1 {
		return 0
	}
	left := sectors - int64(super.DataOffset)
	if s.member.Version == md.V10 {
		left -= 16 + int64(super.BblogSize)
	}
	return left
}

// maxDevs is how many members the metadata can list.
func (l *liveArray) maxDevs() int {
	if l.Version.Major == 0 {
		return md.Super0Disks
	}
	return md.Super1MaxDevs
}
