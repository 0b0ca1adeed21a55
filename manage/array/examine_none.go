package array

import (
	"encoding/binary"
	"fmt"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
)

// WhyNoSuper says, in mdadm's words and one line for each of the wanted
// versions, why d carries no superblock of them (load_super0, load_super1);
// none for a version it does carry. It stops at a device that is too small, or
// cannot be read.
func WhyNoSuper(d block.Device, want ...md.Version) []string {
	var lines []string
	for _, v := range want {
		line, final := whyNoSuper(d, v)
		if line != "" {
			lines = append(lines, line)
		}
		if final {
			break
		}
	}
	return lines
}

// superOffsetAt is where a 1.x superblock says where it lies (md_p.h).
const superOffsetAt = 144

func whyNoSuper(d block.Device, v md.Version) (line string, final bool) {
	name := block.Name(d)
	off, ok := v.SuperOffset(d.Size())
	if !ok {
		return fmt.Sprintf("%s is too small for md: size is %d sectors.", name, d.Size()/md.SectorSize), true
	}
	var head [superOffsetAt + 8]byte
	if err := block.ReadFull(d, head[:], off); err != nil {
		return fmt.Sprintf("Cannot read superblock on %s: %v", name, err), true
	}
	magic := binary.LittleEndian.Uint32(head[:])
	major := binary.LittleEndian.Uint32(head[4:])
	switch {
	case magic != md.SuperMagic:
		return fmt.Sprintf("No super block found on %s (Expected magic %08x, got %08x)", name, uint32(md.SuperMagic), magic), false
	case int64(major) != int64(v.Major):
		return fmt.Sprintf("Cannot interpret superblock on %s - version is %d", name, int32(major)), false
	}
	if v.Major == 0 || binary.LittleEndian.Uint64(head[superOffsetAt:]) == uint64(off)/md.SectorSize {
		return "", false
	}
	return fmt.Sprintf("No superblock found on %s (super_offset is wrong)", name), false
}
