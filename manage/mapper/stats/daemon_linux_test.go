package stats

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/internal/lab"
	"github.com/mdkit/mdkit/ioctl/dm"
)

// daemonMark is set in the environment of the daemon of TestStartDaemon.
const daemonMark = "MDKIT_TEST_DAEMON"

// TestStartDaemon starts the test program as a daemon, which writes a description of
// itself to the given file.
func TestStartDaemon(t *testing.T) {
	if os.Getenv(daemonMark) != "" {
		sid, err := unix.Getsid(0)
		must(t, err)
		dir, err := os.Getwd()
		must(t, err)
		_, err = fmt.Fprintf(os.NewFile(DaemonFile, "file"), "%s leads %t in %s\n", os.Args[0], sid == os.Getpid(), dir)
		must(t, err)
		return
	}
	path := filepath.Join(t.TempDir(), "file")
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	t.Setenv(daemonMark, "1")
	must(t, StartDaemon(f, []string{"somed", "-test.run=^TestStartDaemon$"}))
	want := "somed leads true in /\n"
	lab.Until(t, "the daemon has written", func() bool {
		text, err := os.ReadFile(path)
		must(t, err)
		return string(text) == want
	})
}

// TestFileDevice shows that the number is that of the file's device, and that a closed
// file has none.
func TestFileDevice(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	must(t, err)
	var st unix.Stat_t
	must(t, unix.Stat(f.Name(), &st))
	n, err := FileDevice(f)
	if want := (dm.Number{Major: unix.Major(uint64(st.Dev)), Minor: unix.Minor(uint64(st.Dev))}); n != want || err != nil {
		t.Errorf("%v, %v, want %v", n, err, want)
	}
	must(t, f.Close())
	if _, err := FileDevice(f); !errors.Is(err, unix.EBADF) {
		t.Error(err)
	}
}
