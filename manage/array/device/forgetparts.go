package device

import (
	"os"

	blockctl "github.com/mdkit/mdkit/ioctl/block"

	"github.com/mdkit/mdkit/manage/plan"
)

// DropPartitions returns a step that makes the kernel forget the partitions of a device
// that is about to become a member: its data then belongs to the array. The table on the
// disk stays, so rereading it undoes the step.
func DropPartitions(path string) plan.Step {
	return plan.NewIoctl(path, "BLKPG", "forget partitions",
		func() error {
			f, err := blockctl.Open(path, os.O_RDONLY)
			if err != nil {
				return err
			}
			defer f.Close()
			blockctl.ForgetPartitions(f)
			return nil
		}, nil)
}
