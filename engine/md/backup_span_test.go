package md

import (
	"errors"
	"testing"
)

func TestBackupSpan(t *testing.T) {
	v := &Backup{UUID: UUID{1, 2, 3}, Second: true}
	if lo, hi := v.Span(); lo != hi {
		t.Errorf("nothing kept, from %d to %d", lo, hi)
	}
	v.Sections = [2]BackupSection{{Start: 512, Length: 256}, {Start: 256, Length: 256}}
	if lo, hi := v.Span(); lo != 256 || hi != 768 {
		t.Errorf("from %d to %d, not from 256 to 768", lo, hi)
	}
	raw := v.AppendTo(nil)
	raw[backupSum1] ^= 1
	if _, err := ParseBackup(raw); !errors.Is(err, ErrBackupSum) || !errors.Is(err, ErrBackup) {
		t.Errorf("wrong checksum: %v", err)
	}
}
