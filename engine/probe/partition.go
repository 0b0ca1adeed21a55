package probe

import (
	"fmt"
	"hash/crc32"
	"slices"
)

// gpt examines a GUID partition table header (UEFI 2.10, section 5.3.2): CRC-32
// over the header with the field zero.
func gpt(_ *scanner, b []byte, sig *Signature) bool {
	size := le.Uint32(b[12:])
	sig.Version = fmt.Sprintf("%d.%d", le.Uint16(b[10:]), le.Uint16(b[8:]))
	sig.UUID = guid(b[56:72])
	which := "primary header"
	if le.Uint64(b[24:]) > le.Uint64(b[32:]) {
		which = "backup header"
	}
	sig.Detail = fmt.Sprintf("%s, room for %d partitions", which, le.Uint32(b[80:]))
	// A larger header is allowed; none is known to exist.
	if int(size) != len(b) {
		sig.Checksum = ChecksumBad
		return true
	}
	c := append([]byte(nil), b...)
	clear(c[16:20])
	sig.Checksum = verdict(crc32.ChecksumIEEE(c) == le.Uint32(b[16:]))
	return true
}

// sgi examines an SGI volume header: big-endian words that add up to zero.
func sgi(_ *scanner, b []byte, sig *Signature) bool {
	var sum uint32
	for i := 0; i < len(b); i += 4 {
		sum += be.Uint32(b[i:])
	}
	sig.Checksum = verdict(sum == 0)
	return true
}

// sun examines a Sun disk label: 16-bit words whose exclusive-or is zero. Two
// bytes of magic prove little, so a wrong sum means that this is something
// else.
func sun(_ *scanner, b []byte, sig *Signature) bool {
	var x uint16
	for i := 0; i < len(b); i += 2 {
		x ^= be.Uint16(b[i:])
	}
	sig.Checksum = ChecksumOK
	return x == 0
}

// bsd examines a BSD disk label, which has its magic twice.
func bsd(_ *scanner, b []byte, _ *Signature) bool {
	return slices.Equal(b[:4], b[132:136])
}

// findMBR looks for an MBR partition table. Boot sectors of filesystems and the
// protective table of a GPT look like one and are not reported.
func findMBR(s *scanner, found []Signature) []Signature {
	b := s.bytes(0, 512)
	if b == nil || b[510] != 0x55 || b[511] != 0xaa {
		return nil
	}
	for _, f := range found {
		switch f.Type {
		case "vfat", "ntfs", "exfat", "BitLocker", "ReFS":
			return nil
		}
	}
	used, protective := 0, false
	for e := b[446:510]; len(e) > 0; e = e[16:] {
		if e[0]&0x7f != 0 {
			return nil // neither active nor inactive: code, not a table
		}
		if e[4] == 0 {
			continue
		}
		if le.Uint32(e[12:]) == 0 {
			return nil
		}
		used++
		protective = protective || e[4] == 0xee
	}
	hasGPT := slices.ContainsFunc(found, func(f Signature) bool { return f.Type == "gpt" })
	if used == 0 || protective && hasGPT {
		return nil
	}
	sig := Signature{
		Type: "dos", Class: PartitionTable, Len: 512, Checksum: Unchecked,
		Detail: fmt.Sprintf("%d partitions", used),
	}
	if id := le.Uint32(b[440:]); id != 0 {
		sig.UUID = fmt.Sprintf("%08x", id)
	}
	if protective {
		sig.Detail = "protective table of a GPT that is gone"
	}
	return []Signature{sig}
}
