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

// regions makes regions, removes, clears and prints them.
type regions struct{ *groups }

// createOptions refuses options that make no sense with the subcommand create.
func (s *regions) createOptions() error {
	a := s.Line
	switch {
	case a.Has(dmopt.AllRegions):
		return s.Refuse("Cannot use --allregions with create.")
	case a.Has(dmopt.AllPrograms):
		return s.Refuse("Cannot use --allprograms with create.")
	case a.Has(dmopt.Areas) && a.Has(dmopt.AreaSize):
		return s.Refuse("Please specify one of --areas and --areasize.")
	case a.Has(dmopt.ProgramID) && a.Text[dmopt.ProgramID] == "" && !a.Has(dmopt.Force):
		return s.Refuse("Creating a region with no program id requires --force.")
	}
	return nil
}

// create makes regions of devices.
func (s *regions) create(ctx context.Context, c dmtask.Call) error {
	a := s.Line
	if every, err := s.every(c, true); every || err != nil {
		if err != nil {
			return err
		}
		return s.Each(ctx, c, s.create)
	}
	region, err := s.newRegion()
	if err != nil {
		return err
	}
	if a.Has(dmopt.Alias) && a.Has(dmopt.NoGroup) {
		return s.Refuse("Cannot set alias with --nogroup.")
	}
	if a.Has(dmopt.Bounds) {
		if region.Bounds, err = table.ParseBounds(a.Text[dmopt.Bounds]); err != nil {
			return s.refuseBounds(err)
		}
	}
	h, d, err := s.openNamed(c)
	if err != nil {
		return err
	}
	defer s.showPlanned(h, d)
	return s.createRegions(h, d, region)
}

// newRegion reads the options that describe a region.
func (s *regions) newRegion() (c table.Create, err error) {
	a := s.Line
	c = table.Create{Precise: a.Has(dmopt.Precise), Program: s.programOption(), User: a.Text[dmopt.UserData]}
	areas := int64(a.Number[dmopt.Areas])
	var size uint64
	if a.Has(dmopt.AreaSize) {
		if size, err = s.sizeOption(dmopt.AreaSize, "areasize"); err != nil {
			return c, err
		}
	}
	switch {
	case size != 0:
		c.Step = size / sectorSize
	case areas < 0:
		c.Step = uint64(-areas) // the original's sign for a number of areas, turned round
	default:
		c.Areas = uint64(max(areas, 1))
	}
	if a.Has(dmopt.Start) {
		if c.Start, err = s.sizeOption(dmopt.Start, "start"); err != nil {
			return c, err
		}
	}
	if a.Has(dmopt.Length) {
		if c.Length, err = s.sizeOption(dmopt.Length, "length"); err != nil {
			return c, err
		}
	}
	c.Start /= sectorSize
	c.Length /= sectorSize
	return c, nil
}

// sizeOption reads a size: sectors, or with a unit behind it that many bytes. A
// unit that is none does not count.
func (s *regions) sizeOption(o dmopt.Option, name string) (uint64, error) {
	text := s.Line.Text[o]
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
		return 0, s.Refuse("Invalid %s argument: \"%s\"", name, text)
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

// createRegions makes the region, or one for each target of the device.
func (s *regions) createRegions(h *stats.Handle, d dmtask.Device, region table.Create) error {
	a := s.Line
	info, targets, err := s.AskTargets(dmtask.TaskTable, d, dm.KindTable)
	if err != nil || info == nil {
		return err
	}
	warnings, err := h.Foresee("")
	if err := s.afterList(d, warnings, err); err != nil {
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
			_ = s.Complain(s.createFailed(d, err))
			return s.Refuse("%s: Could not create statistics region.", info.Name)
		}
		ids = append(ids, id)
		areas := region.NumAreas(t.Length)
		s.done(h, change{Device: info.Name, Action: "created", Regions: []uint64{id}, Areas: areas},
			"%s: Created new region with %d area(s) as region ID %d\n", info.Name, areas, id)
	}
	if a.Has(dmopt.NoGroup) || !segments {
		return nil
	}
	return s.groupSegments(h, d, info.Name, region.Program, ids)
}

// groupSegments makes the regions of a device's targets a group.
func (s *regions) groupSegments(h *stats.Handle, d dmtask.Device, name, program string, ids []uint64) error {
	list := table.JoinIDs(ids)
	if program != "" {
		program = stats.Program // the original looks nowhere else
	}
	warnings, err := h.Relist(program)
	if err := s.afterList(d, warnings, err); err != nil {
		return err
	}
	alias := s.Line.Text[dmopt.Alias]
	g, err := s.group(h, d, list, alias)
	if err != nil {
		return s.Refuse("Failed to create group for regions %s.", list)
	}
	id := g.ID()
	with := ""
	if s.Line.Has(dmopt.Alias) {
		with = " with alias " + alias
	}
	s.done(h, change{Device: name, Action: "grouped", Regions: g.Members, Group: &id, Alias: alias},
		"Grouped regions %s as group ID %d%s\n", list, id, with)
	return nil
}

// delete is the subcommand delete.
func (s *regions) delete(ctx context.Context, c dmtask.Call) error {
	a := s.Line
	all := a.Has(dmopt.AllRegions)
	switch {
	case a.Has(dmopt.RegionID) && a.Has(dmopt.GroupID):
		return s.Refuse("Please use one of --regionid and --groupid.")
	case !a.Has(dmopt.RegionID) && !all && !a.Has(dmopt.GroupID):
		return s.Refuse("Please specify a --regionid or --groupid, or use --allregions.")
	}
	if every, err := s.every(c, true); every || err != nil {
		if err != nil {
			return err
		}
		return s.Each(ctx, c, s.delete)
	}
	program := stats.Program
	if a.Has(dmopt.ProgramID) {
		program = a.Text[dmopt.ProgramID]
	}
	if a.Has(dmopt.AllPrograms) {
		program = ""
	}
	h, d, err := s.listed(c, program)
	if err != nil {
		if a.Has(dmopt.RegionID) {
			_ = s.Refuse("Could not obtain region list while deleting region ID %d", s.unsigned(dmopt.RegionID))
			return s.Refuse("Could not delete statistics region")
		}
		return err
	}
	defer s.showPlanned(h, d)
	switch {
	case a.Has(dmopt.GroupID):
		return s.deleteGroup(h, d)
	case all:
		return s.deleteAll(h, d)
	}
	id := s.unsigned(dmopt.RegionID)
	if err := h.Delete(id); err != nil {
		s.regionFailed(d, err)
		return s.Refuse("Could not delete statistics region")
	}
	s.done(h, change{Device: d.String(), Action: "deleted", Regions: []uint64{id}}, "")
	return nil
}

func (s *regions) deleteAll(h *stats.Handle, d dmtask.Device) error {
	var ids []uint64
	for _, r := range h.Table.Regions {
		ids = append(ids, r.ID)
	}
	for _, id := range ids {
		if err := h.Delete(id); err != nil {
			s.regionFailed(d, err)
			return s.Refuse("Could not delete statistics region.")
		}
	}
	s.done(h, change{Device: d.String(), Action: "deleted", Regions: ids}, "")
	return nil
}

func (s *regions) deleteGroup(h *stats.Handle, d dmtask.Device) error {
	id := s.unsigned(dmopt.GroupID)
	if err := s.ungroup(h, d, id, true); err != nil {
		return s.Refuse("Could not delete statistics group.")
	}
	s.done(h, change{Device: d.String(), Action: "deleted", Group: &id}, "Deleted statistics group %d.\n", id)
	return nil
}

// clear is the subcommand clear.
func (s *regions) clear(ctx context.Context, c dmtask.Call) error {
	if err := s.wantsRegions(); err != nil {
		return err
	}
	if s.All(c) {
		return s.Each(ctx, c, s.clear)
	}
	h, d, err := s.listed(c, stats.Program)
	if err != nil || len(h.Table.Regions) == 0 {
		return err
	}
	defer s.showPlanned(h, d)
	ids := []uint64{s.unsigned(dmopt.RegionID)}
	if s.Line.Has(dmopt.AllRegions) {
		ids = nil
		for _, r := range h.Table.Regions {
			ids = append(ids, r.ID)
		}
	}
	for _, id := range ids {
		if h.Table.Region(id) == nil {
			return s.Refuse("No such region: %d.", id)
		}
		if err := h.Clear(id); err != nil {
			_ = s.Complain(dmtask.Failed(dmtask.TaskMessage, d, err))
			return s.Refuse("Clearing statistics region %d failed.", id)
		}
	}
	s.done(h, change{Device: d.String(), Action: "cleared", Regions: ids}, "")
	return nil
}

// wantsRegions refuses a line that does not say which regions are meant.
func (s *regions) wantsRegions() error {
	if !s.Line.Has(dmopt.RegionID) && !s.Line.Has(dmopt.AllRegions) {
		return s.Refuse("Please specify a --regionid or use --allregions.")
	}
	return nil
}

// printed is a region's counters as the kernel writes them.
type printed struct {
	Device string `json:"device"`
	Region uint64 `json:"region"`
	Lines  string `json:"lines"`
}

// print is the subcommand print. With --allregions the original prints
// every region twice, and so does this.
func (s *regions) print(ctx context.Context, c dmtask.Call) error {
	if err := s.wantsRegions(); err != nil {
		return err
	}
	if s.All(c) {
		return s.Each(ctx, c, s.print)
	}
	h, d, err := s.listed(c, stats.Program)
	if err != nil {
		return err
	}
	defer s.showPlanned(h, d)
	if !s.Line.Has(dmopt.AllRegions) {
		return s.printRegion(h, d, s.unsigned(dmopt.RegionID))
	}
	for _, r := range h.Table.Regions {
		if err := s.printRegion(h, d, r.ID); err != nil {
			return err
		}
		if s.Line.Has(dmopt.JSON) || !h.Outcome().Applied {
			continue
		}
		if err := s.printRegion(h, d, r.ID); err != nil {
			return err
		}
	}
	return nil
}

func (s *regions) printRegion(h *stats.Handle, d dmtask.Device, id uint64) error {
	text, err := h.Print(id, s.Line.Has(dmopt.Clear))
	if err != nil {
		_ = s.Complain(dmtask.Failed(dmtask.TaskMessage, d, err))
		return s.Refuse("Could not print statistics region.")
	}
	if s.Line.Has(dmopt.JSON) {
		s.Show(printed{d.String(), id, text})
		return nil
	}
	s.Out.WriteString(text)
	return nil
}
