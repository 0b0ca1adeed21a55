package md

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// BitmapType returns which kind of bitmap the array has or will get when it
// starts: "none", "bitmap" or "llbitmap" (bitmap_type; after Linux 6.12).
func (a *Array) BitmapType() (Choice, error) { return attrBitmapType.get(a.dir) }

// SetBitmapType sets that kind before the array starts.
func (a *Array) SetBitmapType(kind string) error { return attrBitmapType.set(a.dir, kind) }

// BitmapLocation returns where the bitmap is (bitmap/location).
func (a *Array) BitmapLocation() (BitmapPlace, error) { return attrBitmapLocation.get(a.dir) }

// SetBitmapLocation adds a bitmap at an offset, where its superblock must
// already be, or removes the bitmap. A running array must be idle. If no
// superblock is found, kernels up to 6.12 go on showing the place, which must
// be removed before another can be set.
func (a *Array) SetBitmapLocation(p BitmapPlace) error { return a.BitmapLocationTo(p).Write() }

// BitmapSpace returns the room for the bitmap, in sectors of 512 bytes; 0 if it
// is not known (bitmap/space).
func (a *Array) BitmapSpace() (sectors uint64, err error) { return attrBitmapSpace.get(a.dir) }

// SetBitmapSpace sets that room.
func (a *Array) SetBitmapSpace(sectors uint64) error {
	return attrBitmapSpace.set(a.dir, formatUint(sectors))
}

// BitmapTimeBase returns how often the kernel clears bits that are no longer
// needed (bitmap/time_base; 5 s by default).
func (a *Array) BitmapTimeBase() (time.Duration, error) { return attrBitmapTimeBase.get(a.dir) }

// SetBitmapTimeBase sets that interval, to a tenth of a millisecond.
func (a *Array) SetBitmapTimeBase(d time.Duration) error {
	return attrBitmapTimeBase.set(a.dir, formatSeconds(d, 4))
}

// BitmapBacklog returns how many writes to write-mostly members may be
// outstanding; 0 means that write-behind is off (bitmap/backlog).
func (a *Array) BitmapBacklog() (uint64, error) { return attrBitmapBacklog.get(a.dir) }

// SetBitmapBacklog sets that number, up to 16383.
func (a *Array) SetBitmapBacklog(n uint64) error { return attrBitmapBacklog.set(a.dir, formatUint(n)) }

// BitmapChunkSize returns how much of the array one bit stands for, in bytes
// (bitmap/chunksize); 0 if nothing is set.
func (a *Array) BitmapChunkSize() (bytes uint64, err error) { return attrBitmapChunkSize.get(a.dir) }

// SetBitmapChunkSize sets that size before there is a bitmap.
func (a *Array) SetBitmapChunkSize(bytes uint64) error {
	return attrBitmapChunkSize.set(a.dir, formatUint(bytes))
}

// BitmapMetadata returns who updates the bitmap's superblock (bitmap/metadata).
func (a *Array) BitmapMetadata() (BitmapMetadata, error) { return attrBitmapMetadata.get(a.dir) }

// SetBitmapMetadata sets that before there is a bitmap.
func (a *Array) SetBitmapMetadata(m BitmapMetadata) error {
	return attrBitmapMetadata.set(a.dir, formatWord(m))
}

// BitmapCanClear reports whether bits may be cleared, which is not the case
// while a member is missing (bitmap/can_clear). Without a bitmap the error
// matches [sysfs.ErrEmpty].
func (a *Array) BitmapCanClear() (bool, error) { return attrBitmapCanClear.get(a.dir) }

// SetBitmapCanClear sets whether bits may be cleared.
func (a *Array) SetBitmapCanClear(can bool) error {
	return attrBitmapCanClear.set(a.dir, strconv.FormatBool(can))
}

// BitmapMaxBacklogUsed returns the largest number of writes that were ever
// outstanding (bitmap/max_backlog_used).
func (a *Array) BitmapMaxBacklogUsed() (uint64, error) { return attrBitmapMaxBacklogUsed.get(a.dir) }

// ResetBitmapMaxBacklogUsed resets that count.
func (a *Array) ResetBitmapMaxBacklogUsed() error { return attrBitmapMaxBacklogUsed.set(a.dir, "0") }

// SetBitmapBits marks the bits from first to last, so that the ranges they
// stand for are resynced (bitmap_set_bits). Without a bitmap nothing happens.
func (a *Array) SetBitmapBits(first, last uint64) error {
	return attrBitmapSetBits.set(a.dir, fmt.Sprintf("%d-%d", first, last))
}

// LocklessBits returns how many bits of a lockless bitmap are in each state:
// "unwritten", "clean", "dirty", "need sync", "syncing" and more, as the kernel
// names them (llbitmap/bits; after Linux 6.12).
func (a *Array) LocklessBits() (map[string]uint64, error) { return attrLLBits.get(a.dir) }

// LocklessMetadata returns the metadata of a lockless bitmap: "chunksize" and
// "offset" in sectors of 512 bytes, "chunkshift", "chunks", and "daemon_sleep"
// in seconds (llbitmap/metadata).
func (a *Array) LocklessMetadata() (map[string]uint64, error) { return attrLLMetadata.get(a.dir) }

// LocklessDaemonSleep returns after how many seconds dirty bits are cleared
// (llbitmap/daemon_sleep).
func (a *Array) LocklessDaemonSleep() (seconds uint64, err error) {
	return attrLLDaemonSleep.get(a.dir)
}

// SetLocklessDaemonSleep sets that number of seconds.
func (a *Array) SetLocklessDaemonSleep(seconds uint64) error {
	return attrLLDaemonSleep.set(a.dir, formatUint(seconds))
}

// LocklessBarrierIdle returns after how many seconds without writes a page of
// bits is left alone (llbitmap/barrier_idle).
func (a *Array) LocklessBarrierIdle() (seconds uint64, err error) {
	return attrLLBarrierIdle.get(a.dir)
}

// SetLocklessBarrierIdle sets that number of seconds.
func (a *Array) SetLocklessBarrierIdle(seconds uint64) error {
	return attrLLBarrierIdle.set(a.dir, formatUint(seconds))
}

// LocklessProactiveSync computes the parity of everything that was never
// written, so that a later write need not (llbitmap/proactive_sync; after Linux
// 7.2).
func (a *Array) LocklessProactiveSync() error { return attrLLProactiveSync.set(a.dir, "1") }

// parseLockless reads lines that consist of words and a number (md-llbitmap.c
// bits_show, metadata_show). A line without a number, such as "no bitmap", is
// refused.
func parseLockless(s string) (map[string]uint64, error) {
	m := make(map[string]uint64)
	for line := range strings.Lines(s) {
		line = strings.TrimSpace(line)
		i := strings.LastIndexByte(line, ' ')
		if i < 0 {
			return nil, wanted("lines of words and a number")
		}
		n, err := strconv.ParseUint(line[i+1:], 10, 64)
		if err != nil {
			return nil, wanted("lines of words and a number")
		}
		m[line[:i]] = n
	}
	if len(m) == 0 {
		return nil, wanted("lines of words and a number")
	}
	return m, nil
}
