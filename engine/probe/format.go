package probe

import (
	"bytes"
	"cmp"
	"slices"
)

// place is where a structure may start.
type place struct {
	off     int64 // bytes from the start, or from the end if fromEnd
	fromEnd bool
	align   int64 // round the device's size down to this first, if fromEnd; 0 means a sector
}

// at returns the place's offset on a device of size bytes; it may be negative.
func (p place) at(size int64) int64 {
	if !p.fromEnd {
		return p.off
	}
	align := cmp.Or(p.align, 512)
	return size/align*align - p.off
}

func start(offs ...int64) []place {
	var ps []place
	for _, o := range offs {
		ps = append(ps, place{off: o})
	}
	return ps
}

// sectorsFromEnd returns places counted in 512-byte sectors before the end, as
// the formats of disk controllers count.
func sectorsFromEnd(sectors ...int64) []place {
	var ps []place
	for _, n := range sectors {
		ps = append(ps, place{off: n * 512, fromEnd: true})
	}
	return ps
}

// format is one row of the signature table.
type format struct {
	typ    string
	class  Class
	places []place
	magic  []string // any of these
	off    int64    // bytes from the structure's start to the magic
	size   int64    // bytes of the structure

	// minSize is the smallest device that can carry the format, in bytes.
	minSize int64

	// examine validates and describes the structure b at sig.Off. It returns
	// false if this turns out to be something else. nil means the magic is
	// proof enough.
	examine func(s *scanner, b []byte, sig *Signature) bool
}

// find looks for the format at each of its places.
func (f *format) find(s *scanner) []Signature {
	if s.size < f.minSize {
		return nil
	}
	var found []Signature
	var seen []int64
	for _, p := range f.places {
		at := p.at(s.size)
		if slices.Contains(seen, at) {
			continue
		}
		seen = append(seen, at)
		for _, m := range f.magic {
			if !bytes.Equal(s.bytes(at+f.off, int64(len(m))), []byte(m)) {
				continue
			}
			b := s.bytes(at, f.size)
			if b == nil {
				break
			}
			sig := Signature{Type: f.typ, Class: f.class, Off: at, Len: f.size, Checksum: Unchecked}
			if f.examine == nil || f.examine(s, b, &sig) {
				found = append(found, sig)
			}
			break
		}
	}
	return found
}

// verdict turns the result of a comparison into a Checksum.
func verdict(ok bool) Checksum {
	if ok {
		return ChecksumOK
	}
	return ChecksumBad
}
