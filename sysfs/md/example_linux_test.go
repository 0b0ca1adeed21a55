package md_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/mdkit/mdkit/sysfs"
	"github.com/mdkit/mdkit/sysfs/md"
)

// fixture is a folder with an array as Linux 6.1 showed it. On a running
// system it is sysfs.Host.
func fixture() (sysfs.FS, func()) {
	dir, err := os.MkdirTemp("", "md-example-")
	if err != nil {
		log.Fatal(err)
	}
	fs, err := md.Unpack("testdata/tree-6.1.txtar", dir)
	if err != nil {
		log.Fatal(err)
	}
	return fs, func() { os.RemoveAll(dir) }
}

// An array and its members.
func Example() {
	fs, done := fixture()
	defer done()

	a, err := md.Open(fs, "md0")
	if err != nil {
		log.Fatal(err)
	}
	level, _ := a.Level()
	disks, _ := a.RaidDisks()
	missing, _ := a.Degraded()
	fmt.Printf("%s of %s, %d missing\n", level, disks, missing)

	members, err := a.Members()
	if err != nil {
		log.Fatal(err)
	}
	for _, m := range members {
		slot, _ := m.Slot()
		state, _ := m.State()
		fmt.Println(m.Name(), slot, state)
	}
	// Output:
	// raid5 of 3, 1 missing
	// ubda 0 in_sync
	// ubdb 1 faulty
	// ubdc 2 in_sync
	// ubdd none spare
}

// Everything the kernel shows of an array, whatever its level and version.
func ExampleArray_All() {
	fs, done := fixture()
	defer done()

	a, err := md.Open(fs, "md0")
	if err != nil {
		log.Fatal(err)
	}
	for name, value := range a.All() {
		if strings.HasPrefix(name, "bitmap/") {
			fmt.Println(name, value)
		}
	}
	// Output:
	// bitmap/location +8
	// bitmap/space 0
	// bitmap/time_base 5s
	// bitmap/backlog 0
	// bitmap/chunksize 67108864
	// bitmap/metadata internal
	// bitmap/can_clear true
	// bitmap/max_backlog_used 0
}

// An attribute that the kernel does not have is distinguished from an error.
func ExampleArray_LogicalBlockSize() {
	fs, done := fixture()
	defer done()

	a, err := md.Open(fs, "md0")
	if err != nil {
		log.Fatal(err)
	}
	if _, err := a.LogicalBlockSize(); errors.Is(err, sysfs.ErrNotSupported) {
		fmt.Println("a kernel before 6.19")
	}
	// Output: a kernel before 6.19
}

// Waiting until no sync action is running. The array of the fixture is frozen,
// so that takes no time.
func ExampleArray_WaitSyncAction() {
	fs, done := fixture()
	defer done()

	a, err := md.Open(fs, "md0")
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // what a program might do
	defer cancel()
	action, err := a.WaitSyncAction(ctx, func(act md.SyncAction) bool {
		return act == md.Idle || act == md.Frozen
	})
	fmt.Println(action, err)
	// Output: frozen <nil>
}

// One unusual array does not hide the others.
func ExampleParseMdstat() {
	text := `Personalities : [raid1] [raid6] [raid5] [raid4]
md1 : active raid1 sdd1[1] sdc1[0]
      1047552 blocks super 1.2 [2/2] [UU]
      	resync=REMOTE

md7 : active raid77 sde[0]
      8 blocks of something new

md0 : active raid5 sdb1[1] sda1[0](F)
      2093056 blocks super 1.2 level 5, 512k chunk, algorithm 2 [3/1] [_U_]
      [==>..................]  recovery = 12.4% (130048/1046528) finish=0.8min speed=18578K/sec

unused devices: <none>
`
	m, err := md.ParseMdstat(strings.NewReader(text))
	if err != nil {
		log.Fatal(err)
	}
	for _, a := range m.Arrays {
		fmt.Printf("%s %s, %d members, %d missing", a.Name, a.Level, len(a.Members), a.Missing())
		if s := a.Sync; s != nil && s.Running() {
			fmt.Printf(", %s %d.%d%%", s.Action, s.PerMille/10, s.PerMille%10)
		}
		if len(a.Unparsed) > 0 {
			fmt.Printf(", unknown: %q", a.Unparsed)
		}
		fmt.Println()
	}
	// Output:
	// md1 raid1, 2 members, 0 missing
	// md7 raid77, 1 members, 0 missing, unknown: ["of something new"]
	// md0 raid5, 2 members, 2 missing, recovery 12.4%
}
