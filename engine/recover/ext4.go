package recover

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"slices"
)

// Places in an ext4 superblock (fs/ext4/ext4.h, struct ext4_super_block).
const (
	superOff   = 1024 // in the array
	superLen   = 1024
	extMagic   = 0xef53
	incompat64 = 0x80
	seedStored = 0x2000 // INCOMPAT_CSUM_SEED
	metaSums   = 0x400  // RO_COMPAT_METADATA_CSUM
	metaGroups = 0x10   // INCOMPAT_META_BG: descriptors are elsewhere
	bigalloc   = 0x200  // RO_COMPAT_BIGALLOC
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sum is ext4_chksum: crc32c from a seed, without the complement at the end.
func sum(seed uint32, b []byte) uint32 { return ^crc32.Update(^seed, castagnoli, b) }

var le = binary.LittleEndian

// filesystem is what the superblock of an ext4 filesystem says.
type filesystem struct {
	block     int64 // bytes
	blocks    int64
	first     int64 // block that group 0 begins with
	perGroup  int64 // blocks
	inodes    int64 // of each group
	inodeSize int64
	descSize  int64
	seed      uint32
	sums      bool // metadata has checksums
	uuid      [16]byte
	label     string
}

var errNoFilesystem = errors.New("no ext4 superblock")

// parseSuper reads the superblock of an ext2, ext3 or ext4, and says which
// group's copy it is.
func parseSuper(b []byte) (fs *filesystem, group int64, err error) {
	if len(b) < superLen || le.Uint16(b[0x38:]) != extMagic || le.Uint32(b[0x18:]) > 6 {
		return nil, 0, errNoFilesystem
	}
	fs = &filesystem{
		block: 1024 << le.Uint32(b[0x18:]), blocks: int64(le.Uint32(b[4:])), first: int64(le.Uint32(b[0x14:])),
		perGroup: int64(le.Uint32(b[0x20:])), inodes: int64(le.Uint32(b[0x28:])),
		inodeSize: int64(le.Uint16(b[0x58:])), descSize: 32,
		label: string(trimZero(b[0x78:0x88])),
	}
	copy(fs.uuid[:], b[0x68:])
	incompat, roCompat := le.Uint32(b[0x60:]), le.Uint32(b[0x64:])
	if incompat&incompat64 != 0 {
		fs.blocks |= int64(le.Uint32(b[0x150:])) << 32
		fs.descSize = int64(le.Uint16(b[0xfe:]))
	}
	if fs.inodeSize == 0 {
		fs.inodeSize = 128
	}
	fs.sums = roCompat&metaSums != 0 && incompat&metaGroups == 0 && roCompat&bigalloc == 0
	fs.seed = sum(^uint32(0), fs.uuid[:])
	if incompat&seedStored != 0 {
		fs.seed = le.Uint32(b[0x270:])
	}
	if roCompat&metaSums != 0 && sum(^uint32(0), b[:0x3fc]) != le.Uint32(b[0x3fc:]) {
		return nil, 0, errNoFilesystem
	}
	// The same limits as in the kernel (fs/ext4/super.c, ext4_fill_super), and
	// no size that offsets in bytes cannot express.
	sane := fs.perGroup > 0 && fs.perGroup <= 8*fs.block && fs.blocks > fs.first && fs.blocks < 1<<48 && fs.blocks <= math.MaxInt64/fs.block &&
		fs.inodes > 0 && fs.inodes <= 8*fs.block && fs.inodeSize >= 128 && fs.inodeSize <= fs.block && powerOf2(fs.inodeSize) &&
		fs.descSize >= 32 && fs.descSize <= fs.block && powerOf2(fs.descSize) && fs.first <= 1
	if !sane {
		return nil, 0, errNoFilesystem
	}
	return fs, int64(le.Uint16(b[0x5a:])), nil
}

func powerOf2(n int64) bool { return n > 0 && n&(n-1) == 0 }

func trimZero(b []byte) []byte {
	for i, c := range b {
		if c == 0 {
			return b[:i]
		}
	}
	return b
}

// size is the filesystem's in bytes.
func (fs *filesystem) size() int64 { return fs.blocks * fs.block }

// groups is how many block groups there are.
func (fs *filesystem) groups() int64 { return (fs.blocks - fs.first + fs.perGroup - 1) / fs.perGroup }

// groupOff is where a group begins, in bytes of the array.
func (fs *filesystem) groupOff(g int64) int64 { return (fs.first + g*fs.perGroup) * fs.block }

// hasBackup reports whether a group holds a copy of superblock and descriptors
// (fs/ext4/balloc.c, ext4_bg_has_super).
func hasBackup(g int64) bool {
	if g <= 1 {
		return true
	}
	for _, base := range []int64{3, 5, 7} {
		n := base
		for n < g {
			n *= base
		}
		if n == g {
			return true
		}
	}
	return false
}

// fact is something that must be at a certain place of the array, and can be
// told from anything else.
type fact struct {
	off, length int64
	holds       func(b []byte) bool
}

// add appends the fact about a block, unless there is no such block: the
// numbers come from metadata that may hold anything.
func (fs *filesystem) add(facts []fact, block int64, holds func(b []byte) bool) []fact {
	if block < 0 || block >= fs.blocks {
		return facts
	}
	return append(facts, fact{block * fs.block, fs.block, holds})
}

// supers are the facts about copies of the superblock.
func (fs *filesystem) supers() []fact {
	facts := []fact{{superOff, superLen, fs.isSuper(0)}}
	for _, g := range backups(fs.groups()) {
		if len(facts) < maxSupers {
			facts = append(facts, fact{fs.groupOff(g), superLen, fs.isSuper(g)})
		}
	}
	return facts
}

// backups lists the groups below n that hold a copy, except the first. It does
// not count through all groups, since a superblock can claim too many for that.
func backups(n int64) []int64 {
	var list []int64
	if n > 1 {
		list = append(list, 1)
	}
	for _, base := range []int64{3, 5, 7} {
		for g := base; g < n; g *= base {
			list = append(list, g)
			if g > math.MaxInt64/base {
				break
			}
		}
	}
	slices.Sort(list)
	return list
}

func (fs *filesystem) isSuper(g int64) func([]byte) bool {
	return func(b []byte) bool {
		other, group, err := parseSuper(b)
		return err == nil && other.uuid == fs.uuid && group == g&0xffff
	}
}

// Bounds on how much is looked at.
const (
	maxSupers = 40
	maxGroups = 512 // groups whose metadata is looked at
	maxInodes = 400 // blocks of inodes
	maxDirs   = 400 // blocks of directories
)

// descOff is where the descriptors begin in a group with a copy of them.
func (fs *filesystem) descOff(g int64) int64 {
	if g == 0 {
		return (fs.first + 1) * fs.block
	}
	return fs.groupOff(g) + fs.block
}

// descs are the facts about the blocks of descriptors in the first group.
func (fs *filesystem) descs() []fact {
	if !fs.sums {
		return nil
	}
	per := fs.block / fs.descSize
	var facts []fact
	for first := int64(0); first < min(fs.groups(), maxGroups); first += per {
		count := min(per, fs.groups()-first)
		facts = append(facts, fact{fs.descOff(0) + first*fs.descSize, count * fs.descSize, func(b []byte) bool {
			for i := range count {
				if !fs.isDesc(first+i, b[i*fs.descSize:(i+1)*fs.descSize]) {
					return false
				}
			}
			return true
		}})
	}
	return facts
}

// isDesc checks a descriptor (fs/ext4/super.c, ext4_group_desc_csum).
func (fs *filesystem) isDesc(g int64, d []byte) bool {
	crc := sum(fs.seed, le.AppendUint32(nil, uint32(g)))
	crc = sum(crc, d[:0x1e])
	crc = sum(crc, []byte{0, 0})
	crc = sum(crc, d[0x20:])
	return uint16(crc) == le.Uint16(d[0x1e:])
}

// desc is a group descriptor.
type desc struct {
	blockBitmap, inodeBitmap, inodeTable int64
	blockSum, inodeSum                   uint32
	wide                                 bool // the sums have all 32 bits
	blockUnused, inodeUnused             bool
	unusedInodes                         int64
}

func (fs *filesystem) parseDesc(d []byte) desc {
	g := desc{
		blockBitmap: int64(le.Uint32(d)), inodeBitmap: int64(le.Uint32(d[4:])), inodeTable: int64(le.Uint32(d[8:])),
		blockSum: uint32(le.Uint16(d[0x18:])), inodeSum: uint32(le.Uint16(d[0x1a:])),
		inodeUnused: d[0x12]&1 != 0, blockUnused: d[0x12]&2 != 0, unusedInodes: int64(le.Uint16(d[0x1c:])),
	}
	if fs.descSize >= 64 {
		g.wide = true
		g.blockBitmap |= int64(le.Uint32(d[0x20:])) << 32
		g.inodeBitmap |= int64(le.Uint32(d[0x24:])) << 32
		g.inodeTable |= int64(le.Uint32(d[0x28:])) << 32
		g.unusedInodes |= int64(le.Uint16(d[0x32:])) << 16
		g.blockSum |= uint32(le.Uint16(d[0x38:])) << 16
		g.inodeSum |= uint32(le.Uint16(d[0x3a:])) << 16
	}
	return g
}

// bitmaps are the facts about the allocation bitmaps of the groups.
func (fs *filesystem) bitmaps(groups []desc) []fact {
	var facts []fact
	add := func(block, bits int64, want uint32, wide bool) {
		facts = fs.add(facts, block, func(b []byte) bool {
			got := sum(fs.seed, b[:bits/8])
			return got == want || !wide && uint16(got) == uint16(want)
		})
	}
	for _, g := range groups {
		if !g.blockUnused {
			add(g.blockBitmap, fs.perGroup, g.blockSum, g.wide)
		}
		if !g.inodeUnused {
			add(g.inodeBitmap, fs.inodes, g.inodeSum, g.wide)
		}
	}
	return facts
}

// tables are the facts about blocks of inodes in use. Every inode in use in a
// block has to be right, and there must be at least one.
func (fs *filesystem) tables(groups []desc) []fact {
	per := fs.block / fs.inodeSize
	var facts []fact
	for n, g := range groups {
		if g.inodeUnused {
			continue
		}
		used := fs.inodes - g.unusedInodes
		for i := int64(0); i < used && len(facts) < maxInodes; i += per {
			first := int64(n)*fs.inodes + i + 1
			if g.inodeTable < 0 || g.inodeTable >= fs.blocks-i/per {
				break
			}
			facts = fs.add(facts, g.inodeTable+i/per, func(b []byte) bool {
				found := false
				for k := range min(per, used-i) {
					ino := b[k*fs.inodeSize : (k+1)*fs.inodeSize]
					if le.Uint16(ino) == 0 || le.Uint16(ino[0x1a:]) == 0 {
						continue // free
					}
					if !fs.isInode(first+k, ino) {
						return false
					}
					found = true
				}
				return found
			})
		}
	}
	return facts
}

// inodeSeed is what the checksums of an inode and its blocks start from.
func (fs *filesystem) inodeSeed(number int64, ino []byte) uint32 {
	return sum(sum(fs.seed, le.AppendUint32(nil, uint32(number))), ino[0x64:0x68])
}

// isInode checks an inode (fs/ext4/inode.c, ext4_inode_csum).
func (fs *filesystem) isInode(number int64, ino []byte) bool {
	b := append([]byte(nil), ino...)
	want := uint32(le.Uint16(b[0x7c:]))
	b[0x7c], b[0x7d] = 0, 0
	wide := fs.inodeSize > 128 && le.Uint16(b[0x80:]) >= 4
	if wide {
		want |= uint32(le.Uint16(b[0x82:])) << 16
		b[0x82], b[0x83] = 0, 0
	}
	got := sum(fs.inodeSeed(number, ino), b)
	return got == want || !wide && uint16(got) == uint16(want)
}

// Flags and modes of inodes.
const (
	kindMask    = 0xf000
	kindDir     = 0x4000
	flagIndex   = 0x1000
	flagExtents = 0x80000
)

// directories are the facts about the blocks of directories whose inodes are in
// the tables, which get reads.
func (fs *filesystem) directories(groups []desc, get func(fact) ([]byte, bool)) []fact {
	var facts []fact
	per := fs.block / fs.inodeSize
	for _, t := range fs.tables(groups) {
		block, ok := get(t)
		if !ok {
			continue
		}
		first := fs.numberAt(groups, t.off)
		for k := range per {
			ino := block[k*fs.inodeSize : (k+1)*fs.inodeSize]
			if le.Uint16(ino)&kindMask == kindDir && le.Uint32(ino[0x20:])&flagExtents != 0 && len(facts) < maxDirs {
				facts = append(facts, fs.directory(first+k, ino)...)
			}
		}
	}
	return facts
}

// numberAt is the number of the first inode in a block of a table.
func (fs *filesystem) numberAt(groups []desc, off int64) int64 {
	for n, g := range groups {
		if at := off - g.inodeTable*fs.block; at >= 0 && at < fs.inodes*fs.inodeSize {
			return int64(n)*fs.inodes + at/fs.inodeSize + 1
		}
	}
	return 0
}

// directory are the facts about the blocks of one directory (fs/ext4/namei.c,
// ext4_dirblock_csum). Blocks of an index keep their checksums elsewhere and
// are left out.
func (fs *filesystem) directory(number int64, ino []byte) []fact {
	seed := fs.inodeSeed(number, ino)
	indexed := le.Uint32(ino[0x20:])&flagIndex != 0
	extents := ino[0x28:0x64]
	if le.Uint16(extents) != 0xf30a || le.Uint16(extents[6:]) != 0 {
		return nil
	}
	var facts []fact
	for i := range min(int(le.Uint16(extents[2:])), 4) {
		e := extents[12+12*i:]
		start := int64(le.Uint32(e[8:])) | int64(le.Uint16(e[6:]))<<32
		for k := range min(int64(le.Uint16(e[4:])), 64) {
			if indexed && le.Uint32(e) == 0 && k == 0 {
				continue
			}
			facts = fs.add(facts, start+k, func(b []byte) bool {
				tail := b[len(b)-12:]
				return le.Uint32(tail) == 0 && le.Uint16(tail[4:]) == 12 && tail[7] == 0xde &&
					sum(seed, b[:len(b)-12]) == le.Uint32(tail[8:])
			})
		}
	}
	return facts
}
