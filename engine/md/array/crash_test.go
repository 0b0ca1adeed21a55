package array_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/block/blocktest"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/array"
	"github.com/mdkit/mdkit/internal/lab"
)

// loggedSpec is an array with a log.
type loggedSpec struct {
	level   md.Level
	layout  int32
	chunk   uint32 // sectors
	disks   int
	size    uint64 // data of each member, sectors
	ppl     uint16 // log of each member, sectors; 0 for none
	journal uint64 // sectors; 0 for none
}

func (s loggedSpec) String() string {
	return fmt.Sprintf("%v layout %d, %d disks, chunk %d, ppl %d, journal %d", s.level, s.layout, s.disks, s.chunk, s.ppl, s.journal)
}

// loggedSpecs are small arrays, so that every sector and every log is written often.
func loggedSpecs() []loggedSpec {
	return []loggedSpec{
		{level: md.LevelRAID5, layout: 2, chunk: 8, disks: 3, size: 64, ppl: 24},     // a log for one write
		{level: md.LevelRAID5, layout: 0, chunk: 32, disks: 4, size: 128, ppl: 600},  // a log for several
		{level: md.LevelRAID5, layout: 3, chunk: 512, disks: 3, size: 512, ppl: 600}, // writes in several steps
		{level: md.LevelRAID5, layout: 2, chunk: 8, disks: 3, size: 64, journal: 128},
		{level: md.LevelRAID4, layout: 0, chunk: 16, disks: 4, size: 64, journal: 1000},
		{level: md.LevelRAID6, layout: 2, chunk: 32, disks: 5, size: 128, journal: 400},
		{level: md.LevelRAID6, layout: 8, chunk: 256, disks: 4, size: 512, journal: 4000},
	}
}

// dataAt is where data starts on the members, in sectors.
func (s loggedSpec) dataAt() uint64 { return 16 + uint64(s.ppl) }

// make makes the members of a clean array, all zero. The journal is the last.
func (s loggedSpec) make(t testing.TB) []*block.Memory {
	t.Helper()
	var disks []*block.Memory
	roles := make([]md.Role, s.disks)
	for i := range roles {
		roles[i] = md.Role(i)
	}
	if s.journal > 0 {
		roles = append(roles, md.RoleJournal)
	}
	for i, role := range roles {
		super := &md.Super1{
			Magic: md.SuperMagic, MajorVersion: 1, SetUUID: md.UUID{1, 2, 3}, CTime: 1, Level: s.level, Layout: s.layout,
			Size: s.size, ChunkSize: s.chunk, RaidDisks: uint32(s.disks), DataOffset: s.dataAt(), DataSize: s.size,
			SuperOffset: 8, DevNumber: uint32(i), DeviceUUID: md.UUID{byte(i)}, UTime: 2, Events: 9, ResyncOffset: md.MaxSector,
			DevRoles: roles,
		}
		if s.ppl > 0 {
			super.FeatureMap |= md.FeaturePPL
			super.SetPPL(8, s.ppl)
		}
		if s.journal > 0 {
			super.FeatureMap |= md.FeatureJournal
		}
		if role == md.RoleJournal {
			super.DataSize = s.journal
		}
		d := block.NewMemory(fmt.Sprintf("disk%d", i), int64(s.dataAt()+super.DataSize)*md.SectorSize)
		if _, err := d.WriteAt(super.AppendTo(nil), 4096); err != nil {
			t.Fatal(err)
		}
		disks = append(disks, d)
	}
	return disks
}

// consistent reports whether all parity matches.
func consistent(t testing.TB, disks []block.Device) bool {
	t.Helper()
	a := mustOpen(t, disks, array.Options{ReadOnly: true})
	for range a.Scrub(t.Context(), array.ScrubOptions{}) {
		return false
	}
	return true
}

// history is what an array may hold after a power cut: for each sector, the content
// it had at the last sync, and every content written since.
type history struct {
	versions [][]string
}

func newHistory(content []byte) *history {
	h := &history{versions: make([][]string, len(content)/md.SectorSize)}
	for i := range h.versions {
		h.versions[i] = []string{string(content[i*md.SectorSize:][:md.SectorSize])}
	}
	return h
}

func (h *history) now(sector int) string { return h.versions[sector][len(h.versions[sector])-1] }

// write adds the content that a write gives its sectors.
func (h *history) write(p []byte, off int) {
	for len(p) > 0 {
		sector, within := off/md.SectorSize, off%md.SectorSize
		b := []byte(h.now(sector))
		n := copy(b[within:], p)
		h.versions[sector] = append(h.versions[sector], string(b))
		p, off = p[n:], off+n
	}
}

// synced forgets all content but the newest: older content cannot come back.
func (h *history) synced() {
	for i, v := range h.versions {
		h.versions[i] = v[len(v)-1:]
	}
}

// found takes the content that is there after a cut. Sectors that were being written
// still count as unsettled: until the log is replayed, a missing member's content of
// them does not follow from partial parity.
func (h *history) found(content []byte) {
	for i, v := range h.versions {
		now := string(content[i*md.SectorSize:][:md.SectorSize])
		if len(v) > 1 {
			h.versions[i] = []string{now, now}
		} else {
			h.versions[i] = []string{now}
		}
	}
}

// check reports an error if a sector has content that it cannot have. With
// settledOnly, sectors that were written since the last sync may have any.
func (h *history) check(content []byte, settledOnly bool) error {
	for i, v := range h.versions {
		got := string(content[i*md.SectorSize:][:md.SectorSize])
		if settledOnly && len(v) > 1 || slices.Contains(v, got) {
			continue
		}
		return fmt.Errorf("sector %d of %d is none of the %d contents it may have", i, len(h.versions), len(v))
	}
	return nil
}

// crashSession opens an array, writes at random, and closes it. It returns the error
// that ended it early, if any.
func crashSession(disks []block.Device, h *history, rng *rand.Rand, writes int) error {
	a, err := openArray(disks, array.Options{})
	if err != nil {
		return err
	}
	for range writes {
		off := rng.IntN(int(a.Size()))
		n := min(1<<rng.IntN(17)+rng.IntN(9000), int(a.Size())-off)
		if rng.IntN(2) == 0 { // whole pages, as a filesystem would write
			off, n = off/4096*4096, (n+4095)/4096*4096
		}
		p := blocktest.Pattern(rng.Uint64(), min(n, int(a.Size())-off))
		h.write(p, off)
		if _, err := a.WriteAt(p, int64(off)); err != nil {
			return err
		}
		if rng.IntN(4) == 0 {
			if err := a.Sync(); err != nil {
				return err
			}
			h.synced()
		}
	}
	if err := a.Close(); err != nil {
		return err
	}
	h.synced()
	return nil
}

func content(t testing.TB, disks []block.Device, opt array.Options) []byte {
	t.Helper()
	opt.ReadOnly = true
	a := mustOpen(t, disks, opt)
	b := make([]byte, a.Size())
	if err := block.ReadFull(a, b, 0); err != nil {
		t.Fatal(err)
	}
	return b
}

// dropped returns disks without disk i.
func dropped(disks []block.Device, i int) []block.Device {
	return slices.Concat(disks[:i], disks[i+1:])
}

// TestNoWriteHole cuts the power at random moments of a session with a log. What is
// read afterwards, also with any member missing, must be what was there before or
// what was being written, and parity must match.
func TestNoWriteHole(t *testing.T) {
	seed := lab.Seed(t)
	cuts := 12
	if lab.Soak() {
		cuts = 400
	}
	for _, spec := range loggedSpecs() {
		t.Run(spec.String(), func(t *testing.T) {
			t.Parallel()
			for n := range cuts {
				if err := cutOnce(t, spec, seed+uint64(n)); err != nil {
					t.Fatalf("cut %d: %v", n, err)
				}
			}
		})
	}
}

// cutOnce cuts the power of a session, once or twice in a row, and checks what is
// left.
func cutOnce(t *testing.T, spec loggedSpec, seed uint64) error {
	const writes = 20
	rng := rand.New(rand.NewPCG(seed, 5))
	disks := spec.make(t)
	first := newHistory(content(t, devices(disks), array.Options{}))
	if err := crashSession(devices(disks), first, rng, 5); err != nil {
		return err
	}
	h := newHistory(content(t, devices(disks), array.Options{}))
	if err := first.check(content(t, devices(disks), array.Options{}), false); err != nil {
		return fmt.Errorf("before any cut: %w", err)
	}
	for range 1 + rng.IntN(2) {
		work := rng.Uint64()
		ops := dryRun(spec, disks, h, work, writes)
		power := block.NewPower(rng.Uint64())
		power.CutAfter(1 + rng.IntN(ops))
		err := crashSession(powered(power, disks), h, rand.New(rand.NewPCG(work, 1)), writes)
		if !errors.Is(err, block.ErrClosed) {
			return fmt.Errorf("the session ended with %v", err)
		}
		if err := afterCut(t, spec, disks, h); err != nil {
			return err
		}
		h.found(content(t, devices(disks), array.Options{}))
	}
	return nil
}

// dryRun counts the operations of a session, on copies of the disks.
func dryRun(spec loggedSpec, disks []*block.Memory, h *history, work uint64, writes int) int {
	var copies []block.Device
	power := block.NewPower(0)
	for _, d := range disks {
		copies = append(copies, power.Attach(block.NewOverlay(d)))
	}
	scratch := &history{versions: slices.Clone(h.versions)}
	if err := crashSession(copies, scratch, rand.New(rand.NewPCG(work, 1)), writes); err != nil {
		panic(fmt.Sprintf("%v: %v", spec, err))
	}
	return power.Ops()
}

// afterCut checks an array after a power cut: whole, without each member, and after
// recovery.
func afterCut(t *testing.T, spec loggedSpec, disks []*block.Memory, h *history) error {
	all := devices(disks)
	whole := content(t, all, array.Options{})
	if err := h.check(whole, false); err != nil {
		return err
	}
	for i := range spec.disks {
		// Partial parity does not protect what a missing member had of a write that
		// was under way, but everything else.
		if err := h.check(content(t, dropped(all, i), array.Options{}), spec.ppl > 0); err != nil {
			return fmt.Errorf("without member %d: %w", i, err)
		}
	}
	recovered := make([]block.Device, len(all))
	for i, d := range all {
		recovered[i] = block.NewOverlay(d)
	}
	// The first write puts in place what the log holds.
	a := mustOpen(t, recovered, array.Options{})
	if _, err := a.WriteAt(whole[:1], 0); err != nil {
		return err
	}
	if err := a.Close(); err != nil {
		return err
	}
	if !slices.Equal(content(t, recovered, array.Options{}), whole) {
		return errors.New("recovery changes the content")
	}
	if !consistent(t, recovered) {
		return errors.New("after recovery, parity does not match")
	}
	for i := range spec.disks {
		if !slices.Equal(content(t, dropped(recovered, i), array.Options{Dirty: true}), whole) {
			return fmt.Errorf("after recovery, another content is read without member %d", i)
		}
	}
	return nil
}
