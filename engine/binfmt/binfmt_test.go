package binfmt_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/engine/binfmt"
)

type part struct {
	a uint16
	b int32
}

type thing struct {
	magic uint32
	kind  int8
	big   uint64
	id    [20]byte
	parts [4]part
}

// layout has a gap at 5, a tail, and fields of every kind.
func layout() *binfmt.Layout[thing] {
	fields := []binfmt.Field[thing]{
		binfmt.U32("magic", 0, func(v *thing) *uint32 { return &v.magic }, binfmt.Hex),
		binfmt.U8("kind", 4, func(v *thing) *int8 { return &v.kind }),
		binfmt.U64("big", 8, func(v *thing) *uint64 { return &v.big }, binfmt.Sectors),
		binfmt.Raw("id", 16, 20, func(v *thing) []byte { return v.id[:] }, binfmt.Text),
	}
	for i := range 4 {
		at := func(v *thing) *part { return &v.parts[i] }
		fields = append(
			fields,
			binfmt.U16(fmt.Sprintf("parts[%d].a", i), 36+8*i, func(v *thing) *uint16 { return &at(v).a }),
			binfmt.U32(fmt.Sprintf("parts[%d].b", i), 40+8*i, func(v *thing) *int32 { return &at(v).b }, binfmt.Hex32),
		)
	}
	return binfmt.New("thing", 72, fields...)
}

func sample() *thing {
	v := &thing{magic: 0x11223344, kind: -2, big: 9}
	copy(v.id[:], "a name")
	v.parts[0] = part{3, -1}
	v.parts[3] = part{0, 7}
	return v
}

func TestRoundTrip(t *testing.T) {
	l := layout()
	for _, o := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		b := make([]byte, l.Size)
		b[5], b[71] = 0xee, 0xdd // between and after fields: left alone
		l.Encode(sample(), b, o)
		if got := o.Uint32(b); got != 0x11223344 || b[5] != 0xee || b[71] != 0xdd {
			t.Errorf("%v: % x", o, b)
		}
		var v thing
		if err := l.Decode(&v, b, o); err != nil || v != *sample() {
			t.Errorf("%v: %+v, %v", o, v, err)
		}
	}
}

func TestDecodeTruncated(t *testing.T) {
	err := layout().Decode(new(thing), make([]byte, 71), binary.LittleEndian)
	if !errors.Is(err, binfmt.ErrTruncated) || err.Error() != "thing: parse: truncated: got 71 bytes, want 72 bytes" {
		t.Error(err)
	}
}

func TestErrorf(t *testing.T) {
	l := layout()
	err := binfmt.At(l.Errorf(binfmt.ErrCorrupt, sample(), "big", "at most %d", 8), "/dev/x", 4096)
	if want := "/dev/x: thing: check: big at 0x1008: invalid value: got 9 sectors, want at most 8"; err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if again := binfmt.At(err, "/dev/y", 1); again.Error() != err.Error() {
		t.Errorf("a place was added twice: %v", again)
	}
	if err := binfmt.At(io.EOF, "/dev/x", 1); err != io.EOF {
		t.Error(err)
	}
	if e := l.Errorf(binfmt.ErrMagic, sample(), "no such field", ""); e.Off != 0 || e.Got != "" {
		t.Errorf("%+v", e)
	}
}

// dump writes what Pieces gives, folded.
func dump(w io.Writer, base int64, b []byte) error {
	pieces, err := layout().Pieces(base, b, binary.LittleEndian)
	if err != nil {
		return err
	}
	d := binfmt.Dumper{W: w}
	for _, p := range binfmt.Fold(pieces) {
		d.Piece(p)
	}
	return d.Err
}

func TestDump(t *testing.T) {
	l := layout()
	b := make([]byte, l.Size)
	b[5] = 0xee
	l.Encode(sample(), b, binary.LittleEndian)
	var out strings.Builder
	if err := dump(&out, 0x1000, b); err != nil {
		t.Fatal(err)
	}
	want := `
00001000: 44332211                          # magic = 0x11223344
00001004: fe                                # kind = -2
00001005: ee0000                            # reserved
00001008: 0900000000000000                  # big = 9 sectors
00001010: 61206e616d6500000000000000000000  # id = "a name"
00001020: 00000000
00001024: 0300                              # parts[0].a = 3
00001026:                                   # reserved, 2 zero bytes
00001028: ffffffff                          # parts[0].b = 0xffffffff
0000102c: 00000000000000000000000000000000  # parts[1] to parts[2] = zero
0000103c: 0000                              # parts[3].a = 0
0000103e:                                   # reserved, 2 zero bytes
00001040: 07000000                          # parts[3].b = 0x7
00001044:                                   # reserved, 4 zero bytes
`
	if out.String() != want[1:] {
		t.Errorf("got\n%swant\n%s", out.String(), want[1:])
	}
	if err := dump(io.Discard, 0, b[:9]); !errors.Is(err, binfmt.ErrTruncated) {
		t.Error(err)
	}
	for n := range 13 {
		if err := dump(&full{left: n}, 0, b); !errors.Is(err, errFull) {
			t.Errorf("a write that fails after %d lines gives %v", n, err)
		}
	}
}

// TestDumpLongField folds equal lines, except for the last.
func TestDumpLongField(t *testing.T) {
	var out strings.Builder
	d := binfmt.Dumper{W: &out}
	d.Piece(binfmt.Piece{Off: 16, Bytes: []byte(strings.Repeat("a", 70)), Name: "long", Value: "a..."})
	want := `
00000010: 61616161616161616161616161616161  # long = a...
*
00000050: 616161616161
`
	if d.Err != nil || out.String() != want[1:] {
		t.Errorf("%v; got\n%swant\n%s", d.Err, out.String(), want[1:])
	}
}

var errFull = errors.New("full")

// full takes a few writes and then fails.
type full struct{ left int }

func (f *full) Write(b []byte) (int, error) {
	if f.left--; f.left < 0 {
		return 0, errFull
	}
	return len(b), nil
}

func TestValues(t *testing.T) {
	var got []string
	for name, text := range layout().Values(sample()) {
		got = append(got, name+"="+text)
		if name == "big" {
			break
		}
	}
	if want := "magic=0x11223344 kind=-2 big=9 sectors"; strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestFormats covers negative numbers and unterminated strings.
func TestFormats(t *testing.T) {
	for got, want := range map[string]string{
		binfmt.Hex32(int32(-1)):               "0xffffffff",
		binfmt.Dec(int16(-3)):                 "-3",
		binfmt.Sectors(int32(-8)):             "-8 sectors",
		binfmt.Text([]byte("full")):           `"full"`,
		binfmt.Text([]byte("a\x01\x00later")): `"a\x01"`,
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func ExampleLayout_Pieces() {
	type header struct{ magic, size uint32 }
	l := binfmt.New("example", 8,
		binfmt.U32("magic", 0, func(h *header) *uint32 { return &h.magic }, binfmt.Hex),
		binfmt.U32("size", 4, func(h *header) *uint32 { return &h.size }, binfmt.Sectors),
	)
	b := make([]byte, l.Size)
	l.Encode(&header{0xfeed, 2048}, b, binary.LittleEndian)
	pieces, err := l.Pieces(4096, b, binary.LittleEndian)
	d := binfmt.Dumper{W: os.Stdout}
	for _, p := range pieces {
		d.Piece(p)
	}
	fmt.Println(err, d.Err)
	// Output:
	// 00001000: edfe0000                          # magic = 0xfeed
	// 00001004: 00080000                          # size = 2048 sectors
	// <nil> <nil>
}
