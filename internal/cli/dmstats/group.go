package dmstats

import (
	"context"
	"errors"
	"fmt"

	table "github.com/mdkit/mdkit/engine/dm/stats"

	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/internal/cli/dmtask"
	"github.com/mdkit/mdkit/manage/mapper/stats"
)

// groups groups regions, and ungroups them.
type groups struct{ *handles }

// group makes a group of regions, and reports what is wrong or odd.
func (gs *groups) group(h *stats.Handle, d dmtask.Device, list, alias string) (*table.NewGroup, error) {
	g, err := h.Group(list, alias)
	var e *table.MemberError
	if errors.As(err, &e) {
		return nil, gs.Refuse("%s", memberProblem(e))
	}
	if g == nil {
		return nil, gs.Complain(gs.failed(d, err))
	}
	if g.Mixed {
		gs.Warn("WARNING: Grouping regions with different clock resolution: precision may be lost.")
	}
	for _, o := range g.Overlaps {
		gs.Warn("WARNING: region IDs %d and %d overlap. Some events will be counted twice.", o.First, o.Second)
	}
	return g, gs.Complain(gs.failed(d, err))
}

// memberProblem says why a group cannot be made, in the words of the original.
func memberProblem(e *table.MemberError) string {
	switch e.Problem {
	case table.NoRegions:
		return "Could not create group: no regions found."
	case table.BadList:
		return "Could not parse list: '" + e.Text + "'"
	case table.BeyondLast:
		return fmt.Sprintf("Invalid region ID: %d", e.Region)
	case table.NoSuchRegion:
		return fmt.Sprintf("Region ID %d does not exist", e.Region)
	case table.Grouped:
		return fmt.Sprintf("Region ID %d already a member of group ID %d", e.Region, e.Group)
	}
	return "All region histogram bounds must match exactly"
}

// ungroup removes a group, and reports what is wrong.
func (gs *groups) ungroup(h *stats.Handle, d dmtask.Device, id uint64, regions bool) error {
	if id > h.Table.Last() {
		return gs.Refuse("Invalid group ID: %d", id)
	}
	left, err := h.Ungroup(id, regions)
	for _, l := range left {
		var e *stats.LeftError
		if errors.As(l, &e) {
			gs.regionFailed(d, e.Err)
			gs.Warn("WARNING: Failed to delete region %d on %s.", e.Region, d.Name)
		}
	}
	if err != nil {
		gs.regionFailed(d, err)
		return &dmtask.Printed{Err: err}
	}
	return nil
}

// groupCommand is the subcommand group.
func (gs *groups) groupCommand(ctx context.Context, c dmtask.Call) error {
	if !gs.Line.Has(dmopt.Regions) {
		return gs.Refuse("Group requires --regions.")
	}
	if every, err := gs.every(c, true); every || err != nil {
		if err != nil {
			return err
		}
		return gs.Each(ctx, c, gs.groupCommand)
	}
	h, d, err := gs.listed(c, stats.Program)
	if err != nil {
		return err
	}
	defer gs.showPlanned(h, d)
	list, alias := gs.Line.Text[dmopt.Regions], gs.Line.Text[dmopt.Alias]
	g, err := gs.group(h, d, list, alias)
	if err != nil {
		return gs.Refuse("Could not create group on %s: %s", calledBy(c), list)
	}
	id := g.ID()
	gs.done(h, change{Device: d.String(), Action: "grouped", Regions: g.Members, Group: &id, Alias: alias},
		"Grouped regions %s as group ID %d on %s\n", list, id, calledBy(c))
	return nil
}

// calledBy returns the device's name in the command line; if there is none, what C's
// printf writes.
func calledBy(c dmtask.Call) string {
	if name, ok := c.First(); ok {
		return name
	}
	return "(null)"
}

// ungroupCommand is the subcommand ungroup.
func (gs *groups) ungroupCommand(ctx context.Context, c dmtask.Call) error {
	if !gs.Line.Has(dmopt.GroupID) {
		return gs.Refuse("Please specify group id.")
	}
	if every, err := gs.every(c, true); every || err != nil {
		if err != nil {
			return err
		}
		return gs.Each(ctx, c, gs.ungroupCommand)
	}
	h, d, err := gs.listed(c, stats.Program)
	if err != nil {
		return err
	}
	defer gs.showPlanned(h, d)
	id := gs.unsigned(dmopt.GroupID)
	if err = gs.ungroup(h, d, id, false); err != nil {
		_ = gs.Refuse("Could not delete group %d on %s.", id, calledBy(c))
	}
	// The original says this even if it is not true.
	gs.done(h, change{Device: d.String(), Action: "ungrouped", Group: &id}, "Removed group ID %d on %s\n", id, calledBy(c))
	return err
}
