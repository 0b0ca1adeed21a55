package block_test

import (
	"fmt"

	"github.com/mdkit/mdkit/engine/block"
)

func ExampleOverlay() {
	disk := block.NewMemoryFrom("disk.img", []byte("what the disk holds"))
	draft := block.NewOverlay(disk)

	if _, err := draft.WriteAt([]byte("tape"), 9); err != nil {
		fmt.Println(err)
	}
	for e := range draft.Extents() {
		fmt.Printf("would write %q at %d\n", e.Data, e.Off)
	}
	if err := draft.Apply(disk); err != nil {
		fmt.Println(err)
	}
	p := make([]byte, disk.Size())
	if err := block.ReadFull(disk, p, 0); err != nil {
		fmt.Println(err)
	}
	fmt.Printf("%s\n", p)
	// Output:
	// would write "tape" at 9
	// what the tape holds
}

func ExampleNewFault() {
	disk := block.NewMemory("disk.img", 1<<20)
	bad, err := block.NewFault(disk, `
		read 4096+512 error        # one sector cannot be read
		write 64K+4K torn=512      # and one write does not arrive whole
	`)
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println(block.ReadFull(bad, make([]byte, 8192), 0))
	// Output:
	// read disk.img: 8192 bytes at offset 0: medium error
}

func ExamplePower() {
	supply := block.NewPower(4)
	disk := block.NewMemoryFrom("disk.img", []byte("old"))
	d := supply.Attach(disk)

	supply.CutAfter(2) // during the sync
	_, err := d.WriteAt([]byte("new"), 0)
	fmt.Println(err)
	fmt.Println(d.Sync())

	p := make([]byte, 3)
	if err := block.ReadFull(disk, p, 0); err != nil {
		fmt.Println(err)
	}
	fmt.Println(string(p) == "old" || string(p) == "new")
	// Output:
	// <nil>
	// sync disk.img: device is closed
	// true
}
