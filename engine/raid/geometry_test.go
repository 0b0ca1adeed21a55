package raid_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mdkit/mdkit/engine/raid"
)

// pictures are rows of chunks for a few slots, as md(4) and the comments of
// raid5.h draw them: letters are data chunks in the order of the array.
var pictures = []struct {
	level, layout int
	rows          string
}{
	{4, 0, "abcP defP ghiP"},
	{4, 99, "abcP defP ghiP"},
	{5, raid.LeftAsymmetric, "abcP dePf gPhi Pjkl mnoP"},
	{5, raid.RightAsymmetric, "Pabc dPef ghPi jklP Pmno"},
	{5, raid.LeftSymmetric, "abcP efPd iPgh Pjkl mnoP"},
	{5, raid.RightSymmetric, "Pabc fPde hiPg jklP Pmno"},
	{5, raid.ParityFirst, "Pabc Pdef Pghi"},
	{5, raid.ParityLast, "abcP defP ghiP"},
	{6, raid.LeftAsymmetric, "QabcP defPQ ghPQi jPQkl PQmno QpqrP"},
	{6, raid.RightAsymmetric, "PQabc dPQef ghPQi jklPQ QmnoP PQpqr"},
	{6, raid.LeftSymmetric, "QabcP defPQ hiPQg lPQjk PQmno QpqrP"},
	{6, raid.RightSymmetric, "PQabc fPQde hiPQg jklPQ QmnoP PQpqr"},
	{6, raid.ParityFirst, "PQabc PQdef PQghi"},
	{6, raid.ParityLast, "abcPQ defPQ ghiPQ"},
	{6, raid.RotatingZeroRestart, "PQabc dPQef ghPQi jklPQ QmnoP PQpqr"},
	{6, raid.RotatingNRestart, "abcPQ dePQf gPQhi PQjkl QmnoP abcPQ"},
	{6, raid.RotatingNContinue, "abcQP efQPd iQPgh QPjkl PmnoQ pqrQP"},
	{6, raid.LeftAsymmetric6, "abcPQ dePfQ gPhiQ PjklQ mnoPQ"},
	{6, raid.RightAsymmetric6, "PabcQ dPefQ ghPiQ jklPQ PmnoQ"},
	{6, raid.LeftSymmetric6, "abcPQ efPdQ iPghQ PjklQ mnoPQ"},
	{6, raid.RightSymmetric6, "PabcQ fPdeQ hiPgQ jklPQ PmnoQ"},
	{6, raid.ParityFirst6, "PabcQ PdefQ PghiQ"},
}

func TestParityMatchesThePictures(t *testing.T) {
	const chunk = 4096
	for _, pic := range pictures {
		t.Run(fmt.Sprintf("level%d layout%d", pic.level, pic.layout), func(t *testing.T) {
			rows := strings.Fields(pic.rows)
			slots := len(rows[0])
			g, err := raid.NewParity(pic.level, slots, int64(len(rows))*chunk+chunk-1, chunk, pic.layout)
			if err != nil {
				t.Fatal(err)
			}
			if g.Rows() != int64(len(rows)) || g.Size() != int64(len(rows)*g.DataSlots()*chunk) {
				t.Errorf("%d rows, %d bytes; want %d rows", g.Rows(), g.Size(), len(rows))
			}
			for row, want := range rows {
				if got := draw(g, int64(row)); !sameRow(got, want) {
					t.Errorf("row %d is %s; want %s", row, got, want)
				}
				checkStripe(t, g.Stripe(int64(row)), slots, want, pic.layout)
			}
		})
	}
}

// sameRow compares rows whose letters may start at different places in the
// alphabet: a picture may begin with a again.
func sameRow(got, want string) bool {
	shift := func(s string) string {
		least := byte(255)
		for _, c := range []byte(s) {
			if c >= 'a' {
				least = min(least, c)
			}
		}
		return strings.Map(func(c rune) rune {
			if c >= 'a' {
				return c - rune(least) + 'a'
			}
			return c
		}, s)
	}
	return shift(got) == shift(want)
}

// draw draws a row from what Map returns.
func draw(g *raid.Parity, row int64) string {
	s := g.Stripe(row)
	pic := []byte(strings.Repeat("?", len(s.Index)))
	pic[s.P] = 'P'
	if s.Q >= 0 {
		pic[s.Q] = 'Q'
	}
	for off := row * int64(g.DataSlots()) * g.Chunk(); off < (row+1)*int64(g.DataSlots())*g.Chunk(); off += g.Chunk() {
		at := g.Map(off + 5)
		if at.Off != row*g.Chunk()+5 || at.Len != g.Chunk()-5 || pic[at.Slot] != '?' {
			return fmt.Sprintf("%+v for offset %d", at, off)
		}
		pic[at.Slot] = byte('a' + off/g.Chunk()%26)
	}
	return string(pic)
}

// checkStripe checks that Blocks starts at the slot after Q and wraps around,
// or for DDF starts at slot 0 with holes, and that Index is its inverse.
func checkStripe(t *testing.T, s *raid.Stripe, slots int, picture string, layout int) {
	t.Helper()
	var want []int
	p := strings.Index(picture, "P")
	q := strings.Index(picture, "Q")
	switch {
	case q < 0:
		want = append(slices.Clone(s.Data), p)
	case layout >= 8 && layout <= 10:
		for i := range slots {
			if i == p || i == q {
				i = -1
			}
			want = append(want, i)
		}
		want = append(want, p, q)
	default:
		for i := q + 1; i%slots != q; i++ {
			if i%slots != p {
				want = append(want, i%slots)
			}
		}
		want = append(want, p, q)
	}
	if !slices.Equal(s.Blocks, want) {
		t.Errorf("blocks of %s are %v; want %v", picture, s.Blocks, want)
	}
	for slot, i := range s.Index {
		if s.Blocks[i] != slot {
			t.Errorf("slot %d of %s has index %d", slot, picture, i)
		}
	}
}

// TestParityMapsOneToOne draws geometries at random and checks that no two
// bytes of the array share a place.
func TestParityMapsOneToOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pic := rapid.SampledFrom(pictures).Draw(t, "picture")
		slots := rapid.IntRange(4, 20).Draw(t, "slots")
		chunk := int64(512) << rapid.IntRange(0, 4).Draw(t, "chunk")
		rows := rapid.Int64Range(1, 50).Draw(t, "rows")
		g, err := raid.NewParity(pic.level, slots, rows*chunk, chunk, pic.layout)
		if err != nil {
			t.Fatal(err)
		}
		seen := make(map[raid.Place]bool)
		for off := int64(0); off < g.Size(); off += chunk {
			at := g.Map(off)
			if at.Len != chunk || at.Off < 0 || at.Off+at.Len > rows*chunk || at.Slot < 0 || at.Slot >= slots || seen[at] {
				t.Fatalf("offset %d maps to %+v", off, at)
			}
			seen[at] = true
			s := g.Stripe(at.Off / chunk)
			if at.Slot == s.P || at.Slot == s.Q {
				t.Fatalf("offset %d maps to parity", off)
			}
		}
	})
}

func TestLinear(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rounding := 512 * rapid.Int64Range(0, 5).Draw(t, "rounding")
		sizes := rapid.SliceOfN(rapid.Int64Range(0, 20), 1, 6).Draw(t, "sectors")
		var want []raid.Place // of every array sector, in order
		for slot := range sizes {
			n := sizes[slot]
			if rounding > 0 {
				n = n / (rounding / 512) * (rounding / 512)
			}
			for s := range n {
				want = append(want, raid.Place{Slot: slot, Off: s * 512, Len: (n - s) * 512})
			}
			sizes[slot] *= 512
		}
		g, err := raid.NewLinear(sizes, rounding)
		if err != nil {
			t.Fatal(err)
		}
		if g.Size() != int64(len(want))*512 {
			t.Fatalf("size %d; want %d sectors", g.Size(), len(want))
		}
		for i, w := range want {
			if got := g.Map(int64(i) * 512); got != w {
				t.Fatalf("sector %d maps to %+v; want %+v", i, got, w)
			}
		}
	})
}

// TestRAID0 lays chunks out one after another: row after row over the members
// that still have room. In the original layout a row of a later zone starts
// with the member whose turn it would be if the array had always had that many
// members.
func TestRAID0(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		layout := rapid.SampledFrom([]int{raid.RAID0Original, raid.RAID0Alternate}).Draw(t, "layout")
		chunk := 512 * rapid.Int64Range(1, 9).Draw(t, "chunk")
		sizes := rapid.SliceOfN(rapid.Int64Range(0, 40), 1, 6).Draw(t, "sectors")
		total := int64(0)
		for i := range sizes {
			whole := sizes[i] * 512 / chunk * chunk
			total += whole / 512 &^ (chunk/512 - 1) * 512
			sizes[i] *= 512
		}
		g, err := raid.NewRAID0(sizes, chunk, layout)
		if err != nil {
			t.Fatal(err)
		}
		if g.Size() != total {
			t.Fatalf("size %d; want %d", g.Size(), total)
		}
		number, zone, zones, start := int64(0), "", 0, int64(0)
		for row := int64(0); ; row++ {
			var with []int
			for slot, size := range sizes {
				if size/chunk > row {
					with = append(with, slot)
				}
			}
			if len(with) == 0 {
				break
			}
			if is := fmt.Sprint(with); is != zone {
				zone, zones, start = is, zones+1, number
			}
			for i := range with {
				turn := i
				if layout == raid.RAID0Original {
					turn = (int(start) + i) % len(with)
				}
				off := number * chunk
				number++
				if off >= total {
					continue
				}
				want := raid.Place{Slot: with[turn], Off: row * chunk, Len: min(chunk, total-off)}
				if got := g.Map(off); got != want {
					t.Fatalf("chunk %d maps to %+v; want %+v", number-1, got, want)
				}
			}
		}
		if g.Zones() != zones {
			t.Fatalf("%d zones; want %d", g.Zones(), zones)
		}
	})
}

func TestRAID0WithoutALayout(t *testing.T) {
	if _, err := raid.NewRAID0([]int64{8192, 16384, 16384}, 4096, 0); !errors.Is(err, raid.ErrGeometry) {
		t.Errorf("two zones of several members and no layout gave %v; want %v", err, raid.ErrGeometry)
	}
	for _, sizes := range [][]int64{{8192, 8192}, {8192, 16384}} {
		if _, err := raid.NewRAID0(sizes, 4096, 0); err != nil {
			t.Errorf("sizes %v need no layout, but: %v", sizes, err)
		}
	}
}

// naiveRAID10 lays copies out like cards: every chunk near times in a row over
// the slots. With far copies the resulting table is repeated far times (far
// layout: as a whole; offset layout: row by row), each repeat rotated to the
// right by near slots within sets of set slots.
func naiveRAID10(slots, rows, near, far, set int, offset bool) [][]int {
	first := make([][]int, rows) // row -> slot -> chunk
	for k := range rows * slots {
		if k%slots == 0 {
			first[k/slots] = make([]int, slots)
		}
		first[k/slots][k%slots] = k / near
	}
	turn := func(row []int, by int) []int {
		out := make([]int, slots)
		for i := range out {
			base, n := i/set*set, set
			if slots%set != 0 && i >= (slots/set-1)*set {
				base, n = (slots/set-1)*set, set+slots%set
			}
			out[base+(i-base+by)%n] = row[i]
		}
		return out
	}
	var table [][]int
	if offset {
		for _, row := range first {
			for f := range far {
				table = append(table, turn(row, f*near))
			}
		}
		return table
	}
	for f := range far {
		for _, row := range first {
			table = append(table, turn(row, f*near))
		}
	}
	return table
}

func TestRAID10(t *testing.T) {
	const chunk = 1024
	rapid.Check(t, func(t *rapid.T) {
		slots := rapid.IntRange(2, 11).Draw(t, "slots")
		l := raid.RAID10Layout{Near: 1, Far: 1, FarSets: rapid.IntRange(0, 2).Draw(t, "sets")}
		if rapid.Bool().Draw(t, "near") {
			l.Near = rapid.IntRange(2, slots).Draw(t, "copies")
			l.FarSets = 0
		} else {
			l.Far = rapid.IntRange(2, slots).Draw(t, "copies")
			l.Offset = rapid.Bool().Draw(t, "offset")
		}
		set := []int{slots, slots / l.Far, l.Near * l.Far}[l.FarSets]
		// Whole tables only: the next test has sections that end within a row.
		rows := l.Near * rapid.IntRange(1, 6).Draw(t, "rows")
		g, err := raid.NewRAID10(slots, int64(rows*l.Far)*chunk, chunk, l)
		if err != nil {
			t.Fatal(err)
		}
		table := naiveRAID10(slots, rows, l.Near, l.Far, set, l.Offset)
		if g.Size() != int64(rows*slots/l.Near)*chunk || g.Used() != int64(len(table))*chunk {
			t.Fatalf("size %d, used %d", g.Size(), g.Used())
		}
		want := make(map[int][]raid.Place)
		for row, chunks := range table {
			for slot, c := range chunks {
				want[c] = append(want[c], raid.Place{Slot: slot, Off: int64(row)*chunk + 7, Len: chunk - 7})
			}
		}
		for c, places := range want {
			got := g.Map(int64(c)*chunk+7, nil)
			slices.SortFunc(got, func(a, b raid.Place) int {
				if a.Off != b.Off {
					return int(a.Off - b.Off)
				}
				return a.Slot - b.Slot
			})
			if !slices.Equal(got, places) {
				t.Fatalf("chunk %d of %+v has copies at %+v; want %+v", c, l, got, places)
			}
		}
	})
}

// TestRAID10KeepsCopiesApart takes any geometry that md accepts, uneven ones
// too: the places of all copies are inside the members and used once, and
// copies of a chunk are on different slots (except in far sets smaller than the
// number of copies, which is what was wrong with the first attempt).
func TestRAID10KeepsCopiesApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		slots := rapid.IntRange(2, 9).Draw(t, "slots")
		l := raid.RAID10Layout{Near: 1, Far: 1}
		n := rapid.IntRange(2, slots).Draw(t, "copies")
		switch rapid.IntRange(0, 2).Draw(t, "kind") {
		case 0:
			l.Near = n
		case 1:
			l.Far = n
		case 2:
			l.Far, l.Offset = n, true
		}
		member := rapid.Int64Range(0, 200).Draw(t, "sectors") * 512
		g, err := raid.NewRAID10(slots, member, 4096, l)
		if err != nil {
			t.Fatal(err)
		}
		if g.Copies() != n {
			t.Fatalf("%d copies; want %d", g.Copies(), n)
		}
		seen := make(map[raid.Place]bool)
		for off := int64(0); off < g.Size(); off += 4096 {
			on := make(map[int]bool)
			for _, at := range g.Map(off, nil) {
				if at.Off+at.Len > g.Used() || g.Used() > member || on[at.Slot] || seen[at] {
					t.Fatalf("offset %d of %d: copy at %+v, used %d of %d", off, g.Size(), at, g.Used(), member)
				}
				on[at.Slot], seen[at] = true, true
			}
		}
	})
}

func TestImpossibleGeometries(t *testing.T) {
	l := func(sizes []int64, rounding int64) error { _, err := raid.NewLinear(sizes, rounding); return err }
	z := func(sizes []int64, chunk int64) error { _, err := raid.NewRAID0(sizes, chunk, 1); return err }
	p := func(level, slots int, size, chunk int64, layout int) error {
		_, err := raid.NewParity(level, slots, size, chunk, layout)
		return err
	}
	m := func(slots int, size, chunk int64, layout raid.RAID10Layout) error {
		_, err := raid.NewRAID10(slots, size, chunk, layout)
		return err
	}
	n2 := raid.RAID10Layout{Near: 2, Far: 1}
	const huge = 1<<63 - 512
	for i, err := range []error{
		l(nil, 0), l([]int64{511}, 0), l([]int64{-512}, 0), l([]int64{512}, 100), l([]int64{huge, 512}, 0),
		z(nil, 512), z([]int64{512}, 0), z([]int64{512}, -512), z([]int64{512}, 1000), z([]int64{huge, huge}, 512),
		p(3, 3, 512, 512, 2), p(5, 1, 512, 512, 2), p(6, 3, 512, 512, 2), p(5, 257, 512, 512, 2), p(6, 258, 512, 512, 2),
		p(5, 3, 512, 1536, 2), p(5, 3, 512, 0, 2), p(5, 3, 512, 512, 6), p(5, 3, 512, 512, 8), p(6, 4, 512, 512, 7),
		p(6, 4, 512, 512, 21), p(5, 3, -512, 512, 2), p(5, 3, huge, 512, 2), p(5, 3, 512, 512, -1),
		m(1, 512, 512, n2), m(0, 512, 512, n2), m(70000, 512, 512, n2), m(2, 512, 1536, n2), m(2, huge, 512, n2),
		m(4, 512, 512, raid.RAID10Layout{Near: 1, Far: 1}), m(4, 512, 512, raid.RAID10Layout{Near: 0, Far: 2}),
		m(4, 512, 512, raid.RAID10Layout{Near: 5, Far: 1}), m(4, 512, 512, raid.RAID10Layout{Near: 2, Far: 1, FarSets: 3}),
		m(2, -1, 512, n2),
	} {
		var why *raid.GeometryError
		if !errors.Is(err, raid.ErrGeometry) || !errors.As(err, &why) || why.Why == "" {
			t.Errorf("case %d gave %v; want %v", i, err, raid.ErrGeometry)
		}
	}
}
