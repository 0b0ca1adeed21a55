package md

import (
	"encoding/binary"
	"errors"
	"testing"
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
	if _, err := ParseBackup(make([]byte, 100)); !errors.Is(err, ErrBackup) {
		t.Error(err)
	}
	// mdadm's sum over any 64 bytes that begin with "m".
	raw := (&Backup{}).AppendTo(nil)
	if got := binary.LittleEndian.Uint32(raw[backupSum1:]); got != 0x24924915 {
		t.Errorf("checksum %#x", got)
	}
}
