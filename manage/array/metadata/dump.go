// Package metadata saves the metadata of a device in a file and restores it.
package metadata

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/manage/array/device"
	"github.com/mdkit/mdkit/manage/array/member"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/manage/plan"
)

// CopyRequest asks to save the metadata of a member in a file, or to restore it from
// one.
type CopyRequest struct {
	Device string // the member: a path, or "major:minor"
	// Dir is the folder of the files. For RestoreMetadata it may also be a file, if
	// Alone.
	Dir     string
	Alone   bool        // the command line names no other device
	Version *md.Version // only metadata of this version; nil for any
	Force   bool        // restore even to a device that is in use
	// BackupDir is where RestoreMetadata saves what it overwrites; with Force that is
	// saved for the time being even without a BackupDir. See plan.Backup.
	BackupDir string
	DryRun    bool
	Report    note.Reporter
}

// CopyResult says what was saved or restored, or would be.
type CopyResult struct {
	File  string   // the file with the metadata
	Links []string // its other names, which are those of the device in /dev/disk/by-id
	Steps []plan.StepInfo
}

// ErrBadDirectory marks a Dir that cannot be used.
var ErrBadDirectory = errors.New("no folder to hold metadata")

// DumpMetadata saves the metadata of a member in a sparse file of the same size, which
// can be read like the member itself (mdadm 4.2, Dump.c). Failures have been reported;
// the error matches ErrBadDirectory if the folder is the problem.
func DumpMetadata(ctx context.Context, req CopyRequest) (*CopyResult, error) {
	if st, err := os.Stat(req.Dir); err != nil || !st.IsDir() {
		return nil, req.Report.Fail(errors.Join(ErrBadDirectory, err), "metadata.dump-requires-existing-directory", req.Dir)
	}
	d, err := device.Open(req.Device, block.ForReading)
	if err != nil {
		return nil, req.Report.Fail(err, "metadata.cannot-open-dump-metadata", req.Device, note.Errno{Err: err})
	}
	defer d.Close()
	r := &CopyResult{File: filepath.Join(req.Dir, filepath.Base(req.Device))}
	_, extents, err := req.metadata(d, req.Device, "metadata.cannot-find-raid-metadata", r.File)
	if err != nil {
		return nil, err
	}
	p := plan.Plan{Steps: []plan.Step{newDump(r.File, d.Size(), extents), plan.SayStep(func() { r.link(&req, d) })}}
	r.Steps = p.Describe()
	run := plan.Runner{DryRun: req.DryRun}
	if _, err := run.Run(ctx, &p); err != nil {
		req.Report.Say(note.Always, "metadata.cannot-create-dump-file", r.File, note.Errno{Err: err})
		return nil, &note.Reported{Err: err}
	}
	return r, nil
}

// link links the file to the other names of its device.
func (r *CopyResult) link(req *CopyRequest, d *device.Device) {
	for _, name := range d.NamesByID() {
		link := filepath.Join(req.Dir, name)
		if err := os.Link(r.File, link); err != nil {
			req.Report.Say(note.Always, "metadata.could-not-save", req.Device, link)
			req.Report.Extra(note.Always, note.Reason, note.Errno{Err: err})
			continue
		}
		r.Links = append(r.Links, link)
	}
}

// metadata finds the metadata on d, and the extents to copy. In messages, name is what d
// is called, and to what it is copied to.
func (req *CopyRequest) metadata(d block.Device, name string, nothing note.ID, to string) (*md.Member, []block.Extent, error) {
	var m *md.Member
	var err error
	if req.Version != nil {
		var bad *md.LoadError
		if m, bad = md.LoadSuper(d, *req.Version); bad != nil {
			return nil, nil, req.Report.Fail(bad, "metadata.no-metadata-found", familyName(*req.Version), name)
		}
	} else if m, err = md.GuessSuper(d); err != nil {
		return nil, nil, req.Report.Fail(errors.Join(member.ErrNoSuperblock, err), nothing, name)
	}
	extents, err := metadataExtents(d, m)
	if err == nil {
		err = m.Err
	}
	if err != nil {
		req.Report.Say(note.Always, "metadata.failed-copy-metadata", name, to)
		req.Report.Extra(note.Always, note.Reason, err)
		return nil, nil, &note.Reported{Err: err}
	}
	return m, extents, nil
}

// familyName returns mdadm's name for the formats of a version (super0.c, super1.c).
func familyName(v md.Version) string {
	if v == md.V090 {
		return v.String()
	}
	return "1.x"
}

// metadataExtents returns the areas that belong to the superblock: for 0.90 all the 64
// KiB reserved for it, for 1.x superblock, bitmap and bad block log (super0.c and
// super1.c, copy_metadata).
func metadataExtents(d block.Device, m *md.Member) ([]block.Extent, error) {
	type area struct{ off, length int64 }
	areas := []area{{m.Offset, super1Room}}
	if m.Super0 != nil {
		areas = []area{{m.Offset, md.MinSize0}}
	} else {
		if off, ok := m.BitmapOffset(); ok {
			bitmap, err := m.ReadBitmap(d)
			if err != nil {
				return nil, err
			}
			n := bitmap.Chunks()
			areas = append(areas, area{off, int64(roundUpTo(md.BitmapSuperSize+n/8+min(n%8, 1), md.SectorSize))})
		}
		if off, length, ok := m.BadBlockLog(); ok {
			areas = append(areas, area{off, length})
		}
	}
	var extents []block.Extent
	for _, a := range areas {
		// Sizes in the metadata must not make us allocate more memory than the device is
		// large.
		if err := block.CheckRange("read", block.Name(d), d.Size(), a.off, a.length); err != nil {
			return nil, err
		}
		data := make([]byte, a.length)
		if err := block.ReadFull(d, data, a.off); err != nil {
			return nil, err
		}
		extents = append(extents, block.Extent{Off: a.off, Data: data})
	}
	return extents, nil
}

// super1Room is the most that a 1.x superblock takes up, in bytes.
const super1Room = 4096

func roundUpTo(n, unit uint64) uint64 { return (n + unit - 1) / unit * unit }

// newDump returns a step that makes a file of the given size, in bytes, containing only
// the extents.
func newDump(path string, size int64, extents []block.Extent) plan.Step {
	made := false
	info := plan.StepInfo{Kind: plan.KindWrite, Target: path, What: fmt.Sprintf("new file with %d areas of metadata", len(extents)), Length: size}
	return plan.NewStep(info, func(context.Context) error {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		if err != nil {
			return err
		}
		made = true
		err = f.Truncate(size)
		for _, e := range extents {
			if err == nil {
				_, err = f.WriteAt(e.Data, e.Off)
			}
		}
		return errors.Join(err, f.Sync(), f.Close())
	}, func(context.Context) error {
		if !made {
			return nil
		}
		return os.Remove(path)
	})
}

// RestoreMetadata writes the metadata in a file of DumpMetadata to a device: all of it,
// or nothing. The file is named after the device, by a name in /dev/disk/by-id or its
// own. Failures have been reported; the error matches ErrBadDirectory if the folder is
// the problem.
//
// Unlike mdadm 4.2 it does not write to a device that is in use, unless forced.
func RestoreMetadata(ctx context.Context, req CopyRequest) (*CopyResult, error) {
	st, err := os.Stat(req.Dir)
	switch {
	case err != nil:
		return nil, req.Report.Fail(errors.Join(ErrBadDirectory, err), "metadata.does-not-exist-cannot-restore-from-there", req.Dir)
	case !st.IsDir() && !req.Alone:
		return nil, req.Report.Fail(ErrBadDirectory, "metadata.restore-requires-directory-when-multiple-devices-given")
	}
	d, err := device.Open(req.Device, block.ForWriting)
	if err != nil {
		return nil, req.Report.Fail(err, "metadata.cannot-open-restore-metadata", req.Device, note.Errno{Err: err})
	}
	defer d.Close()
	r := &CopyResult{File: req.Dir}
	if st.IsDir() {
		if r.File, err = req.dumpOf(d); err != nil {
			return nil, err
		}
	}
	f, err := block.OpenFile(r.File, block.ForReading)
	if err != nil {
		return nil, req.Report.Fail(err, "metadata.could-not-open-for-restore", r.File)
	}
	defer f.Close()
	if f.Size() != d.Size() {
		return nil, req.Report.Fail(fmt.Errorf("%d and %d bytes: %w", f.Size(), d.Size(), unix.EINVAL),
			"metadata.not-same-size-as-cannot-restore", r.File, req.Device)
	}
	_, extents, err := req.metadata(f, r.File, "metadata.cannot-find-metadata", req.Device)
	if err != nil {
		return nil, err
	}
	p := plan.Plan{}
	for _, e := range extents {
		p.Steps = append(p.Steps, member.NewWipe(req.Device, "metadata of "+r.File, e, req.Force))
	}
	run := plan.Runner{DryRun: req.DryRun, Backup: plan.BackupFor(req.BackupDir, filepath.Base(req.Device), req.Force)}
	_, err = run.Run(ctx, &p)
	if r.Steps = run.Steps; err != nil {
		req.Report.Say(note.Always, "metadata.failed-copy-metadata", r.File, req.Device)
		req.Report.Extra(note.Always, note.Reason, note.Errno{Err: err})
		req.Report.Holders(note.Always, req.Device, err)
		return nil, &note.Reported{Err: err}
	}
	return r, nil
}

// dumpOf returns the file for a device.
func (req *CopyRequest) dumpOf(d *device.Device) (string, error) {
	var chosen string
	var first os.FileInfo
	for _, name := range d.NamesByID() {
		path := filepath.Join(req.Dir, name)
		st, err := os.Stat(path)
		switch {
		case err != nil:
		case first == nil:
			chosen, first = path, st
		case !os.SameFile(first, st):
			return "", req.Report.Fail(unix.EEXIST, "metadata.both-and-seem-suitable-for-please-choose-one", chosen, path, req.Device)
		}
	}
	if chosen != "" {
		return chosen, nil
	}
	path := filepath.Join(req.Dir, filepath.Base(req.Device))
	if _, err := os.Stat(path); err != nil {
		return "", req.Report.Fail(err, "metadata.cannot-find-suitable-file", req.Dir, req.Device)
	}
	return path, nil
}
