package ondisk

import (
	"fmt"
	"hash/crc32"

	"github.com/mdkit/mdkit/engine/dm"
)

// superblock is how a target that keeps its metadata in blocks of 4096 bytes
// (drivers/md/persistent-data) marks the first of them. All begin with checksum, flags,
// number of the block, UUID, magic and version.
type superblock struct {
	reason    string // of a constructor that cannot open the metadata
	magic     uint64
	mask      uint32 // goes over the checksum
	versions  [2]uint32
	blockAt   int // data_block_size
	featureAt int // compat_flags, compat_ro_flags and incompat_flags; 0 for none
}

// Places of what all have.
const (
	blockSize = 4096
	flagsAt   = 4
	blockNrAt = 8
	magicAt   = 32
	versionAt = 40
)

var (
	thinSuperblock = superblock{ // dm-thin-metadata.c
		reason: "Error creating metadata object", magic: 27022010, mask: 160774, blockAt: 336, featureAt: 352,
	}
	cacheSuperblock = superblock{ // dm-cache-metadata.c, whose magic is written in octal
		reason: "Error creating metadata object", magic: 0o6142003, mask: 9031977, versions: [2]uint32{1, 2}, blockAt: 232, featureAt: 244,
	}
	eraSuperblock = superblock{ // dm-era-target.c
		reason: "Error reading metadata", magic: 2126579579, mask: 146538381, versions: [2]uint32{1, 1}, blockAt: 172,
	}
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// wrong says why the kernel does not open the metadata: the validator's sb_check, then
// __open_metadata; "" if it does as far as the superblock goes.
func (s superblock) wrong(b []byte, block uint32) string {
	sum := ^crc32.Checksum(b[flagsAt:], castagnoli) ^ s.mask // dm_bm_checksum does not invert the result
	version := le.Uint32(b[versionAt:])
	switch {
	case le.Uint64(b[blockNrAt:]) != 0:
		return fmt.Sprintf("sb_check failed: blocknr %d: wanted 0", le.Uint64(b[blockNrAt:]))
	case le.Uint64(b[magicAt:]) != s.magic:
		return fmt.Sprintf("sb_check failed: magic %d: wanted %d", le.Uint64(b[magicAt:]), s.magic)
	case le.Uint32(b) != sum:
		return fmt.Sprintf("sb_check failed: csum %d: wanted %d", sum, le.Uint32(b))
	case s.versions[1] != 0 && (version < s.versions[0] || version > s.versions[1]):
		return fmt.Sprintf("metadata version %d found, but only versions between %d and %d supported.", version, s.versions[0], s.versions[1])
	case le.Uint32(b[s.blockAt:]) != block:
		return fmt.Sprintf("changing the data block size (from %d to %d) is not supported", le.Uint32(b[s.blockAt:]), block)
	}
	if s.featureAt == 0 {
		return ""
	}
	readWrite, all := le.Uint32(b[s.featureAt+4:]), le.Uint32(b[s.featureAt+8:])
	switch { // no kernel so far has any
	case all != 0:
		return fmt.Sprintf("could not access metadata due to unsupported optional features (%x).", all)
	case readWrite != 0:
		return fmt.Sprintf("could not access metadata RDWR due to unsupported optional features (%x).", readWrite)
	}
	return ""
}

// persistent judges a device with metadata in blocks. It returns the superblock if there
// is one that the kernel takes.
func (e *exam) persistent(s superblock, ref string, block uint32, mayFormat bool) ([]byte, error) {
	b := e.read("metadata", ref, blockSize, 0)
	if b == nil {
		return nil, nil
	}
	if blank(b) && !mayFormat {
		return nil, e.refuse("metadata", s.reason, "there is no metadata on this device, and none is made for reading alone")
	}
	if blank(b) {
		e.settle("metadata")
		e.saw("metadata", "there is no metadata on this device: it is formatted")
		return nil, nil
	}
	if why := s.wrong(b, block); why != "" {
		return nil, e.refuse("metadata", s.reason, why)
	}
	e.open("metadata", "what the superblock on this device points to; it itself fits the table")
	return b, nil
}

// thinPool is dm_pool_metadata_open.
func (e *exam) thinPool(a dm.ThinPool) error {
	b, err := e.persistent(thinSuperblock, a.Metadata, a.Block, !a.ReadOnly)
	if b != nil && le.Uint32(b[flagsAt:])&1 != 0 {
		e.saw("metadata", "needs_check is set: the pool stays read-only until thin_check clears it")
	}
	return err
}

// cache is dm_cache_metadata_open and what cache_create asks it. The kernel has no flags
// but clean_shutdown and needs_check.
func (e *exam) cache(a dm.Cache) error {
	b, err := e.persistent(cacheSuperblock, a.Metadata, a.Block, true)
	if b != nil && le.Uint32(b[flagsAt:])&2 != 0 {
		return e.refuse("metadata", "Unable to get write access to metadata, please check/repair metadata.", "needs_check is set")
	}
	return err
}

// era is metadata_open of dm-era-target.c.
func (e *exam) era(a dm.Era) error {
	_, err := e.persistent(eraSuperblock, a.Metadata, a.Block, true)
	return err
}
