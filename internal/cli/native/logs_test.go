package native

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/block/blocktest"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/array"
	"github.com/mdkit/mdkit/engine/md/fresh"
	"github.com/mdkit/mdkit/internal/cli/ui"
)

// logWrites writes to all of an array, and then once more to its beginning, without
// closing it, and returns what it must hold.
func logWrites(t *testing.T, paths []string) (model []byte) {
	t.Helper()
	withArray(t, paths, func(a *array.Array) {
		model = blocktest.Pattern(1, int(a.Size()))
		for _, n := range []int{len(model), 4096} {
			copy(model, blocktest.Pattern(uint64(n), n))
			if _, err := a.WriteAt(model[:n], 0); err != nil {
				t.Fatal(err)
			}
		}
		if err := a.Sync(); err != nil {
			t.Fatal(err)
		}
	})
	return model
}

// dataOf is where a member's data starts, in bytes.
func dataOf(t *testing.T, path string) int64 {
	t.Helper()
	f, err := block.OpenFile(path, block.ForReading)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := md.ReadMember(f)
	if err != nil {
		t.Fatal(err)
	}
	return int64(m.DataOffset()) * block.SectorSize
}

// lose undoes a write to the beginning of a member by overwriting it.
func lose(t *testing.T, path string) {
	t.Helper()
	overwrite(t, path, dataOf(t, path), bytes.Repeat([]byte("lost"), 1024))
}

// wantCat checks what "open --cat" prints for images, which it must not change.
func wantCat(t *testing.T, model []byte, args ...string) {
	t.Helper()
	var before [][]byte
	for _, path := range args {
		if strings.HasSuffix(path, ".img") {
			before = append(before, mustRead(t, path))
		}
	}
	code, out, errs := mdkit(append([]string{"open", "--cat", "--quiet"}, args...)...)
	if code != ui.ExitOK || out != string(model) {
		t.Errorf("open %q: code %d, %d bytes that are right: %v\n%s", args, code, len(out), out == string(model), errs)
	}
	for _, path := range args {
		if !strings.HasSuffix(path, ".img") {
			continue
		}
		if !bytes.Equal(mustRead(t, path), before[0]) {
			t.Errorf("open changed %s", path)
		}
		before = before[1:]
	}
}

// TestOpenReplaysAJournal loses a write that is then only in the journal.
func TestOpenReplaysAJournal(t *testing.T) {
	paths := formatImages(t, fresh.NewArray{Level: md.LevelRAID5, RaidDisks: 3, Name: "host:six"}, true)
	model := logWrites(t, paths)
	lose(t, paths[0])
	lose(t, paths[2])
	wantCat(t, model, paths...)
	wantCat(t, model, slices.Concat(paths[:1], paths[2:])...)
	if code, out, errs := mdkit(append([]string{"verify", "--scrub", "--quiet"}, paths...)...); code != ui.ExitOK {
		t.Errorf("scrub with the journal: %d\n%s%s", code, out, errs)
	}
	code, _, errs := mdkit(append([]string{"open", "--cat"}, paths[:3]...)...)
	if code != ui.ExitProblems || !strings.Contains(errs, "journal device is missing or stale") || !strings.Contains(errs, "--dirty") {
		t.Errorf("open without the journal: %d\n%s", code, errs)
	}
	stale := slices.Clone(model)
	copy(stale, bytes.Repeat([]byte("lost"), 1024))
	wantCat(t, stale, append([]string{"--dirty"}, paths[:3]...)...)
}

// TestOpenRecoversPartialParity loses the parity of a write, and then a member that
// was not written to.
func TestOpenRecoversPartialParity(t *testing.T) {
	paths := formatImages(t, fresh.NewArray{Level: md.LevelRAID5, RaidDisks: 3, Name: "host:six", PPL: true}, false)
	model := logWrites(t, paths)
	lose(t, paths[2]) // the parity of the first row
	wantCat(t, model, paths...)
	wantCat(t, model, paths[0], paths[2])
	if code, out, errs := mdkit(append([]string{"verify", "--scrub", "--quiet"}, paths...)...); code != ui.ExitOK {
		t.Errorf("scrub: %d\n%s%s", code, out, errs)
	}
}
