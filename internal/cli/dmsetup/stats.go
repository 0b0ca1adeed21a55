package dmsetup

import (
	"context"

	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/internal/cli/dmstats"
	"github.com/mdkit/mdkit/internal/cli/dmtask"
	"github.com/mdkit/mdkit/internal/cli/report"
)

// statsCommand returns a subcommand that needs no device: help or version.
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

// statsHelp is the subcommand help, which always lists the columns as well.
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
		p.report = nil // it does not use columns
	}
	return sub.Run(p.statistics, ctx, c)
}

// statsList is the subcommands list and report.
func (r *reports) statsList(ctx context.Context, c dmtask.Call) error {
	if r.Line.Has(dmopt.JSON) {
		return r.statsJSON(ctx, c)
	}
	if r.All(c) {
		return r.Each(ctx, c, r.info)
	}
	err := r.Complain(r.info(ctx, c))
	if err != nil {
		r.report = nil // the original also loses the rows of other devices
	}
	return err
}

// statsJSON shows the report as rows of --json.
func (r *reports) statsJSON(ctx context.Context, c dmtask.Call) error {
	o := r.reportOptions(c)
	if r.All(c) {
		list, err := r.AskList()
		if err != nil {
			return err
		}
		return r.Among(ctx, c, list, r.statsJSON)
	}
	d, err := r.Device(c)
	if err != nil {
		return err
	}
	i, err := r.AskInfo(dmtask.TaskInfo, d)
	if err != nil {
		return err
	}
	if i == nil {
		return r.Missing()
	}
	if r.report, err = r.newReport(c, o); err != nil {
		return err
	}
	err = r.infoRow(ctx, i)
	for _, row := range r.report.Objects() {
		r.Show(row)
	}
	r.report = nil
	return err
}

// statsRows adds a device to the report, once for each of its regions if the columns are
// about regions.
func (r *reports) statsRows(o *object) error {
	sections := r.report.Sections()
	if sections&(dmstats.SectionCounters|dmstats.SectionRegions) == 0 {
		return reported(r.report.Object(o))
	}
	rows, err := r.statistics.Rows(o.info, sections)
	if err != nil {
		return err
	}
	for region := range rows {
		row := *o
		row.region = region
		if err := r.report.Object(&row); err != nil {
			return reported(err)
		}
	}
	return nil
}

// statsColumns returns the columns of dmstats.
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
