// Package blocktree shows how block devices stand on each other, where they are
// mounted and what kind they are: what lsblk(8) shows, read from sysfs and
// /proc.
package blocktree

import (
	"errors"
	iofs "io/fs"
	"path"
	"slices"
	"strings"

	"github.com/mdkit/mdkit/sysfs"
	"github.com/mdkit/mdkit/sysfs/block"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// Device is a block device and its place among the others.
type Device struct {
	Kernel string   // its name in the kernel, such as "dm-0"
	Name   string   // the name people know it by: that of a mapped device is in /dev/mapper
	Type   string   // lsblk's word: disk, part, loop, rom, raid1, lvm, crypt, dm, ...
	Mounts []string // where it is mounted, "[SWAP]" if it is swap
	Num    block.Num

	Above []*Device // partitions and devices that stand on it, by kernel name
	Below []*Device // the disk of a partition, and what the device stands on
}

// Mount is the mount point that lsblk shows: the last one; empty if there is
// none.
func (d *Device) Mount() string {
	if len(d.Mounts) == 0 {
		return ""
	}
	return d.Mounts[len(d.Mounts)-1]
}

// Partition says whether it is one.
func (d *Device) Partition() bool { return d.Type == "part" && !strings.HasPrefix(d.Kernel, "dm-") }

// Tree is all block devices of a system, in the order of their kernel names
// with numbers in them compared as numbers.
type Tree struct {
	Devices []*Device
}

// Read looks at sysfs and /proc. RAM disks and devices of no size are left out,
// as lsblk leaves them.
func Read(fs sysfs.FS) (*Tree, error) {
	names, err := block.Names(fs)
	if err != nil {
		return nil, err
	}
	r := &reader{fs: fs, byName: map[string]*Device{}, slaves: map[string][]string{}}
	for _, name := range names {
		if err := r.disk(name); err != nil && !errors.Is(err, iofs.ErrNotExist) {
			return nil, err
		}
	}
	if err := r.mounts(); err != nil {
		return nil, err
	}
	t := &Tree{}
	for _, d := range r.byName {
		for _, below := range r.slaves[d.Kernel] {
			if b := r.byName[below]; b != nil {
				d.Below = append(d.Below, b)
				b.Above = append(b.Above, d)
			}
		}
		t.Devices = append(t.Devices, d)
	}
	slices.SortFunc(t.Devices, compare)
	for _, d := range t.Devices {
		slices.SortFunc(d.Above, compare)
		slices.SortFunc(d.Below, compare)
	}
	return t, nil
}

// reader is a tree under way.
type reader struct {
	fs     sysfs.FS
	byName map[string]*Device
	slaves map[string][]string
}

// ramMajor is the major number of RAM disks, Documentation/admin-guide/devices.txt.
const ramMajor = 1

func (r *reader) disk(name string) error {
	b, err := block.Open(r.fs, name)
	if err != nil {
		return err
	}
	d, err := r.device(b)
	if err != nil || d == nil {
		return err
	}
	d.Type = r.kind(b, d)
	if d.Name, err = b.MapperName(); err != nil {
		d.Name = d.Kernel
	}
	parts, err := b.Partitions()
	if err != nil {
		return err
	}
	for _, p := range parts {
		part, err := r.device(p)
		if err != nil || part == nil {
			continue // it has gone meanwhile
		}
		part.Type, part.Name = "part", part.Kernel
		r.slaves[part.Kernel] = []string{d.Kernel}
	}
	return nil
}

// device takes in a disk or a partition; nil if it does not count.
func (r *reader) device(b *block.Device) (*Device, error) {
	num, err := b.Num()
	if err != nil {
		return nil, err
	}
	sectors, err := b.Sectors()
	if err != nil || sectors == 0 || num.Major == ramMajor {
		return nil, err
	}
	slaves, err := b.Slaves()
	if err != nil && !errors.Is(err, iofs.ErrNotExist) {
		return nil, err
	}
	d := &Device{Kernel: b.Name(), Num: num}
	r.byName[d.Kernel] = d
	r.slaves[d.Kernel] = slaves
	return d, nil
}

// kind is lsblk's word for a disk.
func (r *reader) kind(b *block.Device, d *Device) string {
	dir := b.Dir()
	switch {
	case strings.HasPrefix(d.Kernel, "dm-"):
		uuid, _ := dir.Read("dm/uuid")
		prefix, _, ok := strings.Cut(uuid, "-")
		switch {
		case !ok || prefix == "":
			return "dm"
		case strings.HasPrefix(strings.ToLower(prefix), "part"):
			return "part"
		}
		return strings.ToLower(prefix)
	case strings.HasPrefix(d.Kernel, "md"):
		if level, err := sysmd.At(r.fs, d.Kernel).Level(); err == nil && level != "" {
			return strings.ToLower(string(level))
		}
		return "md"
	case strings.HasPrefix(d.Kernel, "loop"):
		return "loop"
	}
	if kind, err := dir.Read("device/type"); err == nil && kind == "5" {
		return "rom"
	}
	return "disk"
}

// mounts finds out where devices are mounted.
func (r *reader) mounts() error {
	text, err := sysfs.ReadProc(r.fs.Proc("self", "mountinfo"))
	if err != nil && !errors.Is(err, iofs.ErrNotExist) {
		return err
	}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 5 {
			continue
		}
		for _, d := range r.byName {
			if d.Num.String() == f[2] {
				d.Mounts = append(d.Mounts, sysfs.Unescape(f[4]))
			}
		}
	}
	text, err = sysfs.ReadProc(r.fs.Proc("swaps"))
	if err != nil && !errors.Is(err, iofs.ErrNotExist) {
		return err
	}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 2 || f[1] != "partition" {
			continue
		}
		if d := r.byName[path.Base(f[0])]; d != nil {
			d.Mounts = append(d.Mounts, "[SWAP]")
		}
	}
	return nil
}

// compare orders kernel names: letters as text, numbers as numbers.
func compare(a, b *Device) int {
	x, y := a.Kernel, b.Kernel
	for x != "" && y != "" {
		n, m := digits(x), digits(y)
		if n > 0 && m > 0 {
			p, q := strings.TrimLeft(x[:n], "0"), strings.TrimLeft(y[:m], "0")
			if len(p) != len(q) {
				return len(p) - len(q)
			}
			if c := strings.Compare(p, q); c != 0 {
				return c
			}
			x, y = x[n:], y[m:]
			continue
		}
		if x[0] != y[0] {
			return int(x[0]) - int(y[0])
		}
		x, y = x[1:], y[1:]
	}
	return len(x) - len(y)
}

func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

// Find finds a device by its kernel name.
func (t *Tree) Find(kernel string) *Device {
	for _, d := range t.Devices {
		if d.Kernel == kernel {
			return d
		}
	}
	return nil
}

// FindNumber finds a device by its number.
func (t *Tree) FindNumber(n block.Num) *Device {
	for _, d := range t.Devices {
		if d.Num == n {
			return d
		}
	}
	return nil
}

// Upward lists a device and, depth first, all that stands on it, each once.
func (d *Device) Upward() []*Device {
	return walk(d, map[*Device]bool{}, func(d *Device) []*Device { return d.Above })
}

// Downward lists all devices from those that nothing stands on down to the
// disks, each once.
func (t *Tree) Downward() []*Device {
	var list []*Device
	seen := map[*Device]bool{}
	for _, d := range t.Devices {
		if len(d.Above) == 0 {
			list = append(list, walk(d, seen, func(d *Device) []*Device { return d.Below })...)
		}
	}
	return list
}

func walk(d *Device, seen map[*Device]bool, next func(*Device) []*Device) []*Device {
	if seen[d] {
		return nil
	}
	seen[d] = true
	list := []*Device{d}
	for _, n := range next(d) {
		list = append(list, walk(n, seen, next)...)
	}
	return list
}
