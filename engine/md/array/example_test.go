package array_test

import (
	"fmt"
	"log"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/array"
	"github.com/mdkit/mdkit/engine/md/fresh"
)

// A write that reached only the journal is there when the array is opened
// again, though nothing of it is on the members.
func ExampleOpen_journal() {
	arr := fresh.NewArray{
		Version: md.V12, Level: md.LevelRAID5, Layout: md.LayoutLeftSymmetric, Chunk: 128, Size: 8192,
		RaidDisks: 3, ActiveDisks: 3, WorkingDisks: 3, Name: "host:log", UUID: md.UUID{5}, Clean: true,
	}
	var members []fresh.NewMember
	var disks []*block.Memory
	for i := range 4 {
		members = append(members, fresh.NewMember{
			Sectors: 12288, Bytes: 6 << 20, Number: i, RaidDisk: i, Journal: i == 3,
			DataOffset: fresh.DefaultDataOffset, UUID: md.UUID{byte(i + 1)},
		})
		disks = append(disks, block.NewMemory(fmt.Sprintf("disk%d", i), 6<<20))
	}
	extents, err := arr.Format(members, 2048)
	if err != nil {
		log.Fatal(err)
	}
	for i, list := range extents {
		for _, e := range list {
			if _, err := disks[i].WriteAt(e.Data, e.Off); err != nil {
				log.Fatal(err)
			}
		}
	}
	open := func(on func(block.Device) block.Device) *array.Array {
		devs := make(map[*md.Member]block.Device)
		var list []*md.Member
		for _, d := range disks {
			m, err := md.ReadMember(d)
			if err != nil {
				log.Fatal(err)
			}
			list, devs[m] = append(list, m), on(d)
		}
		a, err := array.Open(md.Assess(list, md.Strict), devs, array.Options{})
		if err != nil {
			log.Fatal(err)
		}
		return a
	}

	// The writes to the members never reach them: they lose power first.
	power := block.NewPower(1)
	a := open(func(d block.Device) block.Device { return power.Attach(d) })
	if _, err := a.WriteAt([]byte("acknowledged"), 1000); err != nil {
		log.Fatal(err)
	}
	if err := power.Cut(); err != nil {
		log.Fatal(err)
	}

	b := make([]byte, 12)
	_, err = open(func(d block.Device) block.Device { return d }).ReadAt(b, 1000)
	fmt.Printf("%s %v\n", b, err)
	// Output: acknowledged <nil>
}
