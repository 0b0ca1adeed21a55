package stats

import (
	"fmt"
	"strconv"
	"strings"
)

// Area is a part of a region with its counters.
type Area struct {
	Start  uint64 // 512-byte sectors
	Length uint64 // 512-byte sectors
	Counters
}

// Counters are what happened since they were last cleared. Their order is that
// of the kernel's line
// (Documentation/admin-guide/device-mapper/statistics.rst); the times are sums
// over requests, in nanoseconds.
type Counters struct {
	Reads          uint64 // requests done
	ReadsMerged    uint64
	ReadSectors    uint64 // of 512 bytes
	ReadTime       uint64
	Writes         uint64
	WritesMerged   uint64
	WriteSectors   uint64
	WriteTime      uint64
	InFlight       uint64 // requests in flight now
	IOTime         uint64 // while any request was in flight
	QueueTime      uint64 // weighted by the number of requests in flight
	TotalReadTime  uint64 // while any read was in flight
	TotalWriteTime uint64

	Histogram []uint64 // requests per bin; nil without a histogram
}

// numbers are the counters in the order of the kernel's line.
func (c *Counters) numbers() []*uint64 {
	return []*uint64{
		&c.Reads, &c.ReadsMerged, &c.ReadSectors, &c.ReadTime,
		&c.Writes, &c.WritesMerged, &c.WriteSectors, &c.WriteTime,
		&c.InFlight, &c.IOTime, &c.QueueTime, &c.TotalReadTime, &c.TotalWriteTime,
	}
}

// times are the counters that count time.
func (c *Counters) times() []*uint64 {
	return []*uint64{&c.ReadTime, &c.WriteTime, &c.IOTime, &c.QueueTime, &c.TotalReadTime, &c.TotalWriteTime}
}

// Add adds other counters, as for groups and whole regions.
func (c *Counters) Add(o *Counters) {
	from := o.numbers()
	for i, n := range c.numbers() {
		*n += *from[i]
	}
	if c.Histogram == nil && o.Histogram != nil {
		c.Histogram = make([]uint64, len(o.Histogram))
	}
	for i := range min(len(c.Histogram), len(o.Histogram)) {
		c.Histogram[i] += o.Histogram[i]
	}
}

// ParsePrint reads the reply to @stats_print of a region: a line for each area,
//
//	<start>+<length> <13 numbers>[ <bin>:<bin>:...]
//
// The kernel gives the last area the length of the others, even if it is cut
// short; as in libdm the region counts as that much longer from then on.
func (r *Region) ParsePrint(reply string) error {
	r.Areas = nil
	number := 0
	for line := range strings.Lines(reply) {
		number++
		a, reason := r.parseArea(strings.TrimSuffix(line, "\n"))
		if reason != "" {
			return &Error{"@stats_print", number, reason}
		}
		r.Areas = append(r.Areas, a)
	}
	if len(r.Areas) == 0 {
		return &Error{Message: "@stats_print", Reason: "it is empty"}
	}
	first, last := r.Areas[0], r.Areas[len(r.Areas)-1]
	r.Start, r.Step, r.Length = first.Start, first.Length, last.Start+last.Length-first.Start
	return nil
}

func (r *Region) parseArea(line string) (a Area, reason string) {
	f := strings.Fields(line)
	words := 14
	if r.Bounds != nil {
		words++
	}
	if len(f) != words {
		return a, fmt.Sprintf("%d words, not %d", len(f), words)
	}
	start, length, ok := strings.Cut(f[0], "+")
	if !ok {
		return a, fmt.Sprintf("%q is not a range", f[0])
	}
	text := append([]string{start, length}, f[1:14]...)
	for i, to := range append([]*uint64{&a.Start, &a.Length}, a.numbers()...) {
		n, err := strconv.ParseUint(text[i], 10, 64)
		if err != nil {
			return a, fmt.Sprintf("%q is not a number", text[i])
		}
		*to = n
	}
	for _, t := range a.times() {
		*t *= r.scale()
	}
	if r.Bounds == nil {
		return a, ""
	}
	bins, err := parseBounds(f[14], ':', 1)
	if err != nil {
		return a, err.Error()
	}
	if len(bins) != len(r.Bounds)+1 {
		return a, fmt.Sprintf("%d bins, not %d", len(bins), len(r.Bounds)+1)
	}
	a.Histogram = bins
	return a, ""
}

// Metrics are rates and means over an interval, which is in nanoseconds and not
// 0. The formulas are those of libdm-stats.c.
type Metrics struct {
	Counters
	Interval uint64
}

const second = 1_000_000_000

func (m Metrics) perSecond(n uint64) float64 { return float64(n) * second / float64(m.Interval) }

// ReadsMergedRate is merged reads per nanosecond: dmstats labels this "per
// second" but does not multiply by the second.
func (m Metrics) ReadsMergedRate() float64 { return float64(m.ReadsMerged) / float64(m.Interval) }

// WritesMergedRate is ReadsMergedRate for writes.
func (m Metrics) WritesMergedRate() float64 { return float64(m.WritesMerged) / float64(m.Interval) }

// ReadRate is reads per second.
func (m Metrics) ReadRate() float64 { return m.perSecond(m.Reads) }

// WriteRate is writes per second.
func (m Metrics) WriteRate() float64 { return m.perSecond(m.Writes) }

// ReadSize is 512-byte sectors read per second.
func (m Metrics) ReadSize() float64 { return m.perSecond(m.ReadSectors) }

// WriteSize is 512-byte sectors written per second.
func (m Metrics) WriteSize() float64 { return m.perSecond(m.WriteSectors) }

// RequestSize is the mean size of a request, 512-byte sectors.
func (m Metrics) RequestSize() float64 {
	return ratio(m.ReadSectors+m.WriteSectors, m.Reads+m.Writes)
}

// QueueSize is the mean number of requests in flight.
func (m Metrics) QueueSize() float64 { return float64(m.QueueTime) / float64(m.Interval) }

// Wait is the mean time of a request, nanoseconds.
func (m Metrics) Wait() float64 { return ratio(m.ReadTime+m.WriteTime, m.Reads+m.Writes) }

// ReadWait is the mean time of a read, nanoseconds.
func (m Metrics) ReadWait() float64 { return ratio(m.ReadTime, m.Reads) }

// WriteWait is the mean time of a write, nanoseconds.
func (m Metrics) WriteWait() float64 { return ratio(m.WriteTime, m.Writes) }

// Throughput is requests per second.
func (m Metrics) Throughput() float64 {
	return second * float64(m.Reads+m.Writes) / float64(m.Interval)
}

// busy is the part of the interval in which anything was in flight, 0 to 1.
func (m Metrics) busy() float64 {
	return float64(min(m.IOTime, m.Interval)) / float64(m.Interval)
}

// Utilization is that part in millionths of a percent.
func (m Metrics) Utilization() int32 {
	return millionths(uint64(percentOne*m.busy()), percentOne)
}

// ServiceTime is what dmstats shows under that name, in nanoseconds. Its
// percentage is first cut to a whole number of millionths, so the result is
// always next to nothing.
func (m Metrics) ServiceTime() float64 {
	t, u := m.Throughput(), m.busy()*100
	if uint64(t) == 0 || uint64(u) == 0 {
		return 0
	}
	return second * float64(float32(int32(u))/percentOne) / (100 * t)
}

func ratio(sum, n uint64) float64 {
	if n == 0 {
		return 0
	}
	return float64(sum) / float64(n)
}

// percentOne is one percent, of libdm/libdevmapper.h DM_PERCENT_1.
const percentOne = 1_000_000

// millionths is n of all as a percentage; only n equal to all gives 100, and
// only zero gives 0 (dm_make_percent).
func millionths(n, all uint64) int32 {
	const hundred = 100 * percentOne
	switch {
	case all == 0 || n == all:
		return hundred
	case n == 0:
		return 0
	}
	return min(max(int32(min(hundred*(float64(n)/float64(all)), hundred)), 1), hundred-1)
}
