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

// groups makes groups of regions, and undoes them.
type groups struct{ *handles }

// group makes regions a group; what is wrong or odd is said.
func (s *groups) group(h *stats.Handle, d dmtask.Device, list, alias string) (*table.NewGroup, error) {
	g, err := h.Group(list, alias)
	var e *table.MemberError
	if errors.As(err, &e) {
		return nil, s.Refuse("%s", memberProblem(e))
	}
	if g == nil {
		return nil, s.Complain(dmtask.Failed(dmtask.TaskMessage, d, err))
	}
	if g.Mixed {
		s.Warn("WARNING: Grouping regions with different clock resolution: precision may be lost.")
	}
	for _, o := range g.Overlaps {
		s.Warn("WARNING: region IDs %d and %d overlap. Some events will be counted twice.", o.First, o.Second)
	}
	return g, s.Complain(dmtask.Failed(dmtask.TaskMessage, d, err))
}

// memberProblem is a group that cannot be made, in the words of the original.
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

// ungroup removes a group; what is wrong is said.
func (s *groups) ungroup(h *stats.Handle, d dmtask.Device, id uint64, regions bool) error {
	if id > h.Table.Last() {
		return s.Refuse("Invalid group ID: %d", id)
	}
	left, err := h.Ungroup(id, regions)
	for _, l := range left {
		var e *stats.LeftError
		if errors.As(l, &e) {
			s.regionFailed(d, e.Err)
			s.Warn("WARNING: Failed to delete region %d on %s.", e.Region, d.Name)
		}
	}
	if err != nil {
		s.regionFailed(d, err)
		return &dmtask.Printed{Err: err}
	}
	return nil
}

// groupCommand is the subcommand group.
func (s *groups) groupCommand(ctx context.Context, c dmtask.Call) error {
	if !s.Line.Has(dmopt.Regions) {
		return s.Refuse("Group requires --regions.")
	}
	if every, err := s.every(c, true); every || err != nil {
		if err != nil {
			return err
		}
		return s.Each(ctx, c, s.groupCommand)
	}
	h, d, err := s.listed(c, stats.Program)
	if err != nil {
		return err
	}
	defer s.showPlanned(h, d)
	list, alias := s.Line.Text[dmopt.Regions], s.Line.Text[dmopt.Alias]
	g, err := s.group(h, d, list, alias)
	if err != nil {
		return s.Refuse("Could not create group on %s: %s", calledBy(c), list)
	}
	id := g.ID()
	s.done(h, change{Device: d.String(), Action: "grouped", Regions: g.Members, Group: &id, Alias: alias},
		"Grouped regions %s as group ID %d on %s\n", list, id, calledBy(c))
	return nil
}

// calledBy is the name that the line has for the device; C's printf writes it
// so where there is none.
func calledBy(c dmtask.Call) string {
	if name, ok := c.First(); ok {
		return name
	}
	return "(null)"
}

// ungroupCommand is the subcommand ungroup.
func (s *groups) ungroupCommand(ctx context.Context, c dmtask.Call) error {
	if !s.Line.Has(dmopt.GroupID) {
		return s.Refuse("Please specify group id.")
	}
	if every, err := s.every(c, true); every || err != nil {
		if err != nil {
			return err
		}
		return s.Each(ctx, c, s.ungroupCommand)
	}
	h, d, err := s.listed(c, stats.Program)
	if err != nil {
		return err
	}
	defer s.showPlanned(h, d)
	id := s.unsigned(dmopt.GroupID)
	if err = s.ungroup(h, d, id, false); err != nil {
		_ = s.Refuse("Could not delete group %d on %s.", id, calledBy(c))
	}
	// The original says so whether or not it is true.
	s.done(h, change{Device: d.String(), Action: "ungrouped", Group: &id}, "Removed group ID %d on %s\n", id, calledBy(c))
	return err
}
