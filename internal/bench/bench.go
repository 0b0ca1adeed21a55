// Package bench runs our programs and their peers side by side, in one go on one
// machine, and reports ratios. It proves nothing about correctness: tests do that.
package bench

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// Result is one row of bench/results.json and of docs/performance.md.
type Result struct {
	Name     string  `json:"name"`
	Ours     float64 `json:"ours"`
	Peer     float64 `json:"peer"`
	PeerName string  `json:"peer_name"`
	Unit     string  `json:"unit"`
	Ratio    float64 `json:"ratio"`  // ours divided by the peer's
	Better   string  `json:"better"` // "higher" or "lower"
	Speed    float64 `json:"speed"`  // see Benchmark.speed

	Machine string  `json:"machine"` // what it was measured on
	Date    string  `json:"date"`    // 2026-11-30
	Load    float64 `json:"load"`    // of the minute before it was measured
}

// All returns the benchmarks, in the order of the page. bin is the folder with our
// programs, module the folder of this module.
func All(bin, module string) []Benchmark {
	mdadm, mdkit := filepath.Join(bin, "mdadm"), filepath.Join(bin, "mdkit")
	return slices.Concat(
		[]Benchmark{
			ExamineOne(mdadm),
			ParityPQ(), ParityPQKlauspost(), ParityXor(),
			ScrubRAID6(mdkit), ReadDegraded(mdkit),
			NBDRandRead(mdkit),
		},
		Arrays(module), Mapped(module), Locks(module),
	)
}

// Benchmark measures one thing on both sides.
type Benchmark struct {
	Name     string
	PeerName string
	Unit     string
	Better   string // "higher" or "lower"
	Run      func(ctx context.Context, dir string) (ours, peer float64, err error)
}

// Measure runs b with a scratch folder that is removed afterwards.
func (b Benchmark) Measure(ctx context.Context) (Result, error) {
	dir, err := os.MkdirTemp("", "mdkit-bench-")
	if err != nil {
		return Result{}, err
	}
	defer os.RemoveAll(dir)
	where, err := thisMachine()
	if err != nil {
		return Result{}, fmt.Errorf("%s: %w", b.Name, err)
	}
	ours, peer, err := b.Run(ctx, dir)
	if err != nil {
		return Result{}, fmt.Errorf("%s: %w", b.Name, err)
	}
	return Result{
		Name: b.Name, Ours: ours, Peer: peer, PeerName: b.PeerName,
		Unit: b.Unit, Ratio: ours / peer, Better: b.Better, Speed: speed(b.Better, ours, peer),
		Machine: where.name, Load: where.load, Date: time.Now().UTC().Format(time.DateOnly),
	}, nil
}

// speed is how fast ours is compared with the peer: 2 is twice as fast, 0.5 half
// as fast, whether the unit is a time, of which less is better, or work done in a
// given time. Floors are speeds.
func speed(better string, ours, peer float64) float64 {
	if better == "lower" {
		return peer / ours
	}
	return ours / peer
}

// Header names the columns of Print.
const Header = "name                          ours        peer  unit     speed  peer is\n"

// Print writes one row for people to read.
func (r Result) Print(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%-26s %10.3f  %10.3f  %-5s %7.2fx  %s\n", r.Name, r.Ours, r.Peer, r.Unit, r.Speed, r.PeerName)
	return err
}

// Merge returns the rows of old, replaced by those of news with the same names, in
// the order of names; rows with other names are dropped.
func Merge(names []string, old, news []Result) []Result {
	rows := make(map[string]Result)
	for _, r := range slices.Concat(old, news) {
		rows[r.Name] = r
	}
	var merged []Result
	for _, name := range names {
		if r, ok := rows[name]; ok {
			merged = append(merged, r)
		}
	}
	return merged
}

// Load reads what Save has written; if there is no file, there are no results.
func Load(path string) ([]Result, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var results []Result
	if err := json.Unmarshal(text, &results); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return results, nil
}

// Save writes the results as JSON to path, making its folder.
func Save(path string, results []Result) error {
	text, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// Command is a program to time.
type Command struct {
	Path string
	Args []string
	Env  []string // added to the environment
}

// time runs the command once and returns its wall time in milliseconds.
func (c Command) time(ctx context.Context) (float64, error) {
	cmd := exec.CommandContext(ctx, c.Path, c.Args...)
	cmd.Env = append(os.Environ(), c.Env...)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint // what it prints otherwise goes to /dev/null
	start := time.Now()
	err := cmd.Run()
	took := time.Since(start)
	if err != nil {
		return 0, fmt.Errorf("%s %v: %w\n%s", c.Path, c.Args, err, &complaint)
	}
	return float64(took.Microseconds()) / 1000, nil
}

// Race runs both commands n times, in turn so that whatever else the machine does
// affects both, and returns the median wall times in milliseconds.
func Race(ctx context.Context, n int, ours, peer Command) (float64, float64, error) {
	times := [2][]float64{}
	for range n {
		for i, c := range []Command{ours, peer} {
			ms, err := c.time(ctx)
			if err != nil {
				return 0, 0, err
			}
			times[i] = append(times[i], ms)
		}
	}
	return median(times[0]), median(times[1]), nil
}

func median[V cmp.Ordered](v []V) V {
	slices.Sort(v)
	return v[len(v)/2]
}
