package stats

import (
	"context"
	"errors"
	"fmt"
	"slices"

	table "github.com/mdkit/mdkit/engine/dm/stats"
	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/manage/plan"
)

// Program is the name under which dmstats makes regions.
const Program = "dmstats"

// Messenger sends messages to devices; *dm.Control does.
type Messenger interface {
	Message(dev dm.Device, sector uint64, message string, o dm.MessageOptions) (reply string, replied bool, err error)
}

// Handle manages the statistics of one device.
type Handle struct {
	// Table is the device's regions, after List.
	Table *table.Table

	// Runner sends the messages that change something or, in a dry run, only lists them.
	Runner plan.Runner

	to  Messenger
	dev dm.Device
}

// Open makes a handle; it sends nothing.
func Open(to Messenger, dev dm.Device) *Handle {
	return &Handle{Table: &table.Table{}, to: to, dev: dev}
}

// Reasons why a request fails.
var (
	ErrNoRegion  = errors.New("no such region")
	ErrNoRegions = errors.New("no regions")
	ErrNoGroup   = errors.New("no such group")
	ErrReply     = errors.New("malformed reply")
)

// RegionError is a failure because a region or group does not exist.
type RegionError struct {
	ID    uint64
	Group bool
	Class error // ErrNoRegion, ErrNoRegions or ErrNoGroup
}

// Error names the region or group and says that it does not exist.
func (e *RegionError) Error() string {
	what := "region"
	if e.Group {
		what = "group"
	}
	return fmt.Sprintf("%s %d: %v", what, e.ID, e.Class)
}

// Unwrap returns the class.
func (e *RegionError) Unwrap() error { return e.Class }

// replyError makes an error of a reply that makes no sense.
func replyError(err error) error { return fmt.Errorf("%w: %w", ErrReply, err) }

// ask sends a message that may be repeated.
func (h *Handle) ask(message string) (string, error) {
	reply, _, err := h.to.Message(h.dev, 0, message, dm.MessageOptions{Repeat: true})
	return reply, err
}

// tell makes the runner send a message that changes something. A dry run calls foresee
// instead, which may be nil.
func (h *Handle) tell(message string, o dm.MessageOptions, foresee func()) (reply string, err error) {
	info := plan.StepInfo{Kind: plan.KindIoctl, What: "message", Value: "0 " + message}
	send := plan.NewStep(info, func(context.Context) error {
		var err error
		reply, _, err = h.to.Message(h.dev, 0, message, o)
		return err
	}, nil)
	err = h.Runner.Do(context.Background(), plan.Foreseen(send, func() error {
		if foresee != nil {
			foresee()
		}
		return nil
	}))
	h.Runner.Keep() // undo undoes this, with messages of its own
	return reply, err
}

// List lists the regions that a program has made, or all regions. The warnings are about
// group descriptions that make no sense.
func (h *Handle) List(program string) (warnings []error, err error) {
	h.Table = &table.Table{}
	reply, err := h.ask(table.ListMessage(program))
	if err != nil {
		return nil, err
	}
	regions, warnings, err := table.ParseList(reply)
	if err != nil {
		return nil, replyError(err)
	}
	h.Table.Regions = regions
	return warnings, nil
}

// Foresee is List in a dry run, and otherwise does nothing: the ids of regions that
// would be made depend on those that exist.
func (h *Handle) Foresee(program string) (warnings []error, err error) {
	nothing := plan.AsideStep(func(context.Context) error { return nil })
	err = h.Runner.Do(context.Background(), plan.Foreseen(nothing, func() (err error) {
		warnings, err = h.List(program)
		return err
	}))
	return warnings, err
}

// Relist is List after a change. In a dry run it does not ask the kernel: the table
// stays as foreseen.
func (h *Handle) Relist(program string) (warnings []error, err error) {
	err = h.Runner.Do(context.Background(), plan.AsideStep(func(context.Context) (err error) {
		warnings, err = h.List(program)
		return err
	}))
	return warnings, err
}

// Outcome says what changes a handle has made.
type Outcome struct {
	Applied  bool            // changes were made; false for a dry run
	Messages []plan.StepInfo // messages that were sent or, in a dry run, would be sent
}

// Outcome returns the changes so far.
func (h *Handle) Outcome() Outcome {
	applied, _ := h.Runner.Run(context.Background(), &plan.Plan{}) // without steps this only says whether the run is real
	return Outcome{Applied: applied, Messages: slices.Clone(h.Runner.Steps)}
}

// Populate reads the counters of all regions that were listed and sets them to zero, so
// that the next call counts only what happens from now on.
func (h *Handle) Populate() error {
	for _, r := range h.Table.Regions {
		reply, err := h.ask(table.PrintMessage(r.ID, true))
		if err != nil {
			return err
		}
		if err := r.ParsePrint(reply); err != nil {
			return replyError(err)
		}
	}
	return nil
}

// Create makes a region and returns its id.
func (h *Handle) Create(c table.Create) (uint64, error) {
	message, err := c.Message()
	if err != nil {
		return 0, err
	}
	foreseen := false
	var id uint64
	reply, err := h.tell(message, dm.MessageOptions{}, func() { id, foreseen = h.imagine(c), true })
	if err != nil || foreseen {
		return id, err
	}
	if id, err = table.ParseCreated(reply); err != nil {
		return 0, replyError(err)
	}
	return id, nil
}

// imagine adds the region that the kernel would have made to the table.
func (h *Handle) imagine(c table.Create) uint64 {
	r := &table.Region{
		ID: h.Table.Free(), Start: c.Start, Length: c.Length, Step: c.Step, Program: c.Program,
		User: c.User, Precise: c.Precise || c.Bounds.Precise(), Bounds: c.Bounds,
	}
	h.Table.Regions = slices.Insert(h.Table.Regions, int(h.Table.Free()), r)
	return r.ID
}

// Print returns a region's counters as the kernel writes them, and optionally sets them
// to zero.
func (h *Handle) Print(id uint64, clear bool) (string, error) {
	if clear {
		return h.tell(table.PrintMessage(id, true), dm.MessageOptions{Repeat: true}, nil)
	}
	return h.ask(table.PrintMessage(id, false))
}

// Clear sets a region's counters to zero.
func (h *Handle) Clear(id uint64) error {
	_, err := h.tell(table.ClearMessage(id), dm.MessageOptions{}, nil)
	return err
}

// writeUser writes a region's user data, including the description of the group that it
// leads.
func (h *Handle) writeUser(r *table.Region) error {
	_, err := h.tell(table.AuxMessage(r.ID, r.UserData()), dm.MessageOptions{}, nil)
	return err
}

// GroupLeft is a failure to take a region out of its group.
type GroupLeft struct {
	Region, Group uint64
	Err           error
}

// Error names the region and the group, and gives the reason.
func (e *GroupLeft) Error() string {
	return fmt.Sprintf("region %d cannot leave group %d: %v", e.Region, e.Group, e.Err)
}

// Unwrap returns the reason.
func (e *GroupLeft) Unwrap() error { return e.Err }

// Delete takes a region out of its group and removes it. A group ends with its leader.
// The regions must have been listed.
func (h *Handle) Delete(id uint64) error {
	if len(h.Table.Regions) == 0 {
		return &RegionError{ID: id, Class: ErrNoRegions}
	}
	r := h.Table.Region(id)
	if r == nil {
		return &RegionError{ID: id, Class: ErrNoRegion}
	}
	if leader := h.Table.Leader(id); leader != nil {
		if err := h.leave(leader, id); err != nil {
			return &GroupLeft{id, leader.ID, err}
		}
	}
	if _, err := h.tell(table.DeleteMessage(id), dm.MessageOptions{}, nil); err != nil {
		return err
	}
	h.Table.Regions = slices.DeleteFunc(h.Table.Regions, func(o *table.Region) bool { return o == r })
	return nil
}

// leave takes a region out of a group.
func (h *Handle) leave(leader *table.Region, id uint64) error {
	if leader.ID == id {
		leader.Group = nil
	} else {
		leader.Group.Members = slices.DeleteFunc(leader.Group.Members, func(m uint64) bool { return m == id })
	}
	return h.writeUser(leader)
}

// Group makes a group of regions; list is their ids, such as "0-2,5". The result says
// what is odd but possible.
func (h *Handle) Group(list, alias string) (*table.NewGroup, error) {
	g, err := h.Table.PlanGroup(list, alias)
	if err != nil {
		return nil, err
	}
	return g, h.makeGroup(g)
}

// makeGroup makes a group that has been checked.
func (h *Handle) makeGroup(g *table.NewGroup) error {
	leader := h.Table.Region(g.ID())
	leader.Group = &g.Group
	if err := h.writeUser(leader); err != nil {
		leader.Group = nil
		return err
	}
	return nil
}

// Ungroup removes a group, and optionally its regions. left says which regions could not
// be removed; the rest has been done.
func (h *Handle) Ungroup(id uint64, regions bool) (left []error, err error) {
	leader := h.Table.Region(id)
	if leader == nil || leader.Group == nil {
		return nil, &RegionError{ID: id, Group: true, Class: ErrNoGroup}
	}
	members := leader.Group.Members
	if regions {
		for _, m := range slices.Backward(members[1:]) {
			if err := h.Delete(m); err != nil {
				left = append(left, &LeftError{m, err})
			}
		}
	}
	leader.Group = nil
	if regions {
		return left, h.Delete(id)
	}
	return left, h.writeUser(leader)
}

// LeftError is a failure to remove a region of a removed group.
type LeftError struct {
	Region uint64
	Err    error
}

// Error names the region and gives the reason.
func (e *LeftError) Error() string { return fmt.Sprintf("region %d is left: %v", e.Region, e.Err) }

// Unwrap returns the reason.
func (e *LeftError) Unwrap() error { return e.Err }
