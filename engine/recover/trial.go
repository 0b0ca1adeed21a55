package recover

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/array"
	"github.com/mdkit/mdkit/engine/md/fresh"
	"github.com/mdkit/mdkit/engine/raid"
)

// superblocks returns the metadata that makes the candidate an array again: for
// each slot what has to be written to its member, nil for missing ones. It does
// not touch data. Sizes are those of the members, in bytes.
func (c *Candidate) superblocks(sizes []int64) ([][]fresh.Extent, error) {
	var uuid md.UUID
	if _, err := rand.Read(uuid[:]); err != nil {
		return nil, err
	}
	present := c.Slots - c.Missing()
	a := fresh.NewArray{
		Version: c.Version(), Level: c.Level, Layout: c.Layout, Chunk: uint32(c.Chunk / md.SectorSize),
		Size: uint64(c.Used / md.SectorSize), RaidDisks: c.Slots, UUID: uuid, CTime: time.Now(), Clean: true,
		ActiveDisks: present, WorkingDisks: present, NoBadBlocks: true,
	}
	if c.Level == md.LevelRAID0 {
		a.Layout = raid.RAID0Original
	}
	var members []fresh.NewMember
	for slot, m := range c.Order {
		if m < 0 {
			continue
		}
		n := fresh.NewMember{Sectors: uint64(sizes[m] / md.SectorSize), Bytes: uint64(sizes[m]), Number: slot, RaidDisk: slot, DataOffset: fresh.DefaultDataOffset}
		if _, err := rand.Read(n.UUID[:]); err != nil {
			return nil, err
		}
		members = append(members, n)
	}
	extents, err := a.Format(members, uint64(c.DataOffset/md.SectorSize))
	if err != nil {
		return nil, err
	}
	list := make([][]fresh.Extent, c.Slots)
	for i, n := range members {
		for _, e := range extents[i] {
			if e.Off < c.DataOffset+c.Used && e.Off+int64(len(e.Data)) > c.DataOffset {
				return nil, fmt.Errorf("%s at %d: %w", e.What, e.Off, errOverData)
			}
		}
		list[n.RaidDisk] = extents[i]
	}
	return list, nil
}

// errOverData means that metadata would overwrite the data it describes.
var errOverData = errors.New("there is no room for a superblock beside the data")

// Open tries the candidate out: it writes the superblocks to overlays, which
// live in memory only, and opens the resulting array for reading.
func (c *Candidate) Open(members []block.Device) (*array.Array, error) {
	plan, err := c.Plan(members)
	if err != nil {
		return nil, err
	}
	overs := make([]*block.Overlay, len(members))
	for _, w := range plan {
		if overs[w.Member] == nil {
			overs[w.Member] = block.NewOverlay(block.ReadOnly(members[w.Member]))
		}
		if _, err := overs[w.Member].WriteAt(w.Data, w.Off); err != nil {
			return nil, err
		}
	}
	var list []*md.Member
	devs := make(map[*md.Member]block.Device)
	for _, over := range overs {
		if over == nil {
			continue
		}
		member, err := md.ReadMember(over, c.Version())
		if err != nil {
			return nil, err
		}
		list = append(list, member)
		devs[member] = over
	}
	return array.Open(md.Assess(list, md.Strict), devs, array.Options{ReadOnly: true, Dirty: true})
}

// trial reads the known facts through the array that the candidate makes, and
// samples its redundancy.
func (s *searcher) trial(c *Candidate, facts []fact) error {
	a, err := c.Open(s.members)
	if err != nil {
		return err
	}
	for _, f := range facts {
		data := make([]byte, f.length)
		good := f.off+f.length <= a.Size() && block.ReadFull(a, data, f.off) == nil
		if good && uniform(data) {
			continue
		}
		c.Content.count(good && f.holds(data))
	}
	s.sample(c)
	return nil
}

// samples is the number of places at which parity or copies are compared.
const (
	samples    = 200
	sampleSize = 4 << 10
)

// sample compares parity, or copies, at places spread over the members. Places
// with nothing but zeroes agree, but prove nothing.
func (s *searcher) sample(c *Candidate) {
	mirrored := c.Level == md.LevelRAID1 || c.Level == md.LevelRAID10
	m, err := c.mapper()
	if err != nil || !redundant(c.Level) {
		return
	}
	span := c.Used
	if mirrored {
		span = min(m.size, c.Size)
	}
	step := max(span/(8*samples), sampleSize) / sampleSize * sampleSize
	for off := int64(0); off+sampleSize <= span && c.Redundancy.Good+c.Redundancy.Bad < samples; off += step {
		agree, telling := false, false
		if mirrored {
			agree, telling = s.copiesAgree(c, m.places(off, nil))
		} else {
			agree, telling = s.parityAgrees(c, off)
		}
		if telling {
			c.Redundancy.count(agree)
		}
	}
}

// blockOf reads a slot's block of a sample, nil for a missing one.
func (s *searcher) blockOf(c *Candidate, slot int, off int64) []byte {
	m := c.Order[slot]
	if m < 0 {
		return nil
	}
	data := make([]byte, sampleSize)
	if block.ReadFull(s.members[m], data, c.DataOffset+off) != nil {
		return nil
	}
	return data
}

func (s *searcher) copiesAgree(c *Candidate, places []raid.Place) (agree, telling bool) {
	var first []byte
	agree = true
	compared := false
	for _, p := range places {
		data := s.blockOf(c, p.Slot, p.Off)
		switch {
		case data == nil:
		case first == nil:
			first = data
		default:
			compared = true
			agree = agree && bytes.Equal(first, data)
		}
	}
	return agree, compared && (!agree || !uniform(first))
}

// parityAgrees checks one row, as far as a missing member allows.
func (s *searcher) parityAgrees(c *Candidate, off int64) (agree, telling bool) {
	geometry, err := raid.NewParity(int(c.Level), c.Slots, c.Used, c.Chunk, int(c.Layout))
	if err != nil {
		return false, false
	}
	stripe := geometry.Stripe(off / c.Chunk)
	blocks := make([][]byte, len(stripe.Blocks))
	lost, gone := -1, 0
	for i, slot := range stripe.Blocks {
		if slot < 0 {
			continue // a hole of the DDF layouts: zeroes
		}
		if blocks[i] = s.blockOf(c, slot, off); blocks[i] == nil {
			lost, gone = i, gone+1
			continue
		}
		telling = telling || !uniform(blocks[i])
	}
	if c.Level != md.LevelRAID6 {
		return gone == 0 && raid.CheckP(blocks[len(blocks)-1], blocks[:len(blocks)-1]) < 0, telling && gone == 0
	}
	p, q := len(blocks)-2, len(blocks)-1
	switch {
	case gone == 0:
		badP, badQ := raid.CheckPQ(blocks[p], blocks[q], blocks[:p])
		return badP < 0 && badQ < 0, telling
	case gone > 1:
		return false, false
	case lost == q:
		return raid.CheckP(blocks[p], blocks[:p]) < 0, telling
	}
	blocks[lost] = make([]byte, sampleSize)
	for i := range blocks {
		if blocks[i] == nil {
			blocks[i] = make([]byte, sampleSize)
		}
	}
	raid.RecoverP(blocks[:q], lost)
	_, badQ := raid.CheckPQ(blocks[p], blocks[q], blocks[:p])
	return badQ < 0, telling
}
