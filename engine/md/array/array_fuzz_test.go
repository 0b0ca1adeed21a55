package array_test

import (
	"testing"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/array"
)

// FuzzOpen opens arrays from arbitrary superblocks: the input is that of the first
// member, and the others differ from it only in their device numbers. Opening must
// not panic, and the array must not be larger than its members.
func FuzzOpen(f *testing.F) {
	for _, spec := range arraySpecs() {
		disks := makeArray(f, spec)
		super := make([]byte, 512)
		if err := block.ReadFull(disks[0], super, 4096); err != nil {
			f.Fatal(err)
		}
		f.Add(super, uint8(len(disks)))
	}
	f.Fuzz(func(t *testing.T, super []byte, n uint8) {
		s, _ := md.ParseSuper1(append(super, make([]byte, md.Super1Size)...))
		if s == nil {
			return
		}
		s.MajorVersion, s.SuperOffset, s.FeatureMap = 1, 8, s.FeatureMap&md.FeatureAll
		var disks []block.Device
		total := int64(0)
		for i := range n % 8 {
			d := block.NewMemory("disk", 256<<10)
			s.DevNumber = uint32(i)
			if _, err := d.WriteAt(s.AppendTo(nil), 4096); err != nil {
				t.Fatal(err)
			}
			disks = append(disks, d)
			total += d.Size()
		}
		a, err := openArray(disks, array.Options{Dirty: true, RAID0Layout: 1})
		if err != nil {
			return
		}
		if a.Size() > total {
			t.Fatalf("an array of %d bytes from members of %d", a.Size(), total)
		}
		p := make([]byte, a.Size())
		if err := block.ReadFull(a, p, 0); err != nil {
			return
		}
		for i := range p {
			p[i] = byte(i * 7)
		}
		if _, err := a.WriteAt(p, 0); err != nil {
			return
		}
		wantArray(t, a, p)
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
