package native

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/fresh"
	"github.com/mdkit/mdkit/internal/cli/ui"
)

// TestDiskIsNoMember has disks whose 0.90 superblock is that of their last partition.
func TestDiskIsNoMember(t *testing.T) {
	const size, disks = 16 << 20, 2
	used := uint64(size-64<<10) / md.SectorSize
	a := fresh.NewArray{
		Version: md.V090, Level: md.LevelRAID1, Size: used, RaidDisks: disks, UUID: md.UUID{1}, CTime: time.Unix(1e9, 0),
		Clean: true, ActiveDisks: disks, WorkingDisks: disks,
	}
	var news []fresh.NewMember
	for i := range disks {
		news = append(news, fresh.NewMember{Sectors: size / md.SectorSize, Bytes: size, Number: i, RaidDisk: i, DataOffset: fresh.DefaultDataOffset})
	}
	extents, err := a.Format(news, fresh.DefaultDataOffset)
	if err != nil {
		t.Fatal(err)
	}
	mbr := make([]byte, 512)
	copy(mbr[510:], "\x55\xaa")
	mbr[446+4] = 0xfd
	binary.LittleEndian.PutUint32(mbr[446+8:], 2048)
	binary.LittleEndian.PutUint32(mbr[446+12:], size/512-2048)
	var paths []string
	for i := range disks {
		b := make([]byte, size)
		for _, e := range extents[i] {
			copy(b[e.Off:], e.Data)
		}
		path := filepath.Join(t.TempDir(), fmt.Sprint("disk", i))
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	run := func(args ...string) (code int, said string) {
		var out, errs bytes.Buffer
		code = Main(t.Context(), append(args, paths...), ui.IO{Out: &out, Err: &errs})
		return code, out.String() + errs.String()
	}
	if code, said := run("verify"); code != ui.ExitOK {
		t.Errorf("without a partition: exit %d\n%s", code, said)
	}
	for _, path := range paths {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(mbr); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"verify"}, {"open", "--cat"}} {
		code, said := run(args...)
		if code&ui.ExitFailed == 0 || !strings.Contains(said, "the superblock at its end is that of partition 1") {
			t.Errorf("%v: exit %d\n%s", args, code, said)
		}
	}
}
