package dmsetup

import (
	"context"

	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/internal/cli/dmstats"
	"github.com/mdkit/mdkit/internal/cli/dmtask"
	"github.com/mdkit/mdkit/internal/cli/report"
)

// statsCommand is a subcommand that needs no device: help or version.
func (p *program) statsCommand(name string) *command {
	run := (*program).version
	if name == "help" {
		run = (*program).help
		if w := p.Line.Words; len(w) > 0 && w[0] == "report" {
			run = (*program).statsHelp
		}
	}
	return &command{name: name, most: -1, run: run}
}

// statsHelp is the subcommand help, which always lists the columns too.
func (p *program) statsHelp(_ context.Context, c dmtask.Call) error {
	p.sayUsage()
	p.report = nil
	p.fieldHelp(c)
	return nil
}

// stats is the command stats: c.Sub is its subcommand.
func (p *program) stats(ctx context.Context, c dmtask.Call) error {
	sub, ok := dmstats.Named(c.Sub)
	a := p.Line
	switch {
	case !ok:
		err := p.Refuse("Unknown stats command.")
		_ = p.statsHelp(ctx, c)
		return err
	case a.Has(dmopt.AllPrograms) && a.Has(dmopt.ProgramID):
		return p.Refuse("Please supply one of --allprograms and --programid")
	case a.Has(dmopt.AllRegions) && a.Has(dmopt.RegionID):
		return p.Refuse("Please supply one of --allregions and --regionid")
	case a.Has(dmopt.Follow) && a.Has(dmopt.NoMonitor):
		return p.Refuse("Use of --follow is incompatible with --nomonitor.")
	}
	switch c.Sub {
	case "help":
		return p.statsHelp(ctx, c)
	case "version":
		return p.version(ctx, c)
	case "list", "report":
		return p.statsList(ctx, c)
	}
	if c.Sub != "update_filemap" {
		p.report = nil // it has nothing to do with columns
	}
	return sub.Run(p.statistics, ctx, c)
}

// statsList is the subcommands list and report.
func (s *reports) statsList(ctx context.Context, c dmtask.Call) error {
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
func (s *reports) statsJSON(ctx context.Context, c dmtask.Call) error {
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
func (s *reports) statsRows(o *object) error {
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
