package probe

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
)

// luks examines a LUKS1 header (LUKS1 on-disk format 1.2.3) or a LUKS2 binary
// header, primary or secondary (LUKS2 on-disk format 1.1.1). LUKS2 hashes the
// whole header, JSON area included, with the hash itself zeroed.
func luks(s *scanner, b []byte, sig *Signature) bool {
	version := be.Uint16(b[6:])
	sig.Version, sig.UUID = fmt.Sprint(version), label(b[168:208])
	switch version {
	case 1:
		sig.Len = 592
		sig.Detail = fmt.Sprintf("%s-%s, %s, %d-bit key", label(b[8:40]), label(b[40:72]), label(b[72:104]), 8*uint64(be.Uint32(b[108:])))
		return sig.Off == 0
	case 2:
	default:
		return sig.Off == 0
	}
	size := be.Uint64(b[8:])
	if be.Uint64(b[256:]) != uint64(sig.Off) || size < 0x4000 || size > 0x400000 || int64(size) > s.size-sig.Off {
		sig.Checksum = ChecksumBad
		return sig.Off == 0
	}
	sig.Len, sig.Label = int64(size), label(b[24:72])
	which := "primary"
	if sig.Off != 0 {
		which = "secondary"
	}
	sig.Detail = fmt.Sprintf("%s header, sequence %d", which, be.Uint64(b[16:]))
	if sub := label(b[208:256]); sub != "" {
		sig.Detail += fmt.Sprintf(", subsystem %q", sub)
	}
	h := luksHash(label(b[72:104]))
	whole := s.bytes(sig.Off, int64(size))
	if h == nil || whole == nil {
		return true
	}
	h.Write(whole[:448])
	h.Write(make([]byte, 64))
	h.Write(whole[512:])
	sum := h.Sum(nil)
	sig.Checksum = verdict(string(sum) == string(b[448:448+len(sum)]))
	return true
}

func luksHash(name string) hash.Hash {
	switch name {
	case "sha1":
		return sha1.New()
	case "sha256":
		return sha256.New()
	case "sha512":
		return sha512.New()
	}
	return nil
}

// verity examines a verity superblock (cryptsetup lib/verity/verity.c, struct
// verity_sb).
func verity(_ *scanner, b []byte, sig *Signature) bool {
	v := le.Uint32(b[8:])
	sig.Version, sig.UUID = fmt.Sprint(v), dashed(b[16:32])
	sig.Detail = fmt.Sprintf("%s, %d data blocks of %d bytes", label(b[32:64]), le.Uint64(b[72:]), le.Uint32(b[64:]))
	return v == 1
}

// integrity examines a dm-integrity superblock (drivers/md/dm-integrity.c,
// struct superblock).
func integrity(_ *scanner, b []byte, sig *Signature) bool {
	sig.Version = fmt.Sprint(b[8])
	sig.Detail = fmt.Sprintf("%d data sectors, %d-byte tags", le.Uint64(b[16:]), le.Uint16(b[10:]))
	return b[8] != 0
}

// bitlockerToGo is the identifier that distinguishes a BitLocker-to-go volume
// from the FAT filesystem it pretends to be; the bytes are in on-disk order.
const bitlockerToGo = "\x3b\xd6\x67\x49\x29\x2e\xd8\x4a\x83\x99\xf6\xa3\x39\xe3\xd0\x01"

func bitlocker(_ *scanner, b []byte, _ *Signature) bool {
	return string(b[3:11]) == "-FVE-FS-" || string(b[424:440]) == bitlockerToGo
}
