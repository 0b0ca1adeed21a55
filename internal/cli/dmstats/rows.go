package dmstats

import (
	"errors"
	"iter"
	"time"

	table "github.com/mdkit/mdkit/engine/dm/stats"
	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/internal/cli/dmtask"
	"github.com/mdkit/mdkit/internal/cli/report"
	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/manage/mapper/stats"
)

// readings reads the statistics of devices for reports.
type readings struct {
	*handles
	sampling sampling
}

// sampling measures the time over which the counters were counting when they are read.
// For the first reading that is not known, and the requested interval is used.
type sampling struct {
	last  uint64 // nanoseconds between the last two readings
	since time.Time
	fresh bool // a report has not been read yet
}

// took records that the counters have just been read.
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

// Row is an object in the statistics of a device: a region, an area or a group.
type Row struct {
	table.Object
	device   string // name
	interval uint64 // nanoseconds
	units    report.Units
	show     table.Show // what to show of histograms
}

// walk returns which objects to show.
func walk(a *dmopt.Line) table.Walk {
	w := table.Walk{Areas: a.Has(dmopt.Area), Regions: a.Has(dmopt.Region), Groups: a.Has(dmopt.Group)}
	chosen := w.Areas || w.Regions || w.Groups
	if !chosen {
		w.Regions, w.Groups = true, true
	}
	sub := subcommand(a)
	if sub == "list" && a.Has(dmopt.Verbose) || sub == "report" && !chosen {
		w = table.Walk{Areas: true, Regions: true, Groups: true, SkipSingle: true}
	}
	return w
}

// Rows returns the objects in a device's statistics that the options ask for. If there
// are columns of counters, it reads and clears the counters. If there is nothing to
// show, there are no rows.
func (rd *readings) Rows(info *dm.Info, sections report.Sections) (iter.Seq[*Row], error) {
	h, err := rd.read(dmtask.Device{Num: info.Number, ByNum: true}, sections)
	if err != nil || h == nil {
		return func(func(*Row) bool) {}, err
	}
	units, _, ok := report.ParseUnits(rd.Line.Text[dmopt.Units])
	if !ok {
		units = report.Units{Letter: 's', Factor: sectorSize}
	}
	return func(yield func(*Row) bool) {
		for obj := range h.Table.Objects(walk(rd.Line)) {
			if !yield(&Row{
				Object: obj, device: info.Name, interval: rd.sampling.last, units: units,
				show: table.Show{Plain: rd.Line.Has(dmopt.NoTimeSuffix), Tight: rd.Line.Has(dmopt.NoHeadings)},
			}) {
				return
			}
		}
	}, nil
}

// Again says that the next report begins.
func (rd *readings) Again() { rd.sampling.fresh = true }

// read lists a device's regions and, if columns show them, reads and clears the
// counters. It returns nil if there is nothing to show.
func (rd *readings) read(d dmtask.Device, sections report.Sections) (*stats.Handle, error) {
	a := rd.Line
	program := stats.Program
	if a.Has(dmopt.ProgramID) {
		program = a.Text[dmopt.ProgramID]
	}
	if a.Has(dmopt.AllPrograms) {
		program = ""
	}
	h, err := rd.open(d)
	if err != nil {
		return nil, err
	}
	err = rd.listRegions(h, d, program)
	switch {
	case sections&SectionCounters == 0:
		if err != nil || len(h.Table.Regions) == 0 {
			return nil, err
		}
		return h, nil
	case err != nil:
		_ = rd.Refuse("Could not parse @stats_list response.")
		return nil, nil
	case len(h.Table.Regions) == 0:
		return nil, nil
	}
	if err := h.Populate(); err != nil {
		if errors.Is(err, stats.ErrReply) {
			_ = rd.Complain(err)
			_ = rd.Refuse("Could not parse @stats_print message response.")
		} else {
			_ = rd.Complain(rd.failed(d, err))
		}
		return nil, nil
	}
	rd.sampling.took(rd.Line.Interval())
	return h, nil
}

// subcommand returns the word after stats, or "" if the command is not stats.
func subcommand(a *dmopt.Line) string {
	if !a.Face.Stats() || len(a.Words) == 0 {
		return ""
	}
	return a.Words[0]
}
