package dmsetup

import (
	"context"

	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/internal/cli/dmstats"
	"github.com/mdkit/mdkit/internal/cli/dmtask"
	"github.com/mdkit/mdkit/internal/cli/report"
)

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
	sub, ok := dmstats.Named(c.Sub)
	a := s.Line
	switch {
	case !ok:
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
	switch c.Sub {
	case "help":
		return s.statsHelp(ctx, c)
	case "version":
		return s.version(ctx, c)
	case "list", "report":
		return s.statsList(ctx, c)
	}
	if c.Sub != "update_filemap" {
		s.report = nil // it has nothing to do with columns
	}
	return sub.Run(s.statistics, ctx, c)
}

// statsList is the subcommands list and report.
func (s *session) statsList(ctx context.Context, c dmtask.Call) error {
	if s.Line.Has(dmopt.JSON) {
		return s.statsJSON(ctx, c)
	}
	if s.All(c) {
		return s.Each(ctx, c, s.info)
	}
	err := s.Complain(s.info(ctx, c))
	if err != nil {
		s.report = nil // rows of other devices are lost with it
	}
	return err
}

// statsJSON makes the report in rows of --json.
func (s *session) statsJSON(ctx context.Context, c dmtask.Call) error {
	o := s.reportOptions(c)
	if s.All(c) {
		list, err := s.AskList()
		if err != nil {
			return err
		}
		return s.Among(ctx, c, list, s.statsJSON)
	}
	d, err := s.Device(c)
	if err != nil {
		return err
	}
	i, err := s.AskInfo(dmtask.TaskInfo, d)
	if err != nil {
		return err
	}
	if i == nil {
		return s.Missing()
	}
	if s.report, err = s.newReport(c, o); err != nil {
		return err
	}
	err = s.infoRow(ctx, i)
	for _, row := range s.report.Objects() {
		s.Show(row)
	}
	s.report = nil
	return err
}

// statsRows adds a device to the report, once for each of its regions where
// the columns are about those.
func (s *session) statsRows(o *object) error {
	sections := s.report.Sections()
	if sections&(dmstats.SectionCounters|dmstats.SectionRegions) == 0 {
		return reported(s.report.Object(o))
	}
	rows, err := s.statistics.Rows(o.info, sections)
	if err != nil {
		return err
	}
	for r := range rows {
		row := *o
		row.region = r
		if err := s.report.Object(&row); err != nil {
			return reported(err)
		}
	}
	return nil
}

// statsColumns are the columns of dmstats.
func statsColumns() []report.Field[*object] {
	var fields []report.Field[*object]
	for _, f := range dmstats.Fields() {
		fields = append(fields, report.Field[*object]{
			Section: f.Section, Kind: f.Kind, Heading: f.Heading, Width: f.Width, ID: f.ID, Help: f.Help,
			Value: func(o *object) (report.Value, error) {
				if o.region == nil {
					return report.Value{}, report.ErrNoData
				}
				return f.Value(o.region)
			},
		})
	}
	return fields
}
