// Package partition reads partition tables, as far as tools that inspect disks
// need them to report what they found.
package partition

import (
	"encoding/binary"

	"github.com/mdkit/mdkit/engine/binfmt"
)

// MBRSize is the size of a master boot record in bytes.
const MBRSize = 512

// MBRMagic is the signature in the last two bytes of a master boot record.
const MBRMagic = 0xaa55

// TypeGPT is the type of the single partition that protects a GPT from tools
// that do not know it.
const TypeGPT = 0xee

const mbrPartitionsOff = 446

// MBR is the partition table in the first sector of a disk.
type MBR struct {
	Magic      uint16 // MBRMagic
	Partitions [4]MBRPartition
}

// MBRPartition is an entry of the table. It is empty if Sectors is 0.
type MBRPartition struct {
	Type    uint8
	First   uint32 // sector
	Sectors uint32
}

// ParseMBR reads a partition table from the first sector of a disk. It fails
// with class binfmt.ErrTruncated or binfmt.ErrMagic if the sector holds none.
func ParseMBR(b []byte) (*MBR, error) {
	if len(b) < MBRSize {
		return nil, &binfmt.Error{Op: "parse", Format: "mbr", Err: binfmt.ErrTruncated, Want: "512 bytes"}
	}
	m := &MBR{Magic: binary.LittleEndian.Uint16(b[510:])}
	if m.Magic != MBRMagic {
		return nil, &binfmt.Error{Op: "parse", Format: "mbr", Field: "magic", Off: 510, Err: binfmt.ErrMagic}
	}
	for i := range m.Partitions {
		e := b[mbrPartitionsOff+16*i:]
		m.Partitions[i] = MBRPartition{
			Type:    e[4],
			First:   binary.LittleEndian.Uint32(e[8:]),
			Sectors: binary.LittleEndian.Uint32(e[12:]),
		}
	}
	return m, nil
}
