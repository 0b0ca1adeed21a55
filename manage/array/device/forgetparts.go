package device

import (
	"os"

	blockctl "github.com/mdkit/mdkit/ioctl/block"

	"github.com/mdkit/mdkit/manage/plan"
)

// DropPartitions is a step that makes the kernel forget the partitions of a
// device that is going to be a member: what lies there is the array's from
// then on. The table on the disk stays, so there is nothing to take back that
// rereading it would not bring.
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
