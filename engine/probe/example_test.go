package probe_test

import (
	"fmt"
	"log"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/probe"
)

// Anything that is a block.Device can be probed: a file, a partition, an
// assembled array or, as here, a piece of memory with a leftover signature.
func ExampleProbe() {
	d := block.NewMemory("leftover", 1<<20)
	if _, err := d.WriteAt([]byte("SWAPSPACE2"), 4096-10); err != nil {
		log.Fatal(err)
	}
	found, err := probe.Probe(d)
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range found {
		fmt.Println(s, "-", s.Class)
	}
	// Output: swap 0 at offset 0 - swap
}
