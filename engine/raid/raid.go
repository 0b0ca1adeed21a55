// Package raid is the arithmetic of md: where each byte of an array lies on its
// members at every level and layout, and the parity that is kept for them. It
// does no I/O and knows no metadata format.
//
// Offsets and lengths are bytes. Member offsets count from the start of a
// member's data (its data_offset), array offsets from the start of the array.
// Members are called by slot, counted from 0.
package raid

import (
	"errors"
	"fmt"
)

// ErrGeometry marks numbers that no array can have; the error itself is a
// *GeometryError.
var ErrGeometry = errors.New("impossible array geometry")

// GeometryError says which number of an array's geometry is impossible.
type GeometryError struct {
	Level string // "raid5", ...
	Field string // "chunk size", "layout", ...
	Value int64
	Why   string
}

// Error returns one line: level, field, value, reason.
func (e *GeometryError) Error() string {
	return fmt.Sprintf("%s: %s %d: %s", e.Level, e.Field, e.Value, e.Why)
}

// Is matches ErrGeometry.
func (e *GeometryError) Is(target error) bool { return target == ErrGeometry }

// sector is what sizes and chunks are multiples of, in bytes.
const sector = 512

// Place is where a run of an array's bytes lies on a member.
type Place struct {
	Slot int   // the member
	Off  int64 // on that member, bytes from the start of its data
	Len  int64 // how many bytes from here on are contiguous both there and in the array
}

// checkChunk requires a chunk size that is a positive multiple of a sector.
func checkChunk(level string, chunk int64) error {
	if chunk <= 0 || chunk%sector != 0 {
		return &GeometryError{level, "chunk size", chunk, "must be a positive multiple of 512"}
	}
	return nil
}

// checkPowerOfTwo also requires a chunk size that is a power of two, as raid4,
// 5, 6 and 10 do (raid5.c, setup_conf; raid10.c, setup_geo).
func checkPowerOfTwo(level string, chunk int64) error {
	if err := checkChunk(level, chunk); err != nil {
		return err
	}
	if chunk&(chunk-1) != 0 {
		return &GeometryError{level, "chunk size", chunk, "must be a power of two"}
	}
	return nil
}

// checkSizes requires sizes that are multiples of a sector and whose sum does
// not overflow.
func checkSizes(level string, sizes []int64) error {
	if len(sizes) == 0 {
		return &GeometryError{level, "number of members", 0, "must be at least 1"}
	}
	var sum int64
	for _, s := range sizes {
		if s < 0 || s%sector != 0 {
			return &GeometryError{level, "member size", s, "must be a multiple of 512"}
		}
		if sum += s; sum < 0 {
			return &GeometryError{level, "member size", s, "the array would be too large"}
		}
	}
	return nil
}
