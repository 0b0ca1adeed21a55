package md

import (
	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/partition"
)

// SharedWith returns the partition of d whose superblock m is as well; nil if there
// is none. A 0.90 superblock does not say where it lies: that of a last partition
// which ends where the disk does is found from the whole disk, too, and the data
// of a member taken so is shifted by the partition's start.
func (m *Member) SharedWith(d block.Device) (*partition.Partition, error) {
	if m.Version != V090 {
		return nil, nil
	}
	list, err := partition.Read(d)
	if err != nil {
		return nil, err
	}
	for _, p := range list {
		if off, ok := V090.SuperOffset(p.Size); ok && p.Start > 0 && p.Start+off == m.Offset {
			return &p, nil
		}
	}
	return nil, nil
}
