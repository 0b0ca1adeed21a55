package recover

import (
	"bytes"
	"crypto/subtle"
	"math"
	"math/bits"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/raid"
)

// ballot lets facts vote, under one geometry, on which member is in which slot:
// a fact that belongs on a slot under that geometry votes for every member that
// holds it there.
type ballot struct {
	*searcher
	geometry Geometry
	mapper   *mapper
	votes    [][]int // by slot and member
	turnout  []int   // by slot: facts that at least one member might have held
	places   []raid.Place
}

func newBallot(s *searcher, g Geometry, m *mapper) *ballot {
	b := &ballot{searcher: s, geometry: g, mapper: m, votes: make([][]int, g.Slots), turnout: make([]int, g.Slots)}
	for i := range b.votes {
		b.votes[i] = make([]int, len(s.members))
	}
	return b
}

// where lists the places of a fact; none if it is not contiguous.
func (b *ballot) where(f fact) []raid.Place {
	if f.off < 0 || f.off+f.length > b.mapper.size {
		return nil
	}
	b.places = b.mapper.places(f.off, b.places[:0])
	if b.places[0].Len < f.length {
		return nil
	}
	return b.places
}

// vote casts the vote of one fact.
func (b *ballot) vote(f fact) {
	for _, p := range b.where(f) {
		b.turnout[p.Slot]++
		for m := range b.members {
			if data, ok := b.read(m, p.Off, f.length); ok && f.holds(data) {
				b.votes[p.Slot][m]++
			}
		}
	}
}

// read gets what a member holds at an offset of its data. Uniform blocks count
// as unreadable: they prove nothing.
func (b *ballot) read(member int, off, length int64) ([]byte, bool) {
	if int64(len(b.buf)) < length {
		b.buf = make([]byte, length)
	}
	data := b.buf[:length]
	err := block.ReadFull(b.members[member], data, b.geometry.DataOffset+off)
	return data, err == nil && !uniform(data)
}

func uniform(b []byte) bool { return bytes.Count(b, b[:1]) == len(b) }

// elect finds the order with the most votes: the given members fill all slots
// except those that must stay empty. It also counts the orders that have as
// many votes, and how the facts of the filled slots fared.
func (b *ballot) elect() (order []int, tally Tally, ways int) {
	n, empty := len(b.members), b.geometry.Slots-len(b.members)
	type entry struct {
		votes, ways int
		member      int8 // in the last slot; -1 for none
	}
	none := entry{votes: math.MinInt}
	table := make([][]entry, b.geometry.Slots+1)
	for i := range table {
		table[i] = make([]entry, 1<<n)
		for k := range table[i] {
			table[i][k] = none
		}
	}
	table[0][0] = entry{ways: 1}
	// A member scores in a slot by what it holds there, and loses by what it
	// does not hold. An empty slot scores nothing.
	worth := func(slot, m int) int { return 2*b.votes[slot][m] - b.turnout[slot] }
	improve := func(e *entry, votes, ways int, member int8) {
		switch {
		case votes > e.votes:
			*e = entry{votes, ways, member}
		case votes == e.votes:
			e.ways += ways
		}
	}
	for slot := range b.geometry.Slots {
		for mask := range 1 << n {
			from := table[slot][mask]
			if from == none {
				continue
			}
			if slot-bits.OnesCount(uint(mask)) < empty {
				improve(&table[slot+1][mask], from.votes, from.ways, -1)
			}
			for m := range n {
				if mask&(1<<m) == 0 {
					improve(&table[slot+1][mask|1<<m], from.votes+worth(slot, m), from.ways, int8(m))
				}
			}
		}
	}
	order = make([]int, b.geometry.Slots)
	mask := 1<<n - 1
	ways = table[b.geometry.Slots][mask].ways
	for slot := b.geometry.Slots; slot > 0; slot-- {
		m := int(table[slot][mask].member)
		order[slot-1] = m
		if m >= 0 {
			tally.Good += b.votes[slot-1][m]
			tally.Bad += b.turnout[slot-1] - b.votes[slot-1][m]
			mask &^= 1 << m
		}
	}
	return order, tally, ways
}

// groups reads the group descriptors.
func (b *ballot) groups(fs *filesystem, order []int) ([]desc, bool) {
	var list []desc
	for _, f := range fs.descs() {
		data, ok := b.holder(f, order)
		if !ok {
			break
		}
		for at := int64(0); at+fs.descSize <= f.length; at += fs.descSize {
			list = append(list, fs.parseDesc(data[at:at+fs.descSize]))
		}
	}
	return list, len(list) > 0
}

// holder finds the bytes of a fact: on the member of the slot where they belong
// or, if that is missing, on any member that has them there (parity can be
// their mirror image), or by computing them from parity.
func (b *ballot) holder(f fact, order []int) ([]byte, bool) {
	for _, p := range b.where(f) {
		try := make([]int, 0, len(b.members)+1)
		if m := order[p.Slot]; m >= 0 {
			try = append(try, m)
		}
		for m := range b.members {
			try = append(try, m)
		}
		for _, m := range try {
			if data, ok := b.read(m, p.Off, f.length); ok && f.holds(data) {
				return bytes.Clone(data), true
			}
		}
		if len(b.members) == b.geometry.Slots || b.geometry.Level < md.LevelRAID4 || b.geometry.Level > md.LevelRAID6 {
			continue
		}
		for except := -1; except < len(b.members); except++ {
			if data, ok := b.without(except, p.Off, f.length); ok && f.holds(data) {
				return data, true
			}
		}
	}
	return nil, false
}

// without is the xor of all members at an offset of their data, leaving out the
// member with the index except, if there is one. That is what a missing member
// of a raid5 holds there or, if the one left out holds Q, of a raid6.
func (b *ballot) without(except int, off, length int64) ([]byte, bool) {
	all := make([]byte, length)
	for m := range b.members {
		if m == except {
			continue
		}
		piece := make([]byte, length)
		if block.ReadFull(b.members[m], piece, b.geometry.DataOffset+off) != nil {
			return nil, false
		}
		subtle.XORBytes(all, all, piece)
	}
	return all, !uniform(all)
}
