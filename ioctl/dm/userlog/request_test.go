package userlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
)

// message builds a message as the kernel sends it.
func message(typ Type, uuid string, data []byte) []byte {
	b := Reply{Data: data}.Encode(&Request{LUID: 7, UUID: uuid, Seq: 5, Type: typ})
	return b
}

func TestRequest(t *testing.T) {
	data := binary.NativeEndian.AppendUint64(nil, 42)
	req, err := ParseRequest(message(MarkRegion, "log-1", data))
	if err != nil {
		t.Fatal(err)
	}
	if req.LUID != 7 || req.UUID != "log-1" || req.Version != Version || req.Seq != 5 || req.Type != MarkRegion ||
		len(req.Regions()) != 1 || req.Regions()[0] != 42 {
		t.Errorf("%+v", req)
	}
	req, err = ParseRequest(message(Construct, "log-1", []byte("2048 clustered-core 64\x00")))
	if err != nil || req.Text() != "2048 clustered-core 64" {
		t.Errorf("%+v, %v", req, err)
	}
	if s := req.Type.String() + " " + Type(99).String(); s != "CTR type 99" {
		t.Error(s)
	}
}

// Numbers are where the kernel expects them (offsets compiled from
// dm-log-userspace.h).
func TestReplyLayout(t *testing.T) {
	b := Reply{Errno: 22, Data: Numbers(1, 2).Data}.Encode(&Request{LUID: 7, UUID: "u", Seq: 5, Type: GetResyncWork})
	if len(b) != 36+160+16 || binary.NativeEndian.Uint32(b) != uint32(len(b)) {
		t.Fatalf("%d bytes, %d said", len(b), binary.NativeEndian.Uint32(b))
	}
	for off, want := range map[int]uint32{16: 7, 20: 1, 24: 5, 36 + 140: 3, 36 + 144: 0xffffffea, 36 + 148: 5, 36 + 152: 12, 36 + 156: 16} {
		if got := binary.NativeEndian.Uint32(b[off:]); got != want {
			t.Errorf("byte %d: %#x, want %#x", off, got, want)
		}
	}
}

func FuzzParseRequest(f *testing.F) {
	f.Add(message(Construct, "u", []byte("2048 clustered-core 64\x00")))
	f.Add(message(Flush, "", nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		req, err := ParseRequest(b)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Error(err)
			}
			return
		}
		if len(req.Data) > len(b) || len(req.UUID) > 129 || bytes.IndexByte([]byte(req.Text()), 0) >= 0 {
			t.Errorf("%+v", req)
		}
	})
}
