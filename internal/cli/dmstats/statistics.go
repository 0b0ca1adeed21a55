package dmstats

import (
	"errors"
	"fmt"
	"strings"

	table "github.com/mdkit/mdkit/engine/dm/stats"
	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/internal/cli/dmtask"
	"github.com/mdkit/mdkit/manage/mapper"
	"github.com/mdkit/mdkit/manage/mapper/stats"
	"github.com/mdkit/mdkit/sysfs"
)

// Statistics implements the subcommands of stats.
type Statistics struct {
	*files
	*readings
}

// New returns the Statistics of the devices that a command line names.
func New(devices *dmtask.Devices) *Statistics {
	h := &handles{devices}
	return &Statistics{files: &files{&regions{&groups{h}}}, readings: &readings{handles: h}}
}

// sectorSize is the size of a sector in bytes.
const sectorSize = 512

// handles opens the statistics of devices, and reports the results.
type handles struct{ *dmtask.Devices }

// unsigned converts an option's number as the original does for regions.
func (hs *handles) unsigned(o dmopt.Option) uint64 { return uint64(int64(hs.Line.Number[o])) }

// every reports whether a subcommand is for all devices because none is named. If
// needsAll is set, that also requires --alldevices.
func (hs *handles) every(c dmtask.Call, needsAll bool) (every bool, err error) {
	if !hs.All(c) {
		return false, nil
	}
	if needsAll && !hs.Line.Has(dmopt.AllDevices) {
		return false, hs.Refuse("Please specify device(s) or use --alldevices.")
	}
	return true, nil
}

// openNamed opens the statistics of the device that a call is for.
func (hs *handles) openNamed(c dmtask.Call) (*stats.Handle, dmtask.Device, error) {
	d, err := hs.Device(c)
	if err != nil {
		return nil, d, err
	}
	h, err := hs.open(d)
	return h, d, err
}

func (hs *handles) open(d dmtask.Device) (*stats.Handle, error) {
	ctl, err := hs.Control()
	if err != nil {
		return nil, err
	}
	m := &mapper.Mapper{Control: ctl, FS: sysfs.Host, Patience: hs.Line.KernelPatience()}
	h := stats.Open(teller{m}, d.Selector())
	h.Runner.DryRun = hs.Line.Has(dmopt.DryRun)
	return h, nil
}

// listed is openNamed, followed by listing the regions of a program, or all regions if
// program is "".
func (hs *handles) listed(c dmtask.Call, program string) (*stats.Handle, dmtask.Device, error) {
	h, d, err := hs.openNamed(c)
	if err == nil {
		err = hs.listRegions(h, d, program)
	}
	return h, d, err
}

// listRegions lists the regions and reports what is odd about them.
func (hs *handles) listRegions(h *stats.Handle, d dmtask.Device, program string) error {
	warnings, err := h.List(program)
	return hs.afterList(d, warnings, err)
}

// afterList reports what is odd about the listed regions, or why they could not be
// listed.
func (hs *handles) afterList(d dmtask.Device, warnings []error, err error) error {
	for _, w := range warnings {
		hs.regionWarning(w)
	}
	if errors.Is(err, stats.ErrReply) {
		_ = hs.Complain(err)
		return hs.Refuse("Could not parse @stats_list response.")
	}
	return hs.Complain(hs.failed(d, err))
}

func (hs *handles) regionWarning(w error) {
	var group *table.GroupError
	if errors.As(w, &group) {
		switch group.Problem {
		case table.NoAliasEnd:
			hs.Warn("Found malformed group tag while reading aux_data")
		case table.NoList:
			hs.Warn("Could not parse member list while reading group aux_data")
		case table.NotLeader:
			hs.Warn("Found invalid group descriptor in region %d aux_data.", group.Region)
		}
		tag, _, _ := strings.Cut(group.User, ":")
		hs.Warn("Failed to parse group descriptor from region_id %d aux_data:'%s'", group.Region, tag)
	}
}

// showPlanned shows the messages that a dry run would have sent.
func (hs *handles) showPlanned(h *stats.Handle, d dmtask.Device) {
	o := h.Outcome()
	if o.Applied {
		return
	}
	for i := range o.Messages {
		o.Messages[i].Target, o.Messages[i].What = d.String(), dmtask.TaskMessage
	}
	hs.ShowSteps(d.String(), o.Messages...)
}

// change is what --json shows about a change to the statistics.
type change struct {
	Device  string   `json:"device"`
	Action  string   `json:"action"` // created, deleted, cleared, grouped, ungrouped, updated
	Regions []uint64 `json:"regions"`
	Group   *uint64  `json:"group,omitempty"`
	Alias   string   `json:"alias,omitempty"`
	Areas   uint64   `json:"areas,omitempty"` // in each region
}

// done reports what was done, in text or as a row of --json. In a dry run it reports
// nothing: the messages have been shown.
func (hs *handles) done(h *stats.Handle, d change, format string, args ...any) {
	switch {
	case !h.Outcome().Applied:
	case hs.Line.Has(dmopt.JSON):
		if d.Regions == nil {
			d.Regions = []uint64{}
		}
		hs.Show(d)
	case format != "":
		fmt.Fprintf(hs.Out, format, args...)
	}
}

// regionFailed reports why a region could not be deleted.
func (hs *handles) regionFailed(d dmtask.Device, err error) {
	var left *stats.GroupLeft
	if errors.As(err, &left) {
		hs.regionFailed(d, left.Err)
		_ = hs.Refuse("Could not remove region ID %d from group ID %d", left.Region, left.Group)
		return
	}
	var missing *stats.RegionError
	switch {
	case !errors.As(err, &missing):
		_ = hs.Complain(hs.failed(d, err))
	case errors.Is(err, stats.ErrNoGroup):
		_ = hs.Refuse("Group ID %d does not exist", missing.ID)
	case errors.Is(err, stats.ErrNoRegions):
		_ = hs.Refuse("Could not delete region ID %d: no regions found", missing.ID)
	default:
		_ = hs.Refuse("Region ID %d does not exist", missing.ID)
	}
}

// createFailed returns the error for a region that could not be made.
func (hs *handles) createFailed(d dmtask.Device, err error) error {
	if errors.Is(err, table.ErrBounds) {
		return hs.refuseBounds(err)
	}
	return hs.failed(d, err)
}

// refuseBounds reports what is wrong with bounds.
func (hs *handles) refuseBounds(err error) error {
	var e *table.BoundsError
	switch {
	case !errors.As(err, &e):
		return err
	case e.Empty:
		return hs.Refuse("Empty histogram bin not allowed: %s", e.Text)
	case e.Order:
		return hs.Refuse("Histogram boundaries must be in order of increasing magnitude.")
	}
	return hs.Refuse("Invalid character in histogram: %s", string([]byte{e.Char}))
}

// programOption returns the program id for new regions.
func (hs *handles) programOption() string {
	if p := hs.Line.Text[dmopt.ProgramID]; hs.Line.Has(dmopt.ProgramID) && (p != "" || hs.Line.Has(dmopt.Force)) {
		return p
	}
	return stats.Program
}
