package report

import (
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	sysblock "github.com/mdkit/mdkit/sysfs/block"
	sysmd "github.com/mdkit/mdkit/sysfs/md"

	"github.com/mdkit/mdkit/manage/array/node"
)

// Named is an array with the path to call it by; Path is "" if it has no node.
type Named struct {
	Name string // the kernel's name
	Path string
}

// Arrays lists all arrays of /proc/mdstat in the order of --scan: oldest first, each
// after the arrays that it is built on, and members of containers last (mdstat.c,
// mdstat_read; mdadm.c, misc_scan).
func (r *Reports) Arrays() ([]Named, error) {
	stat, err := sysmd.ReadMdstat(r.FS)
	if err != nil {
		return nil, err
	}
	entries, _ := r.Map.Read()
	var plain, members []Named
	for _, a := range oldestFirst(stat.Arrays) {
		n := Named{Name: a.Name, Path: r.path(a.Name, entries)}
		if _, _, _, ok := a.Metadata.Subarray(); ok {
			members = append(members, n)
		} else {
			plain = append(plain, n)
		}
	}
	return append(plain, members...), nil
}

// oldestFirst reverses the kernel's order, and moves arrays ahead of those that are
// built on them.
func oldestFirst(stat []sysmd.MdstatArray) []sysmd.MdstatArray {
	var list []sysmd.MdstatArray
	for _, a := range stat {
		at := len(list)
		for _, m := range a.Members {
			if i := slices.IndexFunc(list[:at], func(b sysmd.MdstatArray) bool { return b.Name == m.Name }); i >= 0 {
				at = i
			}
		}
		list = slices.Insert(list, at, a)
	}
	slices.Reverse(list)
	return list
}

// path returns the name in /dev to use for an array: the one in the map, or one for its
// kernel name (util.c, get_md_name).
func (r *Reports) path(name string, entries []node.MapEntry) string {
	for _, e := range entries {
		if e.Name != name {
			continue
		}
		if _, err := os.Stat(e.Path); err == nil && e.Path != "/unknown" {
			return e.Path
		}
		break
	}
	num, err := r.number(name)
	if err != nil {
		return ""
	}
	candidates := []string{r.Nodes.Folder() + "/" + name, r.Nodes.Folder() + "/md/" + strings.TrimPrefix(name, "md")}
	if named, ok := strings.CutPrefix(name, "md_"); ok {
		candidates = slices.Insert(candidates, 0, r.Nodes.Folder()+"/md/"+named)
	}
	for _, path := range candidates {
		var st unix.Stat_t
		if unix.Stat(path, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFBLK &&
			st.Rdev == unix.Mkdev(num.Major, num.Minor) {
			return path
		}
	}
	return r.Nodes.Name(num.Major, num.Minor, "")
}

func (r *Reports) number(name string) (sysblock.Num, error) {
	dev, err := sysblock.Open(r.FS, name)
	if err != nil {
		return sysblock.Num{}, err
	}
	return dev.Num()
}

// ArrayNode returns the node of an array, given its kernel name, or the device number if
// there is no node.
func (r *Reports) ArrayNode(name, prefer string) string {
	num, err := r.number(name)
	if err != nil {
		return name
	}
	if node := r.Nodes.Name(num.Major, num.Minor, prefer); node != "" {
		return node
	}
	return num.String()
}

// ArraysIn lists the kernel names of the arrays in a container.
func (r *Reports) ArraysIn(container string) []string {
	names, err := sysmd.Names(r.FS)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(names, func(name string) bool {
		a, err := sysmd.Open(r.FS, name)
		if err != nil {
			return true
		}
		m, err := a.Metadata()
		in, _, _, ok := m.Subarray()
		return err != nil || !ok || in != container
	})
}

// BitmapDirty reports whether any copy of an array's bitmap has dirty chunks, according
// to the first member that can be read.
func (r *Reports) BitmapDirty(d *Detail) bool {
	for _, disk := range d.Disks {
		name := r.Nodes.Name(uint32(disk.Major), uint32(disk.Minor), "")
		if name == "" {
			continue
		}
		bitmap, err := openBitmap(name)
		if err != nil {
			return false
		}
		return slices.ContainsFunc(bitmap.Copies, func(c BitmapCopy) bool { return c.Count.Dirty > 0 })
	}
	return false
}
