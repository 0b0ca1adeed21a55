package powercut

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/array"
	"github.com/mdkit/mdkit/internal/lab"
)

// promise is what had been promised before a cut.
type promise struct {
	ready bool // the array had been created
	acked int  // the last generation of the load that is known to be safe
}

func promisedBy(marks []string) (p promise) {
	for _, m := range marks {
		m = strings.TrimRight(m, "\x00")
		if m == "ready" {
			p.ready = true
		}
		if n, err := strconv.Atoi(strings.TrimPrefix(m, "ack")); err == nil && strings.HasPrefix(m, "ack") {
			p.acked = max(p.acked, n)
		}
	}
	return p
}

// kept compares what an array holds with what was promised.
func (p promise) kept(read func(b []byte, off int64) error) error {
	got := make([]byte, loadBlock)
	least := make(map[int]int)
	for g := 1; g <= p.acked; g++ {
		for _, block := range blocksOf(g) {
			least[block] = g
		}
	}
	for n, g := range least {
		if err := read(got, int64(n)*loadStride); err != nil {
			return fmt.Errorf("block %d: %w", n, err)
		}
		found := int(binary.LittleEndian.Uint32(got[8:]))
		if found < g || !bytes.Equal(got, loadContent(n, found)) {
			return fmt.Errorf("block %d: generation %d was acknowledged, found %x", n, g, got[:16])
		}
	}
	return nil
}

// errNeedsForce marks a state whose data is all there, but which the kernel does
// not start by itself: the missing member holds only parity, and the array was
// not clean. This is so between a takeover that adds parity, which the kernel
// does even under load, and the moment when the spare has its slot.
var errNeedsForce = errors.New("only a parity member is missing, but the array was not clean")

// byEngine assembles a state without a kernel and looks at the data. It reports
// whether the power failed in the middle of a reshape, and the highest event
// count in the superblocks.
func byEngine(s *State, p promise) (reshaping bool, events uint64, err error) {
	members, devs, _, err := membersOf(s.Device)
	if err != nil {
		return false, 0, err
	}
	for _, m := range members {
		events = max(events, m.Events())
	}
	reshaping, err = judgeMembers(members, devs, p)
	if err != nil && finish(members) {
		if _, again := judgeMembers(members, devs, p); again == nil {
			return reshaping, events, errUnfinished
		}
	}
	return reshaping, events, err
}

// errUnfinished marks a state that can be read only if one knows that a reshape
// has ended, as the superblocks say neither that there is one nor what the array
// has become. md writes such superblocks at the end of every reshape that changes
// layout or chunk size, and the correct ones right after them: md_do_sync asks
// for an update when raid5's end_reshape has reset the position, and layout and
// chunk size change only later, in raid5_finish_reshape.
var errUnfinished = errors.New("the reshape has ended, but layout and chunk size are the old ones")

// finish gives members the new shape of the reshape that is still described in
// their superblocks. It reports whether there was anything to do.
func finish(members []*md.Member) (changed bool) {
	for _, m := range members {
		s := m.Super1
		if m.Reshape() == nil && s.NewLevel == s.Level && s.NewChunk != 0 && (s.NewChunk != s.ChunkSize || s.NewLayout != s.Layout) {
			s.ChunkSize, s.Layout = s.NewChunk, s.NewLayout
			changed = true
		}
	}
	return changed
}

// judgeMembers assembles the members, without a kernel, and looks at the data.
func judgeMembers(members []*md.Member, devs map[*md.Member]block.Device, p promise) (reshaping bool, err error) {
	for _, m := range members {
		reshaping = reshaping || m.Reshape() != nil
	}
	asm := md.Assess(members, md.Strict)
	start := asm.Startable()
	if start != nil && !errors.Is(start, md.ErrDirtyDegraded) {
		return reshaping, fmt.Errorf("cannot be started: %w\n%v", start, asm.Verdicts)
	}
	a, err := array.Open(asm, devs, array.Options{ReadOnly: true})
	if err != nil {
		return reshaping, fmt.Errorf("cannot be opened: %w\n%v", err, asm.Verdicts)
	}
	defer a.Close()
	err = p.kept(func(b []byte, off int64) error { return block.ReadFull(a, b, off) })
	if err == nil && start != nil {
		err = errNeedsForce
	}
	return reshaping, err
}

// membersOf reads the superblocks on the slices of a disk. devs and numbers say
// which slice each member is on.
func membersOf(d block.Device) (members []*md.Member, devs map[*md.Member]block.Device, numbers map[*md.Member]int, err error) {
	devs, numbers = make(map[*md.Member]block.Device), make(map[*md.Member]int)
	for i := range int64(disks) {
		slice, err := block.NewSlice(d, i*sliceSize, sliceSize)
		if err != nil {
			return nil, nil, nil, err
		}
		m, err := md.ReadMember(slice)
		if err != nil {
			continue // not a member, or not yet
		}
		members = append(members, m)
		devs[m], numbers[m] = slice, int(i)
	}
	return members, devs, numbers, nil
}

// judgeAll judges count states, and has the kernel judge a few of them.
func (op operation) judgeAll(t *testing.T, set *lab.CaseSet, logPath string, count int, rng *rand.Rand) {
	t.Helper()
	log, err := block.OpenFile(logPath, block.ForReading)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	r, err := NewReplay(log, diskSize)
	if err != nil {
		t.Fatal(err)
	}
	last := len(r.Entries())
	cuts := make([]int, 0, count)
	for i := range r.Entries() {
		if r.Entries()[i].Flush() {
			cuts = append(cuts, i, i+1) // just before a flush, and just after it
		}
	}
	rng.Shuffle(len(cuts), func(i, j int) { cuts[i], cuts[j] = cuts[j], cuts[i] })
	cuts = cuts[:min(len(cuts), count/2)]
	for len(cuts) < count {
		cuts = append(cuts, rng.IntN(last+1))
	}
	slices.Sort(cuts)
	var judged, reshaping, forced, unfinished, lost, bad int
	forcedAt := make(map[uint64]bool) // by event count
	unfinishedAt := make(map[uint64]bool)
	var forKernel []kernelState
	for n, at := range cuts {
		var chance *rand.Rand
		if n%4 != 0 { // every fourth state loses only what came after the cut
			chance = rng
		}
		s, err := r.Cut(at, chance)
		if err != nil {
			t.Fatal(err)
		}
		p := promisedBy(s.Marks)
		if !p.ready {
			_, _, _ = byEngine(s, promise{}) // need not be an array, but must not make it panic
			continue
		}
		moving, events, err := byEngine(s, p)
		force := op.takeover && errors.Is(err, errNeedsForce)
		unnamed := op.reshapes && errors.Is(err, errUnfinished)
		if err != nil && !force && !unnamed {
			bad++
			if bad <= 5 {
				t.Errorf("%s: %v: %v", op.name, s, err)
			}
			continue
		}
		judged++
		lost += s.Lost
		if moving {
			reshaping++
		}
		if force {
			forced++
			forcedAt[events] = true
			continue
		}
		if unnamed {
			unfinished++
			unfinishedAt[events] = true
			continue
		}
		wanted := rng.IntN(len(cuts)) < 4
		if moving && !wanted { // in a reshape ten times as often
			wanted = rng.IntN(len(cuts)) < 40
		}
		if wanted && len(forKernel) < kernelStates() {
			forKernel = append(forKernel, keep(t, s, p))
		}
	}
	t.Logf("%s: %d log entries; %d states judged by the engine, %d writes lost in them; %d of them in a reshape, %d to be forced, %d at whose end the kernel says nothing of the new shape",
		op.name, last, judged, lost, reshaping, forced, unfinished)
	t.Logf("%s: event counts of states to be forced %v, without the new shape %v", op.name, forcedAt, unfinishedAt)
	if len(unfinishedAt) > 2 { // the update at the end, and one more if the array becomes idle just then
		t.Errorf("%s: states without the new shape at %d event counts, where only the end of the reshape explains them", op.name, len(unfinishedAt))
	}
	if judged == 0 {
		t.Errorf("%s: no state was judged", op.name)
	}
	byKernel(t, set, op, forKernel)
}

// kernelStates is how many states of an operation the kernel judges.
func kernelStates() int {
	if lab.Soak() {
		return 8
	}
	return 1
}

// kernelState is a state in a file.
type kernelState struct {
	image string
	what  string
	promise
}

// keep writes a state to a file.
func keep(t *testing.T, s *State, p promise) kernelState {
	t.Helper()
	path := filepath.Join(t.TempDir(), fmt.Sprintf("cut%d", s.Cut))
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(diskSize); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1<<20)
	for off := int64(0); off < diskSize; off += int64(len(b)) {
		if err := block.ReadFull(s.Device, b, off); err != nil {
			t.Fatal(err)
		}
		if bytes.Count(b, []byte{0}) == len(b) {
			continue
		}
		if _, err := f.WriteAt(b, off); err != nil {
			t.Fatal(err)
		}
	}
	return kernelState{image: path, what: s.String(), promise: p}
}

// membersIn gives the numbers of the slices that the array of a disk is to be
// assembled from.
func membersIn(t *testing.T, path string) (list []int) {
	t.Helper()
	d, err := block.OpenFile(path, block.ForReading)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	members, _, numbers, err := membersOf(d)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range md.Assess(members, md.Strict).Verdicts {
		if v.In {
			list = append(list, numbers[v.Member])
		}
	}
	return list
}
