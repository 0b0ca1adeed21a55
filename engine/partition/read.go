package partition

import (
	"encoding/binary"

	"github.com/mdkit/mdkit/engine/block"
)

// Partition is a part of a disk.
type Partition struct {
	Number int   // from 1; logical ones from 5
	Start  int64 // bytes from the start of the disk
	Size   int64 // bytes
}

const (
	sector = 512

	typeExtended      = 0x05
	typeExtendedLBA   = 0x0f
	typeExtendedLinux = 0x85

	// mostLogical bounds a chain of logical partitions, which may go in circles.
	mostLogical = 256
	// mostEntries bounds a GPT whose header is damaged.
	mostEntries = 4096
)

// Read lists the partitions of a disk that its GPT has or, if there is none, its
// MBR with the logical ones, in sectors of 512 bytes. A disk without a table has
// none. What is damaged is left out; a place that cannot be read is an error.
func Read(d block.Device) ([]Partition, error) {
	for _, size := range []int64{sector, 4096} {
		list, found, err := readGPT(d, size)
		if err != nil || found {
			return list, err
		}
	}
	return readMBR(d)
}

// readGPT reads a GPT (UEFI specification, section 5.3) in sectors of a size.
func readGPT(d block.Device, size int64) (list []Partition, found bool, err error) {
	head := make([]byte, 92)
	if d.Size() < 2*size {
		return nil, false, nil
	}
	if err := block.ReadFull(d, head, size); err != nil || string(head[:8]) != "EFI PART" {
		return nil, false, err
	}
	at := binary.LittleEndian.Uint64(head[72:])
	count, entry := binary.LittleEndian.Uint32(head[80:]), binary.LittleEndian.Uint32(head[84:])
	if count > mostEntries || entry < 128 || entry > 4096 || at > uint64(d.Size()/size) {
		return nil, true, nil
	}
	length := int64(count) * int64(entry)
	if int64(at)*size+length > d.Size() {
		return nil, true, nil
	}
	table := make([]byte, length)
	if err := block.ReadFull(d, table, int64(at)*size); err != nil {
		return nil, true, err
	}
	for i := range int(count) {
		e := table[i*int(entry):]
		first, last := binary.LittleEndian.Uint64(e[32:]), binary.LittleEndian.Uint64(e[40:])
		if [16]byte(e) == [16]byte{} || last < first || last >= uint64(d.Size()/size) {
			continue
		}
		list = append(list, Partition{Number: i + 1, Start: int64(first) * size, Size: int64(last-first+1) * size})
	}
	return list, true, nil
}

func readMBR(d block.Device) ([]Partition, error) {
	first, err := mbrAt(d, 0)
	if first == nil || err != nil {
		return nil, err
	}
	var list []Partition
	for i, p := range first.Partitions {
		if p.Sectors == 0 {
			continue
		}
		list = append(list, Partition{Number: i + 1, Start: int64(p.First) * sector, Size: int64(p.Sectors) * sector})
		if p.extended() {
			logical, err := readLogical(d, int64(p.First))
			if err != nil {
				return list, err
			}
			list = append(list, logical...)
		}
	}
	return list, nil
}

func (p MBRPartition) extended() bool {
	return p.Type == typeExtended || p.Type == typeExtendedLBA || p.Type == typeExtendedLinux
}

// readLogical follows the chain of logical partitions in an extended one, whose start
// is in sectors: each link has a partition, from where it lies on, and the next link,
// from the extended partition's start on.
func readLogical(d block.Device, extended int64) (list []Partition, err error) {
	const firstLogical = 5
	for at, n := extended, 0; n < mostLogical; n++ {
		link, err := mbrAt(d, at*sector)
		if link == nil || err != nil {
			return list, err
		}
		next := int64(0)
		for _, p := range link.Partitions {
			switch {
			case p.Sectors == 0:
			case p.extended():
				next = extended + int64(p.First)
			default:
				list = append(list, Partition{
					Number: firstLogical + len(list), Start: (at + int64(p.First)) * sector, Size: int64(p.Sectors) * sector,
				})
			}
		}
		if next == 0 {
			return list, nil
		}
		at = next
	}
	return list, nil
}

// mbrAt returns the table in a sector; nil if there is none.
func mbrAt(d block.Device, off int64) (*MBR, error) {
	if off < 0 || off+MBRSize > d.Size() {
		return nil, nil
	}
	b := make([]byte, MBRSize)
	if err := block.ReadFull(d, b, off); err != nil {
		return nil, err
	}
	m, err := ParseMBR(b)
	if err != nil {
		return nil, nil // something else
	}
	return m, nil
}
