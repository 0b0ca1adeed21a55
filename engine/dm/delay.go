package dm

import "github.com/mdkit/mdkit/engine/dm/lex"

import "strings"

// Delay holds requests back (dm-delay.c).
type Delay struct {
	Read  DelaySpan
	Write *DelaySpan // nil: as Read
	Flush *DelaySpan // nil: as Write; without Write it is nil too
}

// DelaySpan says where requests of one kind go, and how long they are delayed.
type DelaySpan struct {
	Span
	Delay uint32 // milliseconds; 0 delays nothing
}

func (d DelaySpan) words() []string { return append(d.Span.words(), utoa(d.Delay)) }

// Type is "delay".
func (Delay) Type() string { return "delay" }

// Params is `<dev> <offset> <ms>` once, twice or three times.
func (a Delay) Params() string {
	var words []string
	for _, d := range a.spans() {
		words = append(words, d.words()...)
	}
	return join(words...)
}

// spans are the parts to be printed.
func (a Delay) spans() []DelaySpan {
	list := []DelaySpan{a.Read}
	if a.Write != nil {
		list = append(list, *a.Write)
		if a.Flush != nil {
			list = append(list, *a.Flush)
		}
	}
	return list
}

// Devices is the device of each part.
func (a Delay) Devices() []Ref {
	var refs []Ref
	for _, d := range a.spans() {
		refs = append(refs, Ref(d.Device))
	}
	return refs
}

func (a Delay) areas(length uint64) []area {
	var list []area
	for _, d := range a.spans() {
		list = append(list, area{d.Device, d.Offset, length})
	}
	return list
}

func parseDelay(c *ctr) (Args, error) {
	switch len(c.args) {
	case 3, 6, 9:
	default:
		return nil, c.fail("", "Requires exactly 3, 6 or 9 arguments")
	}
	var a Delay
	for i := 0; len(c.args) > 0; i++ {
		d, err := c.delaySpan()
		if err != nil {
			return nil, err
		}
		switch i {
		case 0:
			a.Read = d
		case 1:
			a.Write = &d
		default:
			a.Flush = &d
		}
	}
	return a, nil
}

func (c *ctr) delaySpan() (DelaySpan, error) {
	d := DelaySpan{Span: Span{Device: c.next()}}
	var ok bool
	if d.Offset, ok = lex.ScanU64(c.next()); !ok {
		return d, c.fail("offset", "Invalid device sector")
	}
	if d.Delay, ok = lex.ScanU32(c.next()); !ok {
		return d, c.fail("delay", "Invalid delay")
	}
	_, err := c.device("device", d.Device, "Device lookup failed")
	return d, err
}

// DelayStatus is the number of requests being held back.
type DelayStatus struct {
	Reads, Writes uint32
	Flushes       *uint32 // nil from kernels before 5.0
}

// Type is "delay".
func (DelayStatus) Type() string { return "delay" }

// String is `<reads> <writes> [<flushes>]`.
func (s DelayStatus) String() string {
	words := []string{utoa(s.Reads), utoa(s.Writes)}
	if s.Flushes != nil {
		words = append(words, utoa(*s.Flushes))
	}
	return strings.Join(words, " ")
}

func parseDelayStatus(s *scan) (Status, error) {
	st := DelayStatus{Reads: s.u32("reads"), Writes: s.u32("writes")}
	if len(s.words) > 0 {
		n := s.u32("flushes")
		st.Flushes = &n
	}
	return st, nil
}
