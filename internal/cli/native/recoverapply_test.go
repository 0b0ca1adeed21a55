package native

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/array"
	"github.com/mdkit/mdkit/engine/md/fresh"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/internal/lab"
)

// lostRAID5 writes the members of a raid5 that holds an ext4 filesystem, without
// their metadata.
func lostRAID5(t *testing.T) (paths []string) {
	t.Helper()
	const size, disks, chunk, offset = 24 << 20, 3, 64 << 10, 1 << 20
	dir := t.TempDir()
	content, image := filepath.Join(dir, "content"), filepath.Join(dir, "image")
	for d := range 60 {
		folder := filepath.Join(content, fmt.Sprint(d))
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "file"), bytes.Repeat([]byte{byte(d + 1)}, 20_000), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	e2fs := lab.Peer(t, "e2fsprogs")
	out, err := e2fs.Program(t.Context(), "mke2fs", "-q", "-F", "-t", "ext4", "-b", "1024", "-d", content, image, "32M").CombinedOutput()
	if err != nil {
		t.Fatalf("mke2fs: %v\n%s", err, out)
	}
	filesystem, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	a := fresh.NewArray{
		Version: md.V12, Level: md.LevelRAID5, Layout: md.LayoutLeftSymmetric, Chunk: chunk / md.SectorSize,
		Size: (size - offset) / chunk * chunk / md.SectorSize, RaidDisks: disks, UUID: md.UUID{1}, CTime: time.Unix(1e9, 0),
		Clean: true, ActiveDisks: disks, WorkingDisks: disks,
	}
	var news []fresh.NewMember
	for i := range disks {
		news = append(news, fresh.NewMember{
			Sectors: size / md.SectorSize, Bytes: size, Number: i, RaidDisk: i, DataOffset: fresh.DefaultDataOffset, UUID: md.UUID{byte(i + 2)},
		})
	}
	extents, err := a.Format(news, offset/md.SectorSize)
	if err != nil {
		t.Fatal(err)
	}
	var members []*md.Member
	devs := make(map[*md.Member]block.Device)
	for i := range disks {
		d := block.NewMemory(fmt.Sprint(i), size)
		for _, e := range extents[i] {
			if _, err := d.WriteAt(e.Data, e.Off); err != nil {
				t.Fatal(err)
			}
		}
		m, err := md.ReadMember(d)
		if err != nil {
			t.Fatal(err)
		}
		members = append(members, m)
		devs[m] = d
	}
	running, err := array.Open(md.Assess(members, md.Strict), devs, array.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := running.WriteAt(filesystem, 0); err != nil {
		t.Fatal(err)
	}
	if err := running.Close(); err != nil {
		t.Fatal(err)
	}
	for i, m := range members {
		b := make([]byte, size)
		if err := block.ReadFull(devs[m], b, 0); err != nil {
			t.Fatal(err)
		}
		clear(b[:offset])
		path := filepath.Join(dir, fmt.Sprintf("disk%d", i))
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

// TestRecoverApply writes an array's superblocks again, brings back what was
// there, and refuses where it cannot know.
func TestRecoverApply(t *testing.T) {
	paths := lostRAID5(t)
	contents := func() (all []byte) {
		for _, path := range paths {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, b...)
		}
		return all
	}
	run := func(code int, args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		got := Main(t.Context(), append([]string{"recover", "-q"}, args...), ui.IO{Out: &out, Err: &errs})
		if got != code {
			t.Fatalf("recover %q: exit %d, want %d\n%s%s", args, got, code, &out, &errs)
		}
		return out.String() + errs.String()
	}
	before := contents()
	kept := t.TempDir()
	apply := append([]string{"--apply", "--backup", kept}, paths...)
	files := func() []string {
		list, _ := filepath.Glob(filepath.Join(kept, "*.json"))
		return list
	}
	said := run(ui.ExitOK, apply...)
	if list := files(); len(list) != 1 || !strings.Contains(said, "mdkit recover --restore "+list[0]) {
		t.Fatalf("kept %v\n%s", list, said)
	}
	var out, errs bytes.Buffer
	if code := Main(t.Context(), append([]string{"verify"}, paths...), ui.IO{Out: &out, Err: &errs}); code != ui.ExitOK {
		t.Errorf("verify: exit %d\n%s%s", code, &out, &errs)
	}
	run(ui.ExitOK, "--restore", files()[0])
	if !bytes.Equal(contents(), before) {
		t.Error("restored, and not as it was")
	}
	run(ui.ExitUsage, "--restore", files()[0], "--apply")

	f, err := os.OpenFile(paths[1], os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("EFI PART"), 512); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	before = contents()
	said = run(ui.ExitFailed, apply...)
	if !strings.Contains(said, paths[1]+" has a partition table") || !strings.Contains(said, "--candidate") || !bytes.Equal(contents(), before) || len(files()) != 1 {
		t.Errorf("with a partition table: %s", said)
	}
	run(ui.ExitOK, append([]string{"--candidate", "1"}, apply...)...)
	if bytes.Equal(contents(), before) || len(files()) != 2 {
		t.Error("a candidate that was chosen is not written")
	}
}
