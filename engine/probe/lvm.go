package probe

import "fmt"

// lvmSeed is INITIAL_CRC of LVM2's lib/misc/crc.h.
const lvmSeed = 0xf597a6cf

// lvm2 examines an LVM2 label (lib/label/label.h, struct label_header) and
// takes the uuid from the pv_header that it points to.
func lvm2(_ *scanner, b []byte, sig *Signature) bool {
	if le.Uint64(b[8:]) != uint64(sig.Off/512) {
		return false // a copy of some other sector
	}
	sig.Version = label(b[24:32])
	sig.Checksum = verdict(crc32Raw(lvmSeed, b[20:512]) == le.Uint32(b[16:]))
	if at := int(min(le.Uint32(b[20:]), 512)); at >= 32 && at+32 <= len(b) {
		sig.UUID = lvmUUID(b[at : at+32])
	}
	return true
}

// lvm1 examines an LVM1 physical volume (struct pv_disk).
func lvm1(_ *scanner, b []byte, sig *Signature) bool {
	v := le.Uint16(b[2:])
	sig.Version, sig.UUID = fmt.Sprint(v), lvmUUID(b[44:76])
	return v == 1 || v == 2
}

func lvmUUID(b []byte) string {
	return hyphenate(label(b), 6, 4, 4, 4, 4, 4, 6)
}
