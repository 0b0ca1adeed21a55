package stats

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	table "github.com/mdkit/mdkit/engine/dm/stats"
	"github.com/mdkit/mdkit/ioctl/block"
)

// Reasons why a file cannot be mapped.
var (
	ErrNotRegular = errors.New("not a regular file")
	ErrBtrfs      = errors.New("btrfs does not say where on its devices a file is")
	ErrNotMapped  = errors.New("the file is not on a mapped device")
	ErrNoExtents  = errors.New("the file has no allocated extents")
)

// btrfsMagic is BTRFS_SUPER_MAGIC of <linux/magic.h>.
const btrfsMagic = 0x9123683e

// FileRanges returns the parts of its device that a file occupies. mapped reports
// whether a major number is that of mapped devices.
func FileRanges(f *os.File, mapped func(major uint32) bool) ([]table.Range, error) {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &fs); err != nil {
		return nil, fmt.Errorf("%s: fstatfs: %w", f.Name(), err)
	}
	if uint32(fs.Type) == btrfsMagic {
		return nil, ErrBtrfs
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return nil, fmt.Errorf("%s: fstat: %w", f.Name(), err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, ErrNotRegular
	}
	if !mapped(unix.Major(uint64(st.Dev))) {
		return nil, ErrNotMapped
	}
	extents, err := block.FileExtents(f)
	if err != nil {
		return nil, err
	}
	var list []table.Extent
	for _, e := range extents {
		if e.Placed() {
			list = append(list, table.Extent{Logical: e.Logical, Physical: e.Physical, Length: e.Length})
		}
	}
	ranges := table.Ranges(list)
	if len(ranges) == 0 {
		return nil, ErrNoExtents
	}
	return ranges, nil
}

// FileOptions says how to make the regions for a file.
type FileOptions struct {
	Program string
	Alias   string
	Group   bool
	Precise bool
	Bounds  table.Bounds
}

// FileError is a failure to make a region for a file; those made before it have been
// removed.
type FileError struct {
	At, Of int // index of the region, and number of regions
	Start  uint64
	Err    error
	Left   []error // regions that could not be removed
}

// Error names the region and gives the reason.
func (e *FileError) Error() string {
	return fmt.Sprintf("region %d of %d, at sector %d: %v", e.At, e.Of, e.Start, e.Err)
}

// Unwrap returns the reason.
func (e *FileError) Unwrap() error { return e.Err }

// CreateFile makes a region for each range of a file, and a group of them if requested.
// The ids are in the order of the file.
func (h *Handle) CreateFile(ranges []table.Range, o FileOptions) ([]uint64, error) {
	ids, err := h.createRanges(ranges, nil, o)
	if err != nil || !o.Group {
		return ids, err
	}
	if err := h.relist(o.Program); err != nil {
		return nil, errors.Join(err, h.undo(ids))
	}
	if err := h.groupFile(ids, o.Alias); err != nil {
		return nil, errors.Join(err, h.undo(ids))
	}
	return ids, nil
}

// relist is Relist without the warnings.
func (h *Handle) relist(program string) error {
	_, err := h.Relist(program)
	return err
}

func (h *Handle) createRanges(ranges []table.Range, kept map[table.Range]uint64, o FileOptions) ([]uint64, error) {
	var ids, made []uint64
	for i, r := range ranges {
		id, ok := kept[r]
		if !ok {
			var err error
			id, err = h.Create(table.Create{
				Start: r.Start, Length: r.Length, Areas: 1, Precise: o.Precise, Bounds: o.Bounds, Program: o.Program,
			})
			if err != nil {
				e := &FileError{At: i, Of: len(ranges), Start: r.Start, Err: err}
				if err := errors.Join(h.relist(o.Program), h.undo(made)); err != nil {
					e.Left = append(e.Left, err)
				}
				return nil, e
			}
			made = append(made, id)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// undo removes regions after a later one failed.
func (h *Handle) undo(ids []uint64) error {
	var left []error
	for _, id := range ids {
		if err := h.Delete(id); err != nil {
			left = append(left, &LeftError{id, err})
		}
	}
	return errors.Join(left...)
}

// groupFile makes a group of the regions of a file.
func (h *Handle) groupFile(ids []uint64, alias string) error {
	members := slices.Sorted(slices.Values(ids))
	g, err := h.Table.PlanGroup(table.FormatMembers(members), alias)
	if err != nil {
		return err
	}
	return h.makeGroup(g)
}

// UpdateFile adapts the regions of a file's group to the file's present ranges: it
// removes the regions of parts that are no longer in the file, and makes regions for new
// ones. The ids are in the order of the file; if the group's first region is removed,
// the group gets another id. If there are no ranges, nothing is left.
func (h *Handle) UpdateFile(group uint64, ranges []table.Range) ([]uint64, error) {
	leader := h.Table.Region(group)
	if leader == nil || leader.Group == nil {
		return nil, &RegionError{ID: group, Group: true, Class: ErrNoGroup}
	}
	o := FileOptions{Program: leader.Program, Alias: leader.Group.Alias, Precise: leader.Precise, Bounds: leader.Bounds}
	kept := map[table.Range]uint64{}
	for _, id := range slices.Backward(slices.Clone(leader.Group.Members)) {
		r := h.Table.Region(id)
		if r == nil {
			continue
		}
		if at := (table.Range{Start: r.Start, Length: r.Length}); slices.Contains(ranges, at) {
			kept[at] = id
			continue
		}
		if err := h.Delete(id); err != nil {
			return nil, err
		}
	}
	ids, err := h.createRanges(ranges, kept, o)
	if err != nil {
		return nil, err
	}
	if err := h.relist(o.Program); err != nil || len(ids) == 0 {
		return ids, err
	}
	leader = h.Table.Region(group)
	if leader == nil || leader.Group == nil {
		return ids, h.groupFile(ids, o.Alias)
	}
	members := slices.Sorted(slices.Values(ids))
	if slices.Equal(leader.Group.Members, members) {
		return ids, nil
	}
	leader.Group.Members = members
	return ids, h.writeUser(leader)
}
