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

// What there is to know about an array without sysfs.
func ExampleDevice_ArrayInfo() {
	d, err := md.Open("/dev/md0", os.O_RDONLY)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	defer d.Close()
	info, err := d.ArrayInfo()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	fmt.Println(info.Level, info.RaidDisks, info.State)
	for n := range int(info.NrDisks) {
		disk, err := d.DiskInfo(n)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return
		}
		fmt.Printf("%d:%d slot %d %s\n", disk.Major, disk.Minor, disk.RaidDisk, disk.State)
	}
}
