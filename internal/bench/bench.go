// Package bench runs our programs and their peers side by side, in one go on
// one machine, and reports ratios. It proves nothing about correctness; the
// tests do that.
package bench

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"
)

// Result is one line of bench/results.json.
type Result struct {
	Name     string  `json:"name"`
	Ours     float64 `json:"ours"`
	Peer     float64 `json:"peer"`
	PeerName string  `json:"peer_name"`
	Unit     string  `json:"unit"`
	Ratio    float64 `json:"ratio"`  // ours divided by the peer's
	Better   string  `json:"better"` // "higher" or "lower"
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
	ours, peer, err := b.Run(ctx, dir)
	if err != nil {
		return Result{}, fmt.Errorf("%s: %w", b.Name, err)
	}
	return Result{
		Name: b.Name, Ours: ours, Peer: peer, PeerName: b.PeerName,
		Unit: b.Unit, Ratio: ours / peer, Better: b.Better,
	}, nil
}

// Print writes the results as a table.
func Print(w io.Writer, results []Result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "name\tours\tpeer\tunit\tratio\tbetter\tpeer is")
	for _, r := range results {
		fmt.Fprintf(t, "%s\t%.3f\t%.3f\t%s\t%.2fx\t%s\t%s\n", r.Name, r.Ours, r.Peer, r.Unit, r.Ratio, r.Better, r.PeerName)
	}
	return t.Flush()
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

// Race runs both commands n times, taking turns so that whatever else the
// machine does hits both, and returns the median wall times in milliseconds.
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
