package report

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	blockctl "github.com/mdkit/mdkit/ioctl/block"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/array/node"
	"github.com/mdkit/mdkit/sysfs"
	sysblock "github.com/mdkit/mdkit/sysfs/block"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// Reasons why there is no Detail of a device.
var (
	// ErrNotMD marks a file or device that is not an md device.
	ErrNotMD = errors.New("not an md device")
	// ErrNoArray marks an md device without an array.
	ErrNoArray = errors.New("no array on this md device")
)

// Detail is everything there is to report about an array: what the md driver returns,
// what sysfs and /proc/mdstat show, and the superblock of one member.
type Detail struct {
	Path   string       // as the caller named it
	Name   string       // the kernel's name
	Number sysblock.Num // of the md device
	Size   int64        // bytes; 0 if the array is not running

	// Info is what the driver returns. If it returns nothing because the array is only
	// partly set up, HasInfo is false and Info is derived from sysfs.
	Info    mdctl.ArrayInfo
	HasInfo bool

	Metadata      sysmd.Metadata
	State         string // array_state; a newer kernel may show words that mdkit does not know
	Policy        string // consistency_policy, "" if the kernel has no such attribute
	ComponentSize int64  // bytes used on each member, 0 if sysfs does not say

	Members    []Bound           // as sysfs lists them, in the order of sysfs
	Disks      []Disk            // as the driver returns them, by number; empty without HasInfo
	DiskErrors map[int]error     // slots for which the driver returned an error
	BitmapFile string            // path of a bitmap file, which old kernels support
	Sync       *sysmd.MdstatSync // the action that is in progress or waits, nil for none
	Super      *Examined         // of the first member that matches the array, nil if none does
	Entry      *node.MapEntry    // from the map of arrays, nil if the array is not in it
}

// Disk is a device of an array, as the driver describes it.
type Disk struct {
	mdctl.DiskInfo
	Alive bool // the kernel still has this device
}

// Bound is a device bound to an array, as sysfs shows it.
type Bound struct {
	Name   string // of the folder, such as "dev-sda1"
	Number sysblock.Num
	Slot   int      // -1 for none, and for the journal
	State  []string // the flags in its state attribute
}

// Is reports whether the kernel shows the flag, such as "faulty".
func (b *Bound) Is(flag string) bool { return slices.Contains(b.State, flag) }

// Inactive reports whether the array is not running.
func (d *Detail) Inactive() bool {
	switch sysmd.State(d.State) {
	case sysmd.Suspended, sysmd.ReadOnly, sysmd.ReadAuto, sysmd.Clean, sysmd.Active,
		sysmd.WritePending, sysmd.ActiveIdle, sysmd.Broken:
		return false
	}
	return true
}

// Container reports whether this is not an array by itself but a set of devices with
// external metadata, in which arrays are made.
func (d *Detail) Container() bool {
	return d.Info.RaidDisks == 0 && d.Metadata.Kind == sysmd.MetadataExternal
}

// Reports gathers reports about arrays. The zero value is not usable; use NewReports.
type Reports struct {
	FS    sysfs.FS
	Map   node.Map
	Nodes node.Nodes
}

// NewReports returns the reports of the running system.
func NewReports() *Reports { return &Reports{FS: sysfs.Host} }

// Detail gathers what is known about the array at path. It fails with ErrNotMD, with
// ErrNoArray, with the error of opening path, or with the driver's error.
func (r *Reports) Detail(path string) (*Detail, error) {
	dev, err := mdctl.Open(path, os.O_RDONLY)
	if errors.Is(err, mdctl.ErrNotArray) {
		return nil, fmt.Errorf("%s: %w", path, ErrNotMD)
	}
	if err != nil {
		return nil, err
	}
	defer dev.Close()
	d := &Detail{Path: path}
	sys, err := d.find(r.FS, dev)
	if err != nil {
		return nil, err
	}
	if err := d.readSysfs(sys); err != nil {
		return nil, err
	}
	if d.Size, err = blockctl.Size(dev.File()); err != nil {
		d.Size = 0
	}
	if err := d.askDriver(r.FS, dev); err != nil {
		return nil, err
	}
	d.findSuper(&r.Nodes)
	stat, err := sysmd.ReadMdstat(r.FS)
	if err == nil {
		if a := stat.Array(d.Name); a != nil {
			d.Sync = a.Sync
		}
		d.Entry = d.entry(r.Map, &stat)
	}
	return d, nil
}

// find finds out the kernel's name of the device, or of the array of which it is a
// partition.
func (d *Detail) find(root sysfs.FS, dev *mdctl.Device) (*sysmd.Array, error) {
	major, minor, err := blockctl.Number(dev.File())
	if err != nil {
		return nil, err
	}
	d.Number = sysblock.Num{Major: major, Minor: minor}
	disk, err := sysblock.OpenNum(root, d.Number)
	if err == nil {
		disk, err = disk.Disk()
	}
	if err == nil {
		d.Name = disk.Name()
		var a *sysmd.Array
		if a, err = sysmd.Open(root, d.Name); err == nil {
			return a, nil
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", d.Path, ErrNotMD)
	}
	return nil, err
}

func (d *Detail) readSysfs(a *sysmd.Array) error {
	var err error
	if d.Metadata, err = a.Metadata(); err != nil {
		return err
	}
	if d.State, err = shown(a.State()); err != nil {
		return err
	}
	d.Policy, _ = shown(a.ConsistencyPolicy())
	if kib, err := a.ComponentSize(); err == nil {
		d.ComponentSize = int64(kib) << 10
	}
	d.Members, err = boundTo(a)
	return err
}

// boundTo lists the members of an array in the order of its folder, which is the order
// in which mdadm reports them. Members that are about to go are left out.
func boundTo(a *sysmd.Array) ([]Bound, error) {
	members, err := a.MembersUnsorted()
	if err != nil {
		return nil, err
	}
	var list []Bound
	for _, m := range members {
		b := Bound{Name: filepath.Base(string(m.Dir()))}
		if b.read(m) {
			list = append(list, b)
		}
	}
	return list, nil
}

// shown returns the word that an attribute shows, even one of a newer kernel that
// sysfs/md does not know.
func shown[T any](v T, err error) (string, error) {
	var unknown *sysfs.ParseError
	if errors.As(err, &unknown) {
		return unknown.Text, nil
	}
	if err != nil {
		return "", err
	}
	return fmt.Sprint(v), nil
}

// read reads the member, and returns false if its device is gone.
func (b *Bound) read(m *sysmd.Member) bool {
	var err error
	if b.Number, err = m.Number(); err != nil || m.Offline() {
		return false
	}
	b.Slot = -1
	if n, err := m.Slot(); err == nil && n >= 0 {
		b.Slot = int(n)
	} else if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	text, err := shown(m.State())
	if text != "" {
		b.State = strings.Split(text, ",")
	}
	return err == nil
}

// askDriver reads the array and its members by ioctl. If the array is only partly set
// up, the information is derived from sysfs.
func (d *Detail) askDriver(root sysfs.FS, dev *mdctl.Device) error {
	info, err := dev.ArrayInfo()
	switch {
	case errors.Is(err, mdctl.ErrNoArray):
		if d.Metadata.Kind == sysmd.MetadataNone && len(d.Members) == 0 {
			return fmt.Errorf("%s: %w", d.Path, ErrNoArray)
		}
		d.Info = d.infoFromSysfs()
		return nil
	case err != nil:
		return err
	}
	d.Info, d.HasInfo = info, true
	if file, err := dev.BitmapFile(); err == nil {
		d.BitmapFile = file
	}
	for n := 0; n < d.maxDisks() && len(d.Disks) < int(info.NrDisks); n++ {
		disk, err := dev.DiskInfo(n)
		switch {
		case err != nil && n < int(info.RaidDisks):
			if d.DiskErrors == nil {
				d.DiskErrors = make(map[int]error)
			}
			d.DiskErrors[n] = err
		case err == nil && (disk.Major != 0 || disk.Minor != 0):
			num := sysblock.Num{Major: uint32(disk.Major), Minor: uint32(disk.Minor)}
			_, gone := os.Stat(root.Sys("dev", "block", num.String()))
			d.Disks = append(d.Disks, Disk{DiskInfo: disk, Alive: gone == nil})
		}
	}
	return nil
}

// maxDisks returns an upper limit for the numbers of members (max_devs in mdadm's
// metadata formats).
func (d *Detail) maxDisks() int {
	if d.Metadata.Kind == sysmd.MetadataNative && d.Metadata.Major == 1 {
		return md.Super1MaxDevs
	}
	return md.Super0Disks
}

// infoFromSysfs returns what mdadm derives from sysfs if the driver returns nothing
// (sysfs.c, sysfs_read): only versions and counts.
func (d *Detail) infoFromSysfs() mdctl.ArrayInfo {
	info := mdctl.ArrayInfo{NrDisks: int32(len(d.Members))}
	info.MajorVersion, info.MinorVersion = d.versionNumbers()
	for _, b := range d.Members {
		switch {
		case b.Is("faulty"):
			continue
		case b.Is("in_sync"):
			info.ActiveDisks++
		default:
			info.SpareDisks++
		}
		info.WorkingDisks++
	}
	return info
}

// versionNumbers returns mdadm's numbers for the metadata: -1 and -1 for none, -1 and -2
// for external.
func (d *Detail) versionNumbers() (major, minor int32) {
	switch d.Metadata.Kind {
	case sysmd.MetadataNone:
		return -1, -1
	case sysmd.MetadataExternal:
		return -1, -2
	}
	return int32(d.Metadata.Major), int32(d.Metadata.Minor)
}

// superVersion returns the format of the members' superblocks. For arrays without
// metadata it is 0.90, as in mdadm.
func (d *Detail) superVersion() (md.Version, bool) {
	switch {
	case d.Metadata.Kind == sysmd.MetadataExternal:
		return md.Version{}, false
	case d.Metadata.Kind == sysmd.MetadataNone || d.Metadata.Major == 0:
		return md.V090, true
	}
	v := md.Version{Major: d.Metadata.Major, Minor: d.Metadata.Minor}
	return v, v == md.V10 || v == md.V11 || v == md.V12
}

// findSuper finds the superblock of the first active member that belongs to the array
// or, if the array is not set up, of the first member that has one.
func (d *Detail) findSuper(nodes *node.Nodes) {
	v, ok := d.superVersion()
	if !ok {
		return
	}
	for _, num := range d.superCandidates() {
		x, err := examineNumber(nodes, num, v)
		if err != nil || d.Info.RaidDisks != 0 && !d.fits(x) || x.UUID().IsZero() {
			continue
		}
		d.Super = x
		return
	}
}

func (d *Detail) superCandidates() []sysblock.Num {
	var list []sysblock.Num
	if d.Info.RaidDisks == 0 {
		for _, b := range d.Members {
			list = append(list, b.Number)
		}
		return list
	}
	for _, disk := range d.Disks {
		if disk.State&mdctl.DiskActive != 0 {
			list = append(list, sysblock.Num{Major: uint32(disk.Major), Minor: uint32(disk.Minor)})
		}
	}
	return list
}

// fits compares a superblock with the driver's information, in the fields that mdadm
// compares.
func (d *Detail) fits(x *Examined) bool {
	ctime := uint32(x.CTime().Unix())
	return ctime == d.Info.CTime && int32(x.Level()) == int32(d.Info.Level)
}

// examineNumber reads the metadata of the device with that number.
func examineNumber(nodes *node.Nodes, num sysblock.Num, v md.Version) (*Examined, error) {
	name := nodes.Name(num.Major, num.Minor, "")
	if name == "" {
		return nil, fmt.Errorf("no name for %v: %w", num, fs.ErrNotExist)
	}
	dev, err := block.OpenFile(name, block.Direct)
	if err != nil {
		return nil, err
	}
	defer dev.Close()
	return ExamineMember(dev, v)
}

// entry finds the array in the map, by its uuid or, without a superblock, by its name.
// Entries of arrays that are gone do not count.
func (d *Detail) entry(m node.Map, stat *sysmd.Mdstat) *node.MapEntry {
	entries, err := m.Read()
	if err != nil {
		return nil
	}
	for _, e := range entries {
		found := e.Name == d.Name
		if d.Super != nil {
			found = e.UUID == d.Super.MapUUID()
		}
		if found && stat.Array(e.Name) != nil {
			return &e
		}
	}
	return nil
}

// MapUUID returns the array's uuid in the form of the map of arrays.
func (x *Examined) MapUUID() node.MapUUID {
	if s := x.Super0; s != nil {
		return node.MapUUID{s.SetUUID0, s.SetUUID1, s.SetUUID2, s.SetUUID3}
	}
	return node.MapUUIDFromBytes(x.Super1.SetUUID)
}
