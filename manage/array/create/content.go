package create

import (
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/probe"
	"github.com/mdkit/mdkit/manage/array/device"
	"github.com/mdkit/mdkit/manage/note"
)

// timeText is the format in which the C library writes times.
const timeText = "Mon Jan _2 15:04:05 2006"

// oddDetail adds a line to the last report of odd.
func (c *creator) oddDetail(id note.ID, args ...any) {
	if !c.Run || c.Verbose >= 0 {
		c.Report.More(note.Always, id, args...)
	}
}

// inspectContents reports what mdadm looks for: ext2 and reiserfs, members of other
// arrays, and boot sectors (util.c, check_ext2, check_reiser, check_raid).
func (c *creator) inspectContents(path string, f *device.Device) error {
	buf := make([]byte, 1024)
	at := func(off int64) bool { return block.ReadFull(f, buf, off) == nil }
	if at(1024) && buf[56] == 0x53 && buf[57] == 0xef {
		mtime := time.Unix(int64(int32(binary.LittleEndian.Uint32(buf[44:]))), 0)
		size := uint64(binary.LittleEndian.Uint32(buf[4:])) << min(binary.LittleEndian.Uint32(buf[24:]), 63)
		c.odd("create.appears-contain-ext2fs-file-system", path)
		c.oddDetail("create.size-k-mtime", size, mtime.Format(timeText))
	}
	if at(reiserfsSuper) && (string(buf[52:60]) == "ReIsErFs" || string(buf[52:61]) == "ReIsEr2Fs") {
		c.odd("create.appears-contain-reiserfs-file-system", path)
		c.oddDetail("create.size-k", uint64(binary.LittleEndian.Uint32(buf))*4)
	}
	m, err := md.GuessSuper(f)
	bootSector := block.ReadFull(f, buf[:512], 0) == nil && isBootSector(buf)
	switch {
	case err == nil:
		level := "-unknown-"
		if m.Level().Known() {
			level = m.Level().String()
		}
		c.odd("create.appears-be-part-raid-array", path)
		c.oddDetail("create.level-devices-ctime", level, m.RaidDisks(), m.CTime().Local().Format(timeText))
	case !errors.Is(err, md.ErrNoSuper):
		return err
	case bootSector:
		c.odd("create.partition-table-exists", path)
	}
	return c.inspectSignatures(path, f, err == nil, bootSector)
}

// inspectSignatures reports other signatures, the first of each kind: mdadm would
// overwrite them without a word. isMember and bootSector say what has already been
// reported.
func (c *creator) inspectSignatures(path string, f *device.Device, isMember, bootSector bool) error {
	found, err := probe.Probe(f)
	said := map[string]bool{}
	for _, s := range found {
		switch {
		case isMember && strings.HasPrefix(s.Type, "linux_raid_"), strings.HasPrefix(s.Type, "ext"),
			s.Type == "reiserfs" && s.Off == reiserfsSuper, bootSector && s.Class == probe.PartitionTable, said[s.Type]:
			continue
		}
		said[s.Type], c.warned = true, true
		if !c.Run || c.Verbose >= 0 {
			c.Report.Beside("create.appears-contain", path, s)
		}
	}
	return err
}

// reiserfsSuper is where mdadm looks for the superblock of reiserfs, in bytes.
const reiserfsSuper = 64 << 10

// isBootSector reports whether the first sector ends with the signature of a boot
// sector.
func isBootSector(sector []byte) bool { return sector[510] == 0x55 && sector[511] == 0xaa }

// inspectPartitions reports what happens to partitions: if free is 0 they are lost, else
// they must end before free, and before size if it is not 0 (util.c, check_partitions).
// Both are in sectors.
func (c *creator) inspectPartitions(path string, f *device.Device, free, size uint64) {
	end, ok := partitionsEnd(f)
	switch {
	case !ok:
	case free == 0:
		c.odd("create.partition-table-exists-on-but-will-be-lost", path)
	case end > free:
		c.odd("create.metadata-will-over-write-last-partition", path)
	case size > 0 && end > size:
		c.odd("create.array-size-too-small-cover-all-partitions", path)
	}
}

// partitionsEnd returns the end of the last partition, in sectors, in the table of the
// boot sector or in the GPT after it.
func partitionsEnd(f *device.Device) (end uint64, ok bool) {
	mbr := make([]byte, 512)
	if block.ReadFull(f, mbr, 0) != nil || !isBootSector(mbr) {
		return 0, false
	}
	blockSize := f.SectorSize()
	const firstEntry, entrySize, gptType = 446, 16, 0xee
	for i := range 4 {
		e := mbr[firstEntry+i*entrySize:]
		if e[4] == gptType {
			end, ok := gptEnd(f, blockSize)
			return end * uint64(blockSize/512), ok
		}
		first, count := binary.LittleEndian.Uint32(e[8:]), binary.LittleEndian.Uint32(e[12:])
		end = max(end, uint64(first+count))
	}
	return end * uint64(blockSize/512), true
}

// gptEnd returns the last block of the last partition, as mdadm determines it.
func gptEnd(f *device.Device, blockSize int64) (end uint64, ok bool) {
	head := make([]byte, 512)
	if block.ReadFull(f, head, blockSize) != nil || string(head[:8]) != "EFI PART" {
		return 0, false
	}
	count, size := binary.LittleEndian.Uint32(head[80:]), binary.LittleEndian.Uint32(head[84:])
	if count > 1024 || size > 512 || size < 48 {
		return 0, false
	}
	entries := make([]byte, count*size)
	if block.ReadFull(f, entries, 2*blockSize) != nil {
		return 0, false
	}
	for ; len(entries) > 0; entries = entries[size:] {
		if [16]byte(entries) != [16]byte{} {
			end = max(end, binary.LittleEndian.Uint64(entries[40:]))
		}
	}
	return end, true
}

// wholeChunks rounds sectors down to whole KiB, and to whole chunks if the level has
// any.
func (c *creator) wholeChunks(sectors uint64) uint64 {
	kib := sectors / 2
	if c.chunk > 0 {
		kib &^= uint64(c.chunk) - 1
	}
	return kib * 2
}
