package dlm_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mdkit/mdkit/dlm"
	"github.com/mdkit/mdkit/sysfs"
)

// Two programs on any nodes of a cluster take turns.
func ExampleSpace_Lock() {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second) // not forever
	defer stop()
	space, err := dlm.Open(sysfs.Host, "backups")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer space.Close()
	lock, err := space.Lock(ctx, "tape-drive", dlm.EX)
	if errors.Is(err, dlm.ErrCancelled) {
		fmt.Println("another node has had the drive for ten seconds")
		return
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	// ... work ...
	if err := lock.Unlock(ctx); err != nil {
		fmt.Println(err)
	}
}

func ExampleGlobalID() {
	fmt.Println(dlm.GlobalID("tst"))
	// Output: 720911623
}
