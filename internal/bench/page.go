package bench

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// place is the machine that something was measured on, without its host name,
// which would tell a reader nothing.
type place struct {
	name string
	load float64
}

func thisMachine() (place, error) {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return place{}, err
	}
	cpus, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return place{}, err
	}
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return place{}, err
	}
	var p place
	if _, err := fmt.Sscan(string(load), &p.load); err != nil {
		return place{}, fmt.Errorf("/proc/loadavg: %w", err)
	}
	p.name = fmt.Sprintf("%s, %d processors, Linux %s", cpuModel(string(cpus)), runtime.NumCPU(), strings.TrimSpace(string(release)))
	return p, nil
}

// cpuModel is the first model of /proc/cpuinfo. ARM kernels name none.
func cpuModel(cpuinfo string) string {
	for line := range strings.Lines(cpuinfo) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

const pageHead = `# Performance

Made by ` + "`make bench`" + `; ` + "`make bench ONLY=name`" + ` renews one row.

Ours and the peer take turns in one go on one machine, so that the speeds beside
each other mean more than the numbers. *Speed* is ours over the peer's: 2x is
twice as fast, whether the unit is a time or a rate. *Floor* is the speed below
which ` + "`BENCH_CHECK=1 make bench`" + ` fails. *Load* is that of the minute before; where
it is more than the number of processors, others were at work too, and the
numbers are lower than the machine's.
`

const (
	pageMachine = "## "
	pageColumns = "| name | ours | peer | unit | better | speed | floor | peer is | date | load |\n"
	pageRule    = "|---|---:|---:|---|---|---:|---:|---|---|---:|\n"
)

// Page returns the text of docs/performance.md: a table for each machine that
// something has been measured on.
func Page(results []Result) string {
	var page strings.Builder
	page.WriteString(pageHead)
	var machines []string
	for _, r := range results {
		if !slices.Contains(machines, r.Machine) {
			machines = append(machines, r.Machine)
		}
	}
	for _, m := range machines {
		page.WriteString("\n" + pageMachine + m + "\n\n" + pageColumns + pageRule)
		for _, r := range results {
			if r.Machine != m {
				continue
			}
			floor := ""
			if f, ok := Floors[r.Name]; ok {
				floor = fmt.Sprintf("%.2fx", f)
			}
			fmt.Fprintf(&page, "| `%s` | %.3f | %.3f | %s | %s | %.2fx | %s | %s | %s | %.1f |\n",
				r.Name, r.Ours, r.Peer, r.Unit, r.Better, r.Speed, floor, r.PeerName, r.Date, r.Load)
		}
	}
	return page.String()
}

// ReadPage returns the rows of a page, so that one of them can be replaced even if
// nothing else has been measured; a missing page has none.
func ReadPage(path string) ([]Result, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var results []Result
	machine, n := "", 0
	for line := range strings.Lines(string(text)) {
		n++
		if m, ok := strings.CutPrefix(line, pageMachine); ok {
			machine = strings.TrimSpace(m)
		}
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		r, err := pageRow(line)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		r.Machine = machine
		results = append(results, r)
	}
	return results, nil
}

func pageRow(line string) (Result, error) {
	cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
	if want := strings.Count(pageColumns, "|") - 1; len(cells) != want {
		return Result{}, fmt.Errorf("%d columns, want %d", len(cells), want)
	}
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	ours, err1 := strconv.ParseFloat(cells[1], 64)
	peer, err2 := strconv.ParseFloat(cells[2], 64)
	load, err3 := strconv.ParseFloat(cells[9], 64)
	if err := errors.Join(err1, err2, err3); err != nil {
		return Result{}, err
	}
	return Result{
		Name: strings.Trim(cells[0], "`"), Ours: ours, Peer: peer, Unit: cells[3], Better: cells[4],
		PeerName: cells[7], Date: cells[8], Load: load,
		Ratio: ours / peer, Speed: speed(cells[4], ours, peer),
	}, nil
}
