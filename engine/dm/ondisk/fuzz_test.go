package ondisk_test

import (
	"errors"
	"io"
	"testing"

	"github.com/mdkit/mdkit/engine/dm"
	"github.com/mdkit/mdkit/engine/dm/ondisk"
	"github.com/mdkit/mdkit/internal/house/fuzztest"
)

// disk is a world in which every device has the same bytes.
type disk []byte

func (d disk) Device(string) (dm.DeviceInfo, error)    { return dm.DeviceInfo{Size: 1 << 16}, nil }
func (d disk) Target(string) ([3]uint32, dm.Knowledge) { return [3]uint32{}, dm.Unknown }
func (d disk) Algorithms(string) (list []dm.Algorithm) { return list }
func (d disk) Read(_ string, b []byte, at int64) error {
	if at < 0 || at >= int64(len(d)) {
		return io.EOF
	}
	if copy(b, d[at:]) < len(b) {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// lines are tables whose devices are read, each with what is noted of it before.
var lines = []struct{ line, field string }{
	{"0 2048 snapshot 8:1 8:2 P 8", "cow"},
	{"0 8192 thin-pool 8:1 8:2 128 0", "metadata"},
	{"0 8192 cache 8:1 8:2 8:3 64 1 writethrough smq 0", "metadata"},
	{"0 8192 era 8:1 8:2 64", "metadata"},
	{"0 1024 integrity 8:1 0 4 J 0", "device"},
	{"0 1024 integrity 8:1 0 - J 2 internal_hash:sha256 meta_device:8:2", "device"},
	{"0 8192 writecache s 8:1 8:2 4096 0", "cache"},
	{"0 8 verity 1 8:1 8:2 4096 4096 1 1 sha256 " + "00000000000000000000000000000000" + "00000000000000000000000000000000" + " -", "digest"},
}

// noted are the notes of a check that has not read anything.
func noted(field string) []dm.Note {
	return []dm.Note{{Line: 1, Field: field, Text: "what is on this device"}, {Line: 2, Field: field, Text: "of another line"}}
}

// TestUnread shows that a device that cannot be read is neither blamed nor blessed.
func TestUnread(t *testing.T) {
	for _, l := range lines {
		table, err := dm.ParseTable(l.line)
		if err != nil {
			t.Fatal(err)
		}
		notes, err := ondisk.Examine(table, disk(nil), noted(l.field))
		if err != nil || len(notes) != 2 || notes[0].Seen || notes[1].Seen {
			t.Errorf("%s: %v, %v", l.line, notes, err)
		}
	}
}

func FuzzExamine(f *testing.F) {
	f.Add(make([]byte, 8192))
	for _, magic := range []string{"SnAp\x01\x00\x00\x00\x01\x00\x00\x00\x08", "integrt\x00\x01\x0f\x04\x00\x58", "\x21\x93\x48\x23\x01\x00\x00\x00\x00\x10"} {
		b := make([]byte, 4096)
		copy(b, magic)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, l := range lines {
			table, err := dm.ParseTable(l.line)
			if err != nil {
				t.Fatal(err)
			}
			var notes []dm.Note
			fuzztest.Bounded(t, len(b), func() { notes, err = ondisk.Examine(table, disk(b), noted(l.field)) })
			var refused *dm.Error
			if err != nil && (!errors.As(err, &refused) || refused.Line != 1 || !errors.Is(err, dm.ErrInvalid)) {
				t.Errorf("%s: %v", l.line, err)
			}
			if len(notes) == 0 {
				t.Errorf("%s: the note on another line is gone", l.line)
			}
		}
	})
}
