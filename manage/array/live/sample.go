package live

import (
	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/fresh"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/array/device"
)

// ReadSample reads a sample superblock from the first in-sync member that has one. It
// returns nil if none can be read.
func ReadSample(l *Array) *fresh.Sample {
	for i := range l.Disks {
		d := &l.Disks[i]
		if d.State&mdctl.DiskSync == 0 {
			continue
		}
		if s := sampleFrom(DevNumber(d), l.Version); s != nil {
			l.foresee(s.Member)
			return s
		}
	}
	return nil
}

func sampleFrom(name string, v md.Version) *fresh.Sample {
	d, err := device.Open(name, block.ForReading)
	if err != nil {
		return nil
	}
	defer d.Close()
	member, bad := md.LoadSuper(d, v)
	if bad != nil {
		return nil
	}
	return &fresh.Sample{Member: member, Bitmap: fresh.UsableBitmap(member, d)}
}

// MaxDevs returns how many members the metadata can list.
func (l *Array) MaxDevs() int {
	if l.Version.Major == 0 {
		return md.Super0Disks
	}
	return md.Super1MaxDevs
}
