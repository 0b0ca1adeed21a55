package powercut

import (
	"fmt"
	"math/rand/v2"

	"github.com/mdkit/mdkit/engine/block"
)

// Replay rebuilds states of a logged device from its log.
type Replay struct {
	entries []Entry
	log     block.Device
	base    *block.Memory // everything made durable by the last flush before next
	next    int           // the first entry that is not in base
}

// NewReplay begins with a device of size bytes that is all zeroes, as the logged
// one must have been.
func NewReplay(log block.Device, size int64) (*Replay, error) {
	entries, err := ReadLog(log)
	if err != nil {
		return nil, err
	}
	return &Replay{entries: entries, log: log, base: block.NewMemory("power cut", size)}, nil
}

// Entries returns the log.
func (r *Replay) Entries() []Entry { return r.entries }

// State is what a power cut could have left.
type State struct {
	Cut    int            // entries of the log before the cut
	Lost   int            // how many of those writes did not make it
	Device block.Device   // the device as it would be found; writes to it are dropped
	Marks  []string       // the marks before the cut, in order
	rng    *rand.Rand     // chooses what is lost
	over   *block.Overlay // what is there beyond the last flush
}

// String describes the cut.
func (s *State) String() string {
	return fmt.Sprintf("cut after entry %d, %d writes lost", s.Cut, s.Lost)
}

// Cut rebuilds a state after the given number of entries. What had been flushed
// by then, or was written through, is there; rng decides which of the other
// writes are, or all are if it is nil. Cuts must be asked for in ascending order.
func (r *Replay) Cut(at int, rng *rand.Rand) (*State, error) {
	if at < r.next || at > len(r.entries) {
		return nil, fmt.Errorf("cut at %d: the log is at %d of %d", at, r.next, len(r.entries))
	}
	for i := at - 1; i >= r.next; i-- {
		if r.entries[i].Flush() {
			if err := r.advance(i); err != nil {
				return nil, err
			}
			break
		}
	}
	s := &State{Cut: at, rng: rng, over: block.NewOverlay(r.base)}
	s.Device = s.over
	for i := range at {
		e := &r.entries[i]
		if e.IsMark() {
			s.Marks = append(s.Marks, e.Mark)
		}
		if i < r.next {
			continue
		}
		if rng != nil && !e.Durable() && !e.IsMark() && rng.IntN(2) == 0 {
			s.Lost++
			continue
		}
		if err := r.apply(s.over, e); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// advance makes everything up to the flush at entry i part of the base. The
// flush's own data is in it only if it was written through.
func (r *Replay) advance(i int) error {
	for ; r.next < i; r.next++ {
		if err := r.apply(r.base, &r.entries[r.next]); err != nil {
			return err
		}
	}
	if e := &r.entries[i]; e.Durable() || e.Len == 0 {
		r.next++
		return r.apply(r.base, e)
	}
	return nil
}

// apply makes one entry's change.
func (r *Replay) apply(d block.Device, e *Entry) error {
	if e.Len == 0 || e.IsMark() {
		return nil
	}
	data := make([]byte, e.Len) // what a discard leaves
	if e.Flags&flagDiscard == 0 {
		if err := block.ReadFull(r.log, data, e.At); err != nil {
			return err
		}
	}
	_, err := d.WriteAt(data, e.Off)
	return err
}
