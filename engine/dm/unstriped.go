package dm

import "github.com/mdkit/mdkit/engine/dm/lex"

// Unstriped is one stripe of the contents of a striped device (dm-unstripe.c).
type Unstriped struct {
	Stripes uint32 // stripes of the striped device
	Chunk   uint32 // its chunk size, in sectors
	Stripe  uint32 // which of them, from 0
	Span
}

// Type is "unstriped".
func (Unstriped) Type() string { return "unstriped" }

// Params is `<stripes> <chunk> <stripe> <dev> <offset>`.
func (a Unstriped) Params() string {
	return join(append([]string{utoa(a.Stripes), utoa(a.Chunk), utoa(a.Stripe)}, a.Span.words()...)...)
}

// Devices is the one device.
func (a Unstriped) Devices() []Ref { return []Ref{Ref(a.Device)} }

func (a Unstriped) areas(length uint64) []area { return []area{{a.Device, a.Offset, length}} }

func parseUnstriped(c *ctr) (Args, error) {
	if len(c.args) != 5 {
		return nil, c.fail("", "Invalid number of arguments")
	}
	stripes, ok := lex.Kstrtou(c.next(), 32)
	if !ok || stripes == 0 {
		return nil, c.fail("stripes", "Invalid stripe count")
	}
	chunk, ok := lex.Kstrtou(c.next(), 32)
	if !ok || chunk == 0 {
		return nil, c.fail("chunk", "Invalid chunk_size")
	}
	stripe, ok := lex.Kstrtou(c.next(), 32)
	if !ok {
		return nil, c.fail("stripe", "Invalid stripe number")
	}
	if stripe > stripes && stripes > 1 {
		return nil, c.fail("stripe", "Please provide stripe between [0, # of stripes]")
	}
	a := Unstriped{Stripes: uint32(stripes), Chunk: uint32(chunk), Stripe: uint32(stripe)}
	a.Device = c.next()
	if _, err := c.device("device", a.Device, "Couldn't get striped device"); err != nil {
		return nil, err
	}
	if a.Offset, ok = lex.ScanU64(c.next()); !ok {
		return nil, c.fail("offset", "Invalid striped device offset")
	}
	if c.length%chunk != 0 {
		return nil, c.fail("chunk", "Target length not divisible by chunk size")
	}
	return a, nil
}
