package md

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/mdkit/mdkit/engine/block"
)

// MinSize0 is the size in bytes below which mdadm does not look for a 0.90
// superblock on a device.
const MinSize0 = 64 << 10

// LoadError is why a device has no superblock of the version that was asked
// for (super0.c, super1.c: load_super of mdadm).
type LoadError struct {
	Device string
	Why    LoadFailure
	// Size is the device's, in bytes for version 0.90, else in sectors
	// (LoadTooSmall).
	Size int64
	// Found is the magic or the version that is there instead (LoadMagic and
	// LoadVersion).
	Found uint32
}

// LoadFailure is a kind of LoadError.
type LoadFailure int

// Kinds of LoadError.
const (
	LoadTooSmall   LoadFailure = iota // no room for a superblock
	LoadUnreadable                    // its place cannot be read
	LoadMagic                         // something else is there, or nothing
	LoadVersion                       // a superblock of another major version
	LoadElsewhere                     // a superblock that says that it belongs elsewhere
)

// Foreign reports whether there is something else, or nothing, in the place of the
// superblock; if not, the device could not be read or is too small.
func (e *LoadError) Foreign() bool { return e.Why >= LoadMagic }

func (e *LoadError) Error() string {
	switch e.Why {
	case LoadTooSmall:
		return fmt.Sprintf("%s: too small for a superblock: %d", e.Device, e.Size)
	case LoadUnreadable:
		return e.Device + ": the superblock cannot be read"
	case LoadMagic:
		return fmt.Sprintf("%s: no superblock: magic %08x instead of %08x", e.Device, e.Found, uint32(SuperMagic))
	case LoadVersion:
		return fmt.Sprintf("%s: a superblock of version %d", e.Device, e.Found)
	}
	return e.Device + ": a superblock that says that it belongs elsewhere"
}

// LoadSuper reads the superblock of exactly the version v.
func LoadSuper(d block.Device, v Version) (*Member, *LoadError) {
	name := block.Name(d)
	if least := map[bool]int64{true: MinSize0, false: Super1MinSize}[v == V090]; d.Size() < least {
		size := d.Size()
		if v != V090 {
			size /= SectorSize
		}
		return nil, &LoadError{Device: name, Why: LoadTooSmall, Size: size}
	}
	m, err := ReadMember(d, v)
	if err == nil && NativeOrder(m) {
		return m, nil
	}
	off, _ := v.SuperOffset(d.Size())
	var head [152]byte
	if block.ReadFull(d, head[:], off) != nil {
		return nil, &LoadError{Device: name, Why: LoadUnreadable}
	}
	return nil, explainForeign(name, v, head[:])
}

// explainForeign says what is in the place of the superblock instead.
func explainForeign(name string, v Version, head []byte) *LoadError {
	order := binary.ByteOrder(binary.LittleEndian)
	if v == V090 {
		order = binary.NativeEndian
	}
	magic, major := order.Uint32(head), order.Uint32(head[4:])
	switch {
	case magic != SuperMagic:
		return &LoadError{Device: name, Why: LoadMagic, Found: magic}
	case int(major) != v.Major:
		return &LoadError{Device: name, Why: LoadVersion, Found: major}
	}
	return &LoadError{Device: name, Why: LoadElsewhere}
}

// LoadNewest reads the newest superblock of format 1, as --metadata=1 asks for. It
// also says of each version why there is none.
func LoadNewest(d block.Device) (*Member, []*LoadError) {
	var why []*LoadError
	for _, v := range []Version{V10, V11, V12} {
		if _, err := LoadSuper(d, v); err != nil {
			why = append(why, err)
			if !err.Foreign() {
				return nil, why
			}
		}
	}
	m, err := ReadMember(d, V10, V11, V12)
	if err != nil {
		return nil, why
	}
	return m, why
}

// GuessSuper reads the superblock that was made last, whatever its version. It
// fails as ReadMember does.
func GuessSuper(d block.Device) (*Member, error) {
	m, err := ReadMember(d)
	if err == nil && !NativeOrder(m) {
		m, err = ReadMember(d, V10, V11, V12)
	}
	return m, err
}

// NativeOrder reports whether the running kernel can use the superblock. One of
// version 0.90 that was written by a machine of the other byte order looks like
// noise to it, and to mdadm.
func NativeOrder(m *Member) bool {
	return m.Super0 == nil || m.Super0.Order == nil ||
		m.Super0.Order.Uint32([]byte{1, 2, 3, 4}) == binary.NativeEndian.Uint32([]byte{1, 2, 3, 4})
}

// LoadSwapped reads a 0.90 superblock that was written by a machine of the other
// byte order.
func LoadSwapped(d block.Device) (*Member, *LoadError) {
	m, err := ReadMember(d, V090)
	if err == nil && !NativeOrder(m) {
		return m, nil
	}
	if _, bad := LoadSuper(d, V090); bad != nil && !bad.Foreign() {
		return nil, bad
	}
	name := block.Name(d)
	var head [8]byte
	off, _ := V090.SuperOffset(d.Size())
	if block.ReadFull(d, head[:], off) != nil {
		return nil, &LoadError{Device: name, Why: LoadUnreadable}
	}
	slices.Reverse(head[:4])
	slices.Reverse(head[4:])
	return nil, explainForeign(name, V090, head[:])
}
