package dlmtool

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/internal/lab"
)

// dumps are files of debugfs as a node of three has them in the midst of a recovery, in
// the form of fs/dlm/debug_fs.c (print_format2, print_format3, print_format4, waiters_read).
var dumps = map[string]string{
	"busy_all": `version rsb 1.1 lvb 1.1 lkb 1.1
rsb 00000000f3ab7d01 0 0 0 0 0 0 8 str mastered
lvb 7 32 00 11 22 33 44 55 66 77 88 99 aa bb cc dd ee ff 00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f
lkb 1 0 0 812 0 8 0 2 3 -1 5 0 0 0 15301844117 15301900000
lkb 2a 3 7f 99 18 4000 10000 2 0 -1 0 0 0 7 15301844200 0
lkb 2b 2 80 99 0 0 10000 3 1 5 0 0 0 0 15301844300 0
lkb 2c 2 81 99 0 0 10000 1 -1 3 0 0 0 0 15301844400 0
rsb 00000000f3ab7d02 2 0 0 0 0 0 5 str a b c
lvb 1 4 de ad be ef
lkb 3 2 9 4242 0 84 0 2 5 -1 0 0 0 0 16301844117 0
lkb 4 2 0 4242 0 0 0 0 -1 3 0 0 1 0 16301844118 0
lkb 5 3 b 4242 0 0 0 3 3 5 -1 0 2 0 16301844119 1
rsb 00000000f3ab7d03 -1 6 4 0 0 0 6 hex 6c 6f 00 6f 6b 01
lkb 6 0 0 17 0 0 0 0 -1 2 0 1 11 0 17301844117 0
rsb 00000000f3ab7d04 -2 0 0 1 1 3 3 str bad
rsb 00000000f3ab7d05 0 0 0 1 0 0 2 str xy
lvb 4294967295 32 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
`,
	"busy_toss": `version rsb 1.0
rsb 00000000f3ab7e01 0 1 1 1 4294906523 4 4 str kept
rsb 00000000f3ab7e02 2 2 1 1 4294906524 4 2 hex 01 0a
rsb 00000000f3ab7e03 3 1 3 1 4294906525 4 3 str a b
`,
	"busy_waiters": "4 1 2 a b c\n5 2 2 a b c\n6 11 3 other\n7 99 0 odd\n",
	"busy_locks": `id nodeid remid pid xid exflags flags sts grmode rqmode time_ms r_nodeid r_len r_name
1 0 0 812 0 8 0 2 3 -1 77 0 8 "mastered"
2a 3 7f 99 18 4000 10000 2 0 5 78 0 8 "mastered"
2b 2 80 99 0 0 10000 3 1 5 79 0 8 "mastered"
3 2 9 4242 0 84 0 2 5 3 80 2 5 "a b c"
4 2 0 4242 0 0 0 1 -1 3 81 2 5 "a b c"
6 0 0 17 0 0 0 0 -1 2 82 -1 6 "lo"
`,
	"idle_all": "version rsb 1.1 lvb 1.1 lkb 1.1\n", "idle_locks": "id nodeid remid pid xid exflags flags sts grmode rqmode time_ms r_nodeid r_len r_name\n",
	"idle_toss": "version rsb 1.0\n", "idle_waiters": "",
}

// sameDumps has both tools read the same files, where debugfs has them.
func sameDumps(t *testing.T, _ *lab.Guest) {
	if err := unix.Mount("tmpfs", "/sys/kernel", "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Unmount("/sys/kernel", 0); err != nil {
			t.Error(err)
		}
	}()
	if err := os.MkdirAll(debugDir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range dumps {
		if err := os.WriteFile(filepath.Join(debugDir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tell(t, []string{
		"lockdebug busy", "lockdebug -s busy", "lockdebug -v busy", "lockdebug -w busy", "lockdebug -svw busy", "lockdump busy", "lockdump -M busy",
		"lockdebug -s idle", "lockdump idle", "lockdebug nosuch", "lockdump nosuch",
	})
}
