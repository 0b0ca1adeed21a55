package create

import (
	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/manage/array/device"
	"github.com/mdkit/mdkit/manage/note"
)

// blocks is the device with the largest logical blocks. The kernel gives an array the
// largest of its members (disk_stack_limits), and every place on that member has to be
// a multiple of them: it fails what reads or writes a part of a block.
type blocks struct {
	path string
	size uint64 // bytes
}

// kib is the size of a block in KiB, at least 1.
func (b blocks) kib() uint64 { return max(b.size>>10, 1) }

func (c *creator) noteBlocks(path string, f *device.Device) {
	if size := uint64(f.SectorSize()); size > c.blocks.size {
		c.blocks = blocks{path, size}
	}
}

// fitBlocks refuses an array of which a part would lie across blocks. mdadm makes it,
// and the kernel then fails the member at the first access there.
func (c *creator) fitBlocks() error {
	b := c.blocks
	rounded := c.Level != md.LevelLinear || c.chunk > 0 && uint64(c.chunk)%b.kib() == 0
	if c.size%b.kib() != 0 {
		c.Report.Say(note.Always, "create.size-in-blocks", c.size, b.path, b.size, c.size-c.size%b.kib())
		return &note.Reported{Err: ErrRefused}
	}
	for i, d := range c.devices {
		if d.missing() {
			continue
		}
		if d.start*md.SectorSize%max(b.size, 1) != 0 {
			c.Report.Say(note.Always, "create.offset-in-blocks", d.start, d.Path, b.path, b.size)
			return &note.Reported{Err: ErrRefused}
		}
		// The next device of a linear array begins where this one ends.
		if !rounded && i+1 < len(c.devices) && d.free*md.SectorSize%b.size != 0 {
			c.Report.Say(note.Always, "create.linear-in-blocks", d.Path, b.size, b.path, b.kib())
			return &note.Reported{Err: ErrRefused}
		}
	}
	return nil
}

// fitBlocks refuses an array without metadata of which a part would lie across blocks.
// The kernel makes do with whole chunks, but takes all of a device where there are none
// (raid1_size), and puts the devices of a linear array end to end (linear_conf).
func (b *Building) fitBlocks(members []CreateMember) error {
	var largest blocks
	least := b.size
	for _, m := range members {
		f, err := device.Open(m.Path, block.ForReading)
		if err != nil {
			continue // it is missing, or will be named when it is to be added
		}
		if size := uint64(f.SectorSize()); size > largest.size {
			largest = blocks{m.Path, size}
		}
		if kib := uint64(f.Size()) >> 10; least == 0 || kib < least {
			least = kib
		}
		_ = f.Close()
	}
	kib := largest.kib()
	switch {
	case b.level == md.LevelLinear && uint64(b.chunk)%kib != 0:
		b.report.Say(note.Always, "create.rounding-in-blocks", b.chunk, largest.path, largest.size, kib)
	case b.level == md.LevelRAID1 && least%kib != 0:
		b.report.Say(note.Always, "create.size-in-blocks", least, largest.path, largest.size, least-least%kib)
	default:
		return nil
	}
	return &note.Reported{Err: ErrRefused}
}
