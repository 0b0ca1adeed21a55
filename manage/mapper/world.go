package mapper

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	device "github.com/mdkit/mdkit/engine/block"
	table "github.com/mdkit/mdkit/engine/dm"
	"github.com/mdkit/mdkit/engine/dm/ondisk"
	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/sysfs/block"
)

// World returns what checking a table needs to know about this machine: its devices, and
// the kernel's targets.
func (m *Mapper) World() table.World { return world{m} }

type world struct{ m *Mapper }

// errNotBlock says why a path that exists cannot be used.
var errNotBlock = errors.New("not a block device")

// Device looks up the device that a table names by number or by path.
func (w world) Device(ref string) (table.DeviceInfo, error) {
	num, err := number(ref)
	if err != nil {
		return table.DeviceInfo{}, err
	}
	dev, err := block.OpenNum(w.m.FS, num)
	if err != nil {
		return table.DeviceInfo{}, fmt.Errorf("%s: no such device: %w", ref, err)
	}
	info := table.DeviceInfo{Major: num.Major, Minor: num.Minor}
	size, err := dev.Sectors()
	if err != nil {
		return table.DeviceInfo{}, err
	}
	ro, err := dev.ReadOnly()
	if err != nil {
		return table.DeviceInfo{}, err
	}
	queue, err := dev.Queue()
	if err != nil {
		return table.DeviceInfo{}, err
	}
	lbs, err := queue.LogicalBlockSize()
	if err != nil {
		return table.DeviceInfo{}, err
	}
	info.Size, info.ReadOnly, info.LogicalBlockSize = size, ro, uint32(lbs)
	w.zones(queue, &info)
	w.integrity(dev, &info)
	info.Mapped = w.mapped(dev, num)
	return info, nil
}

// zones fills in the zones: chunk_sectors has their size on a zoned device alone
// (bdev_zone_sectors).
func (w world) zones(queue block.Queue, info *table.DeviceInfo) {
	if model, err := queue.Zoned(); err != nil || model == "none" {
		return
	}
	if n, err := queue.Dir().ReadUint("chunk_sectors"); err == nil {
		info.ZoneSectors = uint32(n)
	}
}

// integrity fills in what integrity data of others the device carries. It is the disk's, of
// a partition too (blk_get_integrity). A profile with a checksum of its own does not count;
// dm-integrity's was called DM-DIF-EXT-TAG before 6.11.
func (w world) integrity(dev *block.Device, info *table.DeviceInfo) {
	disk, err := dev.Disk()
	if err != nil {
		return
	}
	format, err := disk.Dir().Read("integrity/format")
	if err != nil || format != "nop" && format != "DM-DIF-EXT-TAG" {
		return
	}
	tag, err := disk.Dir().ReadUint("integrity/tag_size")
	interval, err2 := disk.Dir().ReadUint("integrity/protection_interval_bytes")
	if err == nil && err2 == nil {
		info.IntegrityTag, info.IntegrityInterval = uint32(tag), uint32(interval)
	}
}

// mapped returns the target type of a mapped device: of its live table, or of the one that
// is loaded, since a pool is there as soon as that is (pool_create).
func (w world) mapped(dev *block.Device, num block.Num) string {
	if _, err := dev.MapperName(); err != nil {
		return "-"
	}
	if w.m.Control == nil {
		return ""
	}
	for _, inactive := range []bool{false, true} {
		_, targets, err := w.m.Control.TableStatus(dm.ByNumber(num.Major, num.Minor), dm.TableStatusOptions{Kind: dm.KindTable, NoFlush: true, Inactive: inactive})
		if err == nil && len(targets) > 0 {
			return targets[0].Type
		}
	}
	return ""
}

func number(ref string) (block.Num, error) {
	if major, minor, ok := table.Ref(ref).Number(); ok {
		return block.Num{Major: major, Minor: minor}, nil
	}
	var st unix.Stat_t
	if err := unix.Stat(ref, &st); err != nil {
		return block.Num{}, &os.PathError{Op: "stat", Path: ref, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFBLK {
		return block.Num{}, fmt.Errorf("%s: %w", ref, errNotBlock)
	}
	return block.Num{Major: unix.Major(st.Rdev), Minor: unix.Minor(st.Rdev)}, nil
}

// Target looks a target type up among those that are loaded: asking for one by its name
// would make the kernel load its module (dm_get_target_type).
func (w world) Target(typ string) (version [3]uint32, has table.Knowledge) {
	if w.m.Control == nil {
		return version, table.Unknown
	}
	list, err := w.m.Control.TargetVersions()
	if err != nil {
		return version, table.Unknown
	}
	for _, v := range list {
		if v.Name == typ {
			return v.Version, table.Has
		}
	}
	return version, table.Unknown
}

// Read reads from a device that a table names, past the cache, since the kernel writes past
// it. What is mapped is not read: it may be about to change, and the kernel goes by what it
// knows of it; nor is what would wait for a suspended device.
func (w world) Read(ref string, b []byte, at int64) error {
	num, err := number(ref)
	if err != nil {
		return err
	}
	dev, err := block.OpenNum(w.m.FS, num)
	if err != nil {
		return err
	}
	if held, err := dev.Holders(); err != nil || len(held) > 0 {
		return fmt.Errorf("it is in use by %s: %w", strings.Join(held, ", "), errors.Join(unix.EBUSY, err))
	}
	if name := w.suspended(dev); name != "" {
		return fmt.Errorf("%s is suspended: %w", name, unix.EBUSY)
	}
	f, err := device.OpenFile(dev.Node(), device.Direct)
	if err != nil {
		return err
	}
	_, err = f.ReadAt(b, at)
	return errors.Join(err, f.Close())
}

// suspended returns the name of the device, or of one below, that is suspended.
func (w world) suspended(dev *block.Device) string {
	if on, err := dev.Dir().ReadBool("dm/suspended"); err == nil && on {
		return dev.Name()
	}
	below, err := dev.Slaves()
	if err != nil {
		return "" // a partition has none
	}
	for _, name := range below {
		if under, err := block.Open(w.m.FS, name); err == nil {
			if found := w.suspended(under); found != "" {
				return found
			}
		}
	}
	return ""
}

// Check checks a table before the kernel does: the error gives the kernel's own reasons,
// each with its line. Targets that mdkit has no grammar for are left to the kernel.
func (m *Mapper) Check(t table.Table, readOnly bool) error {
	_, err := m.Examine(t, readOnly)
	return err
}

// Examine is Check, and says what it could not check. It works without a control device
// too, which tells less. What is on the devices is read once the table itself is right.
func (m *Mapper) Examine(t table.Table, readOnly bool) ([]table.Note, error) {
	notes, err := table.Examine(t, m.World(), readOnly)
	if err != nil {
		return notes, err
	}
	return ondisk.Examine(t, world{m}, notes)
}
