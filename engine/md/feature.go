package md

import (
	"fmt"
	"math/bits"
	"strings"
)

// FeatureMap is feature_map of a 1.x superblock (md_p.h, MD_FEATURE_*).
type FeatureMap uint32

// Features.
const (
	// FeatureBitmapOffset: an internal bitmap is at bitmap_offset.
	FeatureBitmapOffset FeatureMap = 1 << iota
	// FeatureRecoveryOffset: the device is in sync only below recovery_offset.
	FeatureRecoveryOffset
	// FeatureReshapeActive: reshape_position and the new_* fields count.
	FeatureReshapeActive
	// FeatureBadBlocks: the bad block log is not empty.
	FeatureBadBlocks
	// FeatureReplacement: the device is taking the place of another one.
	FeatureReplacement
	// FeatureReshapeBackwards: a reshape that keeps the number of devices runs
	// from the end.
	FeatureReshapeBackwards
	// FeatureNewOffset: the reshape moves data_offset by new_offset.
	FeatureNewOffset
	// FeatureRecoveryBitmap: the recovery is guided by the bitmap.
	FeatureRecoveryBitmap
	// FeatureClustered: the array is shared by a cluster.
	FeatureClustered
	// FeatureJournal: the array has a journal device.
	FeatureJournal
	// FeaturePPL: each member has one partial parity log.
	FeaturePPL
	// FeatureMultiplePPLs: each member has room for several partial parity logs.
	FeatureMultiplePPLs
	// FeatureRAID0Layout: layout counts at level 0.
	FeatureRAID0Layout

	featureEnd
	// FeatureAll has every known bit.
	FeatureAll = featureEnd - 1
)

var featureNames = [...]string{
	"bitmap", "recovery_offset", "reshape_active", "bad_blocks", "replacement",
	"reshape_backwards", "new_offset", "recovery_bitmap", "clustered", "journal",
	"ppl", "multiple_ppls", "raid0_layout",
}

// Unknown returns the bits that no kernel up to 7.2 defines; the kernel refuses
// a superblock that has any.
func (f FeatureMap) Unknown() FeatureMap { return f &^ FeatureAll }

// Names returns the words for the known bits, lowest first, and then "0x..." for
// the others.
func (f FeatureMap) Names() []string {
	var names []string
	for known := f & FeatureAll; known != 0; known &= known - 1 {
		names = append(names, featureNames[bits.TrailingZeros32(uint32(known))])
	}
	if u := f.Unknown(); u != 0 {
		names = append(names, fmt.Sprintf("%#x", uint32(u)))
	}
	return names
}

// String returns the number and the words: "0x1001 (bitmap raid0_layout)".
func (f FeatureMap) String() string {
	if f == 0 {
		return "0x0"
	}
	return fmt.Sprintf("%#x (%s)", uint32(f), strings.Join(f.Names(), " "))
}

// DevFlags are the per-device flags of a 1.x superblock.
type DevFlags uint8

// Device flags (md_p.h, WriteMostly1 and FailFast1).
const (
	DevWriteMostly DevFlags = 1 << iota
	DevFailFast
	devFlagsAll = DevWriteMostly | DevFailFast
)

// String returns mdadm's words, separated by blanks.
func (f DevFlags) String() string {
	var words []string
	if f&DevWriteMostly != 0 {
		words = append(words, "write-mostly")
	}
	if f&DevFailFast != 0 {
		words = append(words, "failfast")
	}
	if u := f &^ devFlagsAll; u != 0 {
		words = append(words, fmt.Sprintf("%#x", uint8(u)))
	}
	return strings.Join(words, " ")
}
