package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestMeasureGivesTheSpeed(t *testing.T) {
	b := Benchmark{Name: "x", Better: "lower", Run: func(context.Context, string) (float64, float64, error) { return 3, 6, nil }}
	r, err := b.Measure(t.Context())
	if err != nil || r.Ratio != 0.5 || r.Speed != 2 {
		t.Fatalf("ratio %v, speed %v, err %v; want 0.5, 2", r.Ratio, r.Speed, err)
	}
	b.Better = "higher"
	if r, err = b.Measure(t.Context()); err != nil || r.Speed != 0.5 {
		t.Errorf("speed %v of a rate, err %v; want 0.5", r.Speed, err)
	}
	if r.Machine == "" || r.Date == "" {
		t.Errorf("measured on %q, on %q", r.Machine, r.Date)
	}
	broken := errors.New("broken")
	b.Run = func(context.Context, string) (float64, float64, error) { return 0, 0, broken }
	if _, err := b.Measure(t.Context()); !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "x: ") {
		t.Errorf("error %v does not name the benchmark", err)
	}
}

func TestSaveWritesTheDocumentedFields(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bench", "results.json")
	want := []Result{{Name: "x", Ours: 1, Peer: 2, PeerName: "p", Unit: "ms", Ratio: 0.5, Better: "lower", Speed: 2}}
	if err := Save(path, want); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var list []map[string]any
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"name", "ours", "peer", "peer_name", "unit", "ratio", "better", "speed", "machine", "date", "load"} {
		if _, ok := list[0][key]; !ok {
			t.Errorf("no %q in %s", key, text)
		}
	}
	if got, err := Load(path); err != nil || !slices.Equal(got, want) {
		t.Errorf("loaded %v, err %v; want %v", got, err, want)
	}
	if got, err := Load(path + ".missing"); err != nil || got != nil {
		t.Errorf("a missing file has %v, err %v", got, err)
	}
	var row bytes.Buffer
	if err := want[0].Print(&row); err != nil || !strings.Contains(row.String(), "2.00x") {
		t.Errorf("row %q, err %v", row.String(), err)
	}
}

// TestPageKeepsRows checks that a page is read as it was written, and that a new
// row takes the place of the old one.
func TestPageKeepsRows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.md")
	want := []Result{
		{Name: "examine.one", Ours: 1, Peer: 4, PeerName: "p q", Unit: "ms", Ratio: 0.25, Better: "lower", Speed: 4, Machine: "one", Date: "2026-11-30", Load: 0.5},
		{Name: "y", Ours: 3, Peer: 2, PeerName: "r", Unit: "MB/s", Ratio: 1.5, Better: "higher", Speed: 1.5, Machine: "two", Date: "2026-12-01", Load: 7},
	}
	if err := os.WriteFile(path, []byte(Page(want)), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := ReadPage(path)
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("read %v, err %v; want %v", got, err, want)
	}
	renewed := want[0]
	renewed.Ours = 2
	merged := Merge([]string{"examine.one", "y"}, append(got, Result{Name: "gone"}), []Result{renewed})
	if !slices.Equal(merged, []Result{renewed, want[1]}) {
		t.Errorf("merged: %v", merged)
	}
	if err := os.WriteFile(path, []byte("# x\n| `y` | 1 |\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadPage(path); err == nil || !strings.Contains(err.Error(), "page.md:2: ") {
		t.Errorf("error %v does not name the line", err)
	}
}

func TestCPUModel(t *testing.T) {
	if got := cpuModel("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\nmodel name\t: b\n"); got != "Some CPU @ 2 GHz" {
		t.Errorf("got %q", got)
	}
	if got := cpuModel("processor: 0\n"); got != runtime.GOARCH {
		t.Errorf("got %q where there is no model", got)
	}
}

// TestFloors checks that every floor belongs to a row, and that a row below its
// floor is named, with its speed and the floor.
func TestFloors(t *testing.T) {
	rows := map[string]bool{}
	for _, b := range All("bin", "module") {
		rows[b.Name] = true
		if b.Better != "higher" && b.Better != "lower" {
			t.Errorf("%s: %q is better?", b.Name, b.Better)
		}
	}
	for name := range Floors {
		if !rows[name] {
			t.Errorf("there is no row %s, which has a floor", name)
		}
	}
	below := Check([]Result{
		{Name: "examine.one", Speed: 0.4, PeerName: "mdadm"},
		{Name: "scrub.raid6", Speed: 0.9},
		{Name: "no.floor", Speed: 0.1},
		{Name: "assemble.scan64", Speed: math.NaN(), PeerName: "mdadm"},
	})
	if len(below) != 2 || below[0] != "examine.one has 0.40x the speed of mdadm, below its floor of 0.50x" {
		t.Errorf("below their floors: %q", below)
	}
}

func TestRaceFailsWithTheCommand(t *testing.T) {
	_, _, err := Race(t.Context(), 1, Command{Path: "false"}, Command{Path: "true"})
	if err == nil || !strings.Contains(err.Error(), "false") {
		t.Errorf("error %v does not name the command that failed", err)
	}
	ours, peer, err := Race(t.Context(), 3, Command{Path: "true"}, Command{Path: "true"})
	if err != nil || ours <= 0 || peer <= 0 {
		t.Errorf("got %v, %v, %v", ours, peer, err)
	}
}
