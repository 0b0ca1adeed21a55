package recover_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/array"
	"github.com/mdkit/mdkit/engine/md/fresh"
	"github.com/mdkit/mdkit/engine/recover"
	"github.com/mdkit/mdkit/internal/lab"
)

func TestMain(m *testing.M) { lab.Main(m) }

// lost is an array that is made, filled with an ext4 filesystem, and then
// stripped of its metadata.
type lost struct {
	name    string
	create  string // options of mdadm --create
	devices int
	image   string // what it holds
	gone    int    // which member is also missing, -1 for none
	level   md.Level
	layout  int32
	chunk   int64
}

func arrays() []lost {
	const k = 1 << 10
	return []lost{
		{"raid0 64K", "-l0 -c64", 4, "/image-1024", -1, md.LevelRAID0, 0, 64 * k},
		{"raid0 512K", "-l0", 3, "/image-4096", -1, md.LevelRAID0, 0, 512 * k},
		{"raid0 4K", "-l0 -c4", 5, "/image-4096", -1, md.LevelRAID0, 0, 4 * k},
		{"raid1", "-l1", 2, smallImage, -1, md.LevelRAID1, 0, 0},
		{"raid1 one missing", "-l1", 3, smallImage, 1, md.LevelRAID1, 0, 0},
		{"raid1 1.0", "-l1 -e1.0", 2, smallImage, -1, md.LevelRAID1, 0, 0},
		{"raid4 128K", "-l4 -c128", 4, "/image-1024", -1, md.LevelRAID4, 0, 128 * k},
		{"raid4 one missing", "-l4 -c64", 4, "/image-1024", 2, md.LevelRAID4, 0, 64 * k},
		{"raid5", "-l5", 4, "/image-1024", -1, md.LevelRAID5, 2, 512 * k},
		{"raid5 64K", "-l5 -c64", 4, "/image-4096", -1, md.LevelRAID5, 2, 64 * k},
		{"raid5 64K of 6", "-l5 -c64", 6, "/image-4096", -1, md.LevelRAID5, 2, 64 * k},
		{"raid5 left-asymmetric", "-l5 -c32 -p la", 4, "/image-1024", -1, md.LevelRAID5, 0, 32 * k},
		{"raid5 right-symmetric 1.0", "-l5 -c128 -p rs -e1.0", 5, "/image-1024", -1, md.LevelRAID5, 3, 128 * k},
		{"raid5 right-asymmetric missing", "-l5 -c64 -p ra", 4, "/image-1024", 3, md.LevelRAID5, 1, 64 * k},
		{"raid5 missing the first", "-l5 -c64", 5, "/image-4096", 0, md.LevelRAID5, 2, 64 * k},
		{"raid5 0.90", "-l5 -c64 -e0.90", 4, "/image-1024", -1, md.LevelRAID5, 2, 64 * k},
		{"raid6", "-l6", 5, "/image-1024", -1, md.LevelRAID6, 2, 512 * k},
		{"raid6 64K left-asymmetric", "-l6 -c64 -p la", 6, "/image-1024", -1, md.LevelRAID6, 0, 64 * k},
		{"raid6 ddf-N-continue", "-l6 -c64 -p ddf-N-continue", 5, "/image-1024", -1, md.LevelRAID6, 10, 64 * k},
		{"raid6 one missing", "-l6 -c128", 5, "/image-1024", 2, md.LevelRAID6, 2, 128 * k},
		{"raid10 near", "-l10 -c64", 4, "/image-1024", -1, md.LevelRAID10, 0x102, 64 * k},
		{"raid10 near of 5", "-l10 -c64", 5, "/image-1024", -1, md.LevelRAID10, 0x102, 64 * k},
		{"raid10 far", "-l10 -c64 -p f2", 4, "/image-1024", -1, md.LevelRAID10, 0x201, 64 * k},
		{"raid10 offset", "-l10 -c128 -p o2", 4, "/image-4096", -1, md.LevelRAID10, 0x10201, 128 * k},
		{"raid10 near one missing", "-l10", 4, "/image-1024", 1, md.LevelRAID10, 0x102, 512 * k},
	}
}

// memberSize is the size of every member in bytes.
const memberSize = 24 << 20

// TestSearch has the engine make all the arrays.
func TestSearch(t *testing.T) {
	if lab.InGuest() {
		t.Skip("needs no kernel")
	}
	images := filesystems(t, lab.Peer(t, "e2fsprogs"))
	for i, l := range lab.Sample(t, arrays(), 8) {
		t.Run(l.name, func(t *testing.T) {
			image, err := os.ReadFile(images[l.image])
			if err != nil {
				t.Fatal(err)
			}
			members := l.build(t, image)
			l.find(t, members, image, uint64(i))
		})
	}
}

// build makes the array and fills it.
func (l lost) build(t *testing.T, image []byte) []block.Device {
	t.Helper()
	version, offset := md.V12, int64(1<<20)
	switch {
	case strings.Contains(l.create, "-e1.0"):
		version, offset = md.V10, 0
	case strings.Contains(l.create, "-e0.90"):
		version, offset = md.V090, 0
	case l.chunk >= 512<<10:
		offset = 2 << 20
	}
	usable, err := fresh.UsableSectors(version, memberSize/md.SectorSize, uint64(offset/md.SectorSize), false)
	if err != nil {
		t.Fatal(err)
	}
	if l.chunk > 0 {
		usable = usable / uint64(l.chunk/md.SectorSize) * uint64(l.chunk/md.SectorSize)
	}
	a := fresh.NewArray{
		Version: version, Level: l.level, Layout: l.layout, Chunk: uint32(l.chunk / md.SectorSize), Size: usable,
		RaidDisks: l.devices, UUID: md.UUID{1, 2, 3}, CTime: time.Unix(1e9, 0), Clean: true,
		ActiveDisks: l.devices, WorkingDisks: l.devices,
	}
	if l.level == md.LevelRAID0 {
		a.Layout = 1
	}
	var news []fresh.NewMember
	var members []block.Device
	for i := range l.devices {
		members = append(members, block.NewMemory(fmt.Sprintf("member %d", i), memberSize))
		news = append(news, fresh.NewMember{Sectors: memberSize / md.SectorSize, Bytes: memberSize, Number: i, RaidDisk: i, DataOffset: fresh.DefaultDataOffset, UUID: md.UUID{byte(i + 1)}})
	}
	extents, err := a.Format(news, uint64(offset/md.SectorSize))
	if err != nil {
		t.Fatal(err)
	}
	var found []*md.Member
	devs := make(map[*md.Member]block.Device)
	for i, d := range members {
		for _, e := range extents[i] {
			if _, err := d.WriteAt(e.Data, e.Off); err != nil {
				t.Fatal(err)
			}
		}
		m, err := md.ReadMember(d)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, m)
		devs[m] = d
	}
	array, err := array.Open(md.Assess(found, md.Strict), devs, array.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := array.WriteAt(image, 0); err != nil {
		t.Fatal(err)
	}
	if err := array.Close(); err != nil {
		t.Fatal(err)
	}
	return members
}

// find removes the metadata of an array, and a member if one is to be missing,
// shuffles the rest, and expects the array as the best candidate, with
// everything that was in it.
func (l lost) find(t *testing.T, members []block.Device, image []byte, seed uint64) {
	t.Helper()
	for _, d := range members {
		wipe(t, d, memberSize-(128<<10), 128<<10) // 0.90 and 1.0
		if !strings.Contains(l.create, "-e") {
			wipe(t, d, 0, 1<<20) // 1.2 and its bitmap
		}
	}
	if l.gone >= 0 {
		members = append(members[:l.gone:l.gone], members[l.gone+1:]...)
	}
	rand.New(rand.NewPCG(seed, 1)).Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	done, total := 0, 0
	found, err := recover.Search(t.Context(), members, recover.Options{Progress: func(d, n int) { done, total = d, n }})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Fatal("nothing found")
	}
	for i, c := range found[:min(4, len(found))] {
		t.Logf("%d: %v, order %v (%d alike): score %.3f, members %v, content %v, redundancy %v", i+1, c.Geometry, c.Order, c.Orders, c.Score(), c.Members, c.Content, c.Redundancy)
	}
	if done != total || total < 100 {
		t.Errorf("progress: %d of %d", done, total)
	}
	best := found[0]
	if err := recover.Certain(found); err != nil {
		t.Error(err)
	}
	// A mirror does not say how many others there were.
	slots := best.Slots == l.devices || l.level == md.LevelRAID1
	if best.Level != l.level || best.Layout != l.layout || best.Chunk != l.chunk || !slots {
		t.Errorf("found %v", best.Geometry)
	}
	l.apply(t, best, members, image)
	a, err := best.Open(members)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(image))
	if err := block.ReadFull(a, got, 0); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, image) {
		t.Error("what it holds differs")
	}
}

// apply carries out the plan on devices, the last of which fails, and then on
// sound ones: first everything is as it was before, then the members are an
// array.
func (l lost) apply(t *testing.T, best *recover.Candidate, members []block.Device, image []byte) {
	t.Helper()
	plan, err := best.Plan(members)
	if err != nil {
		t.Fatal(err)
	}
	overs, failing := make([]block.Device, len(members)), make([]block.Device, len(members))
	for i, m := range members {
		overs[i] = block.NewOverlay(m)
		failing[i] = overs[i]
	}
	last := plan[len(plan)-1].Member
	failing[last] = block.ReadOnly(overs[last])
	if err := recover.Apply(plan, failing); !errors.Is(err, block.ErrReadOnly) {
		t.Errorf("a write that fails: %v", err)
	}
	for i, m := range overs {
		for e := range m.(*block.Overlay).Extents() {
			was := make([]byte, len(e.Data))
			if err := block.ReadFull(members[i], was, e.Off); err != nil || !bytes.Equal(was, e.Data) {
				t.Errorf("member %d has changed at %d", i, e.Off)
			}
		}
	}
	if err := recover.Apply(plan, overs); err != nil {
		t.Fatal(err)
	}
	var found []*md.Member
	devs := make(map[*md.Member]block.Device)
	for _, d := range overs {
		m, err := md.ReadMember(d)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, m)
		devs[m] = d
	}
	a, err := array.Open(md.Assess(found, md.Strict), devs, array.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(image))
	if err := block.ReadFull(a, got, 0); err != nil || !bytes.Equal(got, image) {
		t.Errorf("after the plan it holds something else (%v)", err)
	}
}

// TestSearchEnds searches for what cannot be found, and interrupts a search.
func TestSearchEnds(t *testing.T) {
	blank := []block.Device{block.NewMemory("a", memberSize), block.NewMemory("b", memberSize)}
	if _, err := recover.Search(t.Context(), blank, recover.Options{}); !errors.Is(err, recover.ErrNothingKnown) {
		t.Errorf("blank members: %v", err)
	}
	if _, err := recover.Search(t.Context(), nil, recover.Options{}); !errors.Is(err, recover.ErrMembers) {
		t.Errorf("no members: %v", err)
	}
	if _, err := recover.Search(t.Context(), blank, recover.Options{RaidDevices: 1}); !errors.Is(err, recover.ErrMembers) {
		t.Errorf("more members than slots: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := recover.Search(ctx, blank, recover.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

// wipe zeroes part of a device.
func wipe(t *testing.T, d block.Device, off, length int64) {
	t.Helper()
	if _, err := d.WriteAt(make([]byte, length), off); err != nil {
		t.Fatal(err)
	}
}

// labGroups are sets of arrays that fit on the disks of one machine.
func labGroups() map[string][]string {
	return map[string][]string{
		"first":  {"raid5 64K", "raid6", "raid0 512K", "raid1"},
		"second": {"raid10 far", "raid4 128K", "raid6 one missing", "raid1 1.0"},
		"third":  {"raid5 0.90", "raid10 near", "raid5 right-symmetric 1.0", "raid1 one missing"},
	}
}

// TestSearchAfterKernel has mdadm and the kernel make the arrays.
func TestSearchAfterKernel(t *testing.T) {
	groups := labGroups()
	for _, name := range lab.Sample(t, slices.Sorted(maps.Keys(groups)), 1) {
		t.Run(name, func(t *testing.T) { afterKernel(t, groups[name]) })
	}
}

func afterKernel(t *testing.T, names []string) {
	spec := lab.Spec{Modules: []string{"raid0", "raid1", "raid10", "raid456"}}
	images := map[string]string{}
	if !lab.InGuest() {
		images = filesystems(t, lab.Peer(t, "e2fsprogs"))
		spec.Files = maps.Clone(images)
		maps.Copy(spec.Files, lab.Peer(t, "mdadm").Files)
	}
	var cases []lab.Case
	var list []lost
	first := 0
	for _, l := range arrays() {
		if !slices.Contains(names, l.name) {
			continue
		}
		from := first
		cases = append(cases, lab.Case{Name: l.name, Run: func(t *testing.T, g *lab.Guest) { l.make(t, g.Disks[from:from+l.devices]) }})
		list = append(list, l)
		for range l.devices {
			path := filepath.Join(t.TempDir(), "disk")
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(path, memberSize); err != nil {
				t.Fatal(err)
			}
			spec.Disks = append(spec.Disks, lab.Disk{Path: path})
			first++
		}
	}
	lab.Run(t, spec, cases...)
	if lab.InGuest() || t.Failed() {
		return
	}
	first = 0
	for i, l := range list {
		var members []block.Device
		for _, d := range spec.Disks[first : first+l.devices] {
			data, err := os.ReadFile(d.Path)
			if err != nil {
				t.Fatal(err)
			}
			m := block.NewMemory(filepath.Base(d.Path), memberSize)
			if _, err := m.WriteAt(data, 0); err != nil {
				t.Fatal(err)
			}
			members = append(members, m)
		}
		first += l.devices
		image, err := os.ReadFile(images[l.image])
		if err != nil {
			t.Fatal(err)
		}
		t.Run("found "+l.name, func(t *testing.T) { l.find(t, members, image, uint64(i)) })
	}
}

// make has mdadm make the array, and fills it.
func (l lost) make(t *testing.T, disks []string) {
	run(t, "mdadm", append(append([]string{"--create", "/dev/md0", "--run", "--quiet", "--assume-clean", fmt.Sprintf("-n%d", l.devices)},
		strings.Fields(l.create)...), disks...)...)
	in, err := os.Open(l.image)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile("/dev/md0", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{out}, struct{ io.Reader }{in}, make([]byte, 1<<20))
	if err := errors.Join(err, out.Sync(), out.Close()); err != nil {
		t.Fatal(err)
	}
	run(t, "mdadm", "--stop", "--quiet", "/dev/md0")
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

// filesystems makes images of ext4 with what people have: folders of files.
// They are small, for a raid1, or nearly fill the other arrays.
func filesystems(t *testing.T, e2fs *lab.Tool) map[string]string {
	t.Helper()
	images := make(map[string]string)
	for _, c := range []struct {
		guest           string
		size, block     int
		folders, length int
	}{{smallImage, 18, 1024, 50, 40_000}, {"/image-1024", 38, 1024, 90, 80_000}, {"/image-4096", 38, 4096, 90, 80_000}} {
		rng := rand.NewChaCha8([32]byte{byte(c.size), byte(c.block >> 8)})
		content := t.TempDir()
		for d := range c.folders {
			dir := filepath.Join(content, fmt.Sprintf("folder %d", d), "inner")
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			for f := range 4 {
				data := make([]byte, 1000+int(rng.Uint64()%uint64(c.length)))
				rng.Read(data)
				if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("file %d", f)), data, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
		image := filepath.Join(t.TempDir(), "image")
		cmd := e2fs.Program(t.Context(), "mke2fs", "-q", "-F", "-t", "ext4", "-b", strconv.Itoa(c.block), "-d", content, image, fmt.Sprintf("%dM", c.size))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("mke2fs: %v\n%s", err, out)
		}
		images[c.guest] = image
	}
	return images
}

const smallImage = "/image-small"
