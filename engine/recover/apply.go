package recover

import (
	"errors"
	"fmt"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md/fresh"
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
