package block

import "github.com/mdkit/mdkit/sysfs"

// Queue is the queue folder of a whole device: its limits and switches
// (Documentation/ABI/stable/sysfs-block).
type Queue struct {
	dir sysfs.Dir
}

// Dir returns the folder, for attributes without a method here.
func (q Queue) Dir() sysfs.Dir { return q.dir }

// LogicalBlockSize is the smallest unit of reading and writing, in bytes.
func (q Queue) LogicalBlockSize() (uint64, error) { return q.dir.ReadUint("logical_block_size") }

// PhysicalBlockSize is the smallest unit that is written without reading first,
// in bytes.
func (q Queue) PhysicalBlockSize() (uint64, error) { return q.dir.ReadUint("physical_block_size") }

// HardwareSectorSize is LogicalBlockSize under its old name, in bytes.
func (q Queue) HardwareSectorSize() (uint64, error) { return q.dir.ReadUint("hw_sector_size") }

// MinimumIOSize is the smallest unit that is written at full speed, in bytes.
func (q Queue) MinimumIOSize() (uint64, error) { return q.dir.ReadUint("minimum_io_size") }

// OptimalIOSize is the best unit for streaming, in bytes; 0 if the device does
// not say.
func (q Queue) OptimalIOSize() (uint64, error) { return q.dir.ReadUint("optimal_io_size") }

// Rotational reports whether seeking takes time.
func (q Queue) Rotational() (bool, error) { return q.dir.ReadBool("rotational") }

// ReadAheadKiB is how far the kernel reads ahead, in KiB.
func (q Queue) ReadAheadKiB() (uint64, error) { return q.dir.ReadUint("read_ahead_kb") }

// SetReadAheadKiB sets how far the kernel reads ahead, in KiB.
func (q Queue) SetReadAheadKiB(kib uint64) error { return q.dir.Write("read_ahead_kb", itoa(kib)) }

// MaxSectorsKiB is the size of the largest request the kernel sends, in KiB.
func (q Queue) MaxSectorsKiB() (uint64, error) { return q.dir.ReadUint("max_sectors_kb") }

// DiscardGranularity is the unit in which the device discards, in bytes; 0 if
// it does not discard.
func (q Queue) DiscardGranularity() (uint64, error) { return q.dir.ReadUint("discard_granularity") }

// DiscardMaxBytes is the largest discard, in bytes; 0 if the device does not
// discard.
func (q Queue) DiscardMaxBytes() (uint64, error) { return q.dir.ReadUint("discard_max_bytes") }

// WriteZeroesMaxBytes is the largest range the device zeroes by itself, in
// bytes; 0 if it does not.
func (q Queue) WriteZeroesMaxBytes() (uint64, error) { return q.dir.ReadUint("write_zeroes_max_bytes") }

// WriteCache is "write back" or "write through".
func (q Queue) WriteCache() (string, error) { return q.dir.Read("write_cache") }

// FUA reports whether the device writes through its cache on request.
func (q Queue) FUA() (bool, error) { return q.dir.ReadBool("fua") }

// Zoned is "none", "host-aware" or "host-managed".
func (q Queue) Zoned() (string, error) { return q.dir.Read("zoned") }

// DAX reports whether the device is memory that can be mapped directly.
func (q Queue) DAX() (bool, error) { return q.dir.ReadBool("dax") }
