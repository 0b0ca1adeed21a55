package recover_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/fresh"
	"github.com/mdkit/mdkit/engine/recover"
)

// candidate is one whose content is all in its place.
func candidate(level md.Level, layout int32, orders int, redundancy recover.Tally, order ...int) *recover.Candidate {
	return &recover.Candidate{
		Geometry: recover.Geometry{Level: level, Layout: layout, Chunk: 64 << 10, Slots: len(order), DataOffset: 1 << 20, Used: 16 << 20},
		Order:    order, Orders: orders, Content: recover.Tally{Good: 10}, Redundancy: redundancy,
	}
}

// TestCertain has candidates that may be written unseen, and others.
func TestCertain(t *testing.T) {
	agree, none, disagree := recover.Tally{Good: 200}, recover.Tally{}, recover.Tally{Bad: 200}
	raid5 := candidate(md.LevelRAID5, md.LayoutLeftSymmetric, 1, agree, 0, 1, 2)
	for _, c := range []struct {
		name  string
		found []*recover.Candidate
		why   string
	}{
		{"nobody", nil, "no candidate"},
		{"one", []*recover.Candidate{raid5}, ""},
		{
			"another layout fits as well",
			[]*recover.Candidate{raid5, candidate(md.LevelRAID5, md.LayoutLeftAsymmetric, 1, agree, 0, 1, 2)},
			"candidates 1 and 2",
		},
		{
			"another order fits as well",
			[]*recover.Candidate{raid5, candidate(md.LevelRAID5, md.LayoutLeftSymmetric, 1, agree, 1, 0, 2)},
			"candidates 1 and 2",
		},
		{
			"another one fits less well",
			[]*recover.Candidate{raid5, candidate(md.LevelRAID5, md.LayoutLeftAsymmetric, 1, none, 0, 1, 2)},
			"",
		},
		{
			"a raid6 without its last slot is the same",
			[]*recover.Candidate{raid5, candidate(md.LevelRAID6, md.LayoutLeftSymmetric6, 1, agree, 0, 1, 2, -1)},
			"",
		},
		{"orders", []*recover.Candidate{candidate(md.LevelRAID0, 0, 2, none, 0, 1, 2)}, "2 orders"},
		{"mirrors swapped", []*recover.Candidate{candidate(md.LevelRAID10, 0x102, 4, agree, 0, 1, 2, 3)}, ""},
		{"pairs swapped", []*recover.Candidate{candidate(md.LevelRAID10, 0x102, 8, agree, 0, 1, 2, 3)}, "8 orders"},
		{"copies of raid1", []*recover.Candidate{candidate(md.LevelRAID1, 0, 6, agree, 0, 1, 2)}, ""},
		{"no redundancy agrees", []*recover.Candidate{candidate(md.LevelRAID5, 2, 1, disagree, 0, 1, 2)}, "0 of 200"},
	} {
		err := recover.Certain(c.found)
		switch {
		case c.why == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.why != "" && (!errors.Is(err, recover.ErrUncertain) || !strings.Contains(err.Error(), c.why)):
			t.Errorf("%s: %v, want %q", c.name, err, c.why)
		}
	}
}

// TestOccupied finds the member that has a partition table, if it is written to.
func TestOccupied(t *testing.T) {
	plain, table := block.NewMemory("plain", 1<<20), block.NewMemory("table", 1<<20)
	if _, err := table.WriteAt([]byte("EFI PART"), 512); err != nil {
		t.Fatal(err)
	}
	members := []block.Device{plain, table}
	to := func(m int) recover.Write {
		return recover.Write{Member: m, Extent: fresh.Extent{Data: make([]byte, 512)}}
	}
	if m, _, err := recover.Occupied([]recover.Write{to(0)}, members); err != nil || m >= 0 {
		t.Errorf("without a table: member %d, %v", m, err)
	}
	if m, found, err := recover.Occupied([]recover.Write{to(0), to(1)}, members); err != nil || m != 1 || found.Type != "gpt" {
		t.Errorf("with a table: member %d, %v, %v", m, found, err)
	}
}
