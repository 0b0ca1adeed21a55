package dmsetup

import (
	"context"
	"errors"
	"time"

	table "github.com/mdkit/mdkit/engine/dm/stats"
	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/internal/cli/dmtask"
	"github.com/mdkit/mdkit/internal/cli/report"
	"github.com/mdkit/mdkit/manage/mapper/stats"
)

// sampling is how long the counters have been counting when they are read. The
// first time nobody knows, and the interval asked for is taken.
type sampling struct {
	sub   string // the subcommand of stats
	last  uint64 // nanoseconds between the last two readings
	since time.Time
	fresh bool // the first reading of a report is still to come
}

// took notes that counters have been read just now.
func (p *sampling) took(every time.Duration) {
	now := time.Now()
	delta := uint64(every)
	if p.since.IsZero() {
		p.fresh = true
	} else {
		delta = uint64(now.Sub(p.since))
	}
	if p.fresh {
		p.since, p.last, p.fresh = now, delta, false
	}
}

// statsRow is an object of the statistics of a device.
type statsRow struct {
	table.Object
	device   string // name
	interval uint64 // nanoseconds
	units    report.Units
	show     table.Show // of histograms
}

// statsList is the subcommands list and report.
func (s *session) statsList(ctx context.Context, c dmtask.Call) error {
	s.sampling.sub = c.Sub
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

// walk says which objects are shown.
func (s *session) walk() table.Walk {
	a := s.Line
	w := table.Walk{Areas: a.Has(dmopt.Area), Regions: a.Has(dmopt.Region), Groups: a.Has(dmopt.Group)}
	chosen := w.Areas || w.Regions || w.Groups
	if !chosen {
		w.Regions, w.Groups = true, true
	}
	if s.sampling.sub == "list" && a.Has(dmopt.Verbose) || s.sampling.sub == "report" && !chosen {
		w = table.Walk{Areas: true, Regions: true, Groups: true, SkipSingle: true}
	}
	return w
}

// statsRows adds a device to the report, once for each of its regions where
// the columns are about those.
func (s *session) statsRows(o *object) error {
	sections := s.report.Sections()
	if sections&(sectionStats|sectionRegion) == 0 {
		return reported(s.report.Object(o))
	}
	d := dmtask.Device{Num: o.info.Number, ByNum: true}
	h, err := s.readStatistics(d, sections)
	if err != nil || h == nil {
		return err
	}
	units, _, ok := report.ParseUnits(s.Line.Text[dmopt.Units])
	if !ok {
		units = report.Units{Letter: 's', Factor: sectorSize}
	}
	for obj := range h.Table.Objects(s.walk()) {
		row := *o
		row.region = &statsRow{
			Object: obj, device: o.info.Name, interval: s.sampling.last, units: units,
			show: table.Show{Plain: s.Line.Has(dmopt.NoTimeSuffix), Tight: s.Line.Has(dmopt.NoHeadings)},
		}
		if err := s.report.Object(&row); err != nil {
			return reported(err)
		}
	}
	return nil
}

// readStatistics lists a device's regions and, where columns show them, reads
// and clears the counters; nil if there is nothing to show.
func (s *session) readStatistics(d dmtask.Device, sections report.Sections) (*stats.Handle, error) {
	a := s.Line
	program := stats.Program
	if a.Has(dmopt.ProgramID) {
		program = a.Text[dmopt.ProgramID]
	}
	if a.Has(dmopt.AllPrograms) {
		program = ""
	}
	h, err := s.statisticsOf(d)
	if err != nil {
		return nil, err
	}
	err = s.listRegions(h, d, program)
	switch {
	case sections&sectionStats == 0:
		if err != nil || len(h.Table.Regions) == 0 {
			return nil, err
		}
		return h, nil
	case err != nil:
		_ = s.Refuse("Could not parse @stats_list response.")
		return nil, nil
	case len(h.Table.Regions) == 0:
		return nil, nil
	}
	if err := h.Populate(); err != nil {
		if errors.Is(err, stats.ErrReply) {
			_ = s.Complain(err)
			_ = s.Refuse("Could not parse @stats_print message response.")
		} else {
			_ = s.Complain(dmtask.Failed(dmtask.TaskMessage, d, err))
		}
		return nil, nil
	}
	s.sampling.took(s.Line.Interval())
	return h, nil
}
