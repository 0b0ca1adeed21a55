package dmstats

import (
	"errors"
	"fmt"
	"strings"

	table "github.com/mdkit/mdkit/engine/dm/stats"
	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/internal/cli/dmtask"
	"github.com/mdkit/mdkit/manage/mapper/stats"
)

// Statistics are the subcommands of stats.
type Statistics struct {
	*files
	*readings
}

// New gives the statistics of the devices that a command line names.
func New(devices *dmtask.Devices) *Statistics {
	h := &handles{devices}
	return &Statistics{files: &files{&regions{&groups{h}}}, readings: &readings{handles: h}}
}

// sectorSize turns sectors into bytes.
const sectorSize = 512

// handles opens the statistics of devices, and says what comes of it.
type handles struct{ *dmtask.Devices }

// unsigned is an option's number as the original takes it for a region.
func (s *handles) unsigned(o dmopt.Option) uint64 { return uint64(int64(s.Line.Number[o])) }

// every says whether a subcommand is for all devices: none is named. If needsAll
// is set, --alldevices has to say so too.
func (s *handles) every(c dmtask.Call, needsAll bool) (every bool, err error) {
	if !s.All(c) {
		return false, nil
	}
	if needsAll && !s.Line.Has(dmopt.AllDevices) {
		return false, s.Refuse("Please specify device(s) or use --alldevices.")
	}
	return true, nil
}

// openNamed opens the statistics of the device that a call is for.
func (s *handles) openNamed(c dmtask.Call) (*stats.Handle, dmtask.Device, error) {
	d, err := s.Device(c)
	if err != nil {
		return nil, d, err
	}
	h, err := s.open(d)
	return h, d, err
}

func (s *handles) open(d dmtask.Device) (*stats.Handle, error) {
	ctl, err := s.Control()
	if err != nil {
		return nil, err
	}
	h := stats.Open(ctl, d.Selector())
	h.Runner.DryRun = s.Line.Has(dmopt.DryRun)
	return h, nil
}

// listed is openNamed with the regions of a program listed; an empty program
// is all of them.
func (s *handles) listed(c dmtask.Call, program string) (*stats.Handle, dmtask.Device, error) {
	h, d, err := s.openNamed(c)
	if err == nil {
		err = s.listRegions(h, d, program)
	}
	return h, d, err
}

// listRegions lists the regions and says what is odd about them.
func (s *handles) listRegions(h *stats.Handle, d dmtask.Device, program string) error {
	warnings, err := h.List(program)
	return s.afterList(d, warnings, err)
}

// afterList says what is odd about the regions that were listed, and why they
// were not.
func (s *handles) afterList(d dmtask.Device, warnings []error, err error) error {
	for _, w := range warnings {
		s.regionWarning(w)
	}
	if errors.Is(err, stats.ErrReply) {
		_ = s.Complain(err)
		return s.Refuse("Could not parse @stats_list response.")
	}
	return s.Complain(dmtask.Failed(dmtask.TaskMessage, d, err))
}

func (s *handles) regionWarning(w error) {
	var group *table.GroupError
	if errors.As(w, &group) {
		switch group.Problem {
		case table.NoAliasEnd:
			s.Warn("Found malformed group tag while reading aux_data")
		case table.NoList:
			s.Warn("Could not parse member list while reading group aux_data")
		case table.NotLeader:
			s.Warn("Found invalid group descriptor in region %d aux_data.", group.Region)
		}
		tag, _, _ := strings.Cut(group.User, ":")
		s.Warn("Failed to parse group descriptor from region_id %d aux_data:'%s'", group.Region, tag)
	}
}

// showPlanned shows what a dry run would have sent.
func (s *handles) showPlanned(h *stats.Handle, d dmtask.Device) {
	o := h.Outcome()
	if o.Applied {
		return
	}
	for i := range o.Messages {
		o.Messages[i].Target, o.Messages[i].What = d.String(), dmtask.TaskMessage
	}
	s.ShowSteps(d.String(), o.Messages...)
}

// change is what --json says of a change of the statistics.
type change struct {
	Device  string   `json:"device"`
	Action  string   `json:"action"` // created, deleted, cleared, grouped, ungrouped, updated
	Regions []uint64 `json:"regions"`
	Group   *uint64  `json:"group,omitempty"`
	Alias   string   `json:"alias,omitempty"`
	Areas   uint64   `json:"areas,omitempty"` // of each region
}

// done says what was done: in text, or as a row of --json. In a dry run it says
// nothing: what would be sent has been shown.
func (s *handles) done(h *stats.Handle, d change, format string, args ...any) {
	switch {
	case !h.Outcome().Applied:
	case s.Line.Has(dmopt.JSON):
		if d.Regions == nil {
			d.Regions = []uint64{}
		}
		s.Show(d)
	case format != "":
		fmt.Fprintf(s.Out, format, args...)
	}
}

// regionFailed says why a region could not be deleted.
func (s *handles) regionFailed(d dmtask.Device, err error) {
	var left *stats.GroupLeft
	if errors.As(err, &left) {
		s.regionFailed(d, left.Err)
		_ = s.Refuse("Could not remove region ID %d from group ID %d", left.Region, left.Group)
		return
	}
	var missing *stats.RegionError
	switch {
	case !errors.As(err, &missing):
		_ = s.Complain(dmtask.Failed(dmtask.TaskMessage, d, err))
	case errors.Is(err, stats.ErrNoGroup):
		_ = s.Refuse("Group ID %d does not exist", missing.ID)
	case errors.Is(err, stats.ErrNoRegions):
		_ = s.Refuse("Could not delete region ID %d: no regions found", missing.ID)
	default:
		_ = s.Refuse("Region ID %d does not exist", missing.ID)
	}
}

// createFailed is the error of a region that could not be made.
func (s *handles) createFailed(d dmtask.Device, err error) error {
	if errors.Is(err, table.ErrBounds) {
		return s.refuseBounds(err)
	}
	return dmtask.Failed(dmtask.TaskMessage, d, err)
}

// refuseBounds says what is wrong with bounds.
func (s *handles) refuseBounds(err error) error {
	var e *table.BoundsError
	switch {
	case !errors.As(err, &e):
		return err
	case e.Empty:
		return s.Refuse("Empty histogram bin not allowed: %s", e.Text)
	case e.Order:
		return s.Refuse("Histogram boundaries must be in order of increasing magnitude.")
	}
	return s.Refuse("Invalid character in histogram: %s", string([]byte{e.Char}))
}

// programOption is the program that new regions are for.
func (s *handles) programOption() string {
	if p := s.Line.Text[dmopt.ProgramID]; s.Line.Has(dmopt.ProgramID) && (p != "" || s.Line.Has(dmopt.Force)) {
		return p
	}
	return stats.Program
}
