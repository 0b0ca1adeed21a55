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
	"github.com/mdkit/mdkit/internal/lab"
)

// promise is what had been promised before a cut.
type promise struct {
	ready bool // the array had been created
	acked int  // the last generation of the load that was safe
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

// errReshaping is a state that the engine cannot open.
var errReshaping = errors.New("a reshape is under way")

// byEngine assembles a state without a kernel and looks at the data.
func byEngine(s *State, p promise) error {
	var members []*md.Member
	devs := make(map[*md.Member]block.Device)
	for i := range int64(disks) {
		d, err := block.NewSlice(s.Device, i*sliceSize, sliceSize)
		if err != nil {
			return err
		}
		m, err := md.ReadMember(d)
		if err != nil {
			continue // not, or not yet, a member
		}
		if m.Reshape() != nil {
			return errReshaping
		}
		members = append(members, m)
		devs[m] = d
	}
	asm := md.Assess(members)
	if err := asm.Startable(); err != nil {
		return fmt.Errorf("cannot be started: %w", err)
	}
	a, err := md.Open(asm, devs, md.Options{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("cannot be opened: %w", err)
	}
	defer a.Close()
	return p.kept(func(b []byte, off int64) error { return block.ReadFull(a, b, off) })
}

// judgeAll judges that many states, and has the kernel judge a few.
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
	judged, reshaping, lost, bad := 0, 0, 0, 0
	var forKernel []kernelState
	for n, at := range cuts {
		var chance *rand.Rand
		if n%4 != 0 { // every fourth loses nothing but what came after
			chance = rng
		}
		s, err := r.Cut(at, chance)
		if err != nil {
			t.Fatal(err)
		}
		p := promisedBy(s.Marks)
		if !p.ready {
			_ = byEngine(s, promise{}) // need not be an array, but must not be a trap
			continue
		}
		err = byEngine(s, p)
		switch {
		case errors.Is(err, errReshaping):
			reshaping++
		case err != nil:
			if bad++; bad <= 5 {
				t.Errorf("%s: %v: %v", op.name, s, err)
			}
			continue
		default:
			judged++
			lost += s.Lost
		}
		if wanted := errors.Is(err, errReshaping) || rng.IntN(len(cuts)) < 4; wanted && len(forKernel) < kernelStates() {
			forKernel = append(forKernel, keep(t, s, p))
		}
	}
	t.Logf("%s: %d log entries; %d states judged by the engine, %d writes lost in them; %d states in a reshape",
		op.name, last, judged, lost, reshaping)
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

// isMember reports whether a device has a superblock.
func isMember(t *testing.T, path string) bool {
	t.Helper()
	d, err := block.OpenFile(path, block.ForReading)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	_, err = md.ReadMember(d)
	return err == nil
}
