package dm

import "github.com/mdkit/mdkit/engine/dm/lex"

import "strings"

// Striped spreads its sectors over devices, chunk by chunk (dm-stripe.c).
type Striped struct {
	Chunk   uint32 // sectors
	Stripes []Span
}

// Type is "striped".
func (Striped) Type() string { return "striped" }

// Params is `<stripes> <chunk> {<dev> <offset>}...`.
func (a Striped) Params() string {
	words := []string{utoa(uint64(len(a.Stripes))), utoa(a.Chunk)}
	for _, s := range a.Stripes {
		words = append(words, s.Device, utoa(s.Offset))
	}
	return join(words...)
}

// Devices is the device of each stripe.
func (a Striped) Devices() []Ref {
	return spanRefs(a.Stripes)
}

func (a Striped) areas(length uint64) []area {
	var list []area
	for _, s := range a.Stripes {
		list = append(list, area{s.Device, s.Offset, length / uint64(len(a.Stripes))})
	}
	return list
}

func parseStriped(c *ctr) (Args, error) {
	argc := uint64(len(c.args))
	if argc < 2 {
		return nil, c.fail("", "Not enough arguments")
	}
	stripes, ok := lex.Kstrtou(c.next(), 32)
	if !ok || stripes == 0 {
		return nil, c.fail("stripes", "Invalid stripe count")
	}
	chunk, ok := lex.Kstrtou(c.next(), 32)
	if !ok || chunk == 0 {
		return nil, c.fail("chunk", "Invalid chunk_size")
	}
	if c.length%stripes != 0 {
		return nil, c.fail("stripes", "Target length not divisible by number of stripes")
	}
	if c.length/stripes%chunk != 0 {
		return nil, c.fail("chunk", "Target length not divisible by chunk size")
	}
	if argc != 2+2*stripes {
		return nil, c.fail("stripes", "Not enough destinations specified")
	}
	a := Striped{Chunk: uint32(chunk)}
	const reason = "Couldn't parse stripe destination"
	for len(c.args) > 0 {
		s, err := c.span(reason, reason)
		if err != nil {
			return nil, err
		}
		a.Stripes = append(a.Stripes, s)
	}
	return a, nil
}

// StripedStatus is the state of a striped target.
type StripedStatus struct {
	Devices []string // "major:minor" of each stripe
	Health  string   // a letter per stripe: A alive, D had an error
}

// Type is "striped".
func (StripedStatus) Type() string { return "striped" }

// String is `<stripes> <dev>... 1 <health>`.
func (s StripedStatus) String() string {
	return utoa(uint64(len(s.Devices))) + " " + strings.Join(append(s.Devices[:len(s.Devices):len(s.Devices)], "1", s.Health), " ")
}

func parseStripedStatus(s *scan) (Status, error) {
	var st StripedStatus
	for range s.count("stripes", 1) {
		st.Devices = append(st.Devices, s.word("device"))
	}
	if n := s.word("status groups"); n != "1" {
		return nil, s.fail("status groups", n)
	}
	st.Health = s.word("health")
	if len(st.Health) != len(st.Devices) {
		return nil, s.fail("health", st.Health)
	}
	return st, nil
}
