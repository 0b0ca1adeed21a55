package array

import (
	"bytes"
	"fmt"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
)

// keptSection is a part of the array that is in a backup, because it may have been
// overwritten on the members.
type keptSection struct {
	span
	off int64 // in the backup, bytes
}

// Bounds of how much older or newer than the array a backup may be, in seconds
// (Grow.c, Grow_restart).
const (
	backupOlder = 2 * 60 * 60
	backupNewer = 10 * 60
)

// keptSections returns the sections of a backup that count: those that the reshape
// has not passed. It fails with ErrBackup if the backup is another array's, from
// another time, or incomplete, as mdadm does when it assembles (Grow.c,
// Grow_restart).
func keptSections(f *md.Member, r *md.Reshape, d block.Device) ([]keptSection, error) {
	refuse := func(why string, args ...any) error {
		return fmt.Errorf("%s: %w: %s", block.Name(d), md.ErrBackup, fmt.Sprintf(why, args...))
	}
	head := make([]byte, md.BackupSize)
	if err := block.ReadFull(d, head, 0); err != nil {
		return nil, refuse("%v", err)
	}
	b, err := md.ParseBackup(head)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", block.Name(d), err)
	}
	if b.UUID != f.NativeUUID() {
		return nil, refuse("it belongs to array %v", b.UUID)
	}
	if age := f.UTime().Unix() - int64(b.MTime); age > backupOlder || age < -backupNewer {
		return nil, refuse("it was written %d s before the array was last updated, which is too far apart", age)
	}
	if b.DevStart < 8 {
		return nil, refuse("its data begins at sector %d", b.DevStart)
	}
	again, size := make([]byte, md.BackupSize), 80
	if b.Second {
		size = md.BackupSum2 + 4
	}
	if err := block.ReadFull(d, again, int64(b.DevStart)*md.SectorSize-4096); err != nil || !bytes.Equal(again[:size], head[:size]) {
		return nil, refuse("its second header, at sector %d, differs from the first: it was not written in full", b.DevStart-8)
	}
	var kept []keptSection
	for i, s := range b.Sections {
		at := b.DevStart
		if i == 1 {
			at += b.Offset2
		}
		if s.Length == 0 || i == 1 && !b.Second {
			continue
		}
		if int64(at+s.Length)*md.SectorSize > d.Size() {
			return nil, refuse("it ends before the %d sectors from sector %d do", s.Length, at)
		}
		if !r.Backwards && s.End() < r.Position || r.Backwards && s.Start >= r.Position {
			continue // the members have this data, and maybe newer data
		}
		kept = append(kept, keptSection{span{int64(s.Start) * md.SectorSize, int64(s.End()) * md.SectorSize}, int64(at) * md.SectorSize})
	}
	return kept, nil
}

// keptAt returns the section that holds array offset off, or nil, and for how many
// of n bytes from there this is true.
func (r *reshaping) keptAt(off, n int64) (*keptSection, int64) {
	for i := range r.kept {
		k := &r.kept[i]
		if off >= k.from && off < k.to {
			return k, min(n, k.to-off)
		}
		if off < k.from {
			n = min(n, k.from-off)
		}
	}
	return nil, n
}
