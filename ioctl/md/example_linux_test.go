package md_test

import (
	"errors"
	"fmt"
	"os"

	"github.com/mdkit/mdkit/ioctl/md"
)

// A refusal says what it means, and matches both its class and its errno.
func ExampleError() {
	err := error(&md.Error{Op: "STOP_ARRAY", Device: "/dev/md0", Errno: 16})
	fmt.Println(err)
	fmt.Println(errors.Is(err, md.ErrBusy))
	// Output:
	// STOP_ARRAY /dev/md0: still in use: mounted, held by another device, or open in a process (EBUSY)
	// true
}

// Something that is not an array is refused by name.
func ExampleOpen() {
	_, err := md.Open("/dev/null", os.O_RDONLY)
	fmt.Println(err)
	fmt.Println(errors.Is(err, md.ErrNotArray))
	// Output:
	// open /dev/null: not a block device (ENOTBLK)
	// true
}
