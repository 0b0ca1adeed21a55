package partition

import (
	"errors"
	"testing"

	"github.com/mdkit/mdkit/engine/binfmt"
)

func TestParseMBR(t *testing.T) {
	b := make([]byte, MBRSize)
	if _, err := ParseMBR(b); !errors.Is(err, binfmt.ErrMagic) {
		t.Errorf("blank sector: %v", err)
	}
	if _, err := ParseMBR(b[:511]); !errors.Is(err, binfmt.ErrTruncated) {
		t.Errorf("short sector: %v", err)
	}
	b[510], b[511] = 0x55, 0xaa
	copy(b[446+16:], []byte{0x80, 0, 0, 0, TypeGPT, 0, 0, 0, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff})
	m, err := ParseMBR(b)
	if err != nil {
		t.Fatal(err)
	}
	if want := (MBRPartition{Type: TypeGPT, First: 1, Sectors: 0xffffffff}); m.Partitions[1] != want || m.Partitions[0].Sectors != 0 {
		t.Errorf("parsed %+v", m)
	}
}

// No sector makes the parser panic.
func FuzzParseMBR(f *testing.F) {
	f.Add(make([]byte, MBRSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := ParseMBR(b); (m == nil) == (err == nil) {
			t.Errorf("%v and %v", m, err)
		}
	})
}
