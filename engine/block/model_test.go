package block_test

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"github.com/mdkit/mdkit/engine/block"
)

const modelSize = 3*4096 + 100

// model is a device as naive as can be: its bytes, and which of them were
// written.
type model struct {
	data    [modelSize]byte
	written [modelSize]bool
}

func (m *model) change(p []byte, off int) {
	copy(m.data[off:], p)
	for i := range p {
		m.written[off+i] = true
	}
}

// extents lists the written bytes the slow way.
func (m *model) extents() (list []block.Extent) {
	for i, w := range m.written {
		switch {
		case !w:
		case i > 0 && m.written[i-1]:
			last := &list[len(list)-1]
			last.Data = append(last.Data, m.data[i])
		default:
			list = append(list, block.Extent{Off: int64(i), Data: []byte{m.data[i]}})
		}
	}
	return list
}

// TestDevicesAgreeWithTheModel applies the same sequence of operations to every
// kind of device and to the model; rapid looks for a sequence after which they
// differ.
func TestDevicesAgreeWithTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m model
		overlay := block.NewOverlay(block.NewMemory("base", modelSize))
		slice, err := block.NewSlice(block.NewMemory("ram", modelSize+99), 33, modelSize)
		if err != nil {
			t.Fatal(err)
		}
		crashBase := block.NewMemory("crash", modelSize)
		crash := block.NewCrash(crashBase, 1)
		devices := []block.Device{overlay, slice, crash, block.NewMemory("ram", modelSize)}

		place := func(t *rapid.T) (off, n int) {
			off = rapid.IntRange(0, modelSize).Draw(t, "off")
			n = rapid.IntRange(0, min(5000, modelSize-off)).Draw(t, "len")
			return off, n
		}
		t.Repeat(map[string]func(*rapid.T){
			"write": func(t *rapid.T) {
				off, n := place(t)
				p := bytes.Repeat([]byte{rapid.Byte().Draw(t, "byte")}, n)
				for _, d := range devices {
					if got, err := d.WriteAt(p, int64(off)); got != n || err != nil {
						t.Fatalf("%s: write gave %d, %v", block.Name(d), got, err)
					}
				}
				m.change(p, off)
			},
			"discard": func(t *rapid.T) {
				off, n := place(t)
				for _, d := range devices {
					if err := block.Discard(d, int64(off), int64(n)); err != nil {
						t.Fatalf("%s: %v", block.Name(d), err)
					}
				}
				m.change(make([]byte, n), off)
			},
			"sync": func(t *rapid.T) {
				for _, d := range devices {
					if err := d.Sync(); err != nil {
						t.Fatalf("%s: %v", block.Name(d), err)
					}
				}
				if !bytes.Equal(contents(crashBase), m.data[:]) {
					t.Fatal("the base of the crash device lacks something after Sync")
				}
			},
			"read": func(t *rapid.T) {
				off, n := place(t)
				for _, d := range devices {
					p := make([]byte, n)
					if err := block.ReadFull(d, p, int64(off)); err != nil || !bytes.Equal(p, m.data[off:off+n]) {
						t.Fatalf("%s: read at %d differs (error %v)", block.Name(d), off, err)
					}
				}
			},
			"": func(t *rapid.T) {
				want := m.extents()
				for e := range overlay.Extents() {
					if len(want) == 0 || e.Off != want[0].Off || !bytes.Equal(e.Data, want[0].Data) {
						t.Fatalf("extent of %d bytes at %d is not in the model", len(e.Data), e.Off)
					}
					want = want[1:]
				}
				if len(want) > 0 {
					t.Fatalf("no extent at %d", want[0].Off)
				}
			},
		})
	})
}
