package plan

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

var errRefused = errors.New("refused")

func step(name string, log *[]string, fail error) Step {
	return NewStep(StepInfo{Kind: KindIoctl, Target: "md0", What: name},
		func(context.Context) error {
			*log = append(*log, "do "+name)
			return fail
		},
		func(context.Context) error {
			*log = append(*log, "undo "+name)
			return nil
		})
}

func image(t *testing.T, size int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk.img")
	b := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestPlanRunsInOrder(t *testing.T) {
	var log, seen []string
	p := Plan{Steps: []Step{step("a", &log, nil), step("b", &log, nil)}}
	err := p.Apply(t.Context(), func(s StepInfo) { seen = append(seen, s.What) })
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(log, ","); got != "do a,do b" {
		t.Errorf("ran %s", got)
	}
	if got := strings.Join(seen, ","); got != "a,b" {
		t.Errorf("reported %s", got)
	}
}

func TestPlanTakesBackInReverse(t *testing.T) {
	path := image(t, 4096)
	before := read(t, path)
	var log []string
	p := Plan{Steps: []Step{
		NewWrite(path, "superblock", 1024, make([]byte, 512)),
		NewWrite(path, "superblock again", 1000, bytes.Repeat([]byte{0xff}, 100)),
		step("a", &log, nil), step("b", &log, nil), step("c", &log, errRefused), step("d", &log, nil),
	}}
	err := p.Apply(t.Context(), nil)
	var failed *PlanError
	if !errors.As(err, &failed) || !errors.Is(err, errRefused) {
		t.Fatalf("got %v", err)
	}
	if failed.Step.What != "c" || len(failed.Left) != 0 {
		t.Errorf("failed at %v, left %v", failed.Step, failed.Left)
	}
	if got := strings.Join(log, ","); got != "do a,do b,do c,undo b,undo a" {
		t.Errorf("ran %s", got)
	}
	if !bytes.Equal(read(t, path), before) {
		t.Error("the image is not as it was")
	}
}

func TestPlanNamesWhatIsLeft(t *testing.T) {
	stuck := NewStep(StepInfo{Kind: KindMap, Target: "map", What: "add md0"},
		func(context.Context) error { return nil }, func(context.Context) error { return ErrNoUndo })
	var log []string
	p := Plan{Steps: []Step{stuck, step("b", &log, errRefused)}}
	err := p.Apply(t.Context(), nil)
	var failed *PlanError
	if !errors.As(err, &failed) || len(failed.Left) != 1 || !errors.Is(failed.Left[0].Err, ErrNoUndo) {
		t.Fatalf("got %v", err)
	}
	if want := "b md0: refused; not taken back: map map: add md0 (cannot be undone)"; err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
}

func TestPlanStopsAtTheDeadline(t *testing.T) {
	var log []string
	ctx, cancel := context.WithCancel(t.Context())
	last := NewStep(StepInfo{What: "last"}, func(context.Context) error {
		cancel()
		return nil
	}, nil)
	p := Plan{Steps: []Step{step("a", &log, nil), last, step("never", &log, nil)}}
	if err := p.Apply(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if got := strings.Join(log, ","); got != "do a,undo a" {
		t.Errorf("ran %s", got)
	}
}

// TestWriteOutsideOfTheDevice: a write that does not fit leaves nothing half done, and
// one outside the device says where.
func TestWriteOutsideOfTheDevice(t *testing.T) {
	path := image(t, 4096)
	before := read(t, path)
	p := Plan{Steps: []Step{
		NewWrite(path, "bitmap", 0, make([]byte, 4096)),
		NewWrite(path, "superblock", 4000, make([]byte, 512)),
	}}
	err := p.Apply(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), "512 bytes at offset 4000") {
		t.Fatalf("got %v", err)
	}
	if !bytes.Equal(read(t, path), before) {
		t.Error("the image is not as it was")
	}
}

func TestDescribeAsJSON(t *testing.T) {
	p := Plan{Steps: []Step{
		NewWrite("/dev/a", "bitmap", 8192, bytes.Repeat([]byte{0xff}, 512)),
		NewWrite("/dev/a", "superblock 1.2", 4096, []byte{1, 2, 3}),
	}}
	got, err := json.Marshal(p.Describe())
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"kind":"write","target":"/dev/a","what":"bitmap","offset":8192,"length":512,"fill":"ff"},` +
		`{"kind":"write","target":"/dev/a","what":"superblock 1.2","offset":4096,"length":3,"data":"AQID"}]`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, want := p.Describe()[0].String(), "write /dev/a: bitmap, 512 bytes at 8192"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestIoctl: a request has the same description however it is made, and is undone only
// if it has an undo.
func TestIoctl(t *testing.T) {
	var log []string
	do := func(what string) func() error {
		return func() error {
			log = append(log, what)
			return nil
		}
	}
	patiently := func(what string) func(context.Context) error {
		return func(context.Context) error { return do(what)() }
	}
	steps := []Step{
		NewIoctl("md0", "RUN", "1", do("a"), nil),
		NewIoctl("md0", "RUN", "1", do("b"), do("undo b")),
		NewPatientIoctl("md0", "RUN", "1", patiently("c"), patiently("undo c")),
		NewIoctl("md0", "RUN", "1", do("d"), NoUndo),
	}
	for i, s := range steps {
		if got, want := s.Describe().String(), "ioctl md0: RUN (1)"; got != want {
			t.Errorf("%d: %s, want %s", i, got, want)
		}
	}
	var r Runner
	if err := r.Do(t.Context(), steps...); err != nil {
		t.Fatal(err)
	}
	if left := r.TakeBack(t.Context()); len(left) != 1 || !errors.Is(left[0].Err, ErrNoUndo) {
		t.Errorf("left: %v", left)
	}
	if got := strings.Join(log, ","); got != "a,b,c,d,undo c,undo b" {
		t.Errorf("ran %s", got)
	}
}
