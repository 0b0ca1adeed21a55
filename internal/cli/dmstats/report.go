package dmstats

import (
	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/internal/cli/report"
	"github.com/mdkit/mdkit/internal/cli/ui"
)

// DefaultColumns sets the default columns of a subcommand.
func DefaultColumns(a *dmopt.Line, o *report.Options) {
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
	o.Sections |= SectionRegions
	histogram := a.Has(dmopt.Histogram)
	if subcommand(a) == "list" {
		list := ui.Choose(a.Has(dmopt.Verbose), full, region)
		o.Fields = list + ui.Choose(histogram, bins, ",program_id")
		return
	}
	o.Sections |= SectionCounters
	switch {
	case histogram:
		o.Fields = region + ",util,await," + ui.Choose(a.Has(dmopt.Relative), "hist_percent_bounds", "hist_count_bounds")
	case a.Has(dmopt.Raw):
		o.Fields = area + "," + counters
	default:
		o.Fields = area + "," + metrics
	}
}
