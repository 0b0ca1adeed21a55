package block

import (
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
)

// Crash is a device with a volatile write cache whose power can be cut. It
// passes writes on to its base only at Sync; reads see them at once. When the
// power goes, every 512-byte sector written since the last Sync independently
// ends up with one of the contents it has had since then, or with the one
// before. That is all a disk promises: writes may land in any order, in part,
// or not at all.
//
// Sectors are atomic, as they are on disks; a write of more than one may be
// torn between them. A write to part of a sector changes the whole sector.
type Crash struct {
	base  Device
	power *Power

	mu      sync.Mutex
	pending map[int64][]version // by sector, oldest first
	off     bool
}

// version is one content of a sector that has not been synced yet.
type version struct {
	op   int // number of the operation on the supply, for cuts in order
	data *[SectorSize]byte
}

// NewCrash makes a crash device on base with a power supply of its own. The
// same seed and the same operations give the same outcome of a cut.
func NewCrash(base Device, seed uint64) *Crash { return NewPower(seed).Attach(base) }

// Name returns the name of the base.
func (c *Crash) Name() string { return Name(c.base) }

// Size returns the size of the base in bytes.
func (c *Crash) Size() int64 { return c.base.Size() }

// Crash cuts the power of this device and of all others on its supply; see
// Power.Cut.
func (c *Crash) Crash() error { return c.power.Cut() }

// ReadAt implements io.ReaderAt; see Device. After a power cut it fails with
// ErrClosed.
func (c *Crash) ReadAt(p []byte, off int64) (int, error) {
	n, eof := ReadSpan(c.Name(), c.Size(), off, len(p))
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.off {
		return 0, c.dead("read", off, int64(len(p)))
	}
	if n == 0 {
		return 0, eof
	}
	if err := c.read(p[:n], off); err != nil {
		return 0, err
	}
	return n, eof
}

// read fills p from the base and then from what is pending.
func (c *Crash) read(p []byte, off int64) error {
	if err := ReadFull(c.base, p, off); err != nil {
		return err
	}
	for s := range parts(off, len(p)) {
		if v := c.pending[s.sector]; len(v) > 0 {
			copy(p[s.start()+int64(s.from)-off:], v[len(v)-1].data[s.from:s.to])
		}
	}
	return nil
}

// WriteAt implements io.WriterAt; see Device. What it wrote may be lost until
// Sync returns. If the power goes during the write, part of it may land; this
// and every later call then fails with ErrClosed.
func (c *Crash) WriteAt(p []byte, off int64) (int, error) {
	if err := CheckRange("write", c.Name(), c.Size(), off, int64(len(p))); err != nil {
		return 0, err
	}
	if err := c.change("write", off, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Discard acts as a write of zeroes: it may be lost or torn just the same.
func (c *Crash) Discard(off, length int64) error {
	if err := CheckRange("discard", c.Name(), c.Size(), off, length); err != nil {
		return err
	}
	return c.change("discard", off, make([]byte, length))
}

// change counts an operation, keeps its data as pending, and cuts the power if
// the time has come.
func (c *Crash) change(what string, off int64, p []byte) error {
	if len(p) == 0 {
		return nil
	}
	op, last := c.power.tick()
	err := c.keep(op, what, off, p)
	if last && err == nil {
		if err = c.power.Cut(); err == nil {
			err = c.dead(what, off, int64(len(p)))
		}
	}
	return err
}

// keep appends a version to each sector that [off, off+len(p)) touches.
func (c *Crash) keep(op int, what string, off int64, p []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.off {
		return c.dead(what, off, int64(len(p)))
	}
	for s := range parts(off, len(p)) {
		next := new([SectorSize]byte)
		if s.to-s.from < SectorSize {
			if err := c.read(next[:min(SectorSize, c.Size()-s.start())], s.start()); err != nil {
				return err
			}
		}
		copy(next[s.from:s.to], p[s.start()+int64(s.from)-off:])
		c.pending[s.sector] = append(c.pending[s.sector], version{op, next})
	}
	return nil
}

// Sync passes everything pending on to the base and syncs it.
func (c *Crash) Sync() error {
	if _, last := c.power.tick(); last {
		if err := c.power.Cut(); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.off {
		return c.dead("sync", -1, 0)
	}
	if err := c.flush(c.base, func(v []version) int { return len(v) }); err != nil {
		return err
	}
	clear(c.pending)
	return c.base.Sync()
}

// flush writes to dst the version of each pending sector that pick returns:
// 0 for none (what was there before), 1 for the oldest, and so on.
func (c *Crash) flush(dst Device, pick func([]version) int) error {
	for _, sector := range slices.Sorted(maps.Keys(c.pending)) {
		versions := c.pending[sector]
		n := pick(versions)
		if n == 0 {
			continue
		}
		off := sector * SectorSize
		data := versions[n-1].data[:min(SectorSize, c.Size()-off)]
		if _, err := dst.WriteAt(data, off); err != nil {
			return err
		}
	}
	return nil
}

// States yields what the device could hold after a power cut now, each as an
// overlay on the base, without cutting the power. If there are at most limit
// such states, it yields each of them once; otherwise it yields limit of them,
// chosen as a cut would choose, which may repeat. The device must not be used
// during the walk.
func (c *Crash) States(limit int) iter.Seq[*Overlay] {
	return func(yield func(*Overlay) bool) {
		c.mu.Lock()
		defer c.mu.Unlock()
		total := 1
		for _, v := range c.pending {
			if total *= len(v) + 1; total > limit {
				break
			}
		}
		exact := total <= limit
		for i := range min(total, limit) {
			pick := digits(i)
			if !exact {
				pick = c.power.choose(c.ops())
			}
			state := NewOverlay(c.base)
			_ = c.flush(state, pick) // an overlay takes any write in range
			if !yield(state) {
				return
			}
		}
	}
}

// digits reads n as a number with one mixed-base digit for each sector, so
// that counting visits every combination.
func digits(n int) func([]version) int {
	return func(v []version) int {
		base := len(v) + 1
		digit := n % base
		n /= base
		return digit
	}
}

// ops lists the operations that have something pending, in order.
func (c *Crash) ops() []int {
	seen := make(map[int]bool)
	for _, versions := range c.pending {
		for _, v := range versions {
			seen[v.op] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// losePower lets a seeded choice of what is pending land, and loses the rest.
func (c *Crash) losePower() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.off = true
	err := c.flush(c.base, c.power.choose(c.ops()))
	clear(c.pending)
	return err
}

func (c *Crash) dead(op string, off, length int64) error {
	return &Error{Op: op, Device: c.Name(), Off: off, Len: length, Err: ErrClosed}
}

// part is bytes [from, to) of a sector.
type part struct {
	sector   int64
	from, to int
}

// start is the offset of the sector, in bytes.
func (p part) start() int64 { return p.sector * SectorSize }

// parts yields the parts of sectors that the length bytes at off touch.
func parts(off int64, length int) iter.Seq[part] {
	return func(yield func(part) bool) {
		for end := off + int64(length); off < end; {
			from := int(off % SectorSize)
			to := int(min(end-off+int64(from), SectorSize))
			if !yield(part{off / SectorSize, from, to}) {
				return
			}
			off += int64(to - from)
		}
	}
}

// Power is a power supply shared by any number of crash devices, so that the
// members of an array lose power at the same moment.
type Power struct {
	mu      sync.Mutex
	rng     *rand.Rand
	devices []*Crash
	done    int // operations so far
	cutAt   int // the operation during which the power goes; 0 for never
	off     bool
}

// NewPower makes a power supply. The seed decides what survives a cut.
func NewPower(seed uint64) *Power {
	return &Power{rng: rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15))}
}

// Attach makes a crash device on base that runs on this supply.
func (p *Power) Attach(base Device) *Crash {
	c := &Crash{base: base, power: p, pending: make(map[int64][]version)}
	p.mu.Lock()
	defer p.mu.Unlock()
	c.off = p.off
	p.devices = append(p.devices, c)
	return c
}

// Ops returns how many writes, discards and syncs the devices have seen. A
// test runs once to learn the number, and then once for each of them with
// CutAfter.
func (p *Power) Ops() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.done
}

// CutAfter cuts the power during the n-th operation from now (1 is the next
// one): a write may then land in part, and a sync does nothing.
func (p *Power) CutAfter(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cutAt = p.done + n
}

// Cut cuts the power of all devices. Each base then holds what a disk might
// hold after a power cut, chosen by the seed: sometimes nothing of what was not
// synced, sometimes all of it, sometimes the writes in order up to one that is
// torn, mostly any mix. The devices fail with ErrClosed from then on; the bases
// can be read. A second cut does nothing.
func (p *Power) Cut() error {
	p.mu.Lock()
	if p.off {
		p.mu.Unlock()
		return nil
	}
	p.off = true
	devices := slices.Clone(p.devices)
	p.mu.Unlock()
	for _, c := range devices {
		if err := c.losePower(); err != nil {
			return err
		}
	}
	return nil
}

// tick counts an operation and reports whether the power goes during it.
func (p *Power) tick() (op int, last bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
	return p.done, p.done == p.cutAt
}

// choose draws which version of each sector survives; ops are the pending
// operations in order.
func (p *Power) choose(ops []int) func([]version) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	rng := rand.New(rand.NewPCG(p.rng.Uint64(), p.rng.Uint64()))
	switch mode := rng.IntN(8); {
	case mode == 0 || len(ops) == 0:
		return func([]version) int { return 0 }
	case mode == 1:
		return func(v []version) int { return len(v) }
	case mode < 4:
		return upTo(ops[rng.IntN(len(ops))], rng)
	}
	return func(v []version) int { return rng.IntN(len(v) + 1) }
}

// upTo keeps what was written before the last of the operations, and a random
// number of the first sectors of that one.
func upTo(last int, rng *rand.Rand) func([]version) int {
	landing := rng.IntN(16)
	return func(versions []version) int {
		n := 0
		for _, v := range versions {
			if v.op < last || v.op == last && landing > 0 {
				n++
			}
			if v.op == last {
				landing--
			}
		}
		return n
	}
}
