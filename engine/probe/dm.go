package probe

import (
	"fmt"
	"hash/crc32"
)

// Salts of the persistent-data superblock checksums: crc32c from byte 4 to the
// end of the 4096-byte block, XORed with a number specific to the format.
const (
	thinSalt  = 160774    // drivers/md/dm-thin-metadata.c, SUPERBLOCK_CSUM_XOR
	cacheSalt = 9031977   // drivers/md/dm-cache-metadata.c
	eraSalt   = 146538381 // drivers/md/dm-era-target.c
	cloneSalt = 257649492 // drivers/md/dm-clone-metadata.c
)

// persistent fills in what the four formats share: the checksum, a uuid that
// the kernel leaves zero, and the version.
func persistent(b []byte, sig *Signature, salt uint32) {
	sig.Checksum = verdict(crc32cRaw(b[4:4096])^salt == le.Uint32(b))
	sig.Version, sig.UUID = fmt.Sprint(le.Uint32(b[40:])), dashed(b[16:32])
}

// thin examines a thin pool's superblock (dm-thin-metadata.c, struct
// thin_disk_superblock). Some tools write the uuid as text.
func thin(_ *scanner, b []byte, sig *Signature) bool {
	persistent(b, sig, thinSalt)
	sig.Detail = fmt.Sprintf("transaction %d, data blocks of %d sectors%s", le.Uint64(b[48:]), le.Uint32(b[336:]), needsCheck(le.Uint32(b[4:])&1))
	return true
}

// cache examines a cache's superblock (dm-cache-metadata.c, struct
// cache_disk_superblock).
func cache(_ *scanner, b []byte, sig *Signature) bool {
	persistent(b, sig, cacheSalt)
	sig.Detail = fmt.Sprintf("policy %s, %d cache blocks of %d sectors%s", label(b[44:60]), le.Uint32(b[240:]), le.Uint32(b[232:]), needsCheck(le.Uint32(b[4:])&2))
	return true
}

func needsCheck(flag uint32) string {
	if flag != 0 {
		return ", needs check"
	}
	return ""
}

// era examines an era device's superblock (dm-era-target.c, struct superblock_disk).
func era(_ *scanner, b []byte, sig *Signature) bool {
	persistent(b, sig, eraSalt)
	sig.Detail = fmt.Sprintf("era %d, %d blocks of %d sectors", le.Uint32(b[184:]), le.Uint32(b[180:]), le.Uint32(b[172:]))
	return true
}

// clone examines a clone's superblock (dm-clone-metadata.c, struct superblock_disk).
func clone(_ *scanner, b []byte, sig *Signature) bool {
	persistent(b, sig, cloneSalt)
	sig.Detail = fmt.Sprintf("%d sectors in regions of %d", le.Uint64(b[180:]), le.Uint64(b[172:]))
	return true
}

// writecache examines drivers/md/dm-writecache.c, struct wc_memory_superblock.
func writecache(_ *scanner, b []byte, sig *Signature) bool {
	sig.Version = fmt.Sprint(le.Uint32(b[4:]))
	sig.Detail = fmt.Sprintf("%d blocks of %d bytes", le.Uint64(b[16:]), le.Uint32(b[8:]))
	return powerOfTwo(uint64(le.Uint32(b[8:])))
}

// logWrites examines drivers/md/dm-log-writes.c, struct log_write_super.
func logWrites(_ *scanner, b []byte, sig *Signature) bool {
	sig.Version = fmt.Sprint(le.Uint64(b[8:]))
	sig.Detail = fmt.Sprintf("%d entries", le.Uint64(b[16:]))
	return true
}

// zoned examines drivers/md/dm-zoned-metadata.c, struct dmz_super: CRC-32 of
// the 4096-byte block with the field zero, seeded with the generation.
func zoned(_ *scanner, b []byte, sig *Signature) bool {
	c := append([]byte(nil), b...)
	clear(c[44:48])
	gen := le.Uint64(b[8:])
	sig.Checksum = verdict(crc32Raw(uint32(gen), c) == le.Uint32(b[44:]))
	sig.Version = fmt.Sprint(le.Uint32(b[4:]))
	sig.Label, sig.UUID = label(b[48:80]), dashed(b[80:96])
	sig.Detail = fmt.Sprintf("generation %d, %d chunks", gen, le.Uint32(b[32:]))
	return true
}

// dmRaid examines a metadata device of dm-raid (drivers/md/dm-raid.c, struct
// dm_raid_superblock).
func dmRaid(_ *scanner, b []byte, sig *Signature) bool {
	sig.Version = "1"
	if le.Uint32(b[4:])&1 != 0 { // FEATURE_FLAG_SUPPORTS_V190
		sig.Version = "1.9.0"
	}
	sig.Detail = fmt.Sprintf("device %d of %d, raid%d, events %d", le.Uint32(b[12:]), le.Uint32(b[8:]), int32(le.Uint32(b[48:])), le.Uint64(b[16:]))
	return true
}

// mirrorLog examines a dirty log of dm-mirror (drivers/md/dm-log.c, struct
// log_header_disk).
func mirrorLog(_ *scanner, b []byte, sig *Signature) bool {
	sig.Version = fmt.Sprint(le.Uint32(b[4:]))
	sig.Detail = fmt.Sprintf("%d regions", le.Uint64(b[8:]))
	return true
}

// snapshot examines a snapshot's exception store (drivers/md/dm-snap-persistent.c,
// struct disk_header).
func snapshot(_ *scanner, b []byte, sig *Signature) bool {
	sig.Version = fmt.Sprint(le.Uint32(b[8:]))
	sig.Detail = fmt.Sprintf("chunks of %d sectors", le.Uint32(b[12:]))
	if le.Uint32(b[4:]) == 0 {
		sig.Detail += ", marked invalid"
	}
	return true
}

// vdo examines a geometry block (drivers/md/dm-vdo/encodings.c, struct
// volume_geometry).
func vdo(_ *scanner, b []byte, sig *Signature) bool {
	sig.Version, sig.UUID = fmt.Sprint(le.Uint32(b[12:])), dashed(b[40:56])
	return true
}

// stratis examines a Stratis static header (stratis-storage.github.io, design
// document: backstore, 5.3): crc32c of bytes 4 to 511.
func stratis(_ *scanner, b []byte, sig *Signature) bool {
	sig.Checksum = verdict(crc32.Checksum(b[4:512], castagnoli()) == le.Uint32(b))
	sig.UUID = hyphenate(label(b[64:96]), 8, 4, 4, 4, 12)
	sig.Detail = "pool " + hyphenate(label(b[32:64]), 8, 4, 4, 4, 12)
	return true
}
