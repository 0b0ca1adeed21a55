package block

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/mdkit/mdkit/sysfs"
)

// Device is one block device: a disk, a partition, an array, a mapped device.
// It holds no open file; each method reads anew.
type Device struct {
	fs   sysfs.FS
	name string
	dir  sysfs.Dir
}

// Names returns the kernel's names of all whole devices, sorted; partitions
// are listed by [Device.Partitions].
func Names(fs sysfs.FS) ([]string, error) {
	names, err := sysfs.Dir(fs.Sys("block")).List()
	for i := range names {
		names[i] = fromSysName(names[i])
	}
	return names, err
}

// Open finds the device with the kernel's name, as "sda", "sda1" or
// "cciss/c0d0". It fails with an error that matches fs.ErrNotExist.
func Open(fs sysfs.FS, name string) (*Device, error) {
	link := fs.Sys("class", "block", toSysName(name))
	dir, err := filepath.EvalSymlinks(link)
	if os.IsNotExist(err) {
		// A tree made by hand may have the disk itself in block and no class.
		dir, err = filepath.EvalSymlinks(fs.Sys("block", toSysName(name)))
	}
	if err != nil {
		return nil, &sysfs.Error{Op: "find", Path: link, Meaning: "no block device of that name", Err: rootCause(err)}
	}
	return &Device{fs: fs, name: name, dir: sysfs.Dir(dir)}, nil
}

// OpenNum finds the device with that number. It fails with an error that
// matches fs.ErrNotExist.
func OpenNum(fs sysfs.FS, n Num) (*Device, error) {
	link := fs.Sys("dev", "block", n.String())
	dir, err := filepath.EvalSymlinks(link)
	if err != nil {
		return nil, &sysfs.Error{Op: "find", Path: link, Meaning: "no block device of that number", Err: rootCause(err)}
	}
	return &Device{fs: fs, name: fromSysName(filepath.Base(dir)), dir: sysfs.Dir(dir)}, nil
}

// sysfs has no slash in a name and shows '!' for it (drivers/base/core.c).
func toSysName(name string) string   { return strings.ReplaceAll(name, "/", "!") }
func fromSysName(name string) string { return strings.ReplaceAll(name, "!", "/") }

func rootCause(err error) error {
	if pe, ok := err.(*os.PathError); ok {
		return pe.Err
	}
	return err
}

// Name returns the kernel's name, without /dev/.
func (d *Device) Name() string { return d.name }

// Node returns the path of the device's node as devtmpfs makes it.
func (d *Device) Node() string { return "/dev/" + d.name }

// Dir returns the device's folder of attributes, for those that have no method
// here.
func (d *Device) Dir() sysfs.Dir { return d.dir }

// Num returns the device number.
func (d *Device) Num() (Num, error) {
	s, err := d.dir.Read("dev")
	if err != nil {
		return Num{}, err
	}
	n, err := ParseNum(s)
	if err != nil {
		return Num{}, &sysfs.ParseError{Path: d.dir.Path("dev"), Text: s, Want: "major:minor"}
	}
	return n, nil
}

// Sectors returns the size in sectors of 512 bytes, whatever the device's
// blocks are.
func (d *Device) Sectors() (uint64, error) { return d.dir.ReadUint("size") }

// ReadOnly says whether the device refuses writes.
func (d *Device) ReadOnly() (bool, error) { return d.dir.ReadBool("ro") }

// Removable says whether the medium can be taken out. Partitions do not say
// and give [sysfs.ErrNotSupported].
func (d *Device) Removable() (bool, error) { return d.dir.ReadBool("removable") }

// Holders returns the names of the devices that stand on this one, as arrays
// and mapped devices, sorted. Those on its partitions are not among them.
func (d *Device) Holders() ([]string, error) { return d.names("holders") }

// Slaves returns the names of the devices this one stands on, sorted.
func (d *Device) Slaves() ([]string, error) { return d.names("slaves") }

func (d *Device) names(folder string) ([]string, error) {
	names, err := sysfs.Dir(d.dir.Path(folder)).List()
	for i := range names {
		names[i] = fromSysName(names[i])
	}
	return names, err
}

// Partition returns the number of a partition, and false for a whole device.
func (d *Device) Partition() (int, bool, error) {
	if _, err := os.Stat(d.dir.Path("partition")); err != nil {
		return 0, false, nil // absent, or d is made from the name of a plain file
	}
	n, err := d.dir.ReadUint("partition")
	return int(n), err == nil, err
}

// Start returns where a partition begins on its disk, in sectors of 512 bytes.
// A whole device gives [sysfs.ErrNotSupported].
func (d *Device) Start() (uint64, error) { return d.dir.ReadUint("start") }

// Partitions returns the device's partitions in the order of their numbers.
func (d *Device) Partitions() ([]*Device, error) {
	names, err := d.dir.List()
	if err != nil {
		return nil, err
	}
	type numbered struct {
		n   int
		dev *Device
	}
	var parts []numbered
	for _, name := range names {
		p := &Device{fs: d.fs, name: fromSysName(name), dir: sysfs.Dir(d.dir.Path(name))}
		n, ok, err := p.Partition()
		if err != nil {
			return nil, err
		}
		if ok {
			parts = append(parts, numbered{n, p})
		}
	}
	slices.SortFunc(parts, func(a, b numbered) int { return a.n - b.n })
	devs := make([]*Device, len(parts))
	for i, p := range parts {
		devs[i] = p.dev
	}
	return devs, nil
}

// Disk returns the whole device that a partition lies on; a whole device gives
// itself.
func (d *Device) Disk() (*Device, error) {
	_, part, err := d.Partition()
	if err != nil || !part {
		return d, err
	}
	dir := filepath.Dir(string(d.dir))
	return &Device{fs: d.fs, name: fromSysName(filepath.Base(dir)), dir: sysfs.Dir(dir)}, nil
}

// Uevent returns the variables the kernel announces the device with: MAJOR,
// MINOR, DEVNAME, DEVTYPE, DISKSEQ and more.
func (d *Device) Uevent() (map[string]string, error) {
	s, err := d.dir.Read("uevent")
	if err != nil {
		return nil, err
	}
	vars := make(map[string]string)
	for line := range strings.Lines(s) {
		if key, value, ok := strings.Cut(strings.TrimRight(line, "\n"), "="); ok {
			vars[key] = value
		}
	}
	return vars, nil
}

// Announce has the kernel send udev an event of the device: "change", "remove"
// (uevent; drivers/base/core.c uevent_store).
func (d *Device) Announce(action string) error { return d.dir.Write("uevent", action) }

// DiskSeq returns the number of this disk among all since boot: another disk
// under the same name has another one. Linux 5.15 and later; a partition gives
// that of its disk.
func (d *Device) DiskSeq() (uint64, error) {
	disk, err := d.Disk()
	if err != nil {
		return 0, err
	}
	return disk.dir.ReadUint("diskseq")
}

// MapperName returns the name a device-mapper device was created with, as
// /dev/mapper shows it. Other devices give [sysfs.ErrNotSupported].
func (d *Device) MapperName() (string, error) { return d.dir.Read("dm/name") }

// Queue returns the limits of the device's request queue. A partition has its
// disk's.
func (d *Device) Queue() (Queue, error) {
	disk, err := d.Disk()
	if err != nil {
		return Queue{}, err
	}
	return Queue{dir: sysfs.Dir(disk.dir.Path("queue"))}, nil
}

func itoa(n uint64) string { return strconv.FormatUint(n, 10) }
