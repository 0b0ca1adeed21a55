package assemble

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/raid"
	"github.com/mdkit/mdkit/manage/array/reshape"
)

// TestLayOut lays data out as a restoration does, and reads it back with one and with
// two members missing.
func TestLayOut(t *testing.T) {
	const chunk, rows, first = 4096, 12, 5
	for _, c := range []struct{ level, slots, layout int }{{4, 3, 0}, {5, 3, 0}, {5, 4, 3}, {6, 4, 2}, {6, 5, 8}, {6, 6, 10}} {
		t.Run(fmt.Sprintf("raid%d_%d_%d", c.level, c.slots, c.layout), func(t *testing.T) {
			p, err := raid.NewParity(c.level, c.slots, 64*chunk, chunk, c.layout)
			if err != nil {
				t.Fatal(err)
			}
			data := make([]byte, rows*chunk*p.DataSlots())
			rand.NewChaCha8([32]byte{byte(c.level), byte(c.slots)}).Read(data)
			columns := layOut(p, data, first, chunk)
			w := &reshape.Guard{G: &reshape.Grower{}, Parity: p, R: &reshape.Running{T: reshape.Transition{Parity: len(columns) - p.DataSlots()}}}
			for lost := range columns {
				var got []byte
				for n := range int64(rows) {
					got = append(got, rebuilt(w, t, columns, n, first, chunk, lost)...)
				}
				if !bytes.Equal(got, data) {
					t.Errorf("without slot %d: other data", lost)
				}
			}
		})
	}
}

// rebuilt returns the data of a row of columns after removing and rebuilding as many
// slots as parity makes up for.
func rebuilt(w *reshape.Guard, t *testing.T, columns [][]byte, n, first, chunk int64, lost int) []byte {
	t.Helper()
	s := w.Parity.Stripe(first + n)
	blocks := make([][]byte, len(s.Blocks))
	var gone []int
	for i, slot := range s.Blocks {
		blocks[i] = make([]byte, chunk)
		switch {
		case slot < 0:
		case slot == lost || w.R.T.Parity == 2 && slot == (lost+1)%len(columns):
			gone = append(gone, i)
		default:
			copy(blocks[i], columns[slot][n*chunk:(n+1)*chunk])
		}
	}
	if w.R.T.Parity == 2 {
		raid.RecoverPQ(blocks, gone[0], gone[1])
	} else {
		raid.RecoverP(blocks, gone[0])
	}
	var out []byte
	for _, slot := range s.Data {
		out = append(out, blocks[s.Index[slot]]...)
	}
	return out
}

// TestBeyond: a reshape in place that keeps the number of devices never gets past its
// critical section; one that adds devices soon does.
func TestBeyond(t *testing.T) {
	same := &reshape.Transition{Level: md.LevelRAID5, Backup: 256}
	more := &reshape.Transition{Level: md.LevelRAID5, Backup: 256, Delta: 1}
	if same.Beyond(1<<30) || more.Beyond(255) || !more.Beyond(256) {
		t.Error("the critical section ends elsewhere")
	}
}
