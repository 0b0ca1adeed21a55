package dm_test

import (
	"errors"
	"fmt"
	"os"

	table "github.com/mdkit/mdkit/engine/dm"
	"github.com/mdkit/mdkit/ioctl/dm"
)

// scripted returns a Control that gives the recorded answers of a real kernel,
// as a program's own tests can do.
func scripted() *dm.Control { return dm.NewControl(transport()) }

func transport() dm.Transport {
	text, err := os.ReadFile("testdata/session-6.1.jsonl")
	if err != nil {
		panic(err)
	}
	exchanges, err := dm.ReadExchanges(string(text))
	if err != nil {
		panic(err)
	}
	return dm.NewScript(exchanges)
}

// A device is created, and given a table that is loaded and made live. With
// dm.Open in place of the script this talks to the running kernel.
func Example() {
	c := scripted()
	defer c.Close()
	if v, err := c.Version(); err != nil || v.Major != 4 {
		fmt.Println(v, err)
	}
	info, err := c.Create("one", dm.CreateOptions{UUID: "u1"})
	fmt.Println(info.Name, info.LiveTable(), err)
	// A name can be used only once.
	_, err = c.Create("one", dm.CreateOptions{})
	fmt.Println(errors.Is(err, dm.ErrExist), err)
	lines := table.Table{table.NewLine(0, 8, table.Zero{}), table.NewLine(8, 8, table.ErrorTarget{})}
	info, err = c.Load(dm.ByName("one"), lines, dm.LoadOptions{Secure: true})
	fmt.Println(info.InactiveTable(), err)
	// Output:
	// one false <nil>
	// true DM_DEV_CREATE one: a device of that name, UUID or minor number exists already (EBUSY)
	// true <nil>
}

// What goes through a Control can be recorded, and played back.
func ExampleRecord() {
	rec := dm.Record(transport())
	c := dm.NewControl(rec)
	_, err := c.Version()
	fmt.Println(err)
	for _, x := range rec.Exchanges() {
		fmt.Println(x.Command, x.Errno)
	}
	again := dm.NewScript(rec.Exchanges())
	_, err = dm.NewControl(again).Version()
	fmt.Println(err, again.Done())
	// Output:
	// <nil>
	// DM_VERSION errno 0
	// <nil> <nil>
}

// Every refusal says what it means, and matches its class and its errno.
func ExampleError() {
	err := error(&dm.Error{Command: dm.CmdDevRemove, Device: "home", Errno: 16})
	fmt.Println(err)
	fmt.Println(errors.Is(err, dm.ErrBusy))
	// Output:
	// DM_DEV_REMOVE home: still in use: mounted, under another device, or open in a process (EBUSY)
	// true
}

// Flags have the kernel's names.
func ExampleFlags() {
	fmt.Println(dm.FlagReadOnly | dm.FlagActivePresent)
	// Output: readonly|active_present
}
