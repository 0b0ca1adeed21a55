package dmsetup

import (
	"context"
	"errors"
	"fmt"
	"strings"

	table "github.com/mdkit/mdkit/engine/dm/stats"
	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/internal/cli/dmtask"
	"github.com/mdkit/mdkit/internal/cli/report"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/manage/mapper/stats"
	"github.com/mdkit/mdkit/manage/plan"
)

// statsCommands are the subcommands of stats in the order of the original,
// which lists create twice: for devices and for files.
func statsCommands() []command {
	const (
		allPrograms = "[--allprograms|--programid id] "
		allRegions  = "[--allregions|--regionid id] "
		allDevices  = "[--alldevices|<device>...] "
		indent      = "\n\t    "
		ids         = "[--programid <id>] [--userdata <data> ]"
		extra       = "[--bounds histogram_boundaries] [--precise] "
		monitor     = "[--nomonitor] [--follow mode]"
		everything  = allPrograms + indent + allRegions + indent + allDevices
		fields      = "[-o <fields>] [-O|--sort <sort_fields>]" + indent +
			"[-S|--select <selection>] [--nameprefixes]" + indent + "[--noheadings] [--separator <separator>]"
	)
	create := "[--start <start> [--length <len>]" + indent + "[--areas <nr_areas>] [--areasize <size>] " + indent +
		ids + " " + indent + extra + indent + "[--segments] "
	report := "[--interval <seconds>] [--count <cnt>]" + indent +
		"[--units <u>] [--programid <id>] [--regionid <id>] " + indent + fields + indent + allPrograms
	return []command{
		{name: "help", run: (*session).statsHelp},
		{name: "clear", help: allRegions + allDevices, run: (*session).statsClear},
		{name: "create", help: create + allDevices, run: (*session).statsCreate},
		{name: "create", help: "--filemap [--nogroup] " + monitor + indent + ids + " " + indent + extra + "<file_path>"},
		{name: "delete", help: everything, run: (*session).statsDelete},
		{name: "group", help: "[--alias NAME] --regions <regions>" + indent + allPrograms + allDevices, run: (*session).statsGroup},
		{name: "list", help: allPrograms + allRegions, run: (*session).statsList},
		{name: "print", help: "[--clear] " + everything, run: (*session).statsPrint},
		{name: "report", help: report + "[<device>...]", run: (*session).statsList},
		{name: "ungroup", help: "--groupid <id> " + allPrograms + indent + allDevices, run: (*session).statsUngroup},
		{name: "update_filemap", help: "--groupid <id> " + indent + monitor + " <file_path>", run: (*session).statsUpdateFile},
		{name: "version", run: (*session).version},
	}
}

// statsUsage is the usage of dmstats.
func statsUsage(f dmopt.Face) string {
	var b strings.Builder
	fmt.Fprintf(&b, `Usage:

%s
        [-h|--help]
        [-v|--verbose [-v|--verbose ...]]
        [--areas <nr_areas>] [--areasize <size>]
        [--userdata <data>] [--clear]
        [--count <count>] [--interval <seconds>]
        [-o <fields>] [-O|--sort <sort_fields>]
	      [--programid <id>]
        [--start <start>] [--length <length>]
        [--segments] [--units <units>]

`, f)
	for _, c := range statsCommands() {
		fmt.Fprintf(&b, "\t%s %s\n", c.name, c.help)
	}
	b.WriteString("\n<device> may be device name or (if only one) -u <uuid> or -j <major> -m <minor>\n" +
		"<fields> are comma-separated.  Use 'help -c' for list.\n\n")
	return b.String()
}

// statsCommand is a subcommand that needs no device: help or version.
func (s *session) statsCommand(name string) *command {
	run := (*session).version
	if name == "help" {
		run = (*session).help
		if w := s.Line.Words; len(w) > 0 && w[0] == "report" {
			run = (*session).statsHelp
		}
	}
	return &command{name: name, most: -1, run: run}
}

// statsHelp is the subcommand help, which always lists the columns too.
func (s *session) statsHelp(_ context.Context, c dmtask.Call) error {
	s.sayUsage()
	s.report = nil
	s.fieldHelp(c)
	return nil
}

// stats is the command stats: c.Sub is its subcommand.
func (s *session) stats(ctx context.Context, c dmtask.Call) error {
	var run func(*session, context.Context, dmtask.Call) error
	for _, sub := range statsCommands() {
		if sub.name == c.Sub && sub.run != nil {
			run = sub.run
		}
	}
	a := s.Line
	switch {
	case run == nil:
		err := s.Refuse("Unknown stats command.")
		_ = s.statsHelp(ctx, c)
		return err
	case a.Has(dmopt.AllPrograms) && a.Has(dmopt.ProgramID):
		return s.Refuse("Please supply one of --allprograms and --programid")
	case a.Has(dmopt.AllRegions) && a.Has(dmopt.RegionID):
		return s.Refuse("Please supply one of --allregions and --regionid")
	case a.Has(dmopt.Follow) && a.Has(dmopt.NoMonitor):
		return s.Refuse("Use of --follow is incompatible with --nomonitor.")
	}
	return run(s, ctx, c)
}

// noReport is for subcommands that have nothing to do with columns.
func (s *session) noReport() { s.report = nil }

// unsigned is an option's number as the original takes it for a region.
func (s *session) unsigned(o dmopt.Option) uint64 { return uint64(int64(s.Line.Number[o])) }

// oneDevice finds the device of a subcommand. With none named it is all of
// them, if the subcommand allows that: then every says so.
func (s *session) every(c dmtask.Call, needsAll bool) (every bool, err error) {
	if !s.All(c) {
		return false, nil
	}
	if needsAll && !s.Line.Has(dmopt.AllDevices) {
		return false, s.Refuse("Please specify device(s) or use --alldevices.")
	}
	return true, nil
}

// statistics opens the statistics of the device that a call is for.
func (s *session) statistics(c dmtask.Call) (*stats.Handle, dmtask.Device, error) {
	d, err := s.Device(c)
	if err != nil {
		return nil, d, err
	}
	h, err := s.statisticsOf(d)
	return h, d, err
}

func (s *session) statisticsOf(d dmtask.Device) (*stats.Handle, error) {
	ctl, err := s.Control()
	if err != nil {
		return nil, err
	}
	h := stats.Open(ctl, d.Selector())
	h.DryRun = s.Line.Has(dmopt.DryRun)
	return h, nil
}

// listed is statistics with the regions of a program listed; an empty program
// is all of them.
func (s *session) listed(c dmtask.Call, program string) (*stats.Handle, dmtask.Device, error) {
	h, d, err := s.statistics(c)
	if err == nil {
		err = s.listRegions(h, d, program)
	}
	return h, d, err
}

// listRegions lists the regions and says what is odd about them.
func (s *session) listRegions(h *stats.Handle, d dmtask.Device, program string) error {
	warnings, err := h.List(program)
	for _, w := range warnings {
		s.regionWarning(w)
	}
	if errors.Is(err, stats.ErrReply) {
		_ = s.Complain(err)
		return s.Refuse("Could not parse @stats_list response.")
	}
	return s.Complain(dmtask.Failed(dmtask.TaskMessage, d, err))
}

func (s *session) regionWarning(w error) {
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
func (s *session) showPlanned(h *stats.Handle, d dmtask.Device) {
	if !h.DryRun {
		return
	}
	var steps []plan.StepInfo
	for _, m := range h.Planned {
		steps = append(steps, plan.StepInfo{Kind: plan.KindIoctl, Target: d.String(), What: dmtask.TaskMessage, Value: "0 " + m})
	}
	s.ShowSteps(d.String(), steps...)
	h.Planned = nil
}

// statsDone is what --json says of a change of the statistics.
type statsDone struct {
	Device  string   `json:"device"`
	Action  string   `json:"action"` // created, deleted, cleared, grouped, ungrouped, updated
	Regions []uint64 `json:"regions"`
	Group   *uint64  `json:"group,omitempty"`
	Alias   string   `json:"alias,omitempty"`
	Areas   uint64   `json:"areas,omitempty"` // of each region
}

// done says what was done: in text, or as a row of --json. In a dry run it says
// nothing: what would be sent has been shown.
func (s *session) done(h *stats.Handle, d statsDone, format string, args ...any) {
	switch {
	case h.DryRun:
	case s.Line.Has(dmopt.JSON):
		if d.Regions == nil {
			d.Regions = []uint64{}
		}
		s.Show(d)
	case format != "":
		fmt.Fprintf(s.Out, format, args...)
	}
}

// statsReport sets the columns that a subcommand shows by default.
func (s *session) statsReport(c dmtask.Call, o *report.Options) {
	const (
		device   = "statsname,group_id,region_id,obj_type"
		area     = device + ",area_id,area_start,area_len"
		full     = device + ",region_start,region_len,area_count,area_id,area_start,area_len"
		region   = device + ",region_start,region_len,area_count,area_len"
		counters = "read_count,reads_merged_count,read_sector_count,read_time,read_ticks," +
			"write_count,writes_merged_count,write_sector_count,write_time,write_ticks," +
			"in_progress_count,io_ticks,queue_ticks"
		metrics = "reads_merged_per_sec,writes_merged_per_sec,reads_per_sec,writes_per_sec," +
			"read_size_per_sec,write_size_per_sec,avg_request_size,queue_size,util,await,read_await,write_await"
		bins = ",hist_bins,hist_bounds"
	)
	a := s.Line
	o.Sections |= sectionRegion
	histogram := a.Has(dmopt.Histogram)
	if c.Sub == "list" {
		list := ui.Choose(a.Has(dmopt.Verbose), full, region)
		o.Fields = list + ui.Choose(histogram, bins, ",program_id")
		return
	}
	o.Sections |= sectionStats
	switch {
	case histogram:
		o.Fields = region + ",util,await," + ui.Choose(a.Has(dmopt.Relative), "hist_percent_bounds", "hist_count_bounds")
	case a.Has(dmopt.Raw):
		o.Fields = area + "," + counters
	default:
		o.Fields = area + "," + metrics
	}
}
