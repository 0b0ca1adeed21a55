package dmstats

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	table "github.com/mdkit/mdkit/engine/dm/stats"
	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/internal/cli/dmtask"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/manage/mapper"
	"github.com/mdkit/mdkit/manage/mapper/stats"
	"github.com/mdkit/mdkit/manage/plan"
	"github.com/mdkit/mdkit/sysfs"
)

// files makes regions for the parts of a file, and follows the file.
type files struct{ *regions }

// fileOptions refuses the options that make no sense with files.
func (fs *files) fileOptions() error {
	a := fs.Line
	switch {
	case a.Has(dmopt.Areas) || a.Has(dmopt.AreaSize):
		return fs.Refuse("--filemap is incompatible with --areas and --area-size.")
	case a.Has(dmopt.Start) || a.Has(dmopt.Length):
		return fs.Refuse("--filemap is incompatible with --start and --length.")
	case a.Has(dmopt.Segments):
		return fs.Refuse("--filemap and --segments are incompatible.")
	case a.Has(dmopt.UserData):
		return fs.Refuse("--userdata is not yet supported with --filemap.")
	case a.Has(dmopt.UUID) || a.Has(dmopt.Major):
		return fs.Refuse("--uuid and --major are incompatible with --filemap.")
	case a.Has(dmopt.AllDevices):
		return fs.Refuse("--alldevices is incompatible with --filemap.")
	}
	return nil
}

// followMode parses --follow. It returns false with --nomonitor.
func (fs *files) followMode() (path, follow bool, err error) {
	a := fs.Line
	if a.Has(dmopt.NoMonitor) || a.Has(dmopt.NoGroup) {
		return false, false, nil
	}
	switch mode := a.Text[dmopt.Follow]; {
	case !a.Has(dmopt.Follow), mode == "inode":
		return false, true, nil
	case mode == "path":
		return true, true, nil
	default:
		return false, false, fs.Refuse("Could not parse dmfilemapd mode: %s", mode)
	}
}

// mappedFile is an open file on a mapped device.
type mappedFile struct {
	*os.File
	given string // as in the command line
	path  string // absolute
	dev   dmtask.Device
}

// openFile opens the file that the command line names.
func (fs *files) openFile(given, path string) (*mappedFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fs.Refuse("Could not open %s for reading", path)
	}
	num, err := stats.FileDevice(f)
	if err != nil {
		f.Close()
		return nil, fs.Refuse("fstat failed for fd %d.", f.Fd())
	}
	return &mappedFile{File: f, given: given, path: path, dev: dmtask.Device{Num: num, ByNum: true}}, nil
}

// absolute returns a path without symbolic links.
func (fs *files) absolute(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err == nil {
		abs, err = filepath.EvalSymlinks(abs)
	}
	if err != nil {
		return "", fs.Refuse("Could not canonicalize file name: %s", path)
	}
	return abs, nil
}

// isMapped reports whether a major number is that of mapped devices.
func isMapped(major uint32) bool { return major != 0 && major == mapper.Major(sysfs.Host) }

// ranges returns the parts of its device that a file occupies.
func (fs *files) ranges(f *mappedFile) ([]table.Range, error) {
	ranges, err := stats.FileRanges(f.File, isMapped)
	switch {
	case errors.Is(err, stats.ErrNotRegular):
		return nil, fs.Refuse("Not a regular file")
	case errors.Is(err, stats.ErrNotMapped):
		return nil, fs.Refuse("Cannot map file: not a device-mapper device.")
	case errors.Is(err, stats.ErrBtrfs):
		return nil, fs.Refuse("Cannot map file: btrfs does not provide physical FIEMAP extent data.")
	case errors.Is(err, stats.ErrNoExtents):
		return nil, fs.Refuse("Cannot map file: no allocated extents.")
	}
	return ranges, fs.Complain(err)
}

// createCommand is the subcommand create: for devices, or for a file.
func (fs *files) createCommand(ctx context.Context, c dmtask.Call) error {
	if err := fs.createOptions(); err != nil {
		return err
	}
	if fs.Line.Has(dmopt.FileMap) {
		return fs.createFile(ctx, c)
	}
	return fs.create(ctx, c)
}

// createFile is create --filemap.
func (fs *files) createFile(ctx context.Context, c dmtask.Call) error {
	a := fs.Line
	if err := fs.fileOptions(); err != nil {
		return err
	}
	given, ok := c.First()
	if !ok {
		return fs.Refuse("--filemap requires a file path argument")
	}
	path, err := fs.absolute(given)
	if err != nil {
		return err
	}
	o := stats.FileOptions{Program: fs.programOption(), Group: !a.Has(dmopt.NoGroup)}
	if a.Has(dmopt.ProgramID) && a.Text[dmopt.ProgramID] != "" {
		o.Program = stats.Program // the original ignores --programid here
	}
	if a.Has(dmopt.Bounds) {
		if o.Bounds, err = table.ParseBounds(a.Text[dmopt.Bounds]); err != nil {
			return fs.refuseBounds(err)
		}
	}
	follow, monitor, err := fs.followMode()
	if err != nil || !monitor && !a.Has(dmopt.NoMonitor) {
		return errors.Join(err, &dmtask.Printed{Err: dmopt.Wrong("nothing to follow")})
	}
	f, err := fs.openFile(given, path)
	if err != nil {
		return err
	}
	defer f.Close()
	switch {
	case o.Group && !a.Has(dmopt.Alias):
		o.Alias = filepath.Base(path)
	case o.Group:
		o.Alias = a.Text[dmopt.Alias]
	case a.Has(dmopt.Alias):
		return fs.Refuse("Cannot set alias with --nogroup.")
	}
	ids, h, err := fs.mapFile(f, o)
	if err != nil {
		return err
	}
	if monitor && o.Group {
		fs.monitor(ctx, f, ids[0], follow)
	}
	fs.fileMapped(h, f, ids, o)
	return nil
}

// mapFile makes the regions for a file.
func (fs *files) mapFile(f *mappedFile, o stats.FileOptions) ([]uint64, *stats.Handle, error) {
	failed := func() error { return fs.Refuse("Could not create regions from file %s.", f.path) }
	ranges, err := fs.ranges(f)
	if err != nil {
		return nil, nil, failed()
	}
	h, err := fs.open(f.dev)
	if err != nil {
		return nil, nil, err
	}
	defer fs.showPlanned(h, f.dev)
	warnings, err := h.Foresee("")
	if err := fs.afterList(f.dev, warnings, err); err != nil {
		return nil, nil, err
	}
	ids, err := h.CreateFile(ranges, o)
	var e *stats.FileError
	switch {
	case errors.As(err, &e):
		_ = fs.Complain(fs.createFailed(f.dev, e.Err))
		_ = fs.Refuse("Failed to create region %d of %d at %d.", e.At, e.Of, e.Start)
		return nil, nil, failed()
	case err != nil:
		_ = fs.Complain(fs.createFailed(f.dev, err))
		return nil, nil, failed()
	}
	return ids, h, nil
}

// fileMapped reports which regions were made for a file.
func (fs *files) fileMapped(h *stats.Handle, f *mappedFile, ids []uint64, o stats.FileOptions) {
	if o.Group {
		fs.done(h, change{Device: f.dev.Num.String(), Action: "created", Regions: ids, Group: &ids[0], Alias: o.Alias},
			"%s: Created new group with %d region(s) as group ID %d.\n", f.given, len(ids), ids[0])
		return
	}
	for _, id := range ids {
		fs.done(h, change{Device: f.dev.Num.String(), Action: "created", Regions: []uint64{id}, Areas: 1},
			"%s: Created new region with 1 area as region ID %d.\n", f.given, id)
	}
}

// updateFilemap is the subcommand update_filemap.
func (fs *files) updateFilemap(ctx context.Context, c dmtask.Call) error {
	a := fs.Line
	if err := fs.fileOptions(); err != nil {
		return err
	}
	given, ok := c.First()
	switch {
	case !ok:
		return fs.Refuse("update_filemap requires a file path argument")
	case !a.Has(dmopt.GroupID):
		return fs.Refuse("--groupid is required to update a filemap group.")
	}
	path, err := fs.absolute(given)
	if err != nil {
		return err
	}
	follow, monitor, err := fs.followMode()
	if err != nil || !monitor && !a.Has(dmopt.NoMonitor) {
		return errors.Join(err, &dmtask.Printed{Err: dmopt.Wrong("nothing to follow")})
	}
	f, err := fs.openFile(given, path)
	if err != nil {
		return err
	}
	defer f.Close()
	group := fs.unsigned(dmopt.GroupID)
	if monitor && fs.monitor(ctx, f, group, follow) {
		return nil
	}
	return fs.updateFile(f, group)
}

// updateFile updates the group of a file once.
func (fs *files) updateFile(f *mappedFile, group uint64) error {
	failed := func() error { return fs.Refuse("Could not update regions from file %s", f.path) }
	h, err := fs.open(f.dev)
	if err != nil {
		return err
	}
	if err := fs.listRegions(h, f.dev, fs.programOption()); err != nil {
		_ = fs.Refuse("Could not obtain region list while updating group %d.", group)
		return failed()
	}
	if leader := h.Table.Region(group); leader == nil || leader.Group == nil {
		_ = fs.Refuse("Group ID %d does not exist.", group)
		return failed()
	}
	ranges, err := fs.ranges(f)
	if err != nil {
		return failed()
	}
	defer fs.showPlanned(h, f.dev)
	ids, err := h.UpdateFile(group, ranges)
	if err != nil {
		fs.regionFailed(f.dev, err)
		return failed()
	}
	if group != ids[0] && !fs.Line.Has(dmopt.JSON) && h.Outcome().Applied {
		fmt.Fprintf(fs.Out, "Group ID changed from %d to %d", group, ids[0])
	}
	fs.done(h, change{Device: f.dev.Num.String(), Action: "updated", Regions: ids, Group: &ids[0]},
		"%s: Updated group ID %d with %d region(s).\n", f.given, ids[0], len(ids))
	return nil
}

// monitor starts the daemon that follows a file or, with --foreground, follows it
// itself. It returns whether the file is being followed; in a dry run it is not.
func (fs *files) monitor(ctx context.Context, f *mappedFile, group uint64, path bool) (follows bool) {
	runner := plan.Runner{DryRun: fs.Line.Has(dmopt.DryRun)}
	_ = runner.Do(ctx, plan.AsideStep(func(ctx context.Context) error {
		follows = fs.follow(ctx, f, group, path)
		return nil
	}))
	return follows
}

func (fs *files) follow(ctx context.Context, f *mappedFile, group uint64, path bool) bool {
	mode := ui.Choose(path, "path", "inode")
	if fs.Line.Has(dmopt.Foreground) {
		if err := fs.Out.Flush(); err != nil {
			return false
		}
		args := []string{"dmfilemapd", strconv.Itoa(int(f.Fd())), strconv.FormatUint(group, 10), f.path, mode, "1"}
		return Filemapd(ctx, args, fs.Std) == 0
	}
	if err := startFilemapd(f.File, group, f.path, mode); err != nil {
		fs.Warn("dmfilemapd: %v", err)
		fs.Warn("Failed to start filemap monitoring daemon.")
		return false
	}
	return true
}

// startFilemapd starts this program as dmfilemapd, which follows a file.
func startFilemapd(f *os.File, group uint64, path, mode string) error {
	return stats.StartDaemon(f, []string{"dmfilemapd", strconv.Itoa(stats.DaemonFile), strconv.FormatUint(group, 10), path, mode, "1"})
}
