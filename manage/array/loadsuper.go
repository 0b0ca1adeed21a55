package array

import (
	"encoding/binary"
	"fmt"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
)

// sizes below which mdadm does not look for a superblock, in bytes.
const (
	minSize1 = 24 * md.SectorSize
	minSize0 = 64 << 10
)

// loadError is why a device has no superblock of the version that was asked
// for, in mdadm's words (super0.c, super1.c: load_super).
type loadError struct {
	text string
	// foreign is set when something else is there, or nothing; otherwise the
	// device could not be read or is too small.
	foreign bool
}

func (e *loadError) Error() string { return e.text }

// loadSuper reads the superblock of exactly the version v.
func loadSuper(d block.Device, v md.Version) (*md.Member, *loadError) {
	name := block.Name(d)
	if least := map[bool]int64{true: minSize0, false: minSize1}[v == md.V090]; d.Size() < least {
		size := d.Size()
		if v != md.V090 {
			size /= md.SectorSize
		}
		return nil, &loadError{text: fmt.Sprintf("%s is too small for md: size is %d sectors.", name, size)}
	}
	m, err := md.ReadMember(d, v)
	if err == nil && nativeOrder(m) {
		return m, nil
	}
	off, _ := v.SuperOffset(d.Size())
	var head [152]byte
	if block.ReadFull(d, head[:], off) != nil {
		return nil, &loadError{text: "Cannot read superblock on " + name}
	}
	return nil, &loadError{text: explainForeign(name, v, head[:]), foreign: true}
}

// explainForeign says what is in the place of a superblock.
func explainForeign(name string, v md.Version, head []byte) string {
	order := binary.ByteOrder(binary.LittleEndian)
	if v == md.V090 {
		order = binary.NativeEndian
	}
	magic, major := order.Uint32(head), order.Uint32(head[4:])
	switch {
	case magic != md.SuperMagic:
		return fmt.Sprintf("No super block found on %s (Expected magic %08x, got %08x)", name, uint32(md.SuperMagic), magic)
	case int(major) != v.Major:
		return fmt.Sprintf("Cannot interpret superblock on %s - version is %d", name, major)
	}
	return fmt.Sprintf("No superblock found on %s (super_offset is wrong)", name)
}

// loadNewest reads the newest superblock of format 1, as --metadata=1 wants,
// or the explanations of why there is none.
func loadNewest(d block.Device) (*md.Member, []*loadError) {
	var why []*loadError
	for _, v := range []md.Version{md.V10, md.V11, md.V12} {
		if _, err := loadSuper(d, v); err != nil {
			why = append(why, err)
			if !err.foreign {
				return nil, why
			}
		}
	}
	m, err := md.ReadMember(d, md.V10, md.V11, md.V12)
	if err != nil {
		return nil, why
	}
	return m, why
}

// guessSuper reads the superblock that was made last, whatever its version. It
// fails as md.ReadMember does.
func guessSuper(d block.Device) (*md.Member, error) {
	m, err := md.ReadMember(d)
	if err == nil && !nativeOrder(m) {
		m, err = md.ReadMember(d, md.V10, md.V11, md.V12)
	}
	return m, err
}

// nativeOrder reports whether the running kernel can use the superblock: one
// of version 0.90 that was written by a machine of the other byte order looks
// like noise to it, and to mdadm.
func nativeOrder(m *md.Member) bool {
	return m.Super0 == nil || m.Super0.Order == nil ||
		m.Super0.Order.Uint32([]byte{1, 2, 3, 4}) == binary.NativeEndian.Uint32([]byte{1, 2, 3, 4})
}

// loadSwapped reads a 0.90 superblock that a machine of the other byte order
// has written.
func loadSwapped(d block.Device) (*md.Member, *loadError) {
	m, err := md.ReadMember(d, md.V090)
	if err == nil && !nativeOrder(m) {
		return m, nil
	}
	if err == nil { // this machine's own, which looks odd the other way round
		swapped := m.Super0.AppendTo(nil)[:8]
		for i := 0; i < len(swapped); i += 4 {
			binary.BigEndian.PutUint32(swapped[i:], binary.LittleEndian.Uint32(swapped[i:]))
		}
		return nil, &loadError{text: explainForeign(block.Name(d), md.V090, swapped), foreign: true}
	}
	_, bad := loadSuper(d, md.V090)
	return nil, bad
}
