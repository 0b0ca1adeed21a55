package probe

import "fmt"

const (
	// bcacheMagic is drivers/md/bcache/super.c, bcache_magic.
	bcacheMagic = "\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81"
	// bcachefsMagic is fs/bcachefs/bcachefs_format.h, BCHFS_MAGIC; bcachefs used
	// bcache's own before it was merged.
	bcachefsMagic = "\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef"
)

// bcache examines a superblock of drivers/md/bcache (bcache_ondisk.h, struct
// cache_sb_disk). Its checksum is CRC-64/WE from byte 8 to the end of d[keys].
func bcache(_ *scanner, b []byte, sig *Signature) bool {
	// bcachefs once wore this magic, with its version in the low 16 bits here.
	if le.Uint64(b[8:]) != 8 {
		return false
	}
	version := le.Uint64(b[16:])
	sig.Version = fmt.Sprint(version)
	sig.UUID, sig.Label = dashed(b[40:56]), label(b[72:104])
	kind := "of unknown kind"
	switch version {
	case 0, 3, 5:
		kind = "cache device"
	case 1, 4, 6:
		kind = "backing device"
	}
	sig.Detail = fmt.Sprintf("%s, set %s", kind, dashed(b[56:72]))
	end := 208 + 8*int(le.Uint16(b[206:]))
	sig.Checksum = verdict(end <= len(b) && crc64WE(b[8:min(end, len(b))]) == le.Uint64(b))
	return true
}

// bcachefs examines a bcachefs superblock (fs/bcachefs/bcachefs_format.h,
// struct bch_sb): sector and magic as in bcache, the rest its own.
func bcachefs(_ *scanner, b []byte, sig *Signature) bool {
	if string(b[24:40]) == bcacheMagic && le.Uint64(b[8:]) == 8 {
		return false
	}
	if le.Uint64(b[104:]) != 8 {
		return false
	}
	sig.UUID, sig.Label = dashed(b[56:72]), label(b[72:104])
	sig.Version = fmt.Sprint(le.Uint16(b[16:]))
	return true
}
