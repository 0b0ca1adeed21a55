package ondisk

import (
	"fmt"
	"math"

	"github.com/mdkit/mdkit/engine/dm"
)

// The header of a persistent exception store (dm-snap-persistent.c, struct disk_header).
const (
	snapMagic   = 0x70416e53 // "SnAp"
	snapVersion = 1
	snapHeader  = 16
)

// snapshot is read_header and persistent_read_metadata.
func (e *exam) snapshot(a dm.Snapshot) error {
	if !a.Persistent {
		return nil
	}
	b := e.read("cow", a.COW, snapHeader, 0)
	if b == nil {
		return nil
	}
	const reason = "Failed to read snapshot metadata"
	magic, valid, version, chunk := le.Uint32(b), le.Uint32(b[4:]), le.Uint32(b[8:]), le.Uint32(b[12:])
	switch {
	case magic == 0:
		e.settle("cow")
		e.saw("cow", "there is no exception store on this device: it begins as an empty one")
		return nil
	case magic != snapMagic:
		return e.refuse("cow", reason, "Invalid or corrupt snapshot")
	}
	if chunk != a.Chunk {
		if why := e.badChunk(a, chunk); why != "" {
			return e.refuse("cow", reason, fmt.Sprintf("invalid on-disk chunk size %d: %s.", chunk, why))
		}
	}
	if version != snapVersion {
		return e.refuse("cow", reason, fmt.Sprintf("unable to handle snapshot disk version %d", int32(version))) //nolint:gosec // as "%d" prints it
	}
	e.settle("cow")
	if a.Chunk != 0 && chunk != a.Chunk {
		e.saw("cow", fmt.Sprintf("chunk size %d in device metadata overrides table chunk size of %d.", chunk, a.Chunk))
	}
	if valid == 0 {
		e.saw("cow", "Snapshot is marked invalid.")
	}
	return nil
}

// badChunk is dm_exception_store_set_chunk_size.
func (e *exam) badChunk(a dm.Snapshot, chunk uint32) string {
	if !powerOfTwo(chunk) {
		return "Chunk size is not a power of 2"
	}
	for _, ref := range []string{a.COW, a.Origin} {
		if info, err := e.world.Device(ref); err == nil && chunk%max(1, info.LogicalBlockSize>>9) != 0 {
			return "Chunk size is not a multiple of device blocksize"
		}
	}
	if chunk > math.MaxInt32>>9 {
		return "Chunk size is too high"
	}
	return ""
}
