package native

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/block/blocktest"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/array"
	"github.com/mdkit/mdkit/engine/md/fresh"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/internal/lab"
)

// makeRAID6 makes the image files of a RAID6 with five members, full of data that
// depends on seed, and returns their paths.
func makeRAID6(t *testing.T, seed uint64) (paths []string) {
	t.Helper()
	paths = formatImages(t, fresh.NewArray{Level: md.LevelRAID6, RaidDisks: 5, Name: "host:six"}, false)
	withArray(t, paths, func(a *array.Array) {
		if _, err := a.WriteAt(blocktest.Pattern(seed, int(a.Size())), 0); err != nil {
			t.Fatal(err)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	})
	return paths
}

// formatImages makes the image files of an array with 4 MiB on each member. If there
// is to be a journal, it is in the last one.
func formatImages(t *testing.T, array fresh.NewArray, journal bool) (paths []string) {
	t.Helper()
	const size, used = 6 << 20, 4 << 20
	array.Version = md.V12
	array.Layout = 2
	array.Chunk = 32
	array.Size = used / block.SectorSize
	array.ActiveDisks = array.RaidDisks
	array.WorkingDisks = array.RaidDisks
	array.UUID = md.UUID{6}
	array.CTime = time.Unix(1_700_000_000, 0)
	array.Clean = true
	n := array.RaidDisks
	if journal {
		n++
	}
	var members []fresh.NewMember
	for i := range n {
		members = append(members, fresh.NewMember{
			Sectors: size / block.SectorSize, Bytes: size, Number: i, RaidDisk: i, DataOffset: fresh.DefaultDataOffset, UUID: md.UUID{1, byte(i)},
			Journal: i == array.RaidDisks,
		})
	}
	dataAt := fresh.DataOffsetFor(array.Version, size/block.SectorSize, array.Chunk, false)
	if array.PPL {
		dataAt = (size - used) / block.SectorSize // the log is before the data
	}
	extents, err := array.Format(members, dataAt)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for i, list := range extents {
		path := filepath.Join(dir, fmt.Sprintf("six.%d.img", i))
		paths = append(paths, path)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			overwrite(t, path, e.Off, e.Data)
		}
	}
	return paths
}

// withArray opens images for writing.
func withArray(t *testing.T, paths []string, use func(*array.Array)) {
	t.Helper()
	candidates := openCandidates(paths)
	defer closeCandidates(candidates)
	writable, err := reopenForWriting(candidates, md.Assess(membersOf(candidates), md.Strict))
	if err != nil {
		t.Fatal(err)
	}
	defer closeCandidates(writable)
	a, err := array.Open(md.Assess(membersOf(writable), md.Strict), devicesOf(writable), array.Options{})
	if err != nil {
		t.Fatal(err)
	}
	use(a)
}

func overwrite(t *testing.T, path string, off int64, b []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(b, off); err != nil {
		t.Fatal(err)
	}
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// mdkit runs a command line.
func mdkit(args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = Main(context.Background(), args, ui.IO{Out: &out, Err: &err})
	return code, out.String(), err.String()
}

// TestScrubRepairs damages one member of a RAID6, and has the scrub name and repair
// it; a dry run writes nothing.
func TestScrubRepairs(t *testing.T) {
	paths := makeRAID6(t, lab.Seed(t))
	scrub := append([]string{"verify", "--scrub", "--quiet"}, paths...)
	if code, out, errs := mdkit(scrub...); code != ui.ExitOK || out+errs != "" {
		t.Fatalf("an array in order: %d\n%s%s", code, out, errs)
	}
	before := mustRead(t, paths[3])
	overwrite(t, paths[3], 3<<20, []byte("rotten"))
	rotten := mustRead(t, paths[3])

	code, out, errs := mdkit(scrub...)
	want := fmt.Sprintf("parity: 6 bytes at %d of the members' data: %s wrong, by syndrome\n", 2<<20, paths[3])
	if code != ui.ExitProblems || errs != "" || !strings.HasPrefix(out, want) ||
		!strings.Contains(out, paths[3]+": slot 3, ") || !strings.Contains(out, ", byte 3145728, wrong\n") {
		t.Errorf("%d\n%s%s\nwant %s", code, out, errs, want)
	}
	code, out, _ = mdkit(append(scrub, "--repair", "--dry-run")...)
	if code != ui.ExitProblems || !strings.Contains(out, "; would be repaired\n") || !bytes.Equal(mustRead(t, paths[3]), rotten) {
		t.Errorf("the dry run ended with %d\n%s", code, out)
	}
	code, out, _ = mdkit(append(scrub, "--repair", "--json")...)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var sum struct {
		Schema   string
		Repaired int64
		Complete bool
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &sum); err != nil {
		t.Fatal(err)
	}
	if code != ui.ExitRepaired || len(lines) != 3 || sum.Schema != "mdkit.scrub/1" || sum.Repaired != 1 || !sum.Complete {
		t.Errorf("%d\n%s", code, out)
	}
	if !bytes.Equal(mustRead(t, paths[3]), before) {
		t.Error("the member is not what it was before the damage")
	}
}

// TestScrubGoesOn interrupts a scrub, and has another one continue at its checkpoint.
func TestScrubGoesOn(t *testing.T) {
	paths := makeRAID6(t, 1)
	overwrite(t, paths[0], 1<<20, []byte("rotten")) // in the first window
	checkpoint := filepath.Join(t.TempDir(), "state")
	args := append([]string{"verify", "--scrub", "--quiet", "--checkpoint", checkpoint}, paths...)
	// The scrub is interrupted as soon as it reports the damage: at that rate it
	// then has to wait for longer than a test takes.
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var out bytes.Buffer
	std := ui.IO{Out: onWrite{&out, interrupt}, Err: &out, Interrupt: func(context.Context) (context.Context, context.CancelFunc) {
		return ctx, interrupt
	}}
	code := Main(ctx, append(slices.Clone(args), "--rate", "1K"), std)
	if code != ui.ExitCancelled {
		t.Fatalf("interrupted: %d\n%s", code, out.String())
	}
	var state scrubCheckpoint
	if err := json.Unmarshal(mustRead(t, checkpoint), &state); err != nil {
		t.Fatal(err)
	}
	if state.Position == 0 || state.Mismatches != 1 {
		t.Fatalf("%+v", state)
	}
	other := makeRAID6(t, 2)
	overwrite(t, checkpoint, 0, bytes.ReplaceAll(mustRead(t, checkpoint), []byte(`"extent":4194304`), []byte(`"extent":9999999`)))
	code, _, errs := mdkit(append([]string{"verify", "--scrub", "--checkpoint", checkpoint}, other...)...)
	if code != ui.ExitFailed || !strings.Contains(errs, "is the checkpoint of array") {
		t.Errorf("another's checkpoint: %d %s", code, errs)
	}
	overwrite(t, checkpoint, 0, bytes.ReplaceAll(mustRead(t, checkpoint), []byte(`"extent":9999999`), []byte(`"extent":4194304`)))
	code, text, errs := mdkit(args...)
	if code != ui.ExitProblems || errs != "" || !strings.Contains(text, "1 mismatches") {
		t.Errorf("the rest: %d\n%s%s", code, text, errs)
	}
	if _, err := os.Stat(checkpoint); !os.IsNotExist(err) {
		t.Errorf("the checkpoint of a complete scrub: %v", err)
	}
}

// onWrite calls a function for each write.
type onWrite struct {
	io.Writer
	call func()
}

func (w onWrite) Write(b []byte) (int, error) {
	w.call()
	return w.Writer.Write(b)
}

func TestScrubUsage(t *testing.T) {
	for line, want := range map[string]string{
		"verify --repair x":               "verify: --repair goes with --scrub",
		"verify --scrub --dry-run x":      "verify: --dry-run goes with --repair; without that a scrub writes nothing",
		"verify --scrub --rate fast x":    "verify: --rate fast: want a size such as 50M",
		"verify --scrub --rate 0 x":       "verify: --rate 0: want a size such as 50M",
		"verify --checkpoint state x":     "verify: --checkpoint goes with --scrub",
		"verify --scrub --rate 99999E x ": "verify: --rate 99999E: want a size such as 50M",
	} {
		code, _, errs := mdkit(strings.Fields(line)...)
		if code != ui.ExitUsage || errs != "mdkit: "+want+"\n" {
			t.Errorf("%s: %d %s", line, code, errs)
		}
	}
}
