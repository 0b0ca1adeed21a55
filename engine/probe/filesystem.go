package probe

import (
	"fmt"
	"math"
	"strings"
)

// ext examines an ext2, ext3 or ext4 superblock (fs/ext4/ext4.h, struct
// ext4_super_block) and names the oldest of the three that supports its
// features.
func ext(_ *scanner, b []byte, sig *Signature) bool {
	const (
		hasJournal    = 0x4   // compat
		journalDev    = 0x8   // incompat
		ext3Incompat  = 0x16  // filetype, recover, meta_bg
		ext3ROCompat  = 0x7   // sparse_super, large_file, btree_dir
		metadataCsum  = 0x400 // ro_compat
		checksumAt    = 1020
		revisionMajor = 76
	)
	compat, incompat, ro := le.Uint32(b[92:]), le.Uint32(b[96:]), le.Uint32(b[100:])
	switch {
	case incompat&journalDev != 0:
		sig.Type = "jbd"
	case incompat&^ext3Incompat != 0 || ro&^ext3ROCompat != 0:
		sig.Type = "ext4"
	case compat&hasJournal != 0:
		sig.Type = "ext3"
	default:
		sig.Type = "ext2"
	}
	if le.Uint32(b[24:]) > 6 { // s_log_block_size: at most 64 KiB
		return false
	}
	if sig.Type != "jbd" {
		const is64bit = 0x80 // incompat
		blocks := uint64(le.Uint32(b[4:]))
		if incompat&is64bit != 0 {
			blocks |= uint64(le.Uint32(b[0x150:])) << 32
		}
		sig.Span = span(blocks, 1024<<le.Uint32(b[24:]))
	}
	if ro&metadataCsum != 0 {
		sig.Checksum = verdict(crc32cRaw(b[:checksumAt]) == le.Uint32(b[checksumAt:]))
	}
	sig.Version = fmt.Sprintf("%d.%d", le.Uint32(b[revisionMajor:]), le.Uint16(b[62:]))
	sig.UUID, sig.Label = dashed(b[104:120]), label(b[120:136])
	return true
}

// span returns the bytes of that many blocks, 0 if no device is that large.
func span(blocks, size uint64) int64 {
	if size == 0 || blocks > math.MaxInt64/size {
		return 0
	}
	return int64(blocks * size)
}

// xfs examines an XFS superblock (fs/xfs/libxfs/xfs_format.h, struct xfs_dsb):
// from version 5 on, crc32c over the sector with the field zero.
func xfs(s *scanner, b []byte, sig *Signature) bool {
	sector := int64(be.Uint16(b[102:]))
	if !powerOfTwo(uint64(sector)) || sector < 512 || !powerOfTwo(uint64(be.Uint32(b[4:]))) {
		return false
	}
	version := be.Uint16(b[100:]) & 0xf
	sig.Span = span(be.Uint64(b[8:]), uint64(be.Uint32(b[4:])))
	sig.Version, sig.UUID, sig.Label = fmt.Sprint(version), dashed(b[32:48]), label(b[108:120])
	if whole := s.bytes(sig.Off, sector); version >= 5 && whole != nil {
		c := append([]byte(nil), whole...)
		clear(c[224:228])
		sig.Len, sig.Checksum = sector, verdict(^crc32cRaw(c) == le.Uint32(whole[224:]))
	}
	return true
}

// xfsLog examines an external XFS log's first record (struct xlog_rec_header).
func xfsLog(_ *scanner, b []byte, sig *Signature) bool {
	v := be.Uint32(b[8:])
	sig.Version, sig.UUID = fmt.Sprint(v), dashed(b[304:320])
	return v == 1 || v == 2
}

// btrfs examines a superblock or its first mirror (fs/btrfs/ctree.h, struct
// btrfs_super_block).
func btrfs(_ *scanner, b []byte, sig *Signature) bool {
	if int64(le.Uint64(b[48:])) != sig.Off { // bytenr
		return false
	}
	if le.Uint16(b[196:]) == 0 { // csum_type: crc32c
		sig.Checksum = verdict(^crc32cRaw(b[32:4096]) == le.Uint32(b))
	}
	sig.UUID, sig.Label = dashed(b[32:48]), label(b[299:555])
	if sig.Off != 0x10000 {
		sig.Detail = "superblock mirror"
	}
	return true
}

// f2fs examines include/linux/f2fs_fs.h, struct f2fs_super_block.
func f2fs(_ *scanner, b []byte, sig *Signature) bool {
	sig.Version = fmt.Sprintf("%d.%d", le.Uint16(b[4:]), le.Uint16(b[6:]))
	sig.UUID, sig.Label = dashed(b[108:124]), label16(b[124:124+1024])
	return true
}

// fatBoot reports whether the boot sector b describes a FAT filesystem. The
// magic of the sector is shared with every boot loader, so the numbers must fit
// (Microsoft FAT specification 1.03, section 3).
func fatBoot(b []byte) bool {
	sector, cluster, media := le.Uint16(b[11:]), b[13], b[21]
	return (b[0] == 0xeb || b[0] == 0xe9) &&
		powerOfTwo(uint64(sector)) && sector >= 512 && sector <= 4096 &&
		powerOfTwo(uint64(cluster)) && le.Uint16(b[14:]) != 0 &&
		(b[16] == 1 || b[16] == 2) && (media == 0xf0 || media >= 0xf8)
}

func vfat(_ *scanner, b []byte, sig *Signature) bool {
	if !fatBoot(b) || string(b[424:440]) == bitlockerToGo {
		return false
	}
	ext := b[36:] // the extended fields of FAT12 and FAT16
	sig.Version = "FAT16"
	if le.Uint16(b[22:]) == 0 {
		sig.Version, ext = "FAT32", b[64:]
	} else if strings.HasPrefix(string(b[54:]), "FAT12") {
		sig.Version = "FAT12"
	}
	if ext[2] == 0x28 || ext[2] == 0x29 {
		serial := le.Uint32(ext[3:])
		sig.UUID = fmt.Sprintf("%04X-%04X", serial>>16, serial&0xffff)
		if name := label(ext[7:18]); ext[2] == 0x29 && name != "NO NAME" {
			sig.Label = name
		}
	}
	return true
}

func exfat(_ *scanner, b []byte, sig *Signature) bool {
	serial := le.Uint32(b[100:])
	sig.UUID = fmt.Sprintf("%04X-%04X", serial>>16, serial&0xffff)
	sig.Version = fmt.Sprintf("%d.%d", b[105], b[104])
	return true
}

func ntfs(_ *scanner, b []byte, sig *Signature) bool {
	sig.UUID = fmt.Sprintf("%016X", le.Uint64(b[72:]))
	return powerOfTwo(uint64(le.Uint16(b[11:])))
}

func reiserfs(_ *scanner, b []byte, sig *Signature) bool {
	switch b[58] {
	case 'F':
		sig.Version = "3.5"
	case '2':
		sig.Version = "3.6"
	case '3':
		sig.Version = "JR"
	}
	if sig.Version != "3.5" {
		sig.UUID, sig.Label = dashed(b[84:100]), label(b[100:116])
	}
	return le.Uint16(b[44:]) >= 512
}

func jfs(_ *scanner, b []byte, sig *Signature) bool {
	sig.Version, sig.UUID, sig.Label = fmt.Sprint(le.Uint32(b[4:])), dashed(b[136:152]), label(b[152:168])
	return true
}

// nilfs examines include/uapi/linux/nilfs2_ondisk.h, struct nilfs_super_block.
// The magic is only two bytes, so a wrong checksum means that this is something
// else.
func nilfs(_ *scanner, b []byte, sig *Signature) bool {
	n := int(le.Uint16(b[8:]))
	if n < 24 || n > len(b) {
		return false
	}
	c := append([]byte(nil), b[:n]...)
	clear(c[16:20])
	sig.Checksum = ChecksumOK
	sig.Version = fmt.Sprint(le.Uint32(b))
	sig.UUID, sig.Label = dashed(b[152:168]), label(b[168:248])
	return crc32Raw(le.Uint32(b[12:]), c) == le.Uint32(b[16:])
}

func gfs2(_ *scanner, b []byte, sig *Signature) bool {
	if be.Uint32(b[24:]) < 1800 { // sb_fs_format of the first GFS
		sig.Type = "gfs"
	}
	sig.Version, sig.Label = fmt.Sprint(be.Uint32(b[24:])), label(b[160:224])
	sig.UUID = dashed(b[256:272])
	return true
}

func erofs(_ *scanner, b []byte, sig *Signature) bool {
	sig.UUID, sig.Label = dashed(b[48:64]), label(b[64:80])
	return true
}

func iso9660(_ *scanner, b []byte, sig *Signature) bool {
	sig.Label = label(b[40:72])
	return true
}

func hfsplus(_ *scanner, b []byte, sig *Signature) bool {
	v := be.Uint16(b[2:])
	if b[1] == 'X' {
		sig.Type = "hfsx"
	}
	sig.Version = fmt.Sprint(v)
	return v == 4 || v == 5
}

// hfs examines a master directory block. Its two-byte magic proves little, so
// the allocation block size must also be a multiple of the sector.
func hfs(_ *scanner, b []byte, sig *Signature) bool {
	size := be.Uint32(b[20:])
	sig.Label = label(b[37 : 37+min(int(b[36]), 27)])
	return size != 0 && size%512 == 0 && b[36] <= 27
}

// apfs examines a container superblock (Apple File System Reference, nx_superblock_t);
// the checksum is Fletcher's over 32-bit words.
func apfs(_ *scanner, b []byte, sig *Signature) bool {
	const m = 1<<32 - 1
	var lo, hi uint64
	for i := 8; i < len(b); i += 4 {
		lo = (lo + uint64(le.Uint32(b[i:]))) % m
		hi = (hi + lo) % m
	}
	low := m - (lo+hi)%m
	high := m - (lo+low)%m
	sig.Checksum = verdict(high<<32|low == le.Uint64(b))
	sig.UUID = dashed(b[72:88])
	return true
}

// swap examines include/linux/swap.h, union swap_header; the position of the
// magic shows the page size.
func swap(_ *scanner, b []byte, sig *Signature) bool {
	if string(b[:len(tuxOnIceMagic)]) == tuxOnIceMagic {
		return false
	}
	sig.Version = fmt.Sprint(le.Uint32(b[1024:]))
	sig.UUID, sig.Label = dashed(b[1036:1052]), label(b[1052:1068])
	sig.Detail = fmt.Sprintf("pages of %d bytes", len(b))
	return true
}

// swap0 is the format used before Linux 2.2, without a uuid.
func swap0(_ *scanner, _ []byte, sig *Signature) bool {
	sig.Version = "0"
	return true
}

const (
	zfsLabel    = 256 << 10 // bytes of a vdev label, the upper half of it uberblocks
	zfsUberSize = 1 << 10   // bytes of the smallest uberblock
)

// findZFS looks for uberblocks in the first and the last vdev label (ZFS
// On-Disk Specification, chapter 1). The place of an uberblock depends on the
// sector size, so all possible places are tried.
func findZFS(s *scanner) []Signature {
	if s.size < 4*zfsLabel {
		return nil
	}
	var found []Signature
	for _, at := range []int64{0, s.size/zfsLabel*zfsLabel - zfsLabel} {
		if sig, ok := zfsUberblocks(s, at); ok {
			found = append(found, sig)
		}
	}
	return found
}

func zfsUberblocks(s *scanner, at int64) (Signature, bool) {
	const magic = 0x00bab10c
	n := 0
	for off := int64(zfsLabel / 2); off < zfsLabel; off += zfsUberSize {
		if b := s.bytes(at+off, 8); b != nil && (le.Uint64(b) == magic || be.Uint64(b) == magic) {
			n++
		}
	}
	return Signature{
		Type: "zfs_member", Class: Filesystem, Off: at, Len: zfsLabel, Checksum: Unchecked,
		Detail: fmt.Sprintf("%d uberblocks in this label", n),
	}, n > 0
}
