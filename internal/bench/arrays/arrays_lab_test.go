// Package arrays times our mdadm on live arrays beside Debian's: on one lab
// machine, in one go. As a test it uses few arrays and checks only that both do
// the work; `make bench` sets MDKIT_BENCH_ARRAYS and reads the times.
package arrays

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mdkit/mdkit/internal/cli/mdadm"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/internal/lab"
)

// face makes this program behave as mdadm, so that what is timed is a process of
// its own, like its peer.
const face = "MDKIT_BENCH_FACE"

func TestMain(m *testing.M) {
	if os.Getenv(face) != "" {
		std := ui.IO{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}
		os.Exit(mdadm.Main(context.Background(), append([]string{"mdadm"}, os.Args[1:]...), std))
	}
	lab.Main(m)
}

// members is how many members each array has.
const members = 4

func TestArrays(t *testing.T) {
	peer := lab.Peer(t, "mdadm")
	arrays, rounds := 3, 1
	if s := os.Getenv("MDKIT_BENCH_ARRAYS"); s != "" {
		var err error
		if arrays, err = strconv.Atoi(s); err != nil {
			t.Fatalf("MDKIT_BENCH_ARRAYS: %v", err)
		}
		rounds = 5
	}
	lab.Run(t, lab.Spec{
		Modules: []string{"raid1", fmt.Sprintf("brd rd_nr=%d rd_size=4096", arrays*members)},
		Files:   peer.Files,
		Memory:  1 << 30,
	}, lab.Case{Name: "race", Run: func(t *testing.T, _ *lab.Guest) {
		// The guest learns the number of arrays from the disks it has.
		disks, _ := filepath.Glob("/dev/ram*")
		arrays = len(disks) / members
		if arrays > 3 {
			rounds = 5
		}
		r := &race{arrays: arrays, rounds: rounds}
		r.make(t)
		r.assemble(t)
		r.report(t, fmt.Sprintf("examine.scan%d", arrays*members), "--examine", "--scan", "-c", "partitions")
		r.report(t, "detail.one", "--detail", "/dev/md127")
	}})
}

type race struct {
	arrays, rounds int
}

// run runs one of the two programs and returns how long that took.
func (r *race) run(t *testing.T, ours bool, args ...string) time.Duration {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "mdadm", args...)
	if ours {
		cmd = exec.CommandContext(t.Context(), "/proc/self/exe", args...)
		cmd.Env = append(os.Environ(), face+"=1")
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	start := time.Now()
	_, err := cmd.Output()
	took := time.Since(start)
	if err != nil {
		t.Fatalf("ours %v: mdadm %v: %v\n%s", ours, args, err, said.String())
	}
	return took
}

func (r *race) make(t *testing.T) {
	for i := range r.arrays {
		args := []string{
			"--create", fmt.Sprintf("/dev/md/a%d", i), "--run", "--quiet", "--assume-clean",
			"-l1", "-n" + strconv.Itoa(members), "-N", fmt.Sprintf("a%d", i),
		}
		for m := range members {
			args = append(args, fmt.Sprintf("/dev/ram%d", i*members+m))
		}
		r.run(t, true, args...)
	}
}

// assemble stops all arrays and assembles them again, with each program in turn.
func (r *race) assemble(t *testing.T) {
	var times [2][]time.Duration
	for range r.rounds {
		for i, ours := range []bool{true, false} {
			r.run(t, false, "--stop", "--scan")
			os.RemoveAll("/dev/md")
			os.Remove("/run/mdadm/map")
			times[i] = append(times[i], r.run(t, ours, "--assemble", "--scan", "-c", "partitions"))
			stat, err := os.ReadFile("/proc/mdstat")
			if got := strings.Count(string(stat), " : active raid1"); err != nil || got != r.arrays {
				t.Fatalf("ours %v: %d of %d arrays run", ours, got, r.arrays)
			}
		}
	}
	measured(t, fmt.Sprintf("assemble.scan%d", r.arrays), times)
}

func (r *race) report(t *testing.T, name string, args ...string) {
	var times [2][]time.Duration
	for range r.rounds {
		for i, ours := range []bool{true, false} {
			times[i] = append(times[i], r.run(t, ours, args...))
		}
	}
	measured(t, name, times)
}

// measured is the line that `make bench` reads: medians in milliseconds.
func measured(t *testing.T, name string, times [2][]time.Duration) {
	var ms [2]float64
	for i, list := range times {
		slices.Sort(list)
		ms[i] = float64(list[len(list)/2].Microseconds()) / 1000
	}
	t.Logf("measured %s %.3f %.3f", name, ms[0], ms[1])
}
