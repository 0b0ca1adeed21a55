// Package report provides the reports about arrays and members, --detail, --examine and
// --query, as values.
package report

import (
	"os"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	blockctl "github.com/mdkit/mdkit/ioctl/block"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/array/node"
	sysblock "github.com/mdkit/mdkit/sysfs/block"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// Query is a short answer to what a device has to do with md: it may be an array, a
// member of one, both, or neither.
type Query struct {
	Array  *QueryArray
	Member *QueryMember
}

// QueryArray is a one-line report about an array.
type QueryArray struct {
	Size      int64    // bytes; 0 if it is not running
	Level     md.Level // meaningless without HasLevel
	HasLevel  bool     // the array runs, or is being started
	RaidDisks int
	Spares    int
}

// Activity is what part a member has in its array.
type Activity string

// Activities (Query.c).
const (
	// ActivityInactive means that the map has no running array with the member's uuid.
	ActivityInactive Activity = "inactive"
	// ActivityUndetected means that the map has such an array, but it is not running.
	ActivityUndetected Activity = "undetected"
	// ActivityActive means that the device is in the array, in its slot.
	ActivityActive Activity = "active"
	// ActivityMismatch means that another device is in that slot of the array.
	ActivityMismatch Activity = "mismatch"
)

// QueryMember is a one-line report about a member.
type QueryMember struct {
	*Examined
	Activity Activity
	Path     string // of the array, "" if it is not known
}

// Query examines the device or file at path. It fails only if that cannot be opened.
func (r *Reports) Query(path string) (*Query, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	q := new(Query)
	q.Array = r.queryArray(f)
	d, err := block.OpenFile(path, block.Direct)
	if err != nil {
		return q, nil //nolint:nilerr // a folder or character device is neither array nor member
	}
	defer d.Close()
	if x, err := ExamineMember(d); err == nil {
		q.Member = r.queryMember(f, x)
	}
	return q, nil
}

// queryArray reads the array from sysfs (sysfs.c, sysfs_read): spares are the members
// that are neither failed nor in sync.
func (r *Reports) queryArray(f *os.File) *QueryArray {
	major, minor, err := blockctl.Number(f)
	if err != nil {
		return nil
	}
	disk, err := sysblock.OpenNum(r.FS, sysblock.Num{Major: major, Minor: minor})
	if err == nil {
		disk, err = disk.Disk()
	}
	if err != nil {
		return nil
	}
	a, err := sysmd.Open(r.FS, disk.Name())
	if err != nil {
		return nil
	}
	q := new(QueryArray)
	if size, err := blockctl.Size(f); err == nil {
		q.Size = size
	}
	if word, err := a.Level(); err == nil {
		level, err := md.ParseLevel(string(word))
		q.Level, q.HasLevel = level, err == nil
	}
	if n, err := a.RaidDisks(); err == nil {
		q.RaidDisks = int(n.Now)
	}
	bound, err := boundTo(a)
	if err != nil {
		return q
	}
	for _, b := range bound {
		if !b.Is("faulty") && !b.Is("in_sync") {
			q.Spares++
		}
	}
	return q
}

// queryMember looks for the member's array in the map, and for the member in the array.
func (r *Reports) queryMember(f *os.File, x *Examined) *QueryMember {
	m := &QueryMember{Examined: x, Activity: ActivityInactive}
	entry := r.lookup(x.MapUUID())
	if entry == nil {
		return m
	}
	m.Activity, m.Path = ActivityUndetected, entry.Path
	dev, err := mdctl.Open(entry.Path, os.O_RDONLY)
	if err != nil {
		return m
	}
	defer dev.Close()
	a, err := sysmd.Open(r.FS, entry.Name)
	if err != nil {
		return m
	}
	if state, err := a.State(); err != nil || !state.Running() {
		return m
	}
	m.Activity = ActivityMismatch
	disk, err := dev.DiskInfo(int(x.DevNumber()))
	if err != nil {
		return m
	}
	if major, minor, err := blockctl.Number(f); err == nil && disk.Major == int32(major) && disk.Minor == int32(minor) {
		m.Activity = ActivityActive
	}
	return m
}

// lookup finds a running array in the map, by its uuid.
func (r *Reports) lookup(uuid node.MapUUID) *node.MapEntry {
	entries, err := r.Map.Read()
	if err != nil {
		return nil
	}
	stat, err := sysmd.ReadMdstat(r.FS)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if e.UUID == uuid && stat.Array(e.Name) != nil {
			return &e
		}
	}
	return nil
}
