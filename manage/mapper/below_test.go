package mapper

import (
	"errors"
	"slices"
	"testing"

	"github.com/mdkit/mdkit/ioctl/dm"
)

// TestSuspendedBelow shows that a suspended device is found at any depth, once for each
// path to it.
func TestSuspendedBelow(t *testing.T) {
	for _, c := range []struct {
		name      string
		uses      map[uint32][]uint32
		suspended []uint32
		gone      uint32
		found     []SuspendedUse
		failed    bool
	}{
		{name: "nothing below"},
		{name: "all run", uses: map[uint32][]uint32{9: {1, 100}, 1: {2}}},
		{name: "itself", uses: map[uint32][]uint32{9: {1}}, suspended: []uint32{9}},
		{
			name: "used", uses: map[uint32][]uint32{9: {1, 2}}, suspended: []uint32{2},
			found: []SuspendedUse{{Suspended: dm.Number{Major: mappedMajor, Minor: 2}}},
		},
		{
			name: "deeper", uses: map[uint32][]uint32{9: {1, 2}, 1: {3}, 2: {3}}, suspended: []uint32{3},
			found: []SuspendedUse{
				{User: dm.Number{Major: mappedMajor, Minor: 1}, Suspended: dm.Number{Major: mappedMajor, Minor: 3}},
				{User: dm.Number{Major: mappedMajor, Minor: 2}, Suspended: dm.Number{Major: mappedMajor, Minor: 3}},
			},
		},
		{
			name: "not below one that was found", uses: map[uint32][]uint32{9: {1}, 1: {2}}, suspended: []uint32{1, 2},
			found: []SuspendedUse{{Suspended: dm.Number{Major: mappedMajor, Minor: 1}}},
		},
		{
			name: "up to a failure", uses: map[uint32][]uint32{9: {1, 2, 3}}, suspended: []uint32{1, 3}, gone: 2,
			found: []SuspendedUse{{Suspended: dm.Number{Major: mappedMajor, Minor: 1}}}, failed: true,
		},
	} {
		s := &stack{uses: c.uses, suspended: c.suspended, gone: c.gone}
		found, err := SuspendedBelow(s.below(9), mappedMajor, s.ask)
		gone := errors.Is(err, errGone)
		if gone != c.failed || !gone && err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if !slices.Equal(found, c.found) {
			t.Errorf("%s: found %v, want %v", c.name, found, c.found)
		}
	}
}
