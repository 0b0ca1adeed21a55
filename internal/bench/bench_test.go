package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMeasureGivesTheRatio(t *testing.T) {
	b := Benchmark{Name: "x", Better: "lower", Run: func(context.Context, string) (float64, float64, error) { return 3, 2, nil }}
	r, err := b.Measure(t.Context())
	if err != nil || r.Ratio != 1.5 {
		t.Fatalf("ratio %v, err %v; want 1.5", r.Ratio, err)
	}
	broken := errors.New("broken")
	b.Run = func(context.Context, string) (float64, float64, error) { return 0, 0, broken }
	if _, err := b.Measure(t.Context()); !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "x: ") {
		t.Errorf("error %v does not name the benchmark", err)
	}
}

func TestSaveWritesTheDocumentedFields(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bench", "results.json")
	if err := Save(path, []Result{{Name: "x", Ours: 1, Peer: 2, PeerName: "p", Unit: "ms", Ratio: 0.5, Better: "lower"}}); err != nil {
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
	for _, key := range []string{"name", "ours", "peer", "peer_name", "unit", "ratio", "better"} {
		if _, ok := list[0][key]; !ok {
			t.Errorf("no %q in %s", key, text)
		}
	}
	var table bytes.Buffer
	if err := Print(&table, []Result{{Name: "x", Ratio: 0.5}}); err != nil || !strings.Contains(table.String(), "0.50x") {
		t.Errorf("table %q, err %v", table.String(), err)
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
