package raid

import "fmt"

// Layouts of RAID4, 5 and 6 (drivers/md/raid5.h, ALGORITHM_*). RAID4 has none:
// its parity is always on the last slot. 8 and above are RAID6 only.
const (
	LeftAsymmetric      = 0
	RightAsymmetric     = 1
	LeftSymmetric       = 2
	RightSymmetric      = 3
	ParityFirst         = 4
	ParityLast          = 5
	RotatingZeroRestart = 8
	RotatingNRestart    = 9
	RotatingNContinue   = 10
	LeftAsymmetric6     = 16
	RightAsymmetric6    = 17
	LeftSymmetric6      = 18
	RightSymmetric6     = 19
	ParityFirst6        = 20
)

// Stripe says which slot holds what in one row of chunks.
type Stripe struct {
	// P and Q are the slots of the parity chunks; Q is -1 below RAID6.
	P, Q int
	// Data has the slot of each data chunk, in the order of the array.
	Data []int
	// Blocks has the slots in the order in which the parity functions of this
	// package take their blocks: the data chunks by their exponent in Q, then
	// P, then Q. In the DDF layouts it has holes, which are -1 and count as
	// zeroes.
	Blocks []int
	// Index is the inverse of Blocks: the position of each slot in it.
	Index []int
}

// Parity is the geometry of RAID4, 5 and 6 (drivers/md/raid5.c).
type Parity struct {
	chunk   int64
	rows    int64
	data    int64
	stripes []Stripe // one period of the layout
}

// NewParity makes the geometry of a RAID of the given level (4, 5 or 6) over
// slots members, each of which contributes memberSize bytes, rounded down to
// whole chunks. The layout is ignored for level 4.
func NewParity(level, slots int, memberSize, chunk int64, layout int) (*Parity, error) {
	name, parities, err := parityLevel(level)
	if err != nil {
		return nil, err
	}
	if err := checkPowerOfTwo(name, chunk); err != nil {
		return nil, err
	}
	// setup_conf in raid5.c requires at least four for RAID6. Q can tell 255
	// data chunks apart.
	if least := 2 * parities; slots < least || slots > 255+parities {
		return nil, &GeometryError{name, "number of slots", int64(slots), fmt.Sprintf("must be from %d to %d", least, 255+parities)}
	}
	if memberSize < 0 || memberSize > maxInt64/int64(slots) {
		return nil, &GeometryError{name, "member size", memberSize, "the array would be too large"}
	}
	p := &Parity{chunk: chunk, rows: memberSize / chunk, data: int64(slots - parities)}
	for row := range slots {
		s, ok := stripeOf(level, layout, slots, row)
		if !ok {
			return nil, &GeometryError{name, "layout", int64(layout), "not a layout of this level"}
		}
		p.stripes = append(p.stripes, s)
	}
	// Layouts that keep Q on the last slot have a period one row shorter.
	if level == 6 && layout >= LeftAsymmetric6 {
		p.stripes = p.stripes[:slots-1]
	}
	return p, nil
}

const maxInt64 = 1<<63 - 1

func parityLevel(level int) (name string, parities int, err error) {
	switch level {
	case 4:
		return "raid4", 1, nil
	case 5:
		return "raid5", 1, nil
	case 6:
		return "raid6", 2, nil
	}
	return "", 0, &GeometryError{"parity raid", "level", int64(level), "must be 4, 5 or 6"}
}

// stripeOf works out one row; see raid5.c, raid5_compute_sector.
func stripeOf(level, layout, slots, row int) (s Stripe, ok bool) {
	switch level {
	case 4:
		s = Stripe{P: slots - 1, Q: -1, Data: rotated(slots, 0, slots-1, -1)}
		ok = true
	case 5:
		s, ok = stripe5(layout, slots, row)
	case 6:
		s, ok = stripe6(layout, slots, row)
	}
	if !ok {
		return s, false
	}
	s.arrange(slots, level == 6 && layout >= RotatingZeroRestart && layout <= RotatingNContinue)
	return s, true
}

// stripe5 returns P and the data slots of a row of RAID5 over n slots. P walks
// left or right; data either restarts at the first slot in every row
// (asymmetric) or continues after P (symmetric).
func stripe5(layout, n, row int) (s Stripe, ok bool) {
	s = Stripe{Q: -1}
	left, right := n-1-row%n, row%n
	switch layout {
	case LeftAsymmetric:
		s.P, s.Data = left, rotated(n, 0, left, -1)
	case RightAsymmetric:
		s.P, s.Data = right, rotated(n, 0, right, -1)
	case LeftSymmetric:
		s.P, s.Data = left, rotated(n, left+1, left, -1)
	case RightSymmetric:
		s.P, s.Data = right, rotated(n, right+1, right, -1)
	case ParityFirst:
		s.P, s.Data = 0, rotated(n, 0, 0, -1)
	case ParityLast:
		s.P, s.Data = n-1, rotated(n, 0, n-1, -1)
	default:
		return s, false
	}
	return s, true
}

// stripe6 returns P, Q and the data slots of a row of RAID6 over n slots. Q is
// to the right of P, wrapping around if need be; the layouts of converted
// RAID5s have it on the last slot, and one DDF layout to the left of P.
func stripe6(layout, n, row int) (s Stripe, ok bool) {
	left, right := n-1-row%n, row%n
	from := 0
	switch layout {
	case LeftAsymmetric:
		s.P = left
	case RightAsymmetric, RotatingZeroRestart:
		s.P = right
	case LeftSymmetric:
		s.P, from = left, left+2
	case RightSymmetric:
		s.P, from = right, right+2
	case ParityFirst:
		s.P = 0
	case ParityLast:
		s.P = n - 2
	case RotatingNRestart:
		s.P = n - 1 - (row+1)%n
	case RotatingNContinue:
		s.P, s.Q = left, (left+n-1)%n
		s.Data = rotated(n, left+1, s.P, s.Q)
		return s, true
	case LeftAsymmetric6, RightAsymmetric6, LeftSymmetric6, RightSymmetric6, ParityFirst6:
		s, ok = stripe5(layout-LeftAsymmetric6, n-1, row)
		s.Q = n - 1
		return s, ok
	default:
		return s, false
	}
	s.Q = (s.P + 1) % n
	s.Data = rotated(n, from, s.P, s.Q)
	return s, true
}

// rotated lists n slots from the given one on, wrapping around, without p and
// q.
func rotated(n, from, p, q int) []int {
	list := make([]int, 0, n)
	for i := range n {
		if slot := (from + i) % n; slot != p && slot != q {
			list = append(list, slot)
		}
	}
	return list
}

// arrange fills Blocks and Index. Where Q matters, md counts its exponents from
// the slot after Q on, leaving parity out; DDF counts from slot 0 and treats
// the parity slots as holes (raid5.c, raid6_d0, raid6_idx_to_slot). Without Q
// any order will do, so the order of the array is taken.
func (s *Stripe) arrange(slots int, ddf bool) {
	switch {
	case s.Q < 0:
		s.Blocks = append(s.Blocks, s.Data...)
	case ddf:
		for slot := range slots {
			if slot == s.P || slot == s.Q {
				slot = -1
			}
			s.Blocks = append(s.Blocks, slot)
		}
	default:
		s.Blocks = rotated(slots, s.Q+1, s.P, s.Q)
	}
	s.Blocks = append(s.Blocks, s.P)
	if s.Q >= 0 {
		s.Blocks = append(s.Blocks, s.Q)
	}
	s.Index = make([]int, slots)
	for i, slot := range s.Blocks {
		if slot >= 0 {
			s.Index[slot] = i
		}
	}
}

// Size returns the size of the array in bytes.
func (p *Parity) Size() int64 { return p.rows * p.data * p.chunk }

// Rows returns how many rows of chunks the array has.
func (p *Parity) Rows() int64 { return p.rows }

// Chunk returns the chunk size in bytes.
func (p *Parity) Chunk() int64 { return p.chunk }

// DataSlots returns how many chunks of a row hold data.
func (p *Parity) DataSlots() int { return int(p.data) }

// Stripe says which slot holds what in a row, counted from 0. The result is
// shared and must not be changed.
func (p *Parity) Stripe(row int64) *Stripe { return &p.stripes[row%int64(len(p.stripes))] }

// Map returns the place of array offset off, which must be in [0, Size).
func (p *Parity) Map(off int64) Place {
	row, index, within := p.Locate(off)
	return Place{Slot: p.Stripe(row).Data[index], Off: row*p.chunk + within, Len: p.chunk - within}
}

// Locate splits array offset off: its row, which data chunk of the row, and the
// byte in that chunk.
func (p *Parity) Locate(off int64) (row int64, index int, within int64) {
	number := off / p.chunk
	return number / p.data, int(number % p.data), off % p.chunk
}
