package dm_test

import (
	"fmt"

	"github.com/mdkit/mdkit/engine/dm"
)

// A table is built from typed arguments, and checked before a kernel sees it.
func Example() {
	table := dm.Table{
		dm.NewLine(0, 1024, dm.Linear{Device: "8:1", Offset: 2048}),
		dm.NewLine(1024, 1024, dm.Striped{Chunk: 24, Stripes: []dm.Span{{"8:1", 4096}, {"8:2", 0}}}),
	}
	fmt.Print(table)
	fmt.Println(dm.Check(table, nil))
	// Output:
	// 0 1024 linear 8:1 2048
	// 1024 1024 striped 2 24 8:1 4096 8:2 0
	// table line 2: striped: chunk: Target length not divisible by chunk size
}

// A line that a kernel printed becomes a typed value.
func ExampleParseArgs() {
	args, err := dm.ParseArgs("linear", "253:4 384")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(args.(dm.Linear).Offset, args.Devices())
	// Output: 384 [253:4]
}
