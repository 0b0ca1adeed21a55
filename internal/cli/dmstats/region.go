package dmstats

import (
	"context"
	"math"
	"strings"

	table "github.com/mdkit/mdkit/engine/dm/stats"
	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/internal/cli/dmtask"
	"github.com/mdkit/mdkit/internal/cli/report"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/manage/mapper/stats"
)

// regions makes, removes, clears and prints regions.
type regions struct{ *groups }

// createOptions refuses options that make no sense with the subcommand create.
func (rs *regions) createOptions() error {
	a := rs.Line
	switch {
	case a.Has(dmopt.AllRegions):
		return rs.Refuse("Cannot use --allregions with create.")
	case a.Has(dmopt.AllPrograms):
		return rs.Refuse("Cannot use --allprograms with create.")
	case a.Has(dmopt.Areas) && a.Has(dmopt.AreaSize):
		return rs.Refuse("Please specify one of --areas and --areasize.")
	case a.Has(dmopt.ProgramID) && a.Text[dmopt.ProgramID] == "" && !a.Has(dmopt.Force):
		return rs.Refuse("Creating a region with no program id requires --force.")
	}
	return nil
}

// create makes regions on devices.
func (rs *regions) create(ctx context.Context, c dmtask.Call) error {
	a := rs.Line
	if every, err := rs.every(c, true); every || err != nil {
		if err != nil {
			return err
		}
		return rs.Each(ctx, c, rs.create)
	}
	region, err := rs.newRegion()
	if err != nil {
		return err
	}
	if a.Has(dmopt.Alias) && a.Has(dmopt.NoGroup) {
		return rs.Refuse("Cannot set alias with --nogroup.")
	}
	if a.Has(dmopt.Bounds) {
		if region.Bounds, err = table.ParseBounds(a.Text[dmopt.Bounds]); err != nil {
			return rs.refuseBounds(err)
		}
	}
	h, d, err := rs.openNamed(c)
	if err != nil {
		return err
	}
	defer rs.showPlanned(h, d)
	return rs.createRegions(ctx, h, d, region)
}

// newRegion parses the options that describe a region.
func (rs *regions) newRegion() (c table.Create, err error) {
	a := rs.Line
	c = table.Create{Precise: a.Has(dmopt.Precise), Program: rs.programOption(), User: a.Text[dmopt.UserData]}
	areas := int64(a.Number[dmopt.Areas])
	var size uint64
	if a.Has(dmopt.AreaSize) {
		if size, err = rs.sizeOption(dmopt.AreaSize, "areasize"); err != nil {
			return c, err
		}
	}
	switch {
	case size != 0:
		c.Step = size / sectorSize
	case areas < 0:
		c.Step = uint64(-areas) // like the original, which negates a number of areas to get the step
	default:
		c.Areas = uint64(max(areas, 1))
	}
	if a.Has(dmopt.Start) {
		if c.Start, err = rs.sizeOption(dmopt.Start, "start"); err != nil {
			return c, err
		}
	}
	if a.Has(dmopt.Length) {
		if c.Length, err = rs.sizeOption(dmopt.Length, "length"); err != nil {
			return c, err
		}
	}
	c.Start /= sectorSize
	c.Length /= sectorSize
	return c, nil
}

// sizeOption parses a size: sectors, or bytes if a unit follows. An invalid unit is
// ignored.
func (rs *regions) sizeOption(o dmopt.Option, name string) (uint64, error) {
	text := rs.Line.Text[o]
	digits := strings.TrimLeft(text, dmopt.Blank)
	negative := strings.HasPrefix(digits, "-")
	digits = strings.TrimPrefix(strings.TrimPrefix(digits, "-"), ui.Choose(negative, "", "+"))
	n := 0
	value := uint64(0)
	for n < len(digits) && digits[n] >= '0' && digits[n] <= '9' {
		if d := uint64(digits[n] - '0'); value > (math.MaxUint64-d)/10 {
			value = math.MaxUint64
		} else {
			value = value*10 + d
		}
		n++
	}
	if n == 0 {
		return 0, rs.Refuse("Invalid %s argument: \"%s\"", name, text)
	}
	if negative && value != math.MaxUint64 {
		value = -value
	}
	if digits[n:] == "" {
		return value * sectorSize, nil
	}
	if u, _, ok := report.ParseUnits(digits[n:]); ok {
		value *= u.Factor
	}
	return value, nil
}

// createRegions makes the region, or one region for each target of the device.
func (rs *regions) createRegions(ctx context.Context, h *stats.Handle, d dmtask.Device, region table.Create) error {
	a := rs.Line
	info, targets, err := rs.AskTargets(ctx, dmtask.TaskTable, d, dm.KindTable)
	if err != nil || info == nil {
		return err
	}
	warnings, err := h.Foresee("")
	if err := rs.afterList(d, warnings, err); err != nil {
		return err
	}
	segments := a.Has(dmopt.Segments)
	if !segments {
		total := uint64(0)
		for _, t := range targets {
			total += t.Length
		}
		if region.Length == 0 {
			region.Length = total
		}
		targets = []dm.Target{{Start: region.Start, Length: region.Length}}
	}
	if len(targets) == 0 {
		targets = []dm.Target{{}}
	}
	var ids []uint64
	for _, t := range targets {
		region.Start, region.Length = t.Start, t.Length
		id, err := h.Create(region)
		if err != nil {
			_ = rs.Complain(rs.createFailed(d, err))
			return rs.Refuse("%s: Could not create statistics region.", info.Name)
		}
		ids = append(ids, id)
		areas := region.NumAreas(t.Length)
		rs.done(h, change{Device: info.Name, Action: "created", Regions: []uint64{id}, Areas: areas},
			"%s: Created new region with %d area(s) as region ID %d\n", info.Name, areas, id)
	}
	if a.Has(dmopt.NoGroup) || !segments {
		return nil
	}
	return rs.groupSegments(h, d, info.Name, region.Program, ids)
}

// groupSegments makes a group of the regions of a device's targets.
func (rs *regions) groupSegments(h *stats.Handle, d dmtask.Device, name, program string, ids []uint64) error {
	list := table.JoinIDs(ids)
	if program != "" {
		program = stats.Program // the original looks only there
	}
	warnings, err := h.Relist(program)
	if err := rs.afterList(d, warnings, err); err != nil {
		return err
	}
	alias := rs.Line.Text[dmopt.Alias]
	g, err := rs.group(h, d, list, alias)
	if err != nil {
		return rs.Refuse("Failed to create group for regions %s.", list)
	}
	id := g.ID()
	with := ""
	if rs.Line.Has(dmopt.Alias) {
		with = " with alias " + alias
	}
	rs.done(h, change{Device: name, Action: "grouped", Regions: g.Members, Group: &id, Alias: alias},
		"Grouped regions %s as group ID %d%s\n", list, id, with)
	return nil
}

// delete is the subcommand delete.
func (rs *regions) delete(ctx context.Context, c dmtask.Call) error {
	a := rs.Line
	all := a.Has(dmopt.AllRegions)
	switch {
	case a.Has(dmopt.RegionID) && a.Has(dmopt.GroupID):
		return rs.Refuse("Please use one of --regionid and --groupid.")
	case !a.Has(dmopt.RegionID) && !all && !a.Has(dmopt.GroupID):
		return rs.Refuse("Please specify a --regionid or --groupid, or use --allregions.")
	}
	if every, err := rs.every(c, true); every || err != nil {
		if err != nil {
			return err
		}
		return rs.Each(ctx, c, rs.delete)
	}
	program := stats.Program
	if a.Has(dmopt.ProgramID) {
		program = a.Text[dmopt.ProgramID]
	}
	if a.Has(dmopt.AllPrograms) {
		program = ""
	}
	h, d, err := rs.listed(c, program)
	if err != nil {
		if a.Has(dmopt.RegionID) {
			_ = rs.Refuse("Could not obtain region list while deleting region ID %d", rs.unsigned(dmopt.RegionID))
			return rs.Refuse("Could not delete statistics region")
		}
		return err
	}
	defer rs.showPlanned(h, d)
	switch {
	case a.Has(dmopt.GroupID):
		return rs.deleteGroup(h, d)
	case all:
		return rs.deleteAll(h, d)
	}
	id := rs.unsigned(dmopt.RegionID)
	if err := h.Delete(id); err != nil {
		rs.regionFailed(d, err)
		return rs.Refuse("Could not delete statistics region")
	}
	rs.done(h, change{Device: d.String(), Action: "deleted", Regions: []uint64{id}}, "")
	return nil
}

func (rs *regions) deleteAll(h *stats.Handle, d dmtask.Device) error {
	var ids []uint64
	for _, r := range h.Table.Regions {
		ids = append(ids, r.ID)
	}
	for _, id := range ids {
		if err := h.Delete(id); err != nil {
			rs.regionFailed(d, err)
			return rs.Refuse("Could not delete statistics region.")
		}
	}
	rs.done(h, change{Device: d.String(), Action: "deleted", Regions: ids}, "")
	return nil
}

func (rs *regions) deleteGroup(h *stats.Handle, d dmtask.Device) error {
	id := rs.unsigned(dmopt.GroupID)
	if err := rs.ungroup(h, d, id, true); err != nil {
		return rs.Refuse("Could not delete statistics group.")
	}
	rs.done(h, change{Device: d.String(), Action: "deleted", Group: &id}, "Deleted statistics group %d.\n", id)
	return nil
}

// clear is the subcommand clear.
func (rs *regions) clear(ctx context.Context, c dmtask.Call) error {
	if err := rs.wantsRegions(); err != nil {
		return err
	}
	if rs.All(c) {
		return rs.Each(ctx, c, rs.clear)
	}
	h, d, err := rs.listed(c, stats.Program)
	if err != nil || len(h.Table.Regions) == 0 {
		return err
	}
	defer rs.showPlanned(h, d)
	ids := []uint64{rs.unsigned(dmopt.RegionID)}
	if rs.Line.Has(dmopt.AllRegions) {
		ids = nil
		for _, r := range h.Table.Regions {
			ids = append(ids, r.ID)
		}
	}
	for _, id := range ids {
		if h.Table.Region(id) == nil {
			return rs.Refuse("No such region: %d.", id)
		}
		if err := h.Clear(id); err != nil {
			_ = rs.Complain(rs.failed(d, err))
			return rs.Refuse("Clearing statistics region %d failed.", id)
		}
	}
	rs.done(h, change{Device: d.String(), Action: "cleared", Regions: ids}, "")
	return nil
}

// wantsRegions refuses a command line that does not say which regions it is about.
func (rs *regions) wantsRegions() error {
	if !rs.Line.Has(dmopt.RegionID) && !rs.Line.Has(dmopt.AllRegions) {
		return rs.Refuse("Please specify a --regionid or use --allregions.")
	}
	return nil
}

// printed is a region with its counters as the kernel writes them.
type printed struct {
	Device string `json:"device"`
	Region uint64 `json:"region"`
	Lines  string `json:"lines"`
}

// print is the subcommand print. With --allregions it prints every region twice, as the
// original does.
func (rs *regions) print(ctx context.Context, c dmtask.Call) error {
	if err := rs.wantsRegions(); err != nil {
		return err
	}
	if rs.All(c) {
		return rs.Each(ctx, c, rs.print)
	}
	h, d, err := rs.listed(c, stats.Program)
	if err != nil {
		return err
	}
	defer rs.showPlanned(h, d)
	if !rs.Line.Has(dmopt.AllRegions) {
		return rs.printRegion(h, d, rs.unsigned(dmopt.RegionID))
	}
	for _, r := range h.Table.Regions {
		if err := rs.printRegion(h, d, r.ID); err != nil {
			return err
		}
		if rs.Line.Has(dmopt.JSON) || !h.Outcome().Applied {
			continue
		}
		if err := rs.printRegion(h, d, r.ID); err != nil {
			return err
		}
	}
	return nil
}

func (rs *regions) printRegion(h *stats.Handle, d dmtask.Device, id uint64) error {
	text, err := h.Print(id, rs.Line.Has(dmopt.Clear))
	if err != nil {
		_ = rs.Complain(rs.failed(d, err))
		return rs.Refuse("Could not print statistics region.")
	}
	if rs.Line.Has(dmopt.JSON) {
		rs.Show(printed{d.String(), id, text})
		return nil
	}
	rs.Out.WriteString(text)
	return nil
}
