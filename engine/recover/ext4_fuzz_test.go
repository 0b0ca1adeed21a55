package recover

import (
	"math"
	"testing"

	"github.com/mdkit/mdkit/internal/house/fuzztest"
)

// extSuper is a superblock whose magic number and checksum have been made
// right.
func extSuper(fields map[int]uint32) []byte {
	b := make([]byte, superLen)
	for off, v := range fields {
		le.PutUint32(b[off:], v)
	}
	sealSuper(b)
	return b
}

func sealSuper(b []byte) {
	le.PutUint16(b[0x38:], extMagic)
	le.PutUint32(b[0x3fc:], sum(^uint32(0), b[:0x3fc]))
}

// Places of fields: s_blocks_count_lo, s_first_data_block, s_log_block_size, and
// so on (fs/ext4/ext4.h).
const (
	atBlocks, atFirst, atLog, atPerGroup, atInodes = 4, 0x14, 0x18, 0x20, 0x28
	atInodeSize, atIncompat, atRoCompat, atDesc    = 0x58, 0x60, 0x64, 0xfc
	atBlocksHigh                                   = 0x150
)

func fuzzedSupers() map[string]map[int]uint32 {
	return map[string]map[int]uint32{
		"small": {atBlocks: 8192, atFirst: 1, atPerGroup: 8192, atInodes: 2048, atInodeSize: 256, atRoCompat: metaSums},
		"wide": {
			atBlocks: 1 << 20, atLog: 2, atPerGroup: 32768, atInodes: 8192, atInodeSize: 256,
			atIncompat: incompat64, atRoCompat: metaSums, atDesc: 64 << 16,
		},
	}
}

// TestSuperIsRefused has counts that no filesystem has; they would be looped
// over, or make offsets that overflow, and must be refused.
func TestSuperIsRefused(t *testing.T) {
	wide := fuzzedSupers()["wide"]
	if _, _, err := parseSuper(extSuper(wide)); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]map[int]uint32{
		"inodes of 129 bytes":      {atInodeSize: 129},
		"descriptors of 33 bytes":  {atDesc: 33 << 16},
		"descriptors of 96 bytes":  {atDesc: 96 << 16},
		"more than an offset says": {atLog: 6, atBlocksHigh: 0xffff},
	} {
		fields := make(map[int]uint32)
		for _, m := range []map[int]uint32{wide, change} {
			for k, v := range m {
				fields[k] = v
			}
		}
		if fs, _, err := parseSuper(extSuper(fields)); err == nil {
			t.Errorf("%s: %+v", name, fs)
		}
	}
}

// TestBackups asks for the last group with a copy of the superblock, which must
// not take long.
func TestBackups(t *testing.T) {
	fs := &filesystem{block: 1024, blocks: math.MaxInt64 >> 10, perGroup: 1}
	facts := fs.supers()
	if len(facts) != maxSupers {
		t.Fatalf("%d copies", len(facts))
	}
	for i, f := range facts[1:] {
		if g := f.off / fs.block; !hasBackup(g) || i > 0 && f.off <= facts[i].off {
			t.Errorf("copy %d in group %d", i, g)
		}
	}
	fs = &filesystem{block: 1024, blocks: 30, perGroup: 1}
	want := []int64{1, 3, 5, 7, 9, 25, 27}
	for i, f := range fs.supers()[1:] {
		if i >= len(want) || f.off != want[i]*1024 {
			t.Errorf("copy %d at %d", i, f.off)
		}
	}
}

// FuzzExt4 reads a superblock, descriptors and a block of inodes; the checksum
// of the superblock is right. The places they point to are inside the
// filesystem, and no more of them are looked at than the bounds allow.
func FuzzExt4(f *testing.F) {
	for _, fields := range fuzzedSupers() {
		dir := make([]byte, 256)
		le.PutUint16(dir, kindDir)
		le.PutUint16(dir[0x1a:], 2)
		le.PutUint32(dir[0x20:], flagExtents)
		copy(dir[0x28:], []byte{0x0a, 0xf3, 4, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 9, 0, 0, 0})
		f.Add(extSuper(fields), []byte{3, 0, 0, 0, 4, 0, 0, 0, 5}, dir)
	}
	f.Fuzz(func(t *testing.T, super, descs, inodes []byte) {
		b := make([]byte, superLen)
		copy(b, super)
		sealSuper(b)
		fuzztest.Bounded(t, len(b)+len(descs)+1<<20, func() {
			fs, _, err := parseSuper(b)
			if err != nil {
				return
			}
			inside := func(facts []fact, most int) {
				t.Helper()
				if len(facts) > most {
					t.Fatalf("%d places to look at", len(facts))
				}
				for _, f := range facts {
					if f.off < 0 || f.length <= 0 || f.length > max(fs.block, superLen) || f.off > math.MaxInt64-f.length ||
						f.off >= max(fs.size(), superOff+superLen) {
						t.Fatalf("%d bytes at %d of %d", f.length, f.off, fs.size())
					}
				}
				for _, f := range facts[:min(len(facts), 3)] {
					f.holds(make([]byte, f.length))
					p := make([]byte, f.length)
					copy(p, inodes)
					f.holds(p)
				}
			}
			inside(fs.supers(), maxSupers)
			inside(fs.descs(), maxGroups)
			var groups []desc
			for rest := descs; len(rest) > 0 && len(groups) < 4; rest = rest[min(len(rest), int(fs.descSize)):] {
				d := make([]byte, fs.descSize)
				copy(d, rest)
				groups = append(groups, fs.parseDesc(d))
			}
			inside(fs.bitmaps(groups), 2*len(groups))
			inside(fs.tables(groups), maxInodes)
			block := make([]byte, fs.block)
			copy(block, inodes)
			inside(fs.directories(groups, func(fact) ([]byte, bool) { return block, true }), maxDirs+4*64)
		})
	})
}
