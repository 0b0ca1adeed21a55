package md

import "fmt"

// Role is what a device is in the array: the number of its slot, or one of the
// special words below. The values are those of dev_roles in 1.x superblocks
// (md_p.h, MD_DISK_ROLE_*); 0.90 descriptors are translated to them.
type Role uint16

// Special roles. Other values from RoleMax up are reserved; the kernel takes them
// for slot numbers.
const (
	RoleSpare   Role = 0xffff
	RoleFaulty  Role = 0xfffe
	RoleJournal Role = 0xfffd
	RoleMax     Role = 0xff00
)

// Slot returns the slot number, and whether the role is a slot.
func (r Role) Slot() (slot int, ok bool) {
	if r >= RoleMax {
		return -1, false
	}
	return int(r), true
}

// String returns "slot 3", "spare", "faulty", "journal" or "role(0xff01)".
func (r Role) String() string {
	switch r {
	case RoleSpare:
		return "spare"
	case RoleFaulty:
		return "faulty"
	case RoleJournal:
		return "journal"
	}
	if n, ok := r.Slot(); ok {
		return fmt.Sprintf("slot %d", n)
	}
	return fmt.Sprintf("role(%#x)", uint16(r))
}

// MarshalText returns the same words for encoders.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }
