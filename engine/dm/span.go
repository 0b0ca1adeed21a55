package dm

import "github.com/mdkit/mdkit/engine/dm/lex"

// Span is a location on a device: where a stripe, a mirror leg or a path
// begins.
type Span struct {
	Device string // "major:minor" or a path
	Offset uint64 // sector of Device
}

// words is the span as tables spell it.
func (s Span) words() []string { return []string{s.Device, utoa(s.Offset)} }

// spanRefs returns the devices of spans.
func spanRefs(spans []Span) []Ref {
	var refs []Ref
	for _, s := range spans {
		refs = append(refs, Ref(s.Device))
	}
	return refs
}

// span takes `<dev> <offset>`, checking the number before the device as most
// constructors do.
func (c *ctr) span(badOffset, badDevice string) (Span, error) {
	s := Span{Device: c.next()}
	var ok bool
	if s.Offset, ok = lex.ScanU64(c.next()); !ok {
		return s, c.fail("offset", badOffset)
	}
	_, err := c.device("device", s.Device, badDevice)
	return s, err
}
