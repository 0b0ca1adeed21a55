package array_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/block/blocktest"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/array"
	"github.com/mdkit/mdkit/internal/lab"
)

// arraySpec describes an array for a test; sizes are those of each slot's data, in
// sectors.
type arraySpec struct {
	level  md.Level
	layout int32
	chunk  uint32 // sectors
	sizes  []uint64
	change func(slot int, s *md.Super1) // changes the superblock of a member; may be nil
}

func (s arraySpec) String() string {
	layout, ok := md.LayoutName(s.level, s.layout)
	if !ok {
		layout = fmt.Sprint(s.layout)
	}
	return fmt.Sprintf("%v %s chunk %d over %v", s.level, layout, s.chunk, s.sizes)
}

// same returns n equal sizes.
func same(n int, size uint64) []uint64 {
	sizes := make([]uint64, n)
	for i := range sizes {
		sizes[i] = size
	}
	return sizes
}

// dataStart is where data starts on the members of tests, in sectors.
const dataStart = 40

// makeArray makes the members of an array with metadata 1.2.
func makeArray(t testing.TB, spec arraySpec) []*block.Memory {
	t.Helper()
	disks := make([]*block.Memory, len(spec.sizes))
	roles := make([]md.Role, len(spec.sizes))
	for i := range roles {
		roles[i] = md.Role(i)
	}
	used := spec.sizes[0]
	if !spec.level.Redundant() {
		used = 0
	}
	for i, size := range spec.sizes {
		s := &md.Super1{
			Magic: md.SuperMagic, MajorVersion: 1, SetUUID: md.UUID{1, 2, 3}, CTime: 1, Level: spec.level, Layout: spec.layout,
			Size: used, ChunkSize: spec.chunk, RaidDisks: uint32(len(spec.sizes)), DataOffset: dataStart, DataSize: size,
			SuperOffset: 8, DevNumber: uint32(i), DeviceUUID: md.UUID{byte(i)}, UTime: 2, Events: 9, ResyncOffset: md.MaxSector, DevRoles: roles,
		}
		if spec.level == md.LevelRAID0 {
			s.FeatureMap |= md.FeatureRAID0Layout
		}
		if spec.change != nil {
			spec.change(i, s)
		}
		disks[i] = block.NewMemory(fmt.Sprintf("disk%d", i), int64(dataStart+size)*md.SectorSize)
		if _, err := disks[i].WriteAt(s.AppendTo(nil), 4096); err != nil {
			t.Fatal(err)
		}
	}
	return disks
}

// openArray assembles disks, given in any order; nil ones are missing.
func openArray(disks []block.Device, opt array.Options) (*array.Array, error) {
	devs := make(map[*md.Member]block.Device)
	var members []*md.Member
	for _, d := range disks {
		if d == nil {
			continue
		}
		m, err := md.ReadMember(d)
		if err != nil {
			return nil, err
		}
		devs[m] = d
		members = append(members, m)
	}
	return array.Open(md.Assess(members, md.Strict), devs, opt)
}

func mustOpen(t testing.TB, disks []block.Device, opt array.Options) *array.Array {
	t.Helper()
	a, err := openArray(disks, opt)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func devices(disks []*block.Memory) []block.Device {
	list := make([]block.Device, len(disks))
	for i, d := range disks {
		list[i] = d
	}
	return list
}

// arraySpecs are arrays of every level and layout that the engine runs.
func arraySpecs() []arraySpec {
	specs := []arraySpec{
		{level: md.LevelLinear, sizes: []uint64{64, 200, 33, 128}},
		{level: md.LevelLinear, chunk: 16, sizes: []uint64{64, 200, 33, 128}},
		{level: md.LevelRAID0, layout: md.LayoutRAID0Original, chunk: 8, sizes: []uint64{64, 200, 130, 200}},
		{level: md.LevelRAID0, layout: md.LayoutRAID0Alternate, chunk: 24, sizes: []uint64{64, 200, 130, 200}},
		{level: md.LevelRAID1, sizes: same(3, 300)},
		{level: md.LevelRAID4, chunk: 8, sizes: same(4, 100)},
	}
	for layout := range int32(6) {
		specs = append(specs, arraySpec{level: md.LevelRAID5, layout: layout, chunk: 8, sizes: same(4, 100)})
	}
	specs = append(specs, arraySpec{level: md.LevelRAID5, layout: 2, chunk: 16, sizes: same(2, 200)})
	for _, layout := range []int32{0, 1, 2, 3, 4, 5, 8, 9, 10, 16, 17, 18, 19, 20} {
		specs = append(specs, arraySpec{level: md.LevelRAID6, layout: layout, chunk: 8, sizes: same(5, 100)})
	}
	for _, layout := range []string{"n2", "n3", "f2", "o2", "f3", "o3"} {
		word, err := md.ParseLayout(md.LevelRAID10, layout)
		if err != nil {
			panic(err)
		}
		for _, n := range []int{4, 5} {
			specs = append(specs, arraySpec{level: md.LevelRAID10, layout: word, chunk: 8, sizes: same(n, 200)})
		}
	}
	return specs
}

func TestArrayIsADevice(t *testing.T) {
	for _, spec := range arraySpecs() {
		spec.sizes = append([]uint64(nil), spec.sizes...)
		for i := range spec.sizes {
			spec.sizes[i] += 128
		}
		t.Run(spec.String(), func(t *testing.T) {
			blocktest.Run(t, lab.Seed(t), func() block.Device {
				return mustOpen(t, devices(makeArray(t, spec)), array.Options{})
			})
		})
	}
}

// losses returns every set of available slots with which an array can still run,
// according to md.Enough, which is not a part of this package.
func losses(spec arraySpec) (sets [][]bool) {
	n := len(spec.sizes)
	for set := range 1 << n {
		avail := make([]bool, n)
		for i := range avail {
			avail[i] = set>>i&1 == 0
		}
		if md.Enough(spec.level, n, spec.layout, true, avail) {
			sets = append(sets, avail)
		}
	}
	return sets
}

// without returns the available disks, in reverse order.
func without(disks []*block.Memory, avail []bool) []block.Device {
	var list []block.Device
	for i := len(disks) - 1; i >= 0; i-- {
		if avail[i] {
			list = append(list, disks[i])
		}
	}
	return list
}

// TestArrayWithoutMembers writes to a whole array and reads it without each set of
// members that it can lose. Then it writes to the degraded array and reads that
// back, also with the stale members offered again.
func TestArrayWithoutMembers(t *testing.T) {
	seed := lab.Seed(t)
	specs := arraySpecs()
	if lab.Race {
		specs = lab.Sample(t, specs, 4)
	}
	for _, spec := range specs {
		t.Run(spec.String(), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 0))
			disks := makeArray(t, spec)
			a := mustOpen(t, devices(disks), array.Options{})
			model := make([]byte, a.Size())
			scribble(t, rng, a, model)
			mustClose(t, a)
			for _, avail := range losses(spec) {
				a := mustOpen(t, without(disks, avail), array.Options{})
				wantArray(t, a, model)
				if a.Degraded() > 0 {
					degradedWrites(t, rng, disks, avail, model)
				}
			}
			for _, avail := range tooMany(spec) {
				_, err := openArray(without(disks, avail), array.Options{})
				if !errors.Is(err, md.ErrNotEnough) {
					t.Errorf("with %v the array opened, error %v", avail, err)
				}
			}
		})
	}
}

// degradedWrites writes to overlays of the available disks, and reads back.
func degradedWrites(t *testing.T, rng *rand.Rand, disks []*block.Memory, avail []bool, model []byte) {
	t.Helper()
	layers := without(disks, avail)
	for i, d := range layers {
		layers[i] = block.NewOverlay(d)
	}
	a := mustOpen(t, layers, array.Options{})
	changed := bytes.Clone(model)
	scribble(t, rng, a, changed)
	wantArray(t, a, changed)
	mustClose(t, a)
	if _, err := a.WriteAt([]byte{1}, 0); !errors.Is(err, block.ErrClosed) {
		t.Errorf("a write after Close gave %v", err)
	}
	wantArray(t, mustOpen(t, layers, array.Options{}), changed)

	// The members that were missing are stale now, and must not be used.
	var back []block.Device
	for i, d := range disks {
		if !avail[i] {
			back = append(back, d)
		}
	}
	again := mustOpen(t, append(back, layers...), array.Options{})
	wantArray(t, again, changed)
	if again.Degraded() != a.Degraded() {
		t.Errorf("with the stale members back the array is degraded by %d; want %d", again.Degraded(), a.Degraded())
	}
}

// tooMany returns the sets of a single available slot, except slot 0, with which the
// array cannot run.
func tooMany(spec arraySpec) (sets [][]bool) {
	for i := 1; i < len(spec.sizes); i++ {
		avail := make([]bool, len(spec.sizes))
		avail[i] = true
		if !md.Enough(spec.level, len(avail), spec.layout, true, avail) {
			sets = append(sets, avail)
		}
	}
	return sets
}

func mustClose(t *testing.T, a *array.Array) {
	t.Helper()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
}

// scribble does some random writes of all sizes, to the array and to the model.
func scribble(t *testing.T, rng *rand.Rand, a block.Device, model []byte) {
	t.Helper()
	for range 12 {
		off := rng.IntN(len(model))
		n := min(1+rng.IntN(1<<(1+rng.IntN(17))), len(model)-off)
		p := blocktest.Pattern(rng.Uint64(), n)
		if _, err := a.WriteAt(p, int64(off)); err != nil {
			t.Fatal(err)
		}
		copy(model[off:], p)
	}
}

func wantArray(t *testing.T, a block.Device, want []byte) {
	t.Helper()
	got := make([]byte, a.Size())
	if err := block.ReadFull(a, got, 0); err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) {
		t.Fatalf("the array has %d bytes; want %d", len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("byte %d of %d is %#02x; want %#02x", i, len(got), got[i], want[i])
		}
	}
}

// TestMembersAgreeAfterWrites reads the members themselves: mirrors must be the same,
// and the xor of all raid4 or raid5 members must be zero.
func TestMembersAgreeAfterWrites(t *testing.T) {
	seed := lab.Seed(t)
	rng := rand.New(rand.NewPCG(seed, 0))
	for _, spec := range []arraySpec{
		{level: md.LevelRAID1, sizes: same(3, 300)},
		{level: md.LevelRAID4, chunk: 8, sizes: same(4, 96)},
		{level: md.LevelRAID5, layout: md.LayoutLeftSymmetric, chunk: 8, sizes: same(5, 96)},
	} {
		disks := makeArray(t, spec)
		a := mustOpen(t, devices(disks), array.Options{})
		scribble(t, rng, a, make([]byte, a.Size()))
		sum := make([]byte, spec.sizes[0]*md.SectorSize)
		for i, d := range disks {
			p := make([]byte, len(sum))
			if err := block.ReadFull(d, p, dataStart*md.SectorSize); err != nil {
				t.Fatal(err)
			}
			if spec.level == md.LevelRAID1 && i > 0 {
				if !bytes.Equal(p, sum) {
					t.Errorf("%v: mirror %d differs", spec, i)
				}
				continue
			}
			for j := range p {
				sum[j] ^= p[j]
			}
		}
		if spec.level != md.LevelRAID1 && !bytes.Equal(sum, make([]byte, len(sum))) {
			t.Errorf("%v: parity is wrong", spec)
		}
	}
}

// TestHalfRebuiltMember has a member that is partly rebuilt according to its
// superblock, and has garbage in the rest.
func TestHalfRebuiltMember(t *testing.T) {
	for _, spec := range arraySpecs() {
		if !spec.level.Redundant() {
			continue
		}
		t.Run(spec.String(), func(t *testing.T) {
			whole := makeArray(t, spec)
			want := make([]byte, mustOpen(t, devices(whole), array.Options{}).Size())
			copy(want, blocktest.Pattern(7, len(want)))
			half := spec
			half.change = func(slot int, s *md.Super1) {
				if slot == 1 {
					s.FeatureMap |= md.FeatureRecoveryOffset
					s.RecoveryOffset = 40
				}
			}
			disks := makeArray(t, half)
			// Write while the member is partly rebuilt, then spoil the rest of it.
			a := mustOpen(t, devices(disks), array.Options{})
			if _, err := a.WriteAt(want, 0); err != nil {
				t.Fatal(err)
			}
			mustClose(t, a)
			if a.Degraded() != 1 {
				t.Errorf("degraded by %d; want 1", a.Degraded())
			}
			if _, err := disks[1].WriteAt(blocktest.Pattern(8, int(spec.sizes[1]-40)*512), (dataStart+40)*512); err != nil {
				t.Fatal(err)
			}
			wantArray(t, mustOpen(t, devices(disks), array.Options{}), want)
		})
	}
}

// TestBadBlocksAreNotRead has garbage in a member's known bad blocks. Writes must
// leave those alone and succeed all the same.
func TestBadBlocksAreNotRead(t *testing.T) {
	seed := lab.Seed(t)
	rng := rand.New(rand.NewPCG(seed, 0))
	for _, spec := range arraySpecs() {
		if !spec.level.Redundant() {
			continue
		}
		spec.change = func(slot int, s *md.Super1) {
			s.BblogOffset, s.BblogSize = 8, 8
			if slot == 0 {
				s.FeatureMap |= md.FeatureBadBlocks
			}
		}
		disks := makeArray(t, spec)
		log, err := md.AppendBadBlocks(nil, []md.BadBlock{{Sector: dataStart + 3, Length: 2}, {Sector: dataStart + 40, Length: 30}}, 0, 8)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := disks[0].WriteAt(log, 16*512); err != nil {
			t.Fatal(err)
		}
		spoil := blocktest.Pattern(9, 30*512)
		for from, n := range map[int64]int{3: 2, 40: 30} {
			if _, err := disks[0].WriteAt(spoil[:n*512], (dataStart+from)*512); err != nil {
				t.Fatal(err)
			}
		}
		a := mustOpen(t, devices(disks), array.Options{})
		model := make([]byte, a.Size())
		scribble(t, rng, a, model)
		if _, err := a.WriteAt(model, 0); err != nil {
			t.Fatal(err)
		}
		scribble(t, rng, a, model)
		wantArray(t, a, model)
		got := make([]byte, len(spoil))
		if err := block.ReadFull(disks[0], got, (dataStart+40)*512); err != nil || !bytes.Equal(got, spoil) {
			t.Errorf("%v: known bad blocks were written to (error %v)", spec, err)
		}
	}
}

// TestReadErrorsAreMadeGood reads an array that has unreadable sectors on one member.
func TestReadErrorsAreMadeGood(t *testing.T) {
	for _, spec := range arraySpecs() {
		disks := makeArray(t, spec)
		a := mustOpen(t, devices(disks), array.Options{})
		want := blocktest.Pattern(3, int(a.Size()))
		if _, err := a.WriteAt(want, 0); err != nil {
			t.Fatal(err)
		}
		bad, err := block.NewFault(disks[1], fmt.Sprintf("read %ds+20s error", dataStart+10))
		if err != nil {
			t.Fatal(err)
		}
		list := devices(disks)
		list[1] = bad
		a = mustOpen(t, list, array.Options{})
		if spec.level.Redundant() {
			wantArray(t, a, want)
			continue
		}
		_, err = a.ReadAt(make([]byte, a.Size()), 0)
		if !errors.Is(err, block.ErrMedium) || !strings.Contains(err.Error(), "disk1") {
			t.Errorf("%v: read gave %v; want a medium error of disk1", spec, err)
		}
	}
}

// TestMemberThatRefusesWritesIsOut makes all writes to one member fail: the array
// must go on without it, and not read from it again.
func TestMemberThatRefusesWritesIsOut(t *testing.T) {
	seed := lab.Seed(t)
	rng := rand.New(rand.NewPCG(seed, 0))
	for _, spec := range arraySpecs() {
		disks := makeArray(t, spec)
		bad, err := block.NewFault(disks[1], fmt.Sprintf("write %ds+1T error", dataStart))
		if err != nil {
			t.Fatal(err)
		}
		list := devices(disks)
		list[1] = bad
		a := mustOpen(t, list, array.Options{})
		if !spec.level.Redundant() {
			if _, err := a.WriteAt(make([]byte, a.Size()), 0); !errors.Is(err, block.ErrMedium) {
				t.Errorf("%v: write gave %v; want a medium error", spec, err)
			}
			continue
		}
		model := make([]byte, a.Size())
		for range 4 {
			scribble(t, rng, a, model)
			wantArray(t, a, model)
		}
		if a.Degraded() != 1 {
			t.Errorf("%v: degraded by %d; want 1", spec, a.Degraded())
		}
	}
}

func TestDirtyAndDegraded(t *testing.T) {
	spec := arraySpec{level: md.LevelRAID5, layout: 2, chunk: 8, sizes: same(3, 100)}
	spec.change = func(_ int, s *md.Super1) { s.ResyncOffset = 0 }
	disks := devices(makeArray(t, spec))
	mustOpen(t, disks, array.Options{})
	_, err := openArray(disks[:2], array.Options{})
	if !errors.Is(err, md.ErrDirtyDegraded) {
		t.Errorf("opening a dirty, degraded array gave %v; want %v", err, md.ErrDirtyDegraded)
	}
	mustOpen(t, disks[:2], array.Options{Dirty: true})
}

func TestOpenRefusesByName(t *testing.T) {
	for _, c := range []struct {
		word   string
		want   error
		change func(int, *md.Super1)
	}{
		{"reshape", array.ErrUnsupported, func(_ int, s *md.Super1) {
			s.FeatureMap |= md.FeatureReshapeActive
			s.NewLevel, s.NewChunk = 5, 8
		}},
		{"journal", md.ErrNoJournal, func(_ int, s *md.Super1) { s.FeatureMap |= md.FeatureJournal }},
	} {
		spec := arraySpec{level: md.LevelRAID5, layout: 2, chunk: 8, sizes: same(4, 100), change: c.change}
		_, err := openArray(devices(makeArray(t, spec)), array.Options{})
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.word) {
			t.Errorf("%s: Open gave %v; want %v, by name", c.word, err, c.want)
		}
	}
}

func TestRAID0WithoutALayout(t *testing.T) {
	spec := arraySpec{level: md.LevelRAID0, chunk: 8, sizes: []uint64{100, 200, 200}}
	spec.change = func(_ int, s *md.Super1) { s.FeatureMap = 0 }
	disks := devices(makeArray(t, spec))
	if _, err := openArray(disks, array.Options{}); err == nil || !strings.Contains(err.Error(), "choose original or alternate") {
		t.Errorf("Open gave %v; want to be asked for a layout", err)
	}
	mustOpen(t, disks, array.Options{RAID0Layout: md.LayoutRAID0Alternate})
}

func TestReadOnlyArray(t *testing.T) {
	disks := devices(makeArray(t, arraySpec{level: md.LevelRAID1, sizes: same(2, 100)}))
	a := mustOpen(t, disks, array.Options{ReadOnly: true})
	if _, err := a.WriteAt([]byte{1}, 0); !errors.Is(err, block.ErrReadOnly) {
		t.Errorf("write gave %v; want %v", err, block.ErrReadOnly)
	}
}

// TestRowsAreConsistentUnderTraffic reads a degraded raid5 by reconstruction
// while the other chunks of the same rows are written.
func TestRowsAreConsistentUnderTraffic(t *testing.T) {
	spec := arraySpec{level: md.LevelRAID5, layout: md.LayoutParityLast, chunk: 8, sizes: same(4, 64)}
	disks := makeArray(t, spec)
	whole := mustOpen(t, devices(disks), array.Options{})
	want := blocktest.Pattern(1, int(whole.Size()))
	if _, err := whole.WriteAt(want, 0); err != nil {
		t.Fatal(err)
	}
	mustClose(t, whole)
	a := mustOpen(t, without(disks, []bool{false, true, true, true}), array.Options{})
	var wg sync.WaitGroup
	for w := range 2 { // chunks 1 and 2 of every row are written, 0 is read
		wg.Go(func() {
			for i := range 200 {
				row := int64(i % 8)
				if _, err := a.WriteAt(blocktest.Pattern(uint64(i), 4096), row*3*4096+int64(w+1)*4096); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 400 {
		off := int64(i%8) * 3 * 4096
		got := make([]byte, 4096)
		if err := block.ReadFull(a, got, off); err != nil || !bytes.Equal(got, want[off:off+4096]) {
			t.Fatalf("read %d at %d differs, error %v", i, off, err)
		}
	}
	wg.Wait()
}

func BenchmarkArrayRead(b *testing.B) {
	for _, c := range []struct {
		name  string
		spec  arraySpec
		avail []bool
	}{
		{"raid0", arraySpec{level: md.LevelRAID0, layout: 1, chunk: 128, sizes: same(4, 32<<11)}, []bool{true, true, true, true}},
		{"raid1", arraySpec{level: md.LevelRAID1, sizes: same(2, 64<<11)}, []bool{true, true}},
		{"raid5", arraySpec{level: md.LevelRAID5, layout: 2, chunk: 128, sizes: same(4, 32<<11)}, []bool{true, true, true, true}},
		{"raid5 degraded", arraySpec{level: md.LevelRAID5, layout: 2, chunk: 128, sizes: same(4, 32<<11)}, []bool{true, false, true, true}},
		{"raid6 degraded by 2", arraySpec{level: md.LevelRAID6, layout: 2, chunk: 128, sizes: same(6, 32<<11)}, []bool{true, false, true, true, false, true}},
	} {
		b.Run(c.name, func(b *testing.B) {
			disks := makeArray(b, c.spec)
			for _, d := range disks {
				if _, err := d.WriteAt(blocktest.Pattern(1, int(d.Size())-dataStart*512), dataStart*512); err != nil {
					b.Fatal(err)
				}
			}
			a := mustOpen(b, without(disks, c.avail), array.Options{})
			p := make([]byte, 4<<20)
			b.SetBytes(int64(len(p)))
			off := int64(0)
			for b.Loop() {
				if off+int64(len(p)) > a.Size() {
					off = 0
				}
				if _, err := a.ReadAt(p, off); err != nil {
					b.Fatal(err)
				}
				off += int64(len(p))
			}
		})
	}
}
