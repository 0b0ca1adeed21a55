package reshape

import (
	"slices"
	"testing"
)

// around is a member's data offset and the space before and after its data, in sectors.
type around struct{ offset, before, after uint64 }

// none means "no offset was requested".
const none = ^uint64(0)

func wanted(offset uint64) *uint64 {
	if offset == none {
		return nil
	}
	return &offset
}

// TestSharedSpace finds the direction in which data moves, and whether a requested
// offset suits all members.
func TestSharedSpace(t *testing.T) {
	const (
		has     = "b: already has that data_offset"
		differs = ": differing data offsets on devices make this --data-offset setting impossible"
	)
	for _, c := range []struct {
		name    string
		members []around // of the members a, b and c
		want    uint64
		up      bool
		room    roomToMove
		problem string
	}{
		{name: "room before", members: []around{{2048, 2000, 0}}, want: none, room: roomToMove{before: 2000}},
		{name: "room behind", members: []around{{2048, 0, 5000}}, want: none, up: true, room: roomToMove{after: 5000}},
		{name: "as much on either side", members: []around{{2048, 700, 700}}, want: none, up: true, room: roomToMove{before: 700, after: 700}},
		{
			name: "the least of all", members: []around{{2048, 2000, 100}, {4096, 4000, 3000}, {2048, 1500, 9000}}, want: none,
			room: roomToMove{before: 1500, after: 100},
		},
		{name: "up by wish, against the room", members: []around{{2048, 2000, 100}, {2048, 2000, 100}}, want: 3000, up: true, room: roomToMove{before: 2000, after: 100}},
		{name: "down by wish, against the room", members: []around{{2048, 100, 9000}}, want: 2000, room: roomToMove{before: 100, after: 9000}},
		{name: "up on all that differ", members: []around{{2048, 1, 9}, {2500, 1, 9}}, want: 3000, up: true, room: roomToMove{before: 1, after: 9}},
		{name: "there already", members: []around{{2048, 1, 9}}, want: 2048, problem: "a: already has that data_offset"},
		{name: "there already, second", members: []around{{2048, 1, 9}, {3000, 1, 9}}, want: 3000, problem: "b" + differs},
		{name: "up on one, down on the other", members: []around{{2048, 1, 9}, {4096, 1, 9}}, want: 3000, problem: "b" + differs},
		{name: "down on one, up on the other", members: []around{{4096, 1, 9}, {4096, 1, 9}, {2048, 1, 9}}, want: 3000, problem: "c" + differs},
	} {
		s := newSharedSpace(wanted(c.want))
		problem := ""
		for i, m := range c.members {
			if problem == "" {
				problem = s.add(string(rune('a'+i)), m.offset, m.before, m.after)
			}
		}
		if problem != c.problem {
			t.Errorf("%s: %q; want %q", c.name, problem, c.problem)
		}
		if problem != "" {
			continue
		}
		room, up := s.room(64)
		c.room.least, room.want = 64, nil
		if up != c.up || room != c.room {
			t.Errorf("%s: up %v, %+v; want %v, %+v", c.name, up, room, c.up, c.room)
		}
	}
}

// TestOffset chooses new offsets as mdadm does (Grow.c, set_new_data_offset).
func TestOffset(t *testing.T) {
	const now = 262144
	for _, c := range []struct {
		name          string
		before, after uint64
		delta         int
		up            bool
		want          uint64
		to            uint64
		problem       string
		lacks         bool
	}{
		{name: "more members", before: 4096, delta: 1, want: none, to: now - 1024},
		{name: "more members, just enough", before: 1024, delta: 1, want: none, to: now - 1024},
		{name: "more members, too little", before: 1023, after: 1 << 20, delta: 1, want: none, problem: "Insufficient head-space for reshape on", lacks: true},
		{name: "more members, wish", before: 4096, delta: 1, want: now - 2000, to: now - 2000},
		{name: "more members, wish too near", before: 4096, delta: 1, want: now - 1023, problem: "--data-offset too large for"},
		{name: "fewer members", delta: -1, want: none, to: now + 1024},
		{name: "fewer members, wish", delta: -1, want: now + 5000, to: now + 5000},
		{name: "fewer members, wish too near", delta: -1, want: now + 1023, problem: "--data-offset too small for"},
		{name: "up", after: 1 << 16, up: true, want: none, to: now + 1<<15},
		{name: "up, just enough", after: 1024, up: true, want: none, to: now + 1024},
		{name: "up, too little", before: 1 << 20, after: 1023, up: true, want: none, problem: "Insufficient tail-space for reshape on", lacks: true},
		{name: "up, wish", after: 1 << 16, up: true, want: now + 3000, to: now + 3000},
		{name: "up, wish too near", after: 1 << 16, up: true, want: now + 1, problem: "--data-offset too small on"},
		{name: "down", before: 1 << 17, want: none, to: now - 1<<16},
		{name: "down, just enough", before: 1024, want: none, to: now - 1024},
		{name: "down, too little", before: 1023, after: 1 << 20, want: none, problem: "insufficient head-room on", lacks: true},
		{name: "down, wish", before: 1 << 17, want: now - 3000, to: now - 3000},
		{name: "down, wish too near", before: 1 << 17, want: now - 1, problem: "--data-offset too large on"},
	} {
		r := roomToMove{before: c.before, after: c.after, least: 1024, want: wanted(c.want)}
		to, problem := r.offset(now, c.delta, c.up)
		if to != c.to || problem != c.problem {
			t.Errorf("%s: %d, %q; want %d, %q", c.name, to, problem, c.to, c.problem)
		}
		if got := r.lacks(c.delta, c.up); got != c.lacks {
			t.Errorf("%s: lacks room: %v", c.name, got)
		}
	}
}

// TestChooseOffset: near the middle, as round as possible.
func TestChooseOffset(t *testing.T) {
	for _, c := range []struct{ lo, hi, least, most, want uint64 }{
		{0, 8192, 0, 8192, 4096},
		{2048, 6144, 2048, 6144, 4096},
		{2048, 6000, 2048, 6000, 4096}, // 4024 is rounded up
		{2048, 9000, 2048, 9000, 6144}, // 5524, up: a whole mebibyte
		{2000, 2100, 2000, 2100, 2048}, // 2050, down
		{1025, 1031, 1025, 1031, 1028}, // nothing rounder is possible
		{1000, 1001, 1000, 1001, 1000}, // there is no choice
		{4097, 4097, 4097, 4097, 4097}, // only this one is possible
		{2048, 6144, 5000, 6144, 4096}, // as in mdadm: a round middle is not compared with the limits
		{262144, 393216, 263168, 393216, 327680},
	} {
		if got := chooseOffset(c.lo, c.hi, c.least, c.most); got != c.want {
			t.Errorf("between %d and %d, from %d to %d: %d; want %d", c.lo, c.hi, c.least, c.most, got, c.want)
		}
	}
}

// TestMoves chooses the offsets of all members, or finds that there is an alternative,
// or why it is impossible.
func TestMoves(t *testing.T) {
	for _, c := range []struct {
		name     string
		members  []around
		want     uint64
		delta    int
		fallback bool
		to       []uint64
		at       int
		problem  string
	}{
		{name: "more members", members: []around{{2048, 2000, 0}, {4096, 2000, 0}}, want: none, delta: 1, to: []uint64{1024, 3072}},
		{name: "fewer members", members: []around{{2048, 0, 0}, {4096, 0, 0}}, want: none, delta: -1, to: []uint64{3072, 5120}},
		{name: "up, by the least room of all", members: []around{{2048, 0, 9000}, {2048, 0, 2048}}, want: none, to: []uint64{4096, 4096}},
		{name: "up, as round as can be", members: []around{{2048, 0, 8192}, {2048, 0, 8192}}, want: none, to: []uint64{6144, 6144}},
		{name: "down, to round places", members: []around{{8192, 4096, 0}, {6144, 4096, 0}}, want: none, to: []uint64{6144, 4096}},
		{name: "all to the place that is wanted", members: []around{{2048, 0, 9000}, {2048, 0, 9000}}, want: 5000, to: []uint64{5000, 5000}},
		{name: "too near for the second", members: []around{{2048, 0, 9000}, {4096, 0, 9000}}, want: 5000, at: 1, problem: "--data-offset too small on"},
		{name: "too near, whatever else there is", members: []around{{2048, 0, 9000}}, want: 3000, fallback: true, problem: "--data-offset too small on"},
		{name: "no room", members: []around{{2048, 2000, 0}, {2048, 1000, 0}}, want: none, delta: 1, problem: "Insufficient head-space for reshape on"},
		{name: "no room, but another way", members: []around{{2048, 2000, 0}, {2048, 1000, 0}}, want: none, delta: 1, fallback: true},
		{name: "no room behind", members: []around{{2048, 0, 1000}}, want: none, problem: "Insufficient tail-space for reshape on"},
		{name: "no room behind, but another way", members: []around{{2048, 0, 1000}}, want: none, fallback: true},
	} {
		s := newSharedSpace(wanted(c.want))
		var now []uint64
		for _, m := range c.members {
			if problem := s.add("member", m.offset, m.before, m.after); problem != "" {
				t.Fatalf("%s: %s", c.name, problem)
			}
			now = append(now, m.offset)
		}
		to, at, problem := s.choose(now, c.delta, 1024, c.fallback)
		if !slices.Equal(to, c.to) || at != c.at || problem != c.problem {
			t.Errorf("%s: %d, %q of %d; want %d, %q of %d", c.name, to, problem, at, c.to, c.problem, c.at)
		}
	}
}

// TestOutgrows: the kernel refuses to let data end beyond what is used of a member,
// unless data moves down.
func TestOutgrows(t *testing.T) {
	for _, c := range []struct {
		now, to, size, kib uint64
		want               bool
	}{
		{2048, 4096, 10000, 6024, false},
		{2048, 4096, 10000, 6023, true},
		{2048, 4096, 10001, 6024, false}, // half a KiB may have been cut off
		{2048, 4096, 10002, 6024, true},
		{4096, 2048, 10000, 5000, false},
		{2048, 2048, 10000, 5000, false},
	} {
		if got := outgrows(c.now, c.to, c.size, c.kib); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
