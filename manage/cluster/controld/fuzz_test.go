package controld

import (
	"bytes"
	"testing"

	"github.com/mdkit/mdkit/internal/house/fuzztest"
)

func FuzzHeader(f *testing.F) {
	f.Add(Request{Command: LockspaceNodes, Option: 2, Data: 7, Name: "x"}.AppendTo(nil))
	f.Add(Request{Command: SetConfig, Flags: 1, Text: "log_debug=1 "}.AppendTo(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		var h Header
		var err error
		fuzztest.Bounded(t, len(b), func() { h, err = ParseHeader(b) })
		if err != nil {
			return
		}
		again := Request{Command: h.Command, Option: h.Option, Data: h.Data, Flags: h.Flags, Name: h.Name}.AppendTo(nil)
		second, err := ParseHeader(again)
		h.Body = 0
		if err != nil || second != h {
			t.Fatalf("%+v is sent as %+v: %v", h, second, err)
		}
	})
}

func FuzzRecords(f *testing.F) {
	f.Add(make([]byte, lockspaceSize), uint8(1))
	f.Add(bytes.Repeat([]byte{0xff}, 3*nodeSize), uint8(3))
	f.Fuzz(func(t *testing.T, b []byte, n uint8) {
		fuzztest.Bounded(t, len(b), func() {
			if all, err := parseAll(b, int(n), lockspaceSize, ParseLockspace); err == nil && len(all) != int(n) {
				t.Errorf("%d lockspaces, not %d", len(all), n)
			}
			if all, err := parseAll(b, int(n), nodeSize, ParseNode); err == nil && len(all) != int(n) {
				t.Errorf("%d nodes, not %d", len(all), n)
			}
		})
	})
}

func FuzzStates(f *testing.F) {
	one := make([]byte, stateSize)
	order.PutUint32(one, uint32(OfNode))
	order.PutUint32(one[20:], 10)
	f.Add(append(one, "member=1 \x00"...), "member")
	f.Fuzz(func(t *testing.T, b []byte, key string) {
		fuzztest.Bounded(t, len(b), func() {
			all, err := readStates(bytes.NewReader(b))
			size := 0
			for _, s := range all {
				s.Number(key)
				s.Words()
				size += stateSize + len(s.Text)
			}
			if size > len(b) || err == nil && len(b) > 0 && len(all) == 0 {
				t.Errorf("%d records of %d bytes in %d: %v", len(all), size, len(b), err)
			}
		})
	})
}
