package md

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/mdkit/mdkit/engine/binfmt"
)

// BackupSize is the size of the header of a reshape's backup, in bytes.
const BackupSize = 512

// BackupSection is a stretch of the array that a backup holds: sectors of
// data. It is empty where Length is 0.
type BackupSection struct {
	Start, Length uint64
}

// End is the sector after the last.
func (s BackupSection) End() uint64 { return s.Start + s.Length }

// Backup is the header that mdadm writes 4 KiB before, and again after, data
// that a reshape is about to overwrite (Grow.c, struct mdp_backup_super):
// little-endian, sectors.
type Backup struct {
	Second   bool             // the backup can hold two sections
	UUID     UUID             // the array's, as Member.NativeUUID returns it
	MTime    uint64           // when it was written: seconds
	DevStart uint64           // where the first section's data is on the device or in the file
	Offset2  uint64           // where the second section's data is, from DevStart
	Sections [2]BackupSection // the second counts only with Second
}

// ErrBackup marks bytes that are not the header of a backup.
var ErrBackup = errors.New("no backup of a reshape")

// ErrBackupSum marks a header whose checksum is wrong; it is an ErrBackup too.
var ErrBackupSum = fmt.Errorf("%w: wrong checksum", ErrBackup)

const (
	backupMagic = "md_backup_data-"
	backupSum1  = 64 // where the first checksum is: it covers the bytes before it
	// BackupSum2 is where the second checksum of a header of version 2 is, in
	// bytes: it covers the bytes before it (Grow.c, struct mdp_backup_super).
	BackupSum2 = 96
)

// backupSum is mdadm's checksum. It adds the first byte over and over, so it
// depends on nothing but the length (Grow.c, bsb_csum); to read mdadm's backups
// means to accept that.
func backupSum(b []byte, n int) uint32 {
	var sum uint32
	for range n {
		sum = sum<<3 + uint32(b[0])
	}
	return sum
}

// ParseBackup reads a header from the first 512 bytes of b. It fails with
// ErrBackup: for a wrong checksum this is ErrBackupSum, and for a place that no
// device has it wraps a *binfmt.Error of class binfmt.ErrCorrupt.
func ParseBackup(b []byte) (*Backup, error) {
	if len(b) < BackupSize {
		return nil, fmt.Errorf("%w: %d bytes", ErrBackup, len(b))
	}
	order := binary.LittleEndian
	if !bytes.HasPrefix(b, []byte(backupMagic)) || b[15] != '1' && b[15] != '2' {
		return nil, fmt.Errorf("%w: magic at byte 0 is %q", ErrBackup, b[:16])
	}
	v := &Backup{Second: b[15] == '2', MTime: order.Uint64(b[32:]), DevStart: order.Uint64(b[40:])}
	copy(v.UUID[:], b[16:])
	if got, want := order.Uint32(b[backupSum1:]), backupSum(b, backupSum1); got != want {
		return nil, fmt.Errorf("%w: at byte %d is %#x, not %#x", ErrBackupSum, backupSum1, got, want)
	}
	v.Sections[0] = BackupSection{Start: order.Uint64(b[48:]), Length: order.Uint64(b[56:])}
	v.Offset2 = order.Uint64(b[72:])
	if v.Second {
		if got, want := order.Uint32(b[BackupSum2:]), backupSum(b, BackupSum2); got != want {
			return nil, fmt.Errorf("%w: at byte %d is %#x, not %#x", ErrBackupSum, BackupSum2, got, want)
		}
		v.Sections[1] = BackupSection{Start: order.Uint64(b[80:]), Length: order.Uint64(b[88:])}
	}
	if err := v.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBackup, err)
	}
	return v, nil
}

// check reports an error if the start or end of a section, in bytes, does not fit
// into an int64 offset: mdadm and readers of the data compute with those. The
// names are those of struct mdp_backup_super.
func (v *Backup) check() error {
	const most = math.MaxInt64 / SectorSize
	for _, f := range []struct {
		name       string
		off        int64
		from, size uint64
	}{
		{"devstart", 40, v.DevStart, 0},
		{"arraystart", 48, v.Sections[0].Start, 0},
		{"length", 56, v.Sections[0].Start, v.Sections[0].Length},
		{"length", 56, v.DevStart, v.Sections[0].Length},
		{"devstart2", 72, v.DevStart, v.Offset2},
		{"arraystart2", 80, v.Sections[1].Start, 0},
		{"length2", 88, v.Sections[1].Start, v.Sections[1].Length},
		{"length2", 88, v.DevStart + v.Offset2, v.Sections[1].Length},
	} {
		if f.from > most || f.size > most-f.from {
			return &binfmt.Error{
				Op: "check", Format: "md-backup", Field: f.name, Off: f.off, Err: binfmt.ErrCorrupt,
				Got: fmt.Sprintf("%d sectors from %d", f.size, f.from), Want: fmt.Sprintf("an end of at most %d", int64(most)),
			}
		}
	}
	return nil
}

// AppendTo appends the 512 bytes of the header.
func (v *Backup) AppendTo(b []byte) []byte {
	head := make([]byte, BackupSize)
	order := binary.LittleEndian
	copy(head, backupMagic+"1")
	copy(head[16:], v.UUID[:])
	order.PutUint64(head[32:], v.MTime)
	order.PutUint64(head[40:], v.DevStart)
	order.PutUint64(head[48:], v.Sections[0].Start)
	order.PutUint64(head[56:], v.Sections[0].Length)
	order.PutUint64(head[72:], v.Offset2)
	if v.Second {
		head[15] = '2'
		order.PutUint64(head[80:], v.Sections[1].Start)
		order.PutUint64(head[88:], v.Sections[1].Length)
		order.PutUint32(head[BackupSum2:], backupSum(head, BackupSum2))
	}
	order.PutUint32(head[backupSum1:], backupSum(head, backupSum1))
	return append(b, head...)
}

// Span is the stretch of the array from the start of the first section kept to
// the end of the last, in sectors; empty if none is kept.
func (v *Backup) Span() (lo, hi uint64) {
	for _, s := range v.Sections {
		switch {
		case s.Length == 0:
		case lo == hi:
			lo, hi = s.Start, s.End()
		default:
			lo, hi = min(lo, s.Start), max(hi, s.End())
		}
	}
	return lo, hi
}
