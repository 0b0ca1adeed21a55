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
// It holds no open file; each method reads the attribute again.
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

// Open finds the device with the kernel's name, such as "sda", "sda1" or
// "cciss/c0d0". If there is none, the error matches fs.ErrNotExist.
func Open(fs sysfs.FS, name string) (*Device, error) {
	link := fs.Sys("class", "block", toSysName(name))
	dir, err := filepath.EvalSymlinks(link)
	if os.IsNotExist(err) {
		// A hand-made tree may have the disk itself in block and no class
		// folder.
		dir, err = filepath.EvalSymlinks(fs.Sys("block", toSysName(name)))
	}
	if err != nil {
		return nil, &sysfs.Error{Op: "find", Path: link, Meaning: "no block device of that name", Err: rootCause(err)}
	}
	return &Device{fs: fs, name: name, dir: sysfs.Dir(dir)}, nil
}

// OpenNum finds the device with that number. If there is none, the error
// matches fs.ErrNotExist.
func OpenNum(fs sysfs.FS, n Num) (*Device, error) {
	link := fs.Sys("dev", "block", n.String())
	dir, err := filepath.EvalSymlinks(link)
	if err != nil {
		return nil, &sysfs.Error{Op: "find", Path: link, Meaning: "no block device of that number", Err: rootCause(err)}
	}
	return &Device{fs: fs, name: fromSysName(filepath.Base(dir)), dir: sysfs.Dir(dir)}, nil
}

// A slash in a name is shown by sysfs as '!' (drivers/base/core.c).
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

// Node returns the path of the device's node as devtmpfs creates it.
func (d *Device) Node() string { return "/dev/" + d.name }

// Dir returns the device's folder of attributes, for those without a method
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

// Sectors returns the size in sectors of 512 bytes, whatever the device's block
// size is.
func (d *Device) Sectors() (uint64, error) { return d.dir.ReadUint("size") }

// ReadOnly reports whether the device refuses writes.
func (d *Device) ReadOnly() (bool, error) { return d.dir.ReadBool("ro") }

// Removable reports whether the medium can be taken out. Partitions do not say,
// and give [sysfs.ErrNotSupported].
func (d *Device) Removable() (bool, error) { return d.dir.ReadBool("removable") }

// Holders returns the names of the devices stacked on this one, such as arrays
// and mapped devices, sorted. It does not include those on its partitions.
func (d *Device) Holders() ([]string, error) { return d.names("holders") }

// Slaves returns the names of the devices this one is stacked on, sorted.
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
		return 0, false, nil // absent, or d was made from the name of a plain file
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

// Disk returns the whole device that a partition belongs to; for a whole device
// it returns the device itself.
func (d *Device) Disk() (*Device, error) {
	_, part, err := d.Partition()
	if err != nil || !part {
		return d, err
	}
	dir := filepath.Dir(string(d.dir))
	return &Device{fs: d.fs, name: fromSysName(filepath.Base(dir)), dir: sysfs.Dir(dir)}, nil
}

// Uevent returns the variables with which the kernel announces the device:
// MAJOR, MINOR, DEVNAME, DEVTYPE, DISKSEQ and more.
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

// Announce makes the kernel send udev an event about the device: "change",
// "remove" (uevent; drivers/base/core.c uevent_store).
func (d *Device) Announce(action string) error { return d.dir.Write("uevent", action) }

// DiskSeq returns the sequence number of this disk since boot: another disk
// under the same name has another number. It exists in Linux 5.15 and later; a
// partition returns that of its disk.
func (d *Device) DiskSeq() (uint64, error) {
	disk, err := d.Disk()
	if err != nil {
		return 0, err
	}
	return disk.dir.ReadUint("diskseq")
}

// MapperName returns the name with which a device-mapper device was created, as
// /dev/mapper shows it. Other devices give [sysfs.ErrNotSupported].
func (d *Device) MapperName() (string, error) { return d.dir.Read("dm/name") }

// Queue returns the limits of the device's request queue. A partition has those
// of its disk.
func (d *Device) Queue() (Queue, error) {
	disk, err := d.Disk()
	if err != nil {
		return Queue{}, err
	}
	return Queue{dir: sysfs.Dir(disk.dir.Path("queue"))}, nil
}

func itoa(n uint64) string { return strconv.FormatUint(n, 10) }
