package powercut

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/mdkit/mdkit/engine/block"
)

// Flags of an entry (drivers/md/dm-log-writes.c, LOG_*_FLAG).
const (
	flagFlush   = 1 << 0 // everything that completed before it is durable
	flagFUA     = 1 << 1 // is durable itself once it is complete
	flagDiscard = 1 << 2
	flagMark    = 1 << 3
)

const (
	logMagic   = 0x6a736677736872
	logVersion = 1
	entrySize  = 4 * 8 // bytes of struct log_write_entry before its inline data
	sector     = 512
)

// ErrLog marks a log that cannot be read.
var ErrLog = errors.New("not a log of dm-log-writes")

// Entry is one entry of a log.
type Entry struct {
	Flags uint64
	Off   int64  // bytes on the logged device
	Len   int64  // bytes written or discarded there
	At    int64  // bytes: where the written data is in the log
	Mark  string // the text of a mark
}

// Flush reports whether everything before the entry is durable.
func (e *Entry) Flush() bool { return e.Flags&flagFlush != 0 }

// Durable reports whether the entry's own data is durable at once.
func (e *Entry) Durable() bool { return e.Flags&flagFUA != 0 }

// IsMark reports whether the entry is a mark and nothing else.
func (e *Entry) IsMark() bool { return e.Flags&flagMark != 0 }

// ReadLog reads the entries of a log in their order (drivers/md/
// dm-log-writes.c, struct log_write_super and log_write_entry: little-endian).
// It fails with ErrLog.
func ReadLog(d block.Device) ([]Entry, error) {
	var super [sector]byte
	if err := block.ReadFull(d, super[:], 0); err != nil {
		return nil, err
	}
	order := binary.LittleEndian
	if magic, version := order.Uint64(super[:]), order.Uint64(super[8:]); magic != logMagic || version != logVersion {
		return nil, fmt.Errorf("%w: magic %#x, version %d", ErrLog, magic, version)
	}
	count, unit := order.Uint64(super[16:]), int64(order.Uint32(super[24:]))
	if unit < sector || unit > 1<<16 || unit&(unit-1) != 0 {
		return nil, fmt.Errorf("%w: sectors of %d bytes", ErrLog, unit)
	}
	var entries []Entry
	head := make([]byte, unit)
	at := unit
	for n := range count {
		if err := block.ReadFull(d, head, at); err != nil {
			return nil, fmt.Errorf("entry %d: %w", n, err)
		}
		e := Entry{
			Off: int64(order.Uint64(head)) * unit, Len: int64(order.Uint64(head[8:])) * unit,
			Flags: order.Uint64(head[16:]), At: at + unit,
		}
		if e.Off < 0 || e.Len < 0 {
			return nil, fmt.Errorf("%w: entry %d has offset %d, length %d", ErrLog, n, e.Off, e.Len)
		}
		if inline := order.Uint64(head[24:]); inline > 0 {
			e.Mark = string(head[entrySize:min(entrySize+inline, uint64(unit))])
		}
		at += unit
		if e.Flags&flagDiscard == 0 {
			at += e.Len
		}
		entries = append(entries, e)
	}
	return entries, nil
}
