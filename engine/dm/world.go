package dm

import "github.com/mdkit/mdkit/engine/dm/lex"

// Ref names a device in a table: "major:minor" or a path.
type Ref string

// Number returns the numbers of a reference of the form "major:minor", and
// whether it has that form. Any other reference is a path.
func (r Ref) Number() (major, minor uint32, ok bool) {
	for i := range len(r) {
		if r[i] != ':' {
			continue
		}
		major, majorOK := lex.ScanU32(string(r[:i]))
		minor, minorOK := lex.ScanU32(string(r[i+1:]))
		return major, minor, majorOK && minorOK
	}
	return 0, 0, false
}

// DeviceInfo is what a check must know about a device.
type DeviceInfo struct {
	Major, Minor     uint32
	Size             uint64 // 512-byte sectors
	LogicalBlockSize uint32 // bytes; 0 means 512
	ZoneSectors      uint32 // 512-byte sectors of a zone; 0 for a device without zones
	// IntegrityTag is how many bytes of integrity data of others the device carries for
	// each IntegrityInterval bytes (blk_integrity without a checksum of its own). Both are
	// 0 for none; either is 0 if it is not known.
	IntegrityTag, IntegrityInterval uint32
	// Mapped is the target type of a mapped device's table, "-" for a device
	// that is not a mapped one, and empty if that is not known.
	Mapped   string
	ReadOnly bool
}

// blockSectors is the logical block size in sectors, at least 1.
func (i DeviceInfo) blockSectors() uint64 { return max(1, uint64(i.LogicalBlockSize)>>9) }

// integrity reports whether the device carries integrity data of others.
func (i DeviceInfo) integrity() bool { return i.IntegrityTag > 0 || i.IntegrityInterval > 0 }

// same reports whether two lookups found the same device.
func (i DeviceInfo) same(o DeviceInfo) bool { return i.Major == o.Major && i.Minor == o.Minor }

// Knowledge is what is known about whether a kernel has something.
type Knowledge int

const (
	// Unknown: it may come with a module that is not loaded.
	Unknown Knowledge = iota
	// Has: it is there.
	Has
	// Lacks: it is not there, and no module brings it.
	Lacks
)

// World is what a check asks about the machine the table is for. It answers
// without changing the machine: no module is loaded for an answer.
type World interface {
	// Device finds the device that a table names; it fails if there is none.
	Device(ref string) (DeviceInfo, error)
	// Target returns the version of a target type in the kernel in question,
	// and whether the kernel has it.
	Target(typ string) (version [3]uint32, has Knowledge)
	// Algorithms returns what the kernel has loaded of its crypto API (/proc/crypto)
	// under a name, be it that of the algorithm or of an implementation.
	Algorithms(name string) []Algorithm
}

// Algorithm is an entry of /proc/crypto.
type Algorithm struct {
	Type           string // "shash", "skcipher", ...
	MinKey, MaxKey int    // bytes, of a cipher
	Digest         int    // bytes, of a hash
}
