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

// files makes regions of the parts of a file, and follows the file.
type files struct{ *regions }

// fileOptions refuses the options that have no sense with files.
func (s *files) fileOptions() error {
	a := s.Line
	switch {
	case a.Has(dmopt.Areas) || a.Has(dmopt.AreaSize):
		return s.Refuse("--filemap is incompatible with --areas and --area-size.")
	case a.Has(dmopt.Start) || a.Has(dmopt.Length):
		return s.Refuse("--filemap is incompatible with --start and --length.")
	case a.Has(dmopt.Segments):
		return s.Refuse("--filemap and --segments are incompatible.")
	case a.Has(dmopt.UserData):
		return s.Refuse("--userdata is not yet supported with --filemap.")
	case a.Has(dmopt.UUID) || a.Has(dmopt.Major):
		return s.Refuse("--uuid and --major are incompatible with --filemap.")
	case a.Has(dmopt.AllDevices):
		return s.Refuse("--alldevices is incompatible with --filemap.")
	}
	return nil
}

// followMode reads --follow; false with --nomonitor.
func (s *files) followMode() (path, follow bool, err error) {
	a := s.Line
	if a.Has(dmopt.NoMonitor) || a.Has(dmopt.NoGroup) {
		return false, false, nil
	}
	switch mode := a.Text[dmopt.Follow]; {
	case !a.Has(dmopt.Follow), mode == "inode":
		return false, true, nil
	case mode == "path":
		return true, true, nil
	default:
		return false, false, s.Refuse("Could not parse dmfilemapd mode: %s", mode)
	}
}

// mappedFile is a file on a mapped device, open.
type mappedFile struct {
	*os.File
	given string // as the line has it
	path  string // absolute
	dev   dmtask.Device
}

// openFile opens the file that a line names.
func (s *files) openFile(given, path string) (*mappedFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, s.Refuse("Could not open %s for reading", path)
	}
	num, err := stats.FileDevice(f)
	if err != nil {
		f.Close()
		return nil, s.Refuse("fstat failed for fd %d.", f.Fd())
	}
	return &mappedFile{File: f, given: given, path: path, dev: dmtask.Device{Num: num, ByNum: true}}, nil
}

// absolute is a path without links.
func (s *files) absolute(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err == nil {
		abs, err = filepath.EvalSymlinks(abs)
	}
	if err != nil {
		return "", s.Refuse("Could not canonicalize file name: %s", path)
	}
	return abs, nil
}

// isMapped says whether a major number is that of mapped devices.
func isMapped(major uint32) bool { return major != 0 && major == mapper.Major(sysfs.Host) }

// ranges are the parts of its device that hold a file.
func (s *files) ranges(f *mappedFile) ([]table.Range, error) {
	ranges, err := stats.FileRanges(f.File, isMapped)
	switch {
	case errors.Is(err, stats.ErrNotRegular):
		return nil, s.Refuse("Not a regular file")
	case errors.Is(err, stats.ErrNotMapped):
		return nil, s.Refuse("Cannot map file: not a device-mapper device.")
	case errors.Is(err, stats.ErrBtrfs):
		return nil, s.Refuse("Cannot map file: btrfs does not provide physical FIEMAP extent data.")
	case errors.Is(err, stats.ErrNoExtents):
		return nil, s.Refuse("Cannot map file: no allocated extents.")
	}
	return ranges, s.Complain(err)
}

// createCommand is the subcommand create: for devices, or for a file.
func (s *files) createCommand(ctx context.Context, c dmtask.Call) error {
	if err := s.createOptions(); err != nil {
		return err
	}
	if s.Line.Has(dmopt.FileMap) {
		return s.createFile(ctx, c)
	}
	return s.create(ctx, c)
}

// createFile is create --filemap.
func (s *files) createFile(ctx context.Context, c dmtask.Call) error {
	a := s.Line
	if err := s.fileOptions(); err != nil {
		return err
	}
	given, ok := c.First()
	if !ok {
		return s.Refuse("--filemap requires a file path argument")
	}
	path, err := s.absolute(given)
	if err != nil {
		return err
	}
	o := stats.FileOptions{Program: s.programOption(), Group: !a.Has(dmopt.NoGroup)}
	if a.Has(dmopt.ProgramID) && a.Text[dmopt.ProgramID] != "" {
		o.Program = stats.Program // the original forgets what was asked for
	}
	if a.Has(dmopt.Bounds) {
		if o.Bounds, err = table.ParseBounds(a.Text[dmopt.Bounds]); err != nil {
			return s.refuseBounds(err)
		}
	}
	follow, monitor, err := s.followMode()
	if err != nil || !monitor && !a.Has(dmopt.NoMonitor) {
		return errors.Join(err, &dmtask.Printed{Err: dmopt.Wrong("nothing to follow")})
	}
	f, err := s.openFile(given, path)
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
		return s.Refuse("Cannot set alias with --nogroup.")
	}
	ids, h, err := s.mapFile(f, o)
	if err != nil {
		return err
	}
	if monitor && o.Group {
		s.monitor(ctx, f, ids[0], follow)
	}
	s.fileMapped(h, f, ids, o)
	return nil
}

// mapFile makes the regions of a file.
func (s *files) mapFile(f *mappedFile, o stats.FileOptions) ([]uint64, *stats.Handle, error) {
	failed := func() error { return s.Refuse("Could not create regions from file %s.", f.path) }
	ranges, err := s.ranges(f)
	if err != nil {
		return nil, nil, failed()
	}
	h, err := s.open(f.dev)
	if err != nil {
		return nil, nil, err
	}
	defer s.showPlanned(h, f.dev)
	warnings, err := h.Foresee("")
	if err := s.afterList(f.dev, warnings, err); err != nil {
		return nil, nil, err
	}
	ids, err := h.CreateFile(ranges, o)
	var e *stats.FileError
	switch {
	case errors.As(err, &e):
		_ = s.Complain(s.createFailed(f.dev, e.Err))
		_ = s.Refuse("Failed to create region %d of %d at %d.", e.At, e.Of, e.Start)
		return nil, nil, failed()
	case err != nil:
		_ = s.Complain(s.createFailed(f.dev, err))
		return nil, nil, failed()
	}
	return ids, h, nil
}

// fileMapped says which regions were made for a file.
func (s *files) fileMapped(h *stats.Handle, f *mappedFile, ids []uint64, o stats.FileOptions) {
	if o.Group {
		s.done(h, change{Device: f.dev.Num.String(), Action: "created", Regions: ids, Group: &ids[0], Alias: o.Alias},
			"%s: Created new group with %d region(s) as group ID %d.\n", f.given, len(ids), ids[0])
		return
	}
	for _, id := range ids {
		s.done(h, change{Device: f.dev.Num.String(), Action: "created", Regions: []uint64{id}, Areas: 1},
			"%s: Created new region with 1 area as region ID %d.\n", f.given, id)
	}
}

// updateFilemap is the subcommand update_filemap.
func (s *files) updateFilemap(ctx context.Context, c dmtask.Call) error {
	a := s.Line
	if err := s.fileOptions(); err != nil {
		return err
	}
	given, ok := c.First()
	switch {
	case !ok:
		return s.Refuse("update_filemap requires a file path argument")
	case !a.Has(dmopt.GroupID):
		return s.Refuse("--groupid is required to update a filemap group.")
	}
	path, err := s.absolute(given)
	if err != nil {
		return err
	}
	follow, monitor, err := s.followMode()
	if err != nil || !monitor && !a.Has(dmopt.NoMonitor) {
		return errors.Join(err, &dmtask.Printed{Err: dmopt.Wrong("nothing to follow")})
	}
	f, err := s.openFile(given, path)
	if err != nil {
		return err
	}
	defer f.Close()
	group := s.unsigned(dmopt.GroupID)
	if monitor && s.monitor(ctx, f, group, follow) {
		return nil
	}
	return s.updateFile(f, group)
}

// updateFile brings the group of a file up to date once.
func (s *files) updateFile(f *mappedFile, group uint64) error {
	failed := func() error { return s.Refuse("Could not update regions from file %s", f.path) }
	h, err := s.open(f.dev)
	if err != nil {
		return err
	}
	if err := s.listRegions(h, f.dev, s.programOption()); err != nil {
		_ = s.Refuse("Could not obtain region list while updating group %d.", group)
		return failed()
	}
	if leader := h.Table.Region(group); leader == nil || leader.Group == nil {
		_ = s.Refuse("Group ID %d does not exist.", group)
		return failed()
	}
	ranges, err := s.ranges(f)
	if err != nil {
		return failed()
	}
	defer s.showPlanned(h, f.dev)
	ids, err := h.UpdateFile(group, ranges)
	if err != nil {
		s.regionFailed(f.dev, err)
		return failed()
	}
	if group != ids[0] && !s.Line.Has(dmopt.JSON) && h.Outcome().Applied {
		fmt.Fprintf(s.Out, "Group ID changed from %d to %d", group, ids[0])
	}
	s.done(h, change{Device: f.dev.Num.String(), Action: "updated", Regions: ids, Group: &ids[0]},
		"%s: Updated group ID %d with %d region(s).\n", f.given, ids[0], len(ids))
	return nil
}

// monitor starts the daemon that follows a file, or follows it itself with
// --foreground. It returns whether that worked; in a dry run nothing follows it.
func (s *files) monitor(ctx context.Context, f *mappedFile, group uint64, path bool) (follows bool) {
	runner := plan.Runner{DryRun: s.Line.Has(dmopt.DryRun)}
	_ = runner.Do(ctx, plan.AsideStep(func(ctx context.Context) error {
		follows = s.follow(ctx, f, group, path)
		return nil
	}))
	return follows
}

func (s *files) follow(ctx context.Context, f *mappedFile, group uint64, path bool) bool {
	mode := ui.Choose(path, "path", "inode")
	if s.Line.Has(dmopt.Foreground) {
		if err := s.Out.Flush(); err != nil {
			return false
		}
		args := []string{"dmfilemapd", strconv.Itoa(int(f.Fd())), strconv.FormatUint(group, 10), f.path, mode, "1"}
		return Filemapd(ctx, args, s.Std) == 0
	}
	if err := startFilemapd(f.File, group, f.path, mode); err != nil {
		s.Warn("dmfilemapd: %v", err)
		s.Warn("Failed to start filemap monitoring daemon.")
		return false
	}
	return true
}

// startFilemapd starts this program as dmfilemapd, to follow a file.
func startFilemapd(f *os.File, group uint64, path, mode string) error {
	return stats.StartDaemon(f, []string{"dmfilemapd", strconv.Itoa(stats.DaemonFile), strconv.FormatUint(group, 10), path, mode, "1"})
}
