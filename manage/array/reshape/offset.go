package reshape

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/manage/array/live"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/manage/plan"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// move is a member whose data is to start at another offset.
type move struct {
	*live.ShownMember
	to uint64 // sectors
}

// moveData tells the kernel to move the data of all members to another offset while it
// restripes, by at least the given number of sectors: to lower addresses if the array
// gets more members, to higher ones if it gets fewer, and otherwise to where there is
// more space. If that is impossible it returns false, and reports why unless fallback
// says that there is an alternative (Grow.c, set_new_data_offset).
func (g *Grower) moveData(ctx context.Context, delta int, least uint64, fallback bool) (bool, error) {
	members, err := g.live.Members()
	if err != nil {
		return false, err
	}
	moves, ok, err := g.planMoves(members, delta, least, fallback)
	if err != nil || !ok {
		return false, err
	}
	if delta <= 0 { // if members are removed mdadm forgets this, and the kernel refuses
		_ = g.do(ctx, attr(g.live.Sysfs.ReshapeDirectionTo(direction(moves[0].to > moves[0].Offset))))
	}
	for i, m := range moves {
		err := g.do(ctx, g.moveStep(m))
		if tooBig(err) {
			// Unused space at the end of the device has to be used first.
			_ = g.do(ctx, g.stretchStep(m))
			err = g.do(ctx, g.moveStep(m))
		}
		switch {
		case err == nil:
		case tooBig(err) && g.DataOffset != nil:
			return false, g.failed(ctx, err, "reshape.data-offset-too-big", m.Path)
		case i == 0 && (tooBig(err) || errors.Is(err, unix.ENOENT)):
			return false, nil
		default:
			return false, g.failed(ctx, err, "reshape.cannot-set-new-offset", m.Path)
		}
	}
	return true, nil
}

// moveStep tells the kernel the new offset.
func (g *Grower) moveStep(m move) plan.Step {
	return plan.Foreseen(swap(m.Sysfs.NewOffsetTo(m.to), m.Sysfs.NewOffsetTo(m.Offset)), func() error {
		if kib, err := m.Sysfs.Size(); err == nil && !g.stretched[m.Path] && outgrows(m.Offset, m.to, g.live.Size, kib) {
			return unix.E2BIG
		}
		if g.offsets == nil {
			g.offsets = make(map[string]uint64)
		}
		g.offsets[m.Path] = m.to
		return nil
	})
}

// outgrows reports whether data of that many sectors, if it starts at to instead of now,
// would reach beyond what is used of a member, which is in KiB (md.c, new_offset_store).
func outgrows(now, to, size, kib uint64) bool {
	return to > now && to-now+size > kib*2+1 // half a KiB may have been cut off
}

// stretchStep makes the kernel use a member to its end.
func (g *Grower) stretchStep(m move) plan.Step {
	return plan.Foreseen(set(m.Sysfs.SizeTo(0)), func() error {
		if g.stretched == nil {
			g.stretched = make(map[string]bool)
		}
		g.stretched[m.Path] = true
		return nil
	})
}

// newOffset returns where the data of a member will start, in sectors.
func (g *Grower) newOffset(m *live.ShownMember) (uint64, error) {
	if to, ok := g.offsets[m.Path]; ok {
		return to, nil
	}
	return m.Sysfs.NewOffset()
}

// planMoves chooses the new offset of every member.
func (g *Grower) planMoves(members []*live.ShownMember, delta int, least uint64, fallback bool) ([]move, bool, error) {
	none := func(id note.ID, args ...any) ([]move, bool, error) {
		return nil, false, g.refuse(id, args...)
	}
	shared := newSharedSpace(g.DataOffset)
	var moves []move
	for _, m := range members {
		if m.Is(sysmd.MemberFaulty) {
			continue
		}
		space, err := g.live.SpaceOf(m)
		if err != nil {
			g.Report.Extra(note.Always, note.Reason, err)
			return none("reshape.cannot-get-superblock", g.Array, m.Path)
		}
		if space.Before == 0 && space.After == 0 {
			if !fallback {
				g.Report.Say(note.Always, "reshape.metadata-version-doesnt-support-data-offset-changes", g.Array)
			}
			return nil, false, nil
		}
		moves = append(moves, move{ShownMember: m})
		if problem := shared.add(m.Path, space.DataOffset, space.Before, space.After); problem != "" {
			return none(note.Reason, problem)
		}
	}
	if len(moves) == 0 {
		return nil, false, nil
	}
	now := make([]uint64, len(moves))
	for i := range moves {
		now[i] = moves[i].Offset
	}
	to, at, problem := shared.choose(now, delta, least, fallback)
	if problem != "" {
		return none(note.About, problem, moves[at].Path)
	}
	for i := range to {
		moves[i].to = to[i]
	}
	return moves, to != nil, nil
}

// sharedSpace is the space around the data that all members have, and the direction in
// which data has to move for a requested offset.
type sharedSpace struct {
	want          *uint64 // sectors; nil for any offset
	before, after uint64  // free sectors
	up, decided   bool
}

func newSharedSpace(want *uint64) *sharedSpace {
	return &sharedSpace{want: want, before: ^uint64(0), after: ^uint64(0)}
}

// add takes a member into account. problem says in mdadm's words why the member does not
// fit in with those before.
func (s *sharedSpace) add(path string, offset, before, after uint64) (problem string) {
	s.before, s.after = min(s.before, before), min(s.after, after)
	if s.want == nil {
		return ""
	}
	switch want := *s.want; {
	case !s.decided && want == offset:
		return path + ": already has that data_offset"
	case !s.decided:
		s.up, s.decided = want > offset, true
	case s.up && want <= offset || !s.up && want >= offset:
		return path + ": differing data offsets on devices make this --data-offset setting impossible"
	}
	return ""
}

// room returns the room to move by at least that many sectors, and whether data moves
// up: to where there is more space, unless an offset was requested.
func (s *sharedSpace) room(least uint64) (r roomToMove, up bool) {
	up = s.up
	if !s.decided {
		up = s.before <= s.after
	}
	return roomToMove{before: s.before, after: s.after, least: least, want: s.want}, up
}

// choose chooses a new offset for the data of every member, at least that many sectors
// from the present one. It returns none if all members lack the room and there is an
// alternative. problem says in mdadm's words what is wrong with member at.
func (s *sharedSpace) choose(now []uint64, delta int, least uint64, fallback bool) (to []uint64, at int, problem string) {
	room, up := s.room(least)
	for i, n := range now {
		offset, problem := room.offset(n, delta, up)
		switch {
		case problem == "":
			to = append(to, offset)
		case room.lacks(delta, up) && fallback:
			return nil, 0, ""
		default:
			return nil, i, problem
		}
	}
	return to, 0, ""
}

// roomToMove is the room that all members have.
type roomToMove struct {
	before, after uint64 // free sectors
	least         uint64 // sectors to move at least
	want          *uint64
}

// lacks reports whether there is too little room in the direction of the move.
func (r roomToMove) lacks(delta int, up bool) bool {
	switch {
	case delta < 0:
		return false
	case delta > 0 || !up:
		return r.before < r.least
	}
	return r.after < r.least
}

// offset chooses the new offset for data that starts at now. problem says in mdadm's
// words why there is none.
func (r roomToMove) offset(now uint64, delta int, up bool) (to uint64, problem string) {
	lacks := r.lacks(delta, up)
	switch {
	case delta < 0:
		return r.upBy(now, now+r.least, "--data-offset too small for")
	case delta > 0 && lacks:
		return 0, "Insufficient head-space for reshape on"
	case delta > 0:
		return r.downBy(now, now-r.least, "--data-offset too large for")
	case up && lacks:
		return 0, "Insufficient tail-space for reshape on"
	case up:
		return r.upBy(now, chooseOffset(now, now+r.after, now+r.least, now+r.after), "--data-offset too small on")
	case lacks:
		return 0, "insufficient head-room on"
	}
	return r.downBy(now, chooseOffset(now-r.before, now, now-r.before, now-r.least), "--data-offset too large on")
}

func (r roomToMove) upBy(now, chosen uint64, problem string) (uint64, string) {
	switch {
	case r.want == nil:
		return chosen, ""
	case *r.want < now+r.least:
		return 0, problem
	}
	return *r.want, ""
}

func (r roomToMove) downBy(now, chosen uint64, problem string) (uint64, string) {
	switch {
	case r.want == nil:
		return chosen, ""
	case *r.want > now-r.least:
		return 0, problem
	}
	return *r.want, ""
}

// chooseOffset returns an offset near the middle of lo and hi, between least and most,
// with as many zero bits at its end as possible, up to a mebibyte (Grow.c,
// choose_offset).
func chooseOffset(lo, hi, least, most uint64) uint64 {
	choice := (lo + hi) / 2
	for bit := uint64(1); bit < 2048; bit <<= 1 {
		if choice&bit == 0 {
			continue
		}
		more, less := choice+bit, choice-bit
		switch {
		case more > most && less < least:
			return choice
		case more > most:
			choice = less
		case less < least, hi-more > less-lo:
			choice = more
		default:
			choice = less
		}
	}
	return choice
}
