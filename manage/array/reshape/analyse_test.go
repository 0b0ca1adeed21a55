package reshape

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/engine/md"
)

// size is what the arrays of TestAnalyse use on each member, in sectors.
const size = 1 << 20

func array(level md.Level, disks int, layout int32) geometry {
	now := geometry{path: "/dev/md0", level: level, layout: layout, disks: disks, size: size, spaceAfter: 1 << 16}
	if level.Striped() {
		now.chunk = 512 << 10
	}
	return now
}

// mirrored returns a raid10 with the given layout.
func mirrored(disks int, layout int32) geometry { return array(md.LevelRAID10, disks, layout) }

// with returns a geometry with one edit.
func (now geometry) with(edit func(*geometry)) geometry {
	edit(&now)
	return now
}

// to returns a wish for a level; its methods add more.
func to(level md.Level) wish { return wish{level: &level} }

func (w wish) members(delta int) wish {
	w.delta = &delta
	return w
}

func (w wish) arranged(layout int32) wish {
	w.layout = &layout
	return w
}

func (w wish) chunks(bytes uint64) wish {
	w.chunk = bytes
	return w
}

// text shows a whole transition: how data is arranged before and after (members' worth
// of data, layout), at which level (the last one, if no data moves) and with how much
// parity it is restriped, what follows, and the numbers in sectors.
func (t *Transition) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d/%d to %d/%d at %d", t.Before.Data, t.Before.Layout, t.After.Data, t.After.Layout, t.Level)
	if t.Parity != 0 {
		fmt.Fprintf(&b, "+%d", t.Parity)
	}
	fmt.Fprintf(&b, ", then %d", t.ToLevel)
	if t.toLayout != nil {
		fmt.Fprintf(&b, "/%d", *t.toLayout)
	}
	if t.Delta != 0 {
		fmt.Fprintf(&b, ", members %+d", t.Delta)
	}
	fmt.Fprintf(&b, ", chunk %dK", t.ToChunk/1024)
	switch t.Backup {
	case 0:
	case noBackup:
		b.WriteString(", no backup")
	default:
		fmt.Fprintf(&b, ", unit %d", t.Backup)
	}
	if t.minOffset != 0 {
		fmt.Fprintf(&b, ", moves by %d", t.minOffset)
	}
	if t.newSize != 0 {
		fmt.Fprintf(&b, ", size %d", t.newSize)
		if t.newSize%size == 0 {
			b.Reset()
			return t.sized(t.newSize/size, &b)
		}
	}
	return b.String()
}

// sized is text for a size that is n times that of a member.
func (t *Transition) sized(n uint64, b *strings.Builder) string {
	c := *t
	c.newSize = 0
	fmt.Fprintf(b, "%s, size %dx", c.text(), n)
	return b.String()
}

// TestAnalyse checks every way between levels, and every reason why there is none (mdadm
// 4.2, Grow.c, analyse_change). Units are the least common multiple of the stripes
// before and after.
func TestAnalyse(t *testing.T) {
	const (
		linear, r0, r1, r4, r5, r6, r10 = md.LevelLinear, md.LevelRAID0, md.LevelRAID1, md.LevelRAID4, md.LevelRAID5, md.LevelRAID6, md.LevelRAID10

		la, ls, last, first = md.LayoutLeftAsymmetric, md.LayoutLeftSymmetric, md.LayoutParityLast, md.LayoutParityFirst
		la6, ls6, first6    = md.LayoutLeftAsymmetric6, md.LayoutLeftSymmetric6, md.LayoutParityFirst6
		near2, far2, offs2  = 0x102, 0x201, 0x10201
	)
	for _, c := range []struct {
		name string
		now  geometry
		want wish
		way  string
		why  string // the refusal
	}{
		// Changes without a restripe.
		{name: "mirror gets members", now: array(r1, 2, 0), want: wish{}.members(1), way: "0/0 to 0/0 at 1, then 1, members +1, chunk 0K"},
		{name: "mirror loses members", now: array(r1, 3, 0), want: wish{}.members(-1), way: "0/0 to 0/0 at 1, then 1, members -1, chunk 0K"},
		{name: "mirror to one stripe", now: array(r1, 2, 0), want: to(r0), way: "1/0 to 1/0 at 0, then 0, chunk 0K"},
		{name: "mirror to raid5", now: array(r1, 2, 0), want: to(r5), way: "1/2 to 1/2 at 5+1, then 5, chunk 64K, size 1x"},
		{name: "raid5 of two to mirror", now: array(r5, 2, ls), want: to(r1), way: "1/2 to 0/0 at 1, then 1, chunk 0K"},
		{name: "raid0 to near copies", now: array(r0, 2, 0), want: to(r10), way: "4/258 to 4/0 at 10, then 10/258, members +2, chunk 512K"},
		{name: "raid0 to three copies", now: array(r0, 2, 0), want: to(r10).members(4), way: "6/259 to 6/0 at 10, then 10/259, members +4, chunk 512K"},
		{name: "raid0 to three copies by layout", now: array(r0, 2, 0), want: to(r10).arranged(0x103), way: "6/259 to 6/0 at 10, then 10/259, members +4, chunk 512K"},
		{name: "near copies to raid0", now: mirrored(4, near2), want: to(r0), way: "2/0 to 2/0 at 0, then 0, members -2, chunk 512K"},
		{name: "raid5 gets a Q of its own", now: array(r5, 4, ls), want: to(r6).arranged(ls6), way: "3/18 to 3/18 at 6+2, then 6/18, members +1, chunk 512K, size 3x"},
		{name: "raid6 drops a Q of its own", now: array(r6, 5, ls6), want: to(r5), way: "3/18 to 3/18 at 5+2, then 5/18, members -1, chunk 512K, size 3x"},
		{name: "raid0 gets a parity disk", now: array(r0, 3, 0), want: to(r4), way: "3/0 to 3/0 at 4+1, then 4, members +1, chunk 512K, size 3x"},
		{name: "raid0 gets parity at the end", now: array(r0, 3, 0), want: to(r5).arranged(last), way: "3/5 to 3/5 at 5+1, then 5/5, members +1, chunk 512K, size 3x"},
		{name: "raid5 with parity at the end to raid0", now: array(r5, 4, last), want: to(r0), way: "3/5 to 3/5 at 0+1, then 0, members -1, chunk 512K, size 3x"},
		{name: "raid4 to raid0", now: array(r4, 4, 0), want: to(r0), way: "3/0 to 3/0 at 0+1, then 0, members -1, chunk 512K, size 3x"},

		// Changes that move data.
		{name: "raid5 gets a member", now: array(r5, 4, ls), want: wish{}.members(1), way: "3/2 to 4/2 at 5+1, then 5, members +1, chunk 512K, unit 12288, moves by 4096, size 4x"},
		{name: "raid5 loses a member", now: array(r5, 5, ls), want: wish{}.members(-1), way: "4/2 to 3/2 at 5+1, then 5, members -1, chunk 512K, unit 12288, moves by 3072, size 3x"},
		{name: "raid6 gets two members", now: array(r6, 4, ls), want: wish{}.members(2), way: "2/2 to 4/2 at 6+2, then 6, members +2, chunk 512K, unit 4096, moves by 2048, size 4x"},
		{name: "raid4 gets a member", now: array(r4, 3, 0), want: wish{}.members(1), way: "2/0 to 3/0 at 4+1, then 4, members +1, chunk 512K, unit 6144, moves by 3072, size 3x"},
		{name: "raid0 gets a member", now: array(r0, 2, 0), want: wish{}.members(1), way: "2/0 to 3/0 at 4+1, then 0, members +1, chunk 512K, unit 6144, moves by 3072, size 3x"},
		{name: "raid5 smaller chunk", now: array(r5, 3, ls), want: wish{}.chunks(64 << 10), way: "2/2 to 2/2 at 5+1, then 5, chunk 64K, unit 2048, moves by 1024, size 2x"},
		{name: "raid5 larger chunk", now: array(r5, 3, ls), want: wish{}.chunks(1 << 20), way: "2/2 to 2/2 at 5+1, then 5, chunk 1024K, unit 4096, moves by 2048, size 2x"},
		{name: "raid5 other layout", now: array(r5, 3, ls), want: wish{}.arranged(la), way: "2/2 to 2/0 at 5+1, then 5/0, chunk 512K, unit 2048, moves by 1024, size 2x"},
		{name: "raid5 to raid6", now: array(r5, 4, ls), want: to(r6), way: "3/18 to 3/2 at 6+2, then 6, members +1, chunk 512K, unit 3072, moves by 1024, size 3x"},
		{name: "raid5 to raid6 and a member", now: array(r5, 4, ls), want: to(r6).members(2), way: "3/18 to 4/2 at 6+2, then 6, members +2, chunk 512K, unit 12288, moves by 4096, size 4x"},
		{name: "raid5 to raid6 on the members there are", now: array(r5, 4, ls), want: to(r6).members(0), way: "3/18 to 2/2 at 6+2, then 6, chunk 512K, unit 6144, moves by 2048, size 2x"},
		{name: "raid6 to raid5", now: array(r6, 5, ls), want: to(r5), way: "3/2 to 3/18 at 6+2, then 5/2, members -1, chunk 512K, unit 3072, moves by 1024, size 3x"},
		{name: "raid6 to raid5 of as many members", now: array(r6, 5, ls), want: to(r5).members(0), way: "3/2 to 4/18 at 6+2, then 5/2, chunk 512K, unit 12288, moves by 4096, size 4x"},
		{name: "raid6 to raid5 with parity at the end", now: array(r6, 5, ls), want: to(r5).arranged(last), way: "3/2 to 3/5 at 6+2, then 5/5, members -1, chunk 512K, unit 3072, moves by 1024, size 3x"},
		{name: "raid6 as raid5 has it, in order", now: array(r6, 5, la6), want: wish{}.arranged(la), way: "3/16 to 3/0 at 6+2, then 6/0, chunk 512K, unit 3072, moves by 1024, size 3x"},
		{name: "raid5 to raid0", now: array(r5, 4, ls), want: to(r0), way: "3/2 to 3/5 at 5+1, then 0, members -1, chunk 512K, unit 3072, moves by 1024, size 3x"},
		{name: "raid0 to raid5", now: array(r0, 3, 0), want: to(r5), way: "3/5 to 3/2 at 5+1, then 5/2, members +1, chunk 512K, unit 3072, moves by 1024, size 3x"},
		{name: "raid0 to raid6", now: array(r0, 3, 0), want: to(r6), way: "3/5 to 3/2 at 6+2, then 6/2, members +2, chunk 512K, unit 3072, moves by 1024, size 3x"},
		{name: "mirror to raid5 of three", now: array(r1, 2, 0), want: to(r5).members(1), way: "1/2 to 2/2 at 5+1, then 5, members +1, chunk 64K, unit 256, moves by 256, size 2x"},
		{name: "nothing would be left", now: array(r5, 3, ls), want: wish{}.members(-2), way: "2/2 to 0/2 at 5+1, then 5, members -2, chunk 512K, no backup"},

		// RAID10 always moves data to another offset.
		{name: "raid10 gets members", now: mirrored(4, near2), want: wish{}.members(2), way: "4/258 to 6/258 at 10, then 10, members +2, chunk 512K, no backup, moves by 1024, size 3x"},
		{name: "raid10 loses members", now: mirrored(6, near2), want: wish{}.members(-2), way: "6/258 to 4/258 at 10, then 10, members -2, chunk 512K, no backup, moves by 1024, size 2x"},
		{
			name: "raid10 loses members and has no space behind the data", want: wish{}.members(-2),
			now: mirrored(6, near2).with(func(g *geometry) { g.spaceAfter = 1023 }),
			way: fmt.Sprintf("6/258 to 4/258 at 10, then 10, members -2, chunk 512K, no backup, moves by 1024, size %d", 2*(size-1024)),
		},
		{name: "raid10 larger chunk", now: mirrored(4, near2), want: wish{}.chunks(1 << 20), way: "4/258 to 4/258 at 10, then 10, chunk 1024K, no backup, moves by 2048, size 2x"},
		{name: "raid10 near to offset", now: mirrored(4, near2), want: wish{}.arranged(offs2), way: "4/258 to 4/66049 at 10, then 10/66049, chunk 512K, no backup, moves by 2048, size 2x"},

		// Changes that are impossible.
		{name: "linear", now: array(linear, 2, 0), want: wish{}.chunks(0), why: "Only --add is supported for LINEAR, other --grow options are not meaningful"},
		{name: "linear with devices", now: array(linear, 2, 0), want: wish{}.members(1), why: "Only --add is supported for LINEAR, setting --raid-disks is not needed"},
		{name: "multipath", now: array(md.LevelMultipath, 2, 0), want: wish{}.members(1), why: "No reshape is possibly for this RAID level"},
		{name: "mirror, nothing", now: array(r1, 2, 0), why: "no change requested for Growing RAID1"},
		{name: "mirror with chunks", now: array(r1, 2, 0), want: wish{}.chunks(64 << 10), why: "chunk size not meaningful for this level"},
		{name: "mirror to raid6", now: array(r1, 2, 0), want: to(r6), why: "Impossibly level change request for RAID1"},
		{name: "mirror of three to raid5", now: array(r1, 3, 0), want: to(r5), why: "Can only convert a 2-device array to RAID5"},
		{name: "mirror of an odd size to raid5", now: array(r1, 2, 0).with(func(g *geometry) { g.size = 1001 }), want: to(r5), why: "Cannot convert RAID1 of this size - reduce size to multiple of 4K first."},
		{name: "mirror to raid0 with other members", now: array(r1, 2, 0), want: to(r0).members(1), why: "Cannot change number of disks with RAID1->RAID0 conversion"},
		{name: "mirror to raid5 of one", now: array(r1, 2, 0), want: to(r5).members(-1), why: "Number of disks too small for RAID5"},
		{
			name: "chunk that does not fit", now: array(r5, 3, ls).with(func(g *geometry) { g.size = 1000 * 1024 }), want: wish{}.chunks(8 << 20),
			why: "New chunk size (8192K) does not evenly divide device size (512000k)\n" +
				"After shrinking any filesystem, \"mdadm --grow /dev/md0 --size 507904\"\nwill shrink the array so the given chunk size would work.",
		},
		{name: "far copies to raid0", now: mirrored(4, far2), want: to(r0), why: "Cannot Grow RAID10 with far/offset layout"},
		{name: "near copies of an odd number to raid0", now: mirrored(3, near2), want: to(r0), why: "RAID10 layout too complex for Grow operation"},
		{name: "near copies to raid0 of too many", now: mirrored(4, near2), want: to(r0).members(-1), why: "New number of raid-devices impossible for RAID10"},
		{name: "near copies to raid0 with chunks", now: mirrored(4, near2), want: to(r0).chunks(64 << 10), why: "Cannot change chunk-size with RAID10 Grow"},
		{name: "raid10 to raid5", now: mirrored(4, near2), want: to(r5), why: "RAID10 can only be changed to RAID0"},
		{name: "raid10 from far", now: mirrored(4, far2), want: wish{}.members(1), why: "Cannot reshape RAID10 in far-mode"},
		{name: "raid10 to far", now: mirrored(4, near2), want: wish{}.arranged(far2), why: "Cannot reshape RAID10 to far-mode"},
		{name: "raid10 with more copies", now: mirrored(4, near2), want: wish{}.arranged(0x103), why: "Cannot change number of copies when reshaping RAID10"},
		{name: "raid0 to mirror", now: array(r0, 2, 0), want: to(r1), why: "Impossible level change requested"},
		{name: "raid0 to raid10 of an odd number", now: array(r0, 2, 0), want: to(r10).members(1), why: "Impossible number of devices for RAID0->RAID10"},
		{name: "raid0 to far copies", now: array(r0, 2, 0), want: to(r10).arranged(far2), why: "New layout impossible for RAID0->RAID10"},
		{name: "raid0 to raid10 with chunks", now: array(r0, 2, 0), want: to(r10).chunks(64 << 10), why: "Cannot change chunk-size with RAID0->RAID10"},
		{name: "raid5 of three to mirror", now: array(r5, 3, ls), want: to(r1), why: "Can only convert a 2-device array to RAID1"},
		{name: "raid5 of two to a mirror of three", now: array(r5, 2, ls), want: to(r1).members(1), why: "Cannot set raid_disk when converting RAID5->RAID1"},
		{name: "raid5 to raid10", now: array(r5, 4, ls), want: to(r10), why: "Impossible level change requested"},
		{name: "raid5 of a strange layout to raid6", now: array(r5, 4, 9), want: to(r6), why: "Cannot convert an array with this layout"},
		{name: "raid6 to raid0", now: array(r6, 4, ls), want: to(r0), why: "Impossible level change requested"},
		{name: "raid6 to raid4", now: array(r6, 4, ls), want: to(r4), why: "Cannot convert to RAID4 from this level"},
		{name: "raid6 of a strange layout to raid5", now: array(r6, 5, md.LayoutRotatingNRestart), want: to(r5), why: "Please specify new layout"},
		{name: "raid4 to raid5", now: array(r4, 3, 0), want: to(r5), way: "2/5 to 2/5 at 5+1, then 5, chunk 512K, size 2x"},
		{name: "spread parity", now: array(r5, 2, ls), want: to(r0), why: errSpreadParity.Error()},
		{name: "parity at the end of two", now: array(r5, 2, last), want: to(r0), way: "1/5 to 1/5 at 0+1, then 0, members -1, chunk 512K, size 1x"},
		{name: "raid6 first", now: array(r6, 5, first6), want: to(r5), way: "3/20 to 3/20 at 5+2, then 5/20, members -1, chunk 512K, size 3x"},
		{name: "raid6 to raid5 with parity first", now: array(r6, 5, ls), want: to(r5).arranged(first), way: "3/2 to 3/20 at 6+2, then 5/4, members -1, chunk 512K, unit 3072, moves by 1024, size 3x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			way, err := analyse(c.now, c.want)
			if c.why != "" {
				var no refusal
				if err == nil || err.Error() != c.why || errors.As(err, &no) == errors.Is(err, errSpreadParity) {
					t.Fatalf("got %v; want %s", err, c.why)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := way.text(); got != c.way {
				t.Errorf("got  %s\nwant %s", got, c.way)
			}
		})
	}
}

// TestBlocks: the amount backed up at a time grows if data stays in the same place, up
// to a limit.
func TestBlocks(t *testing.T) {
	for _, c := range []struct {
		before, after int
		unit, size    uint64
		want          uint64
	}{
		{3, 4, 12288, 1 << 30, 12288},
		{4, 3, 12288, 1 << 30, 12288},
		{3, 3, 3072, 3072 * 32, 3072},
		{3, 3, 3072, 3072*32 + 1, 6144},
		{3, 3, 3072, 1 << 30, 49152}, // the first to reach 16 MiB
		{2, 2, 2048, 1 << 30, 32768},
	} {
		w := Transition{Before: Arrangement{Data: c.before}, After: Arrangement{Data: c.after}, Backup: c.unit}
		if got := w.blocks(c.size); got != c.want {
			t.Errorf("%d to %d, unit %d, size %d: %d; want %d", c.before, c.after, c.unit, c.size, got, c.want)
		}
	}
}

func TestBeyond(t *testing.T) {
	for _, c := range []struct {
		delta    int
		position uint64
		want     bool
	}{
		{1, 12287, false},
		{1, 12288, true},
		{-1, 12287, false},
		{-1, 12288, true},
		{0, 0, false},
		{0, 1 << 40, false}, // data is written to where it was: never
	} {
		w := Transition{Delta: c.delta, Backup: 12288}
		if got := w.Beyond(c.position); got != c.want {
			t.Errorf("members %+d at %d: %v", c.delta, c.position, got)
		}
	}
}

func TestStride(t *testing.T) {
	for _, c := range []struct{ distance, chunk, toChunk, want uint64 }{
		{4096, 512 << 10, 512 << 10, 4096},
		{4097, 512 << 10, 512 << 10, 4096},
		{4096, 512 << 10, 64 << 10, 4096},
		{5000, 64 << 10, 1 << 20, 4096},
		{2047, 64 << 10, 1 << 20, 0},
	} {
		got, err := stride(c.distance, c.chunk, c.toChunk)
		if got != c.want || (err != nil) != (c.want == 0) {
			t.Errorf("%d sectors, chunks of %d and %d: %d, %v; want %d", c.distance, c.chunk, c.toChunk, got, err, c.want)
		}
	}
}
