package md

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/mdkit/mdkit/engine/binfmt"
	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/finding"
)

// Rules about the metadata beside the superblocks, which need the device.
var (
	ruleRead          = &Rule{"md.read", "", finding.Fatal, "the metadata can be read"}
	ruleNone          = &Rule{"md.none", "", finding.Fatal, "there is a superblock"}
	ruleBitmapBits    = &Rule{"md.bitmap.bits", "bits", finding.Error, "the bits can be read, and the bytes of a lockless bitmap are states"}
	ruleBitmapCopy    = &Rule{"md.bitmap.copy", "nodes", finding.Error, "every node has its copy of a clustered bitmap"}
	ruleBadBlockEntry = &Rule{"md.badblocks.entry", "", finding.Error, "entries of the bad block log are sectors of the device, each once"}
	ruleBadBlockOrder = &Rule{"md.badblocks.order", "", finding.Info, "entries of the bad block log are in order; kernels before 6.8 lose sight of those that are not"}
	ruleBadBlockEmpty = &Rule{"md.badblocks.empty", "", finding.Warning, "the bad block log is not empty if the superblock says so"}
)

func deviceRules() []*Rule {
	return slices.Concat([]*Rule{
		ruleRead, ruleNone, ruleBitmapBits, ruleBitmapCopy, ruleBadBlockEntry, ruleBadBlockOrder, ruleBadBlockEmpty,
	}, logRules())
}

// checker passes findings to the caller of a check.
type checker struct {
	m    *Member
	yld  func(finding.Finding) bool
	over bool // the caller wants no more
}

// report yields a finding. off is in bytes from the start of the device, -1 if the
// finding has no place.
func (c *checker) report(r *Rule, off, length int64, why string, args ...any) {
	if c.over {
		return
	}
	c.over = !c.yld(finding.Finding{
		Rule: r.ID, Severity: r.Severity, Device: c.m.Name, Field: r.Field,
		Off: off, Len: length, Message: fmt.Sprintf(why, args...),
	})
}

// failed reports an error as a finding of r, at the place the error names.
func (c *checker) failed(r *Rule, err error) {
	var e *binfmt.Error
	if errors.As(err, &e) {
		bare := *e
		bare.Device, bare.Op = "", ""
		c.report(r, e.Off, 0, "%v", &bare)
		return
	}
	c.report(r, -1, 0, "%v", err)
}

// applyRules applies the rules to the structure at base.
func applyRules[S any](c *checker, rules []superRule[S], l *binfmt.Layout[S], base int64, s *S) {
	for i := range rules {
		r := &rules[i]
		if r.bad == nil || c.over {
			continue
		}
		if why := r.bad(c.m, s); why != "" {
			off, length := base, int64(l.Size)
			if f := l.Field(r.Field); f != nil {
				off, length = base+int64(f.Off), int64(f.Size)
			}
			c.report(&r.Rule, off, length, "%s", why)
		}
	}
}

// ruleFor returns the rule that a parser's error is about: the first one for its
// field.
func ruleFor[S any](rules []superRule[S], err error) *Rule {
	var e *binfmt.Error
	if errors.As(err, &e) {
		for i := range rules {
			if rules[i].Field == e.Field {
				return &rules[i].Rule
			}
		}
		if e.Field == "dev_roles" {
			return ruleFor(rules, &binfmt.Error{Field: "max_dev", Err: e.Err})
		}
	}
	return ruleRead
}

// Check yields what is wrong with a member's superblock, bitmap, bad block log,
// partial parity log and journal. It changes nothing and goes on after the first
// finding; a sound member yields none.
func Check(d block.Device, m *Member) iter.Seq[finding.Finding] {
	return func(yield func(finding.Finding) bool) {
		c := &checker{m: m, yld: yield}
		c.super()
		for _, v := range m.Others {
			off, _ := v.SuperOffset(m.Size)
			c.report(ruleStray, off, 4, "carries an older superblock of version %v too", v)
		}
		if c.over || m.Super1 != nil && m.Super1.DevRoles == nil && m.Err != nil {
			return
		}
		c.bitmap(d)
		c.badBlocks(d)
		c.ppl(d)
		c.journal(d)
	}
}

// CheckDevice reads the superblock of d as ReadMember does and yields what Check
// does. If there is none, it yields a finding for each place that looks as if it
// had held one, or else a finding that there is none.
func CheckDevice(d block.Device, want ...Version) iter.Seq[finding.Finding] {
	return func(yield func(finding.Finding) bool) {
		m, err := ReadMember(d, want...)
		if err == nil {
			Check(d, m)(yield)
			return
		}
		c := &checker{m: &Member{Name: block.Name(d), Size: d.Size()}, yld: yield}
		var none *NoSuperError
		if !errors.As(err, &none) {
			c.failed(ruleRead, err)
			return
		}
		for _, near := range none.Near {
			var e *binfmt.Error
			if errors.As(near, &e) && e.Format == super0Layout().Format {
				c.failed(ruleFor(rules0, near), near)
			} else {
				c.failed(ruleFor(rules1, near), near)
			}
		}
		found := len(none.Near) > 0
		for _, v := range want {
			found = c.lostMagic(d, v) || found
		}
		if len(want) == 0 {
			for _, v := range guessOrder {
				found = c.lostMagic(d, v) || found
			}
		}
		if !found {
			c.report(ruleNone, -1, 0, "no md superblock")
		}
	}
}

// lostMagic reports a superblock that has lost only its magic number: once it is
// put back, the checksum is right.
func (c *checker) lostMagic(d block.Device, v Version) bool {
	off, ok := v.SuperOffset(d.Size())
	if !ok {
		return false
	}
	buf := make([]byte, Super1Size)
	if block.ReadFull(d, buf, off) != nil {
		return false
	}
	if v.Major == 0 {
		for _, o := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
			got := o.Uint32(buf)
			o.PutUint32(buf, SuperMagic)
			if s, err := ParseSuper0(buf); s != nil && err == nil && s.Order == o {
				c.report(&rules0[0].Rule, off, 4, "magic number is %#x in front of an otherwise sound superblock", got)
				return true
			}
			o.PutUint32(buf, got)
		}
		return false
	}
	got := binary.LittleEndian.Uint32(buf)
	binary.LittleEndian.PutUint32(buf, SuperMagic)
	s, err := ParseSuper1(buf)
	if s == nil || err != nil || s.SuperOffset != uint64(off/SectorSize) {
		return false
	}
	c.report(&rules1[0].Rule, off, 4, "magic number is %#x in front of an otherwise sound superblock", got)
	return true
}

// super checks the superblock by itself.
func (c *checker) super() {
	m := c.m
	if m.Super0 != nil {
		if m.Err != nil {
			c.failed(ruleFor(rules0, m.Err), m.Err)
		}
		applyRules(c, rules0, super0Layout(), m.Offset, m.Super0)
		return
	}
	if m.Err != nil {
		c.failed(ruleFor(rules1, m.Err), m.Err)
	}
	applyRules(c, rules1, super1Layout(), m.Offset, m.Super1)
}

// fault is the first reason for which the kernel would refuse the member, or
// nil.
func (m *Member) fault() *finding.Finding {
	var fatal *finding.Finding
	c := &checker{m: m, yld: func(f finding.Finding) bool {
		if f.Severity == finding.Fatal {
			fatal = &f
			return false
		}
		return true
	}}
	c.super()
	return fatal
}

func (c *checker) bitmap(d block.Device) {
	off, ok := c.m.BitmapOffset()
	if !ok || c.over || c.m.Role() == RoleJournal {
		return
	}
	if off < 0 || off > d.Size()-BitmapSuperSize {
		return // md1.bitmap_offset has reported it
	}
	b, err := c.m.ReadBitmap(d)
	if b == nil {
		c.bitmapFailed(err, off)
		return
	}
	c.bitmapSuper(b, err)
	if err != nil || b.State&BitmapFirstUse != 0 {
		return
	}
	c.bitmapBits(d, b)
	for node := 1; node < b.Copies() && !c.over; node++ {
		// A node that never joined has no copy of its own yet.
		n, err := c.m.ReadBitmapNode(d, b, node)
		switch {
		case n == nil && errors.Is(err, binfmt.ErrMagic):
			c.report(ruleBitmapCopy, b.Offset+int64(node)*int64(b.CopyLen()), 4, "node %d has no copy of the bitmap", node)
		case n == nil:
			c.failed(ruleBitmapCopy, err)
			return
		default:
			c.bitmapSuper(n, err)
		}
	}
}

func (c *checker) bitmapFailed(err error, off int64) {
	if isNear(err) {
		c.failed(ruleFor(rulesBitmap, err), err)
		return
	}
	c.report(ruleRead, off, BitmapSuperSize, "%v", err)
}

func (c *checker) bitmapSuper(b *Bitmap, err error) {
	if err != nil {
		c.failed(ruleFor(rulesBitmap, err), err)
	}
	applyRules(c, rulesBitmap, BitmapLayout(), b.Offset, b)
}

func (c *checker) bitmapBits(d block.Device, b *Bitmap) {
	if c.over || b.Len() > uint64(d.Size()) {
		return // md.bitmap.sectors_reserved has reported it
	}
	for run, err := range b.Runs(d) {
		switch {
		case err != nil:
			c.failed(ruleBitmapBits, err)
			return
		case run.State >= chunkStates:
			c.report(ruleBitmapBits, b.Offset+b.DataOffset()+int64(run.First), int64(run.Count),
				"chunk %d has unknown state %d", run.First, run.State)
		}
		if c.over {
			return
		}
	}
}

func (c *checker) badBlocks(d block.Device) {
	off, length, ok := c.m.BadBlockLog()
	if !ok || c.over || c.m.Super1.FeatureMap&FeatureBadBlocks == 0 ||
		c.m.Super1.BblogSize > badBlockMaxSectors || off < 0 || off > d.Size()-length {
		return // md1.bblog_* have reported it
	}
	list, err := c.m.ReadBadBlocks(d)
	if err != nil {
		c.failed(ruleBadBlockEntry, err)
	} else if len(list) == 0 {
		c.report(ruleBadBlockEmpty, off, badBlockSize, "the superblock says that there are bad blocks, but the log is empty")
	}
	var end, last uint64
	for i, bb := range list {
		at := off + int64(i)*badBlockSize
		limit := uint64(c.m.sectors())
		switch {
		case bb.Sector > limit || uint64(bb.Length) > limit-bb.Sector:
			c.report(ruleBadBlockEntry, at, badBlockSize, "entry %d is %d sectors from sector %d of a device of %d", i, bb.Length, bb.Sector, limit)
		case bb.Sector+uint64(bb.Length) > last && bb.Sector < end:
			c.report(ruleBadBlockEntry, at, badBlockSize, "entry %d at sector %d lies before the end of the one before, %d", i, bb.Sector, end)
		case bb.Sector < last:
			c.report(ruleBadBlockOrder, at, badBlockSize, "entry %d at sector %d comes after one at sector %d", i, bb.Sector, last)
		}
		last = bb.Sector
		end = bb.Sector + uint64(bb.Length)
	}
}
