package md

import (
	"fmt"
	"strings"
)

// SectorSize is the unit md counts in, in bytes.
const SectorSize = 512

// Version is the format of a superblock, and for 1.x also its place.
type Version struct {
	Major, Minor int
}

// The versions. 0.91, a 0.90 superblock during a reshape, is read as V090; its
// MinorVersion field tells them apart.
var (
	V090 = Version{0, 90}
	V10  = Version{1, 0}
	V11  = Version{1, 1}
	V12  = Version{1, 2}
)

// String returns "0.90", "1.0", "1.1" or "1.2".
func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// MarshalText returns the same text for encoders.
func (v Version) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// ParseVersion reads mdadm's --metadata words for the formats of this package:
// "0", "0.9", "0.90", "0.91", "1", "1.0", "1.1", "1.2", "default", with zeros in front
// and as "1.00" too (super0.c and super1.c, match_metadata_desc). "1" and "default"
// mean 1.2.
func ParseVersion(word string) (Version, error) {
	zero := word
	for strings.HasPrefix(zero, "00") {
		zero = zero[1:]
	}
	switch zero {
	case "0", "0.9", "0.90", "0.91":
		return V090, nil
	}
	switch strings.TrimLeft(word, "0") {
	case "1.0", "1.00":
		return V10, nil
	case "1.1", "1.01":
		return V11, nil
	case "1", "1.2", "1.02", "default":
		return V12, nil
	}
	return Version{}, fmt.Errorf("unrecognised metadata identifier: %s", word)
}

// Sizes of md.c and md_p.h, in bytes.
const (
	Super0Reserved = 64 << 10        // MD_RESERVED_BYTES: 0.90 sits in the last whole unit of this size
	Super1MinSize  = 24 * SectorSize // the smallest device on which mdadm looks for a 1.x superblock
)

// SuperOffset returns the byte offset of the superblock on a device of the given
// size in bytes, and whether the device is large enough for one (md.c,
// super_1_load and calc_dev_sboffset; mdadm requires 24 sectors for 1.x and 64 KiB
// for 0.90).
func (v Version) SuperOffset(deviceSize int64) (off int64, ok bool) {
	sectors := deviceSize / SectorSize
	switch v {
	case V090:
		if deviceSize < Super0Reserved {
			return 0, false
		}
		return deviceSize&^(Super0Reserved-1) - Super0Reserved, true
	case V10:
		if deviceSize < Super1MinSize {
			return 0, false
		}
		return (sectors - 16) &^ 7 * SectorSize, true
	case V11:
		return 0, deviceSize >= Super1MinSize
	case V12:
		return 8 * SectorSize, deviceSize >= Super1MinSize
	}
	return 0, false
}
