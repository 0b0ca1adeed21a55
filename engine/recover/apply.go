package recover

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/fresh"
	"github.com/mdkit/mdkit/engine/probe"
	"github.com/mdkit/mdkit/engine/raid"
)

// Write is one piece of metadata to be written to one member.
type Write struct {
	Member int // index among the members that were searched
	Slot   int
	fresh.Extent
}

// Plan lists what has to be written to make the candidate an array again:
// nothing but superblocks and what belongs to them. Every plan has its own new
// uuid.
func (c *Candidate) Plan(members []block.Device) ([]Write, error) {
	sizes := make([]int64, len(members))
	for i, m := range members {
		sizes[i] = m.Size()
	}
	supers, err := c.superblocks(sizes)
	if err != nil {
		return nil, err
	}
	var plan []Write
	for slot, m := range c.Order {
		for _, e := range supers[slot] {
			plan = append(plan, Write{Member: m, Slot: slot, Extent: e})
		}
	}
	return plan, nil
}

// ErrUncertain marks candidates of which none should be written unseen.
var ErrUncertain = errors.New("what was found does not say for certain how the array was put together")

// Certain reports whether the first of the candidates that Search has ranked may
// be written without anybody having looked at them. It fails with ErrUncertain
// where another one explains what was found as well and contradicts it, and where
// nothing of what should be redundant is.
func Certain(found []*Candidate) error {
	if len(found) == 0 {
		return fmt.Errorf("%w: there is no candidate", ErrUncertain)
	}
	best := found[0]
	if best.Orders > best.harmlessOrders() {
		return fmt.Errorf("%w: %d orders of the members fit equally well", ErrUncertain, best.Orders)
	}
	for i, other := range found[1:] {
		if math.Abs(other.Score()-best.Score()) < 1e-9 && best.contradicts(other) {
			return fmt.Errorf("%w: candidates 1 and %d explain it equally well, and contradict each other", ErrUncertain, i+2)
		}
	}
	if r := best.Redundancy; r.Good == 0 && r.Bad > 0 {
		return fmt.Errorf("%w: 0 of %d samples of redundancy agree", ErrUncertain, r.Bad)
	}
	return nil
}

// harmlessOrders is how many orders of the members make the same array, since
// those that are swapped are copies of each other.
func (c *Candidate) harmlessOrders() int {
	layout := md.ParseRAID10Layout(c.Layout)
	switch {
	case c.Level == md.LevelRAID1:
		return factorial(c.Slots)
	case c.Level == md.LevelRAID10 && layout.Far == 1 && c.Slots%layout.Near == 0:
		orders := 1
		for range c.Slots / layout.Near {
			orders *= factorial(layout.Near)
		}
		return orders
	}
	return 1
}

func factorial(n int) int {
	if n <= 1 {
		return 1
	}
	return n * factorial(n-1)
}

// contradicts reports whether the array would hold something else if it were put
// together as other: in some place they have no member's bytes in common. A raid5
// and a raid6 without its last slot can be the same in that.
func (c *Candidate) contradicts(other *Candidate) bool {
	mine, err1 := c.mapper()
	theirs, err2 := other.mapper()
	if err1 != nil || err2 != nil {
		return true
	}
	step := max(min(c.unit(), other.unit()), 4096)
	end := min(mine.size, theirs.size, compared*step)
	var a, b []raid.Place
	for off := int64(0); off < end; off += step {
		a, b = mine.places(off, a[:0]), theirs.places(off, b[:0])
		if x, y := c.bytesAt(a), other.bytesAt(b); len(x) > 0 && len(y) > 0 && !meet(x, y) {
			return true
		}
	}
	return false
}

// compared is how many pieces of two arrays are compared: more than any layout
// needs to come round.
const compared = 1 << 12

// unit is the size of the pieces in which the array lies on its members.
func (c *Candidate) unit() int64 {
	if c.Chunk == 0 {
		return 64 << 10
	}
	return c.Chunk
}

// memberByte is a byte of a member.
type memberByte struct {
	member int
	off    int64
}

// bytesAt are the places of one piece on the members that are there.
func (c *Candidate) bytesAt(places []raid.Place) (list []memberByte) {
	for _, p := range places {
		if m := c.Order[p.Slot]; m >= 0 {
			list = append(list, memberByte{m, c.DataOffset + p.Off})
		}
	}
	return list
}

func meet(a, b []memberByte) bool {
	return slices.ContainsFunc(a, func(x memberByte) bool { return slices.Contains(b, x) })
}

// Occupied gives the index of the first member that a plan writes to and that
// has a partition table, and what that is; -1 if there is none. What was a member
// of an array is then one of the partitions, or the table is what is left of
// something older, which only people can tell.
func Occupied(plan []Write, members []block.Device) (member int, table probe.Signature, err error) {
	asked := make(map[int]bool)
	for _, w := range plan {
		if asked[w.Member] {
			continue
		}
		asked[w.Member] = true
		found, err := probe.Probe(members[w.Member])
		if err != nil {
			return -1, probe.Signature{}, err
		}
		for _, f := range found {
			if f.Class == probe.PartitionTable {
				return w.Member, f, nil
			}
		}
	}
	return -1, probe.Signature{}, nil
}

// Apply carries out the plan: all of it or, if a write fails, nothing. The
// error names what could not be restored.
func Apply(plan []Write, members []block.Device) error {
	var undo []Write
	for _, w := range plan {
		old := make([]byte, len(w.Data))
		err := block.ReadFull(members[w.Member], old, w.Off)
		if err == nil {
			undo = append(undo, Write{w.Member, w.Slot, fresh.Extent{What: w.What, Off: w.Off, Data: old}})
			_, err = members[w.Member].WriteAt(w.Data, w.Off)
		}
		if err == nil {
			err = members[w.Member].Sync()
		}
		if err != nil {
			return errors.Join(fmt.Errorf("write %s of slot %d: %w", w.What, w.Slot, err), takeBack(undo, members))
		}
	}
	return nil
}

func takeBack(undo []Write, members []block.Device) error {
	var failed error
	for i := len(undo) - 1; i >= 0; i-- {
		w := undo[i]
		_, err := members[w.Member].WriteAt(w.Data, w.Off)
		if err = errors.Join(err, members[w.Member].Sync()); err != nil {
			failed = errors.Join(failed, fmt.Errorf("not taken back: %s of slot %d: %w", w.What, w.Slot, err))
		}
	}
	return failed
}
