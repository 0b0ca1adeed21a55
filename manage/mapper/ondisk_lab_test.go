package mapper

import (
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	device "github.com/mdkit/mdkit/engine/block"
	table "github.com/mdkit/mdkit/engine/dm"
	"github.com/mdkit/mdkit/internal/lab"
	"github.com/mdkit/mdkit/ioctl/dm"
)

// patch overwrites bytes of a disk.
type patch struct {
	at    int64
	bytes string
	mask  uint32 // makes the checksum of the first block right again
}

// Targets whose metadata the kernel writes; {a} to {c} are disks, and the first of the
// list of each is the one that is damaged.
const (
	madeSnapshot   = "0 2048 snapshot {a} {c} P 8"
	madePool       = "0 8192 thin-pool {c} {a} 128 0"
	madeCache      = "0 8192 cache {c} {b} {a} 64 1 writethrough smq 0"
	madeEra        = "0 8192 era {c} {a} 64"
	madeTags       = "0 1024 integrity {c} 0 4 J 0"
	madeHashes     = "0 1024 integrity {c} 8 - J 2 internal_hash:sha256 fix_padding"
	madeBeside     = "0 1024 integrity {a} 0 - J 2 internal_hash:sha256 meta_device:{c}"
	madeWritecache = "0 8192 writecache s {a} {c} 4096 0"

	maskPool, maskCache, maskEra = 160774, 9031977, 146538381
)

// onDisk are tables for disks in a state: zeroes, or what the kernel has made for another
// table, then damaged. says is part of what both say, if the table is refused, or of what
// we find, if it is taken.
var onDisk = []struct {
	made   string
	damage []patch
	line   string
	says   string
}{
	{"", nil, madeSnapshot, "begins as an empty one"},
	{madeSnapshot, nil, madeSnapshot, ""},
	{madeSnapshot, nil, "0 2048 snapshot {a} {c} P 16", "chunk size 8 in device metadata overrides table chunk size of 16."},
	{madeSnapshot, nil, "0 2048 snapshot {a} {c} P 0", ""},
	{madeSnapshot, []patch{{at: 0, bytes: "nope"}}, madeSnapshot, "Invalid or corrupt snapshot"},
	{madeSnapshot, []patch{{at: 0, bytes: "nope"}}, "0 2048 snapshot {a} {c} N 8", ""},
	{madeSnapshot, []patch{{at: 8, bytes: "\x02"}}, madeSnapshot, "unable to handle snapshot disk version 2"},
	{madeSnapshot, []patch{{at: 12, bytes: "\x18"}}, madeSnapshot, "invalid on-disk chunk size 24: Chunk size is not a power of 2."},
	{madeSnapshot, []patch{{at: 12, bytes: "\x00\x00\x80\x00"}}, madeSnapshot, "invalid on-disk chunk size 8388608: Chunk size is too high."},
	{madeSnapshot, []patch{{at: 4, bytes: "\x00"}}, madeSnapshot, "Snapshot is marked invalid."},

	{"", nil, madePool, "it is formatted"},
	{"", nil, madePool + " 1 read_only", "Error creating metadata object"},
	{"", []patch{{at: 4000, bytes: "x"}}, madePool, "sb_check failed: magic 0: wanted 27022010"},
	{madePool, nil, madePool, ""},
	{madePool, nil, madePool + " 1 read_only", ""},
	{madePool, nil, "0 8192 thin-pool {c} {a} 256 0", "changing the data block size (from 128 to 256) is not supported"},
	{madePool, []patch{{at: 8, bytes: "\x07"}}, madePool, "sb_check failed: blocknr 7: wanted 0"},
	{madePool, []patch{{at: 100, bytes: "damage"}}, madePool, "sb_check failed: csum "},
	{madePool, []patch{{at: 4, bytes: "\x01", mask: maskPool}}, madePool, "needs_check is set"},
	{madePool, []patch{{at: 356, bytes: "\x04", mask: maskPool}}, madePool, "could not access metadata RDWR due to unsupported optional features (4)."},
	{madePool, []patch{{at: 360, bytes: "\x0a", mask: maskPool}}, madePool, "could not access metadata due to unsupported optional features (a)."},
	{madeCache, nil, madePool, "sb_check failed: magic 1623043: wanted 27022010"},

	{"", nil, madeCache, "it is formatted"},
	{madeCache, nil, madeCache, ""},
	{madeCache, nil, "0 8192 cache {c} {b} {a} 128 1 writethrough smq 0", "changing the data block size (from 64 to 128) is not supported"},
	{madeCache, []patch{{at: 4, bytes: "\x02", mask: maskCache}}, madeCache, "Unable to get write access to metadata"},
	{madeCache, []patch{{at: 40, bytes: "\x03", mask: maskCache}}, madeCache, "metadata version 3 found, but only versions between 1 and 2 supported."},
	{madePool, nil, madeCache, "sb_check failed: magic 27022010: wanted 1623043"},

	{"", nil, madeEra, "it is formatted"},
	{madeEra, nil, madeEra, ""},
	{madeEra, nil, "0 8192 era {c} {a} 128", "changing the data block size (from 64 to 128) is not supported"},
	{madeEra, []patch{{at: 40, bytes: "\x02", mask: maskEra}}, madeEra, "metadata version 2 found, but only versions between 1 and 1 supported."},
	{madeEra, []patch{{at: 500, bytes: "x"}}, madeEra, "sb_check failed: csum "},

	{"", nil, madeTags, ""},
	{"", []patch{{at: 4000, bytes: "x"}}, madeTags, "The device is not initialized"},
	{"", []patch{{at: 4000, bytes: "x"}}, "0 1024 integrity {c} 0 4 R 0", ""},
	{madeTags, nil, madeTags, ""},
	{madeTags, nil, "0 1024 integrity {c} 0 8 J 0", "Tag size doesn't match the information in superblock"},
	{madeTags, nil, "0 1024 integrity {c} 0 4 J 1 block_size:4096", "Block size doesn't match the information in superblock"},
	{madeTags, nil, "0 1024 integrity {c} 0 4 J 1 interleave_sectors:1024", ""},
	{madeTags, nil, "0 1024 integrity {c} 0 32 J 2 internal_hash:sha256 journal_mac:hmac(sha256):0011", "Tag size doesn't match the information in superblock"},
	{madeTags, []patch{{at: 8, bytes: "\x00"}}, madeTags, "Unknown version"},
	{madeTags, []patch{{at: 8, bytes: "\x09"}}, madeTags, "Unknown version"},
	{madeTags, []patch{{at: 12, bytes: "\x00\x00\x00\x00"}}, madeTags, "Corrupted superblock, journal_sections is 0"},
	{madeTags, []patch{{at: 12, bytes: "\x00\x00\x00\x10"}}, madeTags, "The device is too small"},
	{madeTags, []patch{{at: 9, bytes: "\x02"}}, madeTags, "Invalid interleave_sectors in the superblock"},
	{madeTags, []patch{{at: 24, bytes: "\x01"}}, madeTags, "Journal mac mismatch"},
	{madeTags, []patch{{at: 24, bytes: "\x02"}}, madeTags, "Recalculate can only be specified with internal_hash"},
	{madeTags, []patch{{at: 16, bytes: "\x08\x00\x00\x00"}}, madeTags, ""}, // the kernel counts anew
	{madeHashes, nil, madeHashes, ""},
	{madeHashes, nil, "0 1024 integrity {c} 8 - J 1 internal_hash:sha1", "Tag size doesn't match the information in superblock"},
	{madeHashes, nil, "0 1024 integrity {c} 8 32 J 2 recalculate internal_hash:hmac(sha256):0011", "Recalculating with HMAC is disabled for security reasons"},
	{madeHashes, nil, "0 1024 integrity {c} 8 32 J 3 recalculate legacy_recalculate internal_hash:hmac(sha256):0011", ""},
	{madeBeside, nil, madeBeside, ""},
	{madeBeside, nil, "0 1024 integrity {c} 0 - J 1 internal_hash:sha256", "Invalid interleave_sectors in the superblock"},

	{"", nil, madeWritecache, "it is formatted"},
	{madeWritecache, nil, madeWritecache, ""},
	{madeWritecache, nil, "0 8192 writecache s {a} {c} 512 0", "Block size does not match superblock"},
	{madeWritecache, []patch{{at: 0, bytes: "x"}}, madeWritecache, "Invalid magic in the superblock"},
	{madeWritecache, []patch{{at: 4, bytes: "\x02"}}, madeWritecache, "Invalid version in the superblock"},
	{madeWritecache, []patch{{at: 16, bytes: "\xff\xff\xff\x0f"}}, madeWritecache, "Memory area is too small"},
}

// TestLabOnDisk has the kernel judge tables whose fate hangs on what is on their devices,
// and compares what we said before: the same verdict, for the same reason.
func TestLabOnDisk(t *testing.T) {
	lab.Run(t, lab.Spec{
		Modules: []string{"crc32c_generic", "sha1_generic", "sha256_generic", "hmac", "dm-mod", "dm-snapshot", "dm-thin-pool", "dm-cache", "dm-cache-smq", "dm-era", "dm-integrity", "dm-writecache"},
		Disks:   []lab.Disk{{Size: 32 << 20}, {Size: 16 << 20}, {Size: 24 << 20}},
	}, lab.Case{Name: "kernel", Run: labOnDisk}, lab.Case{Name: "provided sectors", Run: labProvided})
}

func labOnDisk(t *testing.T, g *lab.Guest) {
	m := open(t)
	create(t, m, CreateRequest{Name: "judge"})
	taken := 0
	for _, c := range onDisk {
		wipeDisks(t, g)
		if c.made != "" {
			if err := loadOnce(t, m, onDisks(t, g, c.made)); err != nil {
				t.Fatalf("%s: %v\n%s", c.made, err, strings.Join(g.KernelLog(t), "\n"))
			}
		}
		for _, p := range c.damage {
			p.apply(t, g.Disks[2])
		}
		line := onDisks(t, g, c.line)
		name := fmt.Sprintf("%q after %q, %+v", c.line, c.made, c.damage)
		notes, ours := m.Examine(table.Table{line}, false)
		g.KernelLog(t)
		loaded := loadOnce(t, m, line)
		said := strings.Join(g.KernelLog(t), "\n")
		if loaded == nil {
			taken++
			found := slices.ContainsFunc(notes, func(n table.Note) bool { return n.Seen && strings.Contains(n.Text, c.says) })
			if ours != nil || c.says != "" && !found {
				t.Errorf("%s: the kernel takes it, we say %v %v", name, notes, ours)
			}
			continue
		}
		var why *table.Error
		if !errors.As(ours, &why) {
			t.Errorf("%s: we say %v, the kernel says %v:\n%s", name, notes, loaded, said)
			continue
		}
		if !strings.Contains(said, ": "+why.Reason) || !strings.Contains(said, c.says) || !strings.Contains(ours.Error(), c.says) || c.says == "" {
			t.Errorf("%s: we say %v, the kernel:\n%s", name, ours, said)
		}
	}
	if taken < 15 || taken > len(onDisk)-20 {
		t.Errorf("the kernel took %d of %d", taken, len(onDisk))
	}
}

// labProvided finds how many sectors integrity provides, and has both judge tables of that
// length, and of one block more.
func labProvided(t *testing.T, g *lab.Guest) {
	m := open(t)
	create(t, m, CreateRequest{Name: "judge"})
	for _, params := range []string{
		"{c} 0 4 J 0", "{c} 16 1 D 0", "{c} 0 64 J 1 journal_sectors:8000", "{c} 0 4 J 1 interleave_sectors:64", "{c} 0 4 J 1 fix_padding",
		"{c} 0 4 J 2 block_size:4096 fix_padding", "{c} 0 - B 1 internal_hash:sha256", "{c} 0 - J 3 internal_hash:sha256 journal_mac:hmac(sha256):00 fix_hmac",
		"{a} 0 - J 2 internal_hash:sha256 meta_device:{c}", "{a} 0 8 J 3 meta_device:{c} block_size:2048 buffer_sectors:8",
	} {
		wipeDisks(t, g)
		if err := loadOnce(t, m, onDisks(t, g, "0 8 integrity "+params)); err != nil {
			t.Fatalf("%s: %v", params, err)
		}
		live := onDisks(t, g, "0 8 integrity "+params)
		_, err := m.Control.Load(dm.ByName("judge"), []dm.Target{live}, dm.LoadOptions{})
		must(t, err)
		_, err = m.Control.Resume(dm.ByName("judge"), dm.ResumeOptions{})
		must(t, err)
		_, status, err := m.Control.TableStatus(dm.ByName("judge"), dm.TableStatusOptions{Kind: dm.KindStatus})
		must(t, err)
		provided, err := strconv.ParseUint(strings.Fields(status[0].Params)[1], 10, 64)
		must(t, err)
		_, err = m.Control.Remove(dm.ByName("judge"), dm.RemoveOptions{})
		must(t, err)
		_, err = m.Control.Create("judge", dm.CreateOptions{})
		must(t, err)
		for _, more := range []uint64{0, 8} {
			live.Length = provided + more
			_, ours := m.Examine(table.Table{live}, false)
			if loaded := loadOnce(t, m, live); (loaded == nil) != (ours == nil) || (loaded == nil) != (more == 0) {
				t.Errorf("%s provides %d: with %d more the kernel says %v, we say %v", params, provided, more, loaded, ours)
			}
		}
	}
}

// loadOnce has the kernel judge a line, which it forgets again.
func loadOnce(t *testing.T, m *Mapper, l table.Line) error {
	t.Helper()
	_, err := m.Control.Load(dm.ByName("judge"), []dm.Target{l}, dm.LoadOptions{})
	_, cleared := m.Control.Clear(dm.ByName("judge"))
	must(t, cleared)
	return err
}

// onDisks parses a line with the disks' names put in.
func onDisks(t *testing.T, g *lab.Guest, line string) table.Line {
	t.Helper()
	lines, err := table.ParseTable(strings.NewReplacer("{a}", g.Disks[0], "{b}", g.Disks[1], "{c}", g.Disks[2]).Replace(line))
	must(t, err)
	return lines[0]
}

func wipeDisks(t *testing.T, g *lab.Guest) {
	t.Helper()
	for _, d := range g.Disks[:3] {
		patch{bytes: string(make([]byte, 1<<20))}.apply(t, d)
	}
}

// apply writes to the disk itself: the kernel and we read past the cache.
func (p patch) apply(t *testing.T, disk string) {
	t.Helper()
	text, at := []byte(p.bytes), p.at
	if p.mask != 0 {
		text, at = make([]byte, 4096), 0
		d, err := device.OpenFile(disk, device.Direct)
		must(t, err)
		_, err = d.ReadAt(text, 0)
		must(t, errors.Join(err, d.Close()))
		copy(text[p.at:], p.bytes)
		sum := ^crc32.Checksum(text[4:], crc32.MakeTable(crc32.Castagnoli)) ^ p.mask
		text[0], text[1], text[2], text[3] = byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24)
	}
	f, err := os.OpenFile(disk, os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteAt(text, at)
	must(t, errors.Join(err, f.Sync(), f.Close()))
}
