package probe

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// ddf examines a DDF anchor header (mdadm super-ddf.c, struct ddf_header; SNIA
// DDF 2.0, section 5.5): big endian, with a CRC-32 that is inverted neither
// before nor after, the field itself taken as all ones.
func ddf(_ *scanner, b []byte, sig *Signature) bool {
	c := append([]byte(nil), b...)
	copy(c[4:8], "\xff\xff\xff\xff")
	sig.Checksum = verdict(crc32Raw(0, c) == be.Uint32(b[4:]))
	sig.Version = label(b[32:40])
	sig.UUID = hex.EncodeToString(b[8:32])
	sig.Detail = fmt.Sprintf("vendor %q, sequence %d, primary header at sector %d", label(b[8:16]), be.Uint32(b[40:]), be.Uint64(b[96:]))
	return true
}

// isw examines Intel's matrix metadata (mdadm super-intel.c, struct
// imsm_super). Its checksum is the 32-bit sum of the whole metadata, of which
// the first sector is here and the rest in the sectors before it.
func isw(s *scanner, b []byte, sig *Signature) bool {
	size := int64(le.Uint32(b[36:]))
	sig.Version = label(b[24:32])
	sig.Detail = fmt.Sprintf("family %08x, generation %d, %d disks, %d volumes", le.Uint32(b[40:]), le.Uint32(b[44:]), b[56], b[57])
	if size < int64(len(b)) || size > 1<<20 {
		return true
	}
	first := min(size, 512)
	sig.Len = first
	all := append([]byte(nil), s.bytes(sig.Off, first)...)
	// Whole sectors in ascending order, ending where the first one begins.
	if rest := (size - 1) / 512 * 512; rest > 0 {
		more := s.bytes(sig.Off-rest, rest)
		if more == nil {
			return true
		}
		all = append(all, more...)
	}
	var sum uint32
	for i := int64(0); i+4 <= min(size, int64(len(all))); i += 4 {
		sum += le.Uint32(all[i:])
	}
	sig.Checksum = verdict(sum-le.Uint32(b[32:]) == le.Uint32(b[32:]))
	return true
}

// via examines VIA's metadata: an 8-bit sum over its first 50 bytes. Its magic
// is that of every boot sector, so a wrong sum means that this is something
// else.
func via(_ *scanner, b []byte, sig *Signature) bool {
	var sum byte
	for _, c := range b[:50] {
		sum += c
	}
	sig.Version, sig.Checksum = fmt.Sprint(b[2]), ChecksumOK
	return b[2] <= 2 && sum == b[50]
}

// silicon examines Silicon Image's metadata: 16-bit words before the checksum
// at 0x13e add up to its negative.
func silicon(_ *scanner, b []byte, sig *Signature) bool {
	var sum uint16
	for i := 0; i < 0x13e; i += 2 {
		sum += le.Uint16(b[i:])
	}
	sig.Version = fmt.Sprintf("%d.%d", le.Uint16(b[0x10a:]), le.Uint16(b[0x108:]))
	sig.Checksum = verdict(-sum == le.Uint16(b[0x13e:]))
	return b[0x116] < 8
}

// nvidia examines nVidia's metadata: its 32-bit words, the checksum at 12
// among them, add up to zero.
func nvidia(_ *scanner, b []byte, sig *Signature) bool {
	var sum uint32
	for i := 0; i < len(b); i += 4 {
		sum += le.Uint32(b[i:])
	}
	sig.Version, sig.Checksum = fmt.Sprint(le.Uint16(b[16:])), verdict(sum == 0)
	return le.Uint32(b[8:]) == 30
}

// adaptec examines Adaptec HostRAID's metadata, which has a second magic
// number.
func adaptec(_ *scanner, b []byte, sig *Signature) bool {
	sig.Version = fmt.Sprint(b[67])
	return strings.HasPrefix(string(b[256:]), "DPTM")
}

// jmicron examines JMicron's metadata: its 16-bit words add up to 0 or 1.
func jmicron(_ *scanner, b []byte, sig *Signature) bool {
	var sum uint16
	for i := 0; i < len(b); i += 2 {
		sum += le.Uint16(b[i:])
	}
	sig.Version, sig.Label = fmt.Sprintf("%d.%d", b[3], b[2]), label(b[32:48])
	sig.Checksum = ChecksumOK
	return sum <= 1 && b[48] <= 5
}
