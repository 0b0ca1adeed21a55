package md

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/mdkit/mdkit/engine/binfmt"
)

func TestBackupHeader(t *testing.T) {
	for _, v := range []Backup{
		{UUID: UUID{1, 2, 3}, MTime: 99, DevStart: 8, Offset2: 64, Sections: [2]BackupSection{{Start: 5, Length: 7}}},
		{Second: true, UUID: UUID{9}, MTime: 1, DevStart: 8, Offset2: 64, Sections: [2]BackupSection{{Start: 5, Length: 7}, {Start: 12, Length: 7}}},
	} {
		raw := v.AppendTo(nil)
		got, err := ParseBackup(raw)
		if err != nil || *got != v {
			t.Errorf("%+v came back as %+v, %v", v, got, err)
		}
		for _, at := range []int{0, 15, backupSum1} {
			bad := append([]byte(nil), raw...)
			bad[at]++
			if at == 15 {
				bad[at] = '7'
			}
			if _, err := ParseBackup(bad); !errors.Is(err, ErrBackup) {
				t.Errorf("byte %d changed: %v", at, err)
			}
		}
	}
	// Places too large to be offsets in bytes.
	for field, change := range map[string]func(*Backup){
		"devstart":    func(v *Backup) { v.DevStart = 1 << 55 },
		"arraystart":  func(v *Backup) { v.Sections[0].Start = 1 << 63 },
		"length":      func(v *Backup) { v.Sections[0].Length = 1<<64 - 5 },
		"devstart2":   func(v *Backup) { v.Offset2 = 1<<64 - 4 },
		"arraystart2": func(v *Backup) { v.Sections[1].Start = 1 << 55 },
		"length2":     func(v *Backup) { v.Sections[1].Length = 1<<54 - 72 },
	} {
		v := Backup{Second: true, DevStart: 8, Offset2: 64, Sections: [2]BackupSection{{Start: 5, Length: 7}, {Start: 12, Length: 7}}}
		change(&v)
		_, err := ParseBackup(v.AppendTo(nil))
		if !errors.Is(err, ErrBackup) || !errors.Is(err, binfmt.ErrCorrupt) {
			t.Errorf("%s: %v", field, err)
		}
		var bad *binfmt.Error
		if !errors.As(err, &bad) || bad.Field != field {
			t.Errorf("%s: the error is about another field: %v", field, err)
		}
	}
	if _, err := ParseBackup(make([]byte, 100)); !errors.Is(err, ErrBackup) {
		t.Error(err)
	}
	// mdadm's sum is the same for any 64 bytes that begin with "m".
	raw := (&Backup{}).AppendTo(nil)
	if got := binary.LittleEndian.Uint32(raw[backupSum1:]); got != 0x24924915 {
		t.Errorf("checksum %#x", got)
	}
}
