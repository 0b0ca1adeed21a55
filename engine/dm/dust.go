package dm

import "github.com/mdkit/mdkit/engine/dm/lex"

import "strings"

// Dust fails reads of the blocks that messages name (dm-dust.c).
type Dust struct {
	Span
	Block uint32 // bytes: a power of two, at least 512
}

// Type is "dust".
func (Dust) Type() string { return "dust" }

// Params is `<dev> <offset> <block>`.
func (a Dust) Params() string { return join(append(a.Span.words(), utoa(a.Block))...) }

// Devices is the one device.
func (a Dust) Devices() []Ref { return []Ref{Ref(a.Device)} }

func (a Dust) areas(length uint64) []area { return []area{{a.Device, a.Offset, length}} }

// dustMaxBlock is DUST_MAX_BLKSZ_SECTORS.
const dustMaxBlock = 2097152

func parseDust(c *ctr) (Args, error) {
	if len(c.args) != 3 {
		return nil, c.fail("", "Invalid argument count")
	}
	var a Dust
	a.Device = c.next()
	offset := c.next()
	block, ok := lex.Kstrtou(c.next(), 32)
	limit := uint64(dustMaxBlock)
	if c.length > 0 {
		limit = min(limit, c.length)
	}
	switch a.Block = uint32(block); {
	case !ok || block == 0:
		return nil, c.fail("block", "Invalid block size parameter")
	case block < 512:
		return nil, c.fail("block", "Block size must be at least 512")
	case !powerOfTwo(block):
		return nil, c.fail("block", "Block size must be a power of 2")
	case block>>9 > limit:
		return nil, c.fail("block", "Block size is too large")
	}
	if a.Offset, ok = lex.ScanU64(offset); !ok {
		return nil, c.fail("offset", "Invalid device offset sector")
	}
	if _, err := c.device("device", a.Device, "Device lookup failed"); err != nil {
		return nil, err
	}
	return a, nil
}

// DustStatus is the state of a dust target.
type DustStatus struct {
	Device   string // "major:minor"
	FailRead bool   // reads of bad blocks fail
	Quiet    bool   // nothing is logged
}

// Type is "dust".
func (DustStatus) Type() string { return "dust" }

// String is `<dev> fail_read_on_bad_block|bypass quiet|verbose`.
func (s DustStatus) String() string {
	mode, voice := "bypass", "verbose"
	if s.FailRead {
		mode = "fail_read_on_bad_block"
	}
	if s.Quiet {
		voice = "quiet"
	}
	return strings.Join([]string{s.Device, mode, voice}, " ")
}

func parseDustStatus(s *scan) (Status, error) {
	return DustStatus{
		Device:   s.word("device"),
		FailRead: s.either("mode", "fail_read_on_bad_block", "bypass"),
		Quiet:    s.either("voice", "quiet", "verbose"),
	}, nil
}
