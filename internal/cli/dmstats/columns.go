package dmstats

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	table "github.com/mdkit/mdkit/engine/dm/stats"
	"github.com/mdkit/mdkit/internal/cli/report"
)

// Sections of the report that dmstats fills; those of dmsetup have lower numbers.
const (
	SectionCounters report.Sections = 1 << (5 + iota)
	SectionRegions
)

// Fields returns the columns of regions, areas and groups in the order of the original.
func Fields() []report.Field[*Row] {
	return slices.Concat(counterColumns(), metricColumns(), histogramColumns(), timeColumns(), regionColumns())
}

// column makes a column of a region, an area or a group.
func column(section report.Sections, kind report.Kind, heading string, width int, id, help string,
	value func(*Row) report.Value,
) report.Field[*Row] {
	return report.Field[*Row]{
		Section: section, Kind: kind, Heading: heading, Width: width, ID: id, Help: help,
		Value: func(r *Row) (report.Value, error) { return value(r), nil },
	}
}

// metrics returns the rates of a row.
func (r *Row) metrics() table.Metrics {
	return table.Metrics{Counters: r.Counters(), Interval: r.interval}
}

// size returns the cell of a size of n sectors.
func (r *Row) size(n uint64) report.Value {
	return report.Sectors(r.units.Format(n), float64(n))
}

// counterColumns returns the columns of the kernel's counters.
func counterColumns() []report.Field[*Row] {
	col := func(heading string, width int, id, help string, get func(c table.Counters) uint64) report.Field[*Row] {
		return column(SectionCounters, report.Number, heading, width, id, help, func(r *Row) report.Value {
			return report.Uint(get(r.Counters()))
		})
	}
	return []report.Field[*Row]{
		col("#Reads", 6, "read_count", "Count of reads completed.", func(c table.Counters) uint64 { return c.Reads }),
		col("#RdMrgs", 7, "reads_merged_count", "Count of read requests merged.", func(c table.Counters) uint64 { return c.ReadsMerged }),
		col("#RdSectors", 10, "read_sector_count", "Count of sectors read.", func(c table.Counters) uint64 { return c.ReadSectors }),
		col("AccRdTime", 11, "read_time", "Accumulated duration of all read requests (ns).", func(c table.Counters) uint64 { return c.ReadTime }),
		col("#Writes", 7, "write_count", "Count of writes completed.", func(c table.Counters) uint64 { return c.Writes }),
		col("#WrMrgs", 7, "writes_merged_count", "Count of write requests merged.", func(c table.Counters) uint64 { return c.WritesMerged }),
		col("#WrSectors", 10, "write_sector_count", "Count of sectors written.", func(c table.Counters) uint64 { return c.WriteSectors }),
		col("AccWrTime", 11, "write_time", "Accumulated duration of all writes (ns).", func(c table.Counters) uint64 { return c.WriteTime }),
		col("#InProg", 7, "in_progress_count", "Count of requests currently in progress.", func(c table.Counters) uint64 { return c.InFlight }),
		col("IoTicks", 7, "io_ticks", "Nanoseconds spent servicing requests.", func(c table.Counters) uint64 { return c.IOTime }),
		col("QueueTicks", 10, "queue_ticks", "Total nanoseconds spent in queue.", func(c table.Counters) uint64 { return c.QueueTime }),
		col("RdTicks", 7, "read_ticks", "Nanoseconds spent servicing reads.", func(c table.Counters) uint64 { return c.TotalReadTime }),
		col("WrTicks", 7, "write_ticks", "Nanoseconds spent servicing writes.", func(c table.Counters) uint64 { return c.TotalWriteTime }),
	}
}

// real2 returns the cell of a real number with two decimal places.
func real2(n float64) report.Value { return report.Real(strconv.FormatFloat(n, 'f', 2, 64), n) }

// metricColumns returns the columns computed from the counters and the interval.
func metricColumns() []report.Field[*Row] {
	col := func(heading string, width int, id, help string, get func(m table.Metrics) float64) report.Field[*Row] {
		return column(SectionCounters, report.Number, heading, width, id, help, func(r *Row) report.Value {
			return real2(get(r.metrics()))
		})
	}
	size := func(heading string, width int, id, help string, get func(m table.Metrics) float64) report.Field[*Row] {
		return column(SectionCounters, report.Number, heading, width, id, help, func(r *Row) report.Value {
			n := get(r.metrics())
			return report.Sectors(r.units.Format(uint64(n)), n)
		})
	}
	const ms = table.Millisecond
	return []report.Field[*Row]{
		col("RMrg/s", 6, "reads_merged_per_sec", "Read requests merged per second.", table.Metrics.ReadsMergedRate),
		col("WMrg/s", 6, "writes_merged_per_sec", "Write requests merged per second.", table.Metrics.WritesMergedRate),
		col("R/s", 3, "reads_per_sec", "Reads per second.", table.Metrics.ReadRate),
		col("W/s", 3, "writes_per_sec", "Writes per second.", table.Metrics.WriteRate),
		size("RSz/s", 5, "read_size_per_sec", "Size of data read per second.", table.Metrics.ReadSize),
		size("WSz/s", 5, "write_size_per_sec", "Size of data written per second.", table.Metrics.WriteSize),
		size("AvgRqSz", 7, "avg_request_size", "Average request size.", table.Metrics.RequestSize),
		col("QSize", 5, "queue_size", "Average queue size.", table.Metrics.QueueSize),
		col("AWait", 5, "await", "Averate wait time.", func(m table.Metrics) float64 { return m.Wait() / ms }),
		col("RdAWait", 7, "read_await", "Averate read wait time.", func(m table.Metrics) float64 { return m.ReadWait() / ms }),
		col("WrAWait", 7, "write_await", "Averate write wait time.", func(m table.Metrics) float64 { return m.WriteWait() / ms }),
		col("Throughput", 10, "throughput", "Throughput.", table.Metrics.Throughput),
		col("SvcTm", 5, "service_time", "Service time.", func(m table.Metrics) float64 { return m.ServiceTime() / ms }),
		column(SectionCounters, report.Number, "Util%", 5, "util", "Utilization.", func(r *Row) report.Value {
			return report.Parts(r.metrics().Utilization())
		}),
	}
}

// histogramColumns returns the histograms with their counts.
func histogramColumns() []report.Field[*Row] {
	col := func(heading string, width int, id, help string, want table.Show) report.Field[*Row] {
		return column(SectionCounters, report.String, heading, width, id, help, func(r *Row) report.Value { return r.histogram(want) })
	}
	counts, part := table.Show{Values: true}, table.Show{Values: true, Percent: true}
	lower := func(s table.Show) table.Show { s.Lower = true; return s }
	ranges := func(s table.Show) table.Show { s.Ranges = true; return s }
	return []report.Field[*Row]{
		col("Histogram Counts", 16, "hist_count", "Latency histogram counts.", counts),
		col("Histogram Counts", 16, "hist_count_bounds", "Latency histogram counts with bin boundaries.", lower(counts)),
		col("Histogram Counts", 16, "hist_count_ranges", "Latency histogram counts with bin ranges.", ranges(counts)),
		col("Histogram%", 10, "hist_percent", "Relative latency histogram.", part),
		col("Histogram%", 10, "hist_percent_bounds", "Relative latency histogram with bin boundaries.", lower(part)),
		col("Histogram%", 10, "hist_percent_ranges", "Relative latency histogram with bin ranges.", ranges(part)),
	}
}

// histogram returns the cell of the row's histogram, which is empty if there is none.
func (r *Row) histogram(want table.Show) report.Value {
	h, ok := r.Histogram()
	if !ok {
		return report.Text("")
	}
	want.Plain, want.Tight = r.show.Plain, r.show.Tight
	return report.Text(h.Format(want))
}

// timeColumns returns the columns with the length of the interval.
func timeColumns() []report.Field[*Row] {
	return []report.Field[*Row]{
		column(SectionCounters, report.Number, "IntervalNs", 10, "interval_ns", "Sampling interval in nanoseconds.",
			func(r *Row) report.Value { return report.Uint(r.interval) }),
		column(SectionCounters, report.Number, "Interval", 8, "interval", "Sampling interval.", func(r *Row) report.Value {
			n := float64(r.interval) / 1e9
			return report.Real(fmt.Sprintf("%2.6f", n), n)
		}),
	}
}

// place returns the cell of an area's position, in sectors. The original adds a flag to
// the number of a whole region's area; converting sectors to bytes mostly shifts it out,
// but it can show.
func (r *Row) place(from uint64) report.Value {
	switch {
	case r.Kind == table.KindArea:
		return r.size(from + r.Region.Step*r.Area)
	case r.Kind == table.KindRegion:
		const flag = 1 << 49
		return report.Sectors(r.units.Format(from+r.Region.Step*flag), float64(from))
	}
	return r.size(from)
}

// regionColumns returns the columns that describe regions, areas and groups.
func regionColumns() []report.Field[*Row] {
	col := func(kind report.Kind, heading string, width int, id, help string, get func(*Row) report.Value) report.Field[*Row] {
		return column(SectionRegions, kind, heading, width, id, help, get)
	}
	const s, n, z = report.String, report.Number, report.Size
	group := func(r *Row) bool { return r.Kind == table.KindGroup }
	return []report.Field[*Row]{
		col(n, "RgID", 4, "region_id", "Region ID.", func(r *Row) report.Value {
			if group(r) {
				return report.Named(r.Group.MemberList(), r.Group.ID(), r.Group.Members)
			}
			return report.Uint(r.Region.ID)
		}),
		col(z, "RgStart", 7, "region_start", "Region start.", func(r *Row) report.Value { return r.size(r.Region.Start) }),
		col(z, "RgSize", 6, "region_len", "Region length.", func(r *Row) report.Value { return r.size(r.Length()) }),
		col(n, "ArID", 4, "area_id", "Area ID.", func(r *Row) report.Value { return report.Uint(r.Area) }),
		col(z, "ArStart", 7, "area_start", "Area offset from start of device.", func(r *Row) report.Value { return r.place(r.Region.Start) }),
		col(z, "ArSize", 6, "area_len", "Area length.", func(r *Row) report.Value {
			if group(r) {
				return r.size(r.Length())
			}
			return r.size(r.Region.Step)
		}),
		col(z, "ArOff", 5, "area_offset", "Area offset from start of region.", func(r *Row) report.Value {
			if group(r) {
				return r.size(0)
			}
			return r.place(0)
		}),
		col(n, "#Areas", 6, "area_count", "Area count.", func(r *Row) report.Value {
			if group(r) {
				return report.Uint(1)
			}
			return report.Uint(r.Region.NumAreas())
		}),
		col(n, "GrpID", 5, "group_id", "Group ID.", func(r *Row) report.Value {
			if r.Group == nil {
				return report.Named("-", math.MaxUint64, nil)
			}
			return report.Uint(r.Group.ID())
		}),
		col(s, "ProgID", 6, "program_id", "Program ID.", func(r *Row) report.Value {
			if group(r) {
				return report.Text("dmstats")
			}
			return report.Text(r.Region.Program)
		}),
		col(s, "UserData", 8, "user_data", "Auxiliary data.", func(r *Row) report.Value {
			if group(r) {
				return report.Text("")
			}
			return report.Text(r.Region.User)
		}),
		col(s, "Precise", 7, "precise", "Set if nanosecond precision counters are enabled.", func(r *Row) report.Value {
			return precise(r.Region.Precise)
		}),
		col(s, "#Bins", 9, "hist_bins", "The number of histogram bins configured.", func(r *Row) report.Value { return report.Int(int64(r.Bins())) }),
		col(s, "Histogram Bounds", 16, "hist_bounds", "Latency histogram bin boundaries.", func(r *Row) report.Value { return r.histogram(table.Show{Lower: true}) }),
		col(s, "Histogram Ranges", 16, "hist_ranges", "Latency histogram bin ranges.", func(r *Row) report.Value { return r.histogram(table.Show{Ranges: true}) }),
		col(s, "Name", 16, "stats_name", "Stats name of current object.", func(r *Row) report.Value {
			if r.Group != nil && r.Group.Alias != "" {
				return report.Text(r.Group.Alias)
			}
			return report.Text(r.device)
		}),
		col(s, "ObjType", 7, "obj_type", "Type of stats object being reported.", func(r *Row) report.Value { return report.Text(r.Kind.String()) }),
	}
}

// precise returns the cell of the column of that name.
func precise(yes bool) report.Value {
	if yes {
		return report.Int(1)
	}
	return report.Int(0)
}
