package create

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/fresh"
	"github.com/mdkit/mdkit/manage/array/device"
	"github.com/mdkit/mdkit/manage/note"
	sysblock "github.com/mdkit/mdkit/sysfs/block"
)

// examineAll examines all devices, one by one.
func (c *creator) examineAll() error {
	for number, m := range c.Members {
		if m.missing() {
			switch {
			case c.firstMissing > number:
				c.firstMissing = number
			case c.secondMissing > number:
				c.secondMissing = number
			}
			c.missingDisks++
			c.devices = append(c.devices, createDevice{CreateMember: m})
			continue
		}
		d, err := c.examine(number, m)
		if err != nil {
			return err
		}
		c.devices = append(c.devices, d)
	}
	return nil
}

// examine examines one device: whether it is available, how much of it can be used, and
// what is on it. Problems are reported and recorded in c.failed; it returns an error
// only if there is no point in going on.
func (c *creator) examine(number int, m CreateMember) (createDevice, error) {
	d := createDevice{CreateMember: m}
	f, err := device.Open(m.Path, block.ForReading)
	switch {
	case errors.Is(err, block.ErrNotDevice), err == nil && !f.IsBlockDevice():
		if err == nil {
			err = f.Close()
		}
		err = errors.Join(fmt.Errorf("%w: %s is not a block device", ErrDevice, m.Path), err)
		return d, c.Report.Fail(err, "create.not-block-device", m.Path)
	case err != nil:
		return d, c.Report.Fail(fmt.Errorf("%w: %w", ErrDevice, err), "create.cannot-open-2", m.Path, note.Errno{Err: err})
	}
	defer f.Close()
	d.bytes, d.major, d.minor = uint64(f.Size()), f.Major, f.Minor
	c.noteBlocks(m.Path, f)
	c.working++
	if number < c.RaidDisks && !m.Journal {
		c.active++
	}
	free, ok, err := c.fit(&d, f)
	if err != nil {
		return d, err
	}
	if !ok {
		c.failed = true
		return d, nil
	}
	if !m.Journal {
		if ok, err := c.measure(m.Path, free/2); !ok || err != nil {
			return d, err
		}
	}
	if err := c.inspect(&d, f, free); err != nil {
		c.Report.Say(note.Always, "create.cannot-open", m.Path, note.Errno{Err: err})
		c.failed = true
	}
	return d, nil
}

// fit asks the format how much of the device can be used, in sectors. If no format has
// been chosen yet, the first device decides.
func (c *creator) fit(d *createDevice, f *device.Device) (free uint64, ok bool, err error) {
	if c.versioned {
		free, ok = c.validate(d, f, note.Normal)
		if !ok {
			c.Report.Say(note.Always, "create.not-suitable-for-this-array", d.Path)
		}
		return free, ok, nil
	}
	c.version = md.V12
	if !c.ownLayout {
		c.defaultLayout(note.Chatty)
	}
	free, ok = c.validate(d, f, note.Chatty)
	if ok {
		c.versioned, c.defaulted = true, true
		return free, true, nil
	}
	if err := claim(d.Path); err != nil {
		c.Report.Say(note.Always, "create.cannot-open-2", d.Path, note.Errno{Err: err})
		c.Report.Holders(note.Always, d.Path, err)
		return 0, false, &note.Reported{Err: fmt.Errorf("%w: %w", ErrDevice, err)}
	}
	err = fmt.Errorf("%w: %s is not suitable for any style of array", ErrDevice, d.Path)
	return 0, false, c.Report.Fail(err, "create.device-not-suitable-for-any-style-array", d.Path)
}

// claim returns nil if the device is not in use.
func claim(path string) error {
	f, err := device.Open(path, block.ForReading|block.Exclusive)
	if err != nil {
		return err
	}
	return f.Close()
}

// validate does for one device what validate_geometry of super0.c and super1.c does.
func (c *creator) validate(d *createDevice, f *device.Device, l note.Loudness) (free uint64, ok bool) {
	if !c.allowed(l) {
		return 0, false
	}
	style := "super1.x"
	if c.version == md.V090 {
		style = "super0.90"
	}
	if err := claim(d.Path); err != nil {
		c.Report.Say(l, "create.cannot-open-3", style, d.Path, note.Errno{Err: err})
		c.Report.Holders(l, d.Path, err)
		return 0, false
	}
	sectors := uint64(f.Size()) / md.SectorSize
	offset := c.offsetOf(d, sectors)
	if c.dataOffset == fresh.DefaultDataOffset {
		c.dataOffset = offset
	}
	free, err := fresh.UsableSectors(c.version, sectors, offset, c.PPL)
	d.start, d.free = offset, free
	if err != nil {
		if c.version != md.V090 {
			c.Report.Bare("create.device-too-small-k-for-required-metadata", d.Path, sectors/2)
		}
		return 0, false
	}
	return free, true
}

// offsetOf returns where data starts on the device, in sectors: as given for the device,
// or the same as on the first device.
func (c *creator) offsetOf(d *createDevice, sectors uint64) uint64 {
	switch {
	case d.DataOffset != nil:
		return *d.DataOffset
	case c.DataOffset != nil:
		return *c.DataOffset
	case c.dataOffset != fresh.DefaultDataOffset:
		return c.dataOffset
	}
	return fresh.DataOffsetFor(c.version, sectors, uint32(max(c.chunk, 0)*2), c.PPL)
}

// measure checks the usable size of a device, in KiB, and includes it in the minimum and
// maximum.
func (c *creator) measure(path string, free uint64) (bool, error) {
	if c.chunk > 0 {
		free &^= uint64(c.chunk) - 1
		if !c.settleChunk() {
			return false, &note.Reported{Err: ErrRefused}
		}
	}
	switch {
	case free == 0:
		c.Report.Say(note.Always, "create.no-free-space-left", path)
		c.failed = true
		return false, nil
	case c.size != 0 && free < c.size:
		c.Report.Say(note.Always, "create.smaller-than-given-size-k-k-metadata", path, free, c.size)
		c.failed = true
		return false, nil
	}
	if c.maxName == "" || free > c.max {
		c.maxName, c.max = path, free
	}
	if c.minName == "" || free < c.min {
		c.minName, c.min = path, free
	}
	return true, nil
}

// inspect finds out what is on the device: md superblocks are to be wiped, and
// everything that looks valuable has to be confirmed. free is in sectors.
func (c *creator) inspect(d *createDevice, f *device.Device, free uint64) error {
	d.stale = staleSupers(f)
	if n, err := sysblock.OpenNum(c.FS, sysblock.Num{Major: d.major, Minor: d.minor}); err == nil {
		if parts, err := n.Partitions(); err == nil {
			for _, p := range parts {
				if number, ok, err := p.Partition(); ok && err == nil {
					d.partitions = append(d.partitions, number)
				}
			}
		}
	}
	if err := c.inspectContents(d.Path, f); err != nil {
		return err
	}
	switch {
	case c.version == md.V11 || c.version == md.V12:
		c.inspectPartitions(d.Path, f, 0, 0)
	case c.Level == md.LevelRAID1 || c.Level == md.LevelRAID0 && c.RaidDisks == 1:
		c.inspectPartitions(d.Path, f, c.wholeChunks(free), c.size*2)
	default:
		c.inspectPartitions(d.Path, f, 0, 0)
	}
	if c.defaulted && c.Level == md.LevelRAID1 && !c.bootNote {
		c.bootNote = true
		c.odd("create.note-this-array-has-metadata-at-start")
	}
	return nil
}

// staleSupers returns the zeroes that make the md superblocks of a device
// unrecognizable: as many as mdadm writes when it overwrites them (Kill.c).
func staleSupers(f *device.Device) []fresh.Extent {
	var list []fresh.Extent
	for _, v := range []md.Version{md.V090, md.V10, md.V11, md.V12} {
		m, err := md.ReadMember(f, v)
		if err != nil || !md.NativeOrder(m) {
			continue
		}
		size := md.SectorSize
		if v == md.V090 {
			size = md.Super0Size
		}
		list = append(list, fresh.Extent{What: "wipe superblock " + v.String(), Off: m.Offset, Data: make([]byte, size)})
	}
	return list
}

// sameDevice fails if a device is listed twice.
func (c *creator) sameDevice() error {
	seen := map[uint64]string{}
	for _, d := range c.devices {
		if d.missing() {
			continue
		}
		n := unix.Mkdev(d.major, d.minor)
		if first, ok := seen[n]; ok {
			c.Report.Say(note.Always, "create.failed-open-after-earlier-success-aborting", d.Path)
			c.Report.Extra(note.Always, "create.and-are-same-device", first, d.Path)
			return &note.Reported{Err: fmt.Errorf("%w: %s and %s are the same device", ErrRefused, first, d.Path)}
		}
		seen[n] = d.Path
	}
	return nil
}
