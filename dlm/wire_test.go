package dlm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/mdkit/mdkit/internal/house/fuzztest"
)

// answerBytes is a struct dlm_lock_result with a value block behind it.
func answerBytes() []byte {
	b := make([]byte, fullAnswerSize)
	binary.NativeEndian.PutUint32(b, 6)
	binary.NativeEndian.PutUint64(b[16:], completionAST)
	binary.NativeEndian.PutUint64(b[24:], 77)
	binary.NativeEndian.PutUint32(b[44:], 5)
	b[48] = byte(ValueInvalid)
	binary.NativeEndian.PutUint32(b[68:], answerSize)
	b[answerSize] = 'v'
	return b
}

func TestAnswer(t *testing.T) {
	a, err := parseAnswer(answerBytes())
	if err != nil || a.cookie != 77 || a.id != 5 || a.flags != ValueInvalid || a.blocking != ModeNone || a.value[0] != 'v' || a.err() != nil {
		t.Errorf("%+v, %v", a, err)
	}
	for _, damage := range []func(b []byte) []byte{
		func(b []byte) []byte { return b[:answerSize-1] },
		func(b []byte) []byte { return b[:answerSize] },
		func(b []byte) []byte { b[0] = 7; return b },
		func(b []byte) []byte { b[16] = 3; return b },
		func(b []byte) []byte { b[16], b[64] = blockingAST, 9; return b },
		func(b []byte) []byte { b[68] = 8; return b },
	} {
		if _, err := parseAnswer(damage(answerBytes())); !errors.Is(err, ErrMalformed) {
			t.Error(err)
		}
	}
}

// TestLayout holds requests against the offsets that gcc gives the structures of
// linux/dlm_device.h on 64-bit systems.
func TestLayout(t *testing.T) {
	r := lockRequest{cmd: cmdLock, mode: EX, flags: NoQueue, id: 9, xid: 8, cookie: 7, value: [ValueSize]byte{6}, resource: "res"}
	b := r.bytes()
	want := header(cmdLock, 123)
	want[16], want[17], want[20], want[24], want[32] = 5, 3, 1, 9, 8
	want[48], want[56], want[64], want[72], want[80], want[88] = 7, completionAST, 7, blockingAST, 7, 6
	copy(want[120:], "res")
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 && !bytes.Equal(b, want) {
		t.Errorf("%x\n%x", b, want)
	}
	if b := spaceRequest(cmdCreate, 8, 0, "tst"); len(b) < requestSize || string(b[24:28]) != "tst\x00" || b[12] != 4 || b[13] != 1 {
		t.Errorf("%x", b)
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add(answerBytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzztest.Bounded(t, len(b), func() {
			if a, err := parseAnswer(b); err == nil && a.value != nil && len(a.value) != ValueSize {
				t.Errorf("%+v", a)
			}
		})
	})
}
