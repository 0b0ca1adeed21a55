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
