package probe

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// Filesystems and volumes that are rarely met, by what libblkid knows of them
// (util-linux, libblkid/src/superblocks).

// befs examines a superblock of the Be File System: three magic numbers in the
// byte order that it names.
func befs(_ *scanner, b []byte, sig *Signature) bool {
	var order binary.ByteOrder = le
	sig.Version = "little-endian"
	if string(b[36:40]) == "BIGE" {
		order, sig.Version = be, "big-endian"
	}
	sig.Label = label(b[:32])
	return order.Uint32(b[68:]) == 0xdd121031 && order.Uint32(b[112:]) == 0x15b6830e
}

// hpfs examines a superblock of OS/2's filesystem: the spare one has to follow.
// The boot sector has serial number and label.
func hpfs(s *scanner, b []byte, sig *Signature) bool {
	const spare, boot = 0x200, 512
	if string(s.bytes(sig.Off+spare, 4)) != "\x49\x18\x91\xf9" {
		return false
	}
	sig.Version = fmt.Sprint(b[8])
	if sector := s.bytes(0, boot); sector != nil && string(sector[54:58]) == "HPFS" && sector[38] == 0x28 {
		serial := le.Uint32(sector[39:])
		sig.UUID, sig.Label = fmt.Sprintf("%04X-%04X", serial>>16, serial&0xffff), label(sector[43:54])
	}
	return true
}

// minixMagics are the magic numbers of versions 1 and 2, each with names of 14
// and 30 bytes (linux/magic.h); minix3Magic is that of version 3.
var minixMagics = map[uint16]int{0x137f: 1, 0x138f: 1, 0x2468: 2, 0x2478: 2}

const minix3Magic = 0x4d5a

// minix examines a superblock of versions 1 and 2 in either byte order. Its magic
// is short, so the counts have to make sense (fs/minix/minix.h).
func minix(_ *scanner, b []byte, sig *Signature) bool {
	if !minixOnly(b) {
		return false
	}
	for _, order := range []binary.ByteOrder{le, be} {
		version := minixMagics[order.Uint16(b[16:])]
		if version == 0 {
			continue
		}
		zones := uint64(order.Uint16(b[2:]))
		if version == 2 {
			zones = uint64(order.Uint32(b[20:]))
		}
		const valid, withErrors = 1, 2
		sig.Version = fmt.Sprint(version)
		return order.Uint16(b[18:])&^(valid|withErrors) == 0 &&
			minixCounts(uint64(order.Uint16(b)), zones, order.Uint16(b[4:]), order.Uint16(b[6:]), order.Uint16(b[8:]), order.Uint16(b[10:]))
	}
	return false
}

// minix3 examines a superblock of version 3 in either byte order.
func minix3(_ *scanner, b []byte, sig *Signature) bool {
	if !minixOnly(b) {
		return false
	}
	var order binary.ByteOrder = le
	if le.Uint16(b[24:]) != minix3Magic {
		order = be
	}
	sig.Version = "3"
	return minixCounts(uint64(order.Uint32(b)), uint64(order.Uint32(b[20:])),
		order.Uint16(b[6:]), order.Uint16(b[8:]), order.Uint16(b[10:]), order.Uint16(b[12:]))
}

// minixOnly reports whether none of those is there whose superblock is at the same
// place and can look like one of minix: ext and EROFS.
func minixOnly(b []byte) bool {
	return string(b[56:58]) != "\x53\xef" && string(b[:4]) != "\xe2\xe1\xf5\xe0"
}

// minixCounts reports whether the maps of inodes and zones are large enough.
func minixCounts(inodes, zones uint64, imap, zmap, first, logZone uint16) bool {
	const bitsInBlock = 1024 * 8
	return logZone == 0 && inodes > 0 && inodes < 1<<32-1 && uint64(first) <= zones &&
		uint64(imap)*bitsInBlock >= inodes+1 && uint64(zmap)*bitsInBlock >= zones-uint64(first)+1
}

// mpool examines the superblock of a member of an mpool, with crc32c.
func mpool(_ *scanner, b []byte, sig *Signature) bool {
	const sumAt = 8 + 32 + 16 + 2 + 4
	sig.Checksum = verdict(^crc32cRaw(b[:sumAt]) == le.Uint32(b[sumAt:]))
	sig.UUID, sig.Label = dashed(b[40:56]), label(b[8:40])
	return true
}

// nss examines a pool of NetWare Storage Services.
func nss(_ *scanner, b []byte, sig *Signature) bool {
	sig.Version = fmt.Sprintf("%d.%02d", le.Uint16(b[8:]), le.Uint16(b[10:]))
	sig.UUID = dashed(b[nssPool : nssPool+16])
	return true
}

// nssPool is where a superblock of NSS has the pool's uuid.
const nssPool = 348

// scoutfs examines the superblock of a metadata or a data device, with crc32c.
func scoutfs(_ *scanner, b []byte, sig *Signature) bool {
	const isMeta = 1
	sig.Checksum = verdict(crc32cRaw(b[4:]) == le.Uint32(b))
	if sig.Type = "scoutfs_data"; le.Uint64(b[48:])&isMeta != 0 {
		sig.Type = "scoutfs_meta"
	}
	sig.Version, sig.UUID = fmt.Sprint(le.Uint64(b[40:])), dashed(b[56:72])
	return true
}

// coreStorage examines the header of a physical volume of Apple's Core Storage,
// as FileVault 2 uses it: crc32c with a seed, AES-XTS.
func coreStorage(_ *scanner, b []byte, sig *Signature) bool {
	const fileVault, aesXTS = 0x10, 2
	if le.Uint16(b[8:]) != 1 || le.Uint32(b[90:]) != 1 || le.Uint16(b[10:]) != fileVault ||
		le.Uint32(b[168:]) != 16 || le.Uint32(b[172:]) != aesXTS {
		return false
	}
	sig.Version, sig.UUID = fmt.Sprint(le.Uint16(b[8:])), dashed(b[304:320])
	sig.Checksum = verdict(crc32cSeed(le.Uint32(b[4:]), b[8:]) == le.Uint32(b))
	return true
}

// drbdmanage examines the volume in which DRBD Manage keeps its state.
func drbdmanage(s *scanner, b []byte, sig *Signature) bool {
	if _, err := hex.DecodeString(string(b[11:43])); err != nil || b[43] != '\n' {
		return false
	}
	sig.UUID = string(b[11:43])
	const persistence = 4096
	if p := s.bytes(persistence, 8); string(p[:min(4, len(p))]) == "\x1a\xdb\x98\xa2" {
		sig.Version = fmt.Sprint(be.Uint32(p[4:]))
	}
	return true
}

func drbdProxy(_ *scanner, b []byte, sig *Signature) bool {
	sig.Version, sig.UUID = fmt.Sprintf("v%d", le.Uint64(b[8:])), dashed(b[16:32])
	return true
}

// exfs examines a superblock of EXFS, which is that of XFS but for its magic.
func exfs(_ *scanner, b []byte, sig *Signature) bool {
	block, sector := be.Uint32(b[4:]), be.Uint16(b[102:])
	sig.UUID, sig.Label = dashed(b[32:48]), label(b[108:120])
	return powerOfTwo(uint64(block)) && block >= 512 && block <= 65536 && powerOfTwo(uint64(sector)) && sector >= 512 && be.Uint32(b[88:]) > 0
}

// oracleASM is a disk of Oracle's Automatic Storage Management.
func oracleASM(_ *scanner, b []byte, sig *Signature) bool {
	sig.Label = label(b[8:32])
	return true
}

func xenix(_ *scanner, b []byte, sig *Signature) bool {
	const name = 632
	sig.Label = label(b[name : name+6])
	return true
}

func sysv(_ *scanner, b []byte, sig *Signature) bool {
	const name = 440
	sig.Label = label(b[name : name+6])
	return true
}

// suspended examines swap that holds an image of a hibernated system: the magic
// says whose.
func suspended(_ *scanner, b []byte, sig *Signature) bool {
	switch string(b[len(b)-10 : len(b)-8]) {
	case "S1":
		sig.Version = "s1suspend"
	case "S2":
		sig.Version = "s2suspend"
	case "UL":
		sig.Version = "ulsuspend"
	default:
		sig.Version = "linhib0001"
	}
	sig.UUID, sig.Label = dashed(b[1036:1052]), label(b[1052:1068])
	return true
}

// tuxOnIceMagic is what TuxOnIce writes to the start of swap.
const tuxOnIceMagic = "\xed\xc3\x02\xe9\x98\x56\xe5\x0c"

// atari examines the root sector of an Atari disk, which has no magic: the size of
// the disk, the list of bad sectors and a partition have to make sense
// (block/partitions/atari.c).
func atari(s *scanner) []Signature {
	const hdSize, first, entries, entrySize, badStart = 450, 454, 4, 12, 502
	b := s.bytes(0, 512)
	sectors := s.size / 512
	if b == nil || sectors > 1<<31-1 {
		return nil
	}
	most := be.Uint32(b[hdSize:])
	inside := func(start, size uint32) bool {
		return start > 0 && size > 0 && uint64(start)+uint64(size) <= uint64(most)
	}
	badAt, bad := be.Uint32(b[badStart:]), be.Uint32(b[badStart+4:])
	if most < 2 || int64(most) > sectors || (badAt != 0 || bad != 0) && !inside(badAt, bad) {
		return nil
	}
	for i := range entries {
		e := b[first+i*entrySize:]
		if e[0]&1 != 0 && alphanumeric(e[1]) && alphanumeric(e[2]) && alphanumeric(e[3]) && inside(be.Uint32(e[4:]), be.Uint32(e[8:])) {
			return []Signature{{Type: "atari", Class: PartitionTable, Len: 512, Checksum: Unchecked}}
		}
	}
	return nil
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

// tuxOnIce examines swap whose first bytes TuxOnIce has written over.
func tuxOnIce(_ *scanner, b []byte, sig *Signature) bool {
	sig.Version, sig.UUID, sig.Label = "tuxonice", dashed(b[1036:1052]), label(b[1052:1068])
	return true
}

// squash tells the versions before 4 apart, which another driver read.
func squash(_ *scanner, b []byte, sig *Signature) bool {
	var order binary.ByteOrder = le
	if string(b[:4]) == "sqsh" {
		order = be
	}
	major, minor := order.Uint16(b[28:]), order.Uint16(b[30:])
	if major < 4 {
		sig.Type = "squashfs3"
	}
	sig.Version = fmt.Sprintf("%d.%d", major, minor)
	return true
}

// findUDF walks the volume recognition sequence, in which a disc that is also an
// ISO 9660 begins with that (ECMA-167, part 2; libblkid's udf.c).
func findUDF(s *scanner) []Signature {
	const begin, most = 32 << 10, 64
	for _, size := range []int64{2048, 4096, 512, 1024, 8192, 16384, 32768} {
		for i := range int64(most) {
			switch id := string(s.bytes(begin+i*size+1, 5)); id {
			case "NSR02", "NSR03":
				return []Signature{{Type: "udf", Class: Filesystem, Off: begin, Len: 2048, Checksum: Unchecked, Detail: "volume recognition by " + id}}
			case "BEA01", "BOOT2", "CD001", "CDW02", "TEA01":
				continue
			}
			break
		}
	}
	return nil
}
