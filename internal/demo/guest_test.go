package demo

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/internal/lab"
	"github.com/mdkit/mdkit/sysfs"
	mdsysfs "github.com/mdkit/mdkit/sysfs/md"
)

// storyteller hands lines to the host, which prints them.
type storyteller struct {
	t *testing.T
	g *lab.Guest
	n int
}

func (s *storyteller) tell(format string, args ...any) {
	s.g.Publish(lineKey(s.n), fmt.Appendf(nil, format, args...))
	s.n++
}

// end tells the host that no more lines come.
func (s *storyteller) end() { s.g.Publish(lineKey(s.n), nil) }

// mdadm runs our mdadm and tells what it was asked to do and what it printed.
func (s *storyteller) mdadm(args ...string) {
	s.t.Helper()
	out := run(s.t, "/sbin/mdadm", args...)
	s.tell("  # mdadm %s\n%s", strings.Join(args, " "), indent(out))
}

// guestStory runs as init of the lab kernel.
func guestStory(t *testing.T, g *lab.Guest) {
	s := &storyteller{t: t, g: g}
	defer s.end() // also of a story that fails
	disks := g.Disks[:members]
	s.mdadm(append([]string{"--create", array, "--run", "--level=5", fmt.Sprintf("--raid-devices=%d", members)}, disks...)...)
	awaitWhole(t)
	run(t, "/sbin/mke2fs", "-q", "-t", "ext4", "-F", array)
	withMount(t, func() { copyTree(t, "/tree", mountPoint) })
	s.tell("\nA file tree is on it when one member fails.")
	s.mdadm(array, "--fail", disks[victim])
	s.mdadm(array, "--remove", disks[victim])
	s.mdadm(array, "--add", g.Disks[members])
	awaitWhole(t)
	s.tell("\nThe new disk has taken its place.")
	s.mdadm("--detail", array)
	withMount(t, func() { g.Publish(keyTree, []byte(digestTree(t, mountPoint))) })
	sum := digestArray(t)
	g.Publish(keySum, []byte(sum))
	s.mdadm("--stop", array)
}

func digestArray(t *testing.T) string {
	t.Helper()
	f, err := os.Open(array)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return digest(t, f)
}

// awaitWhole waits until no member is missing and nothing is being rebuilt.
func awaitWhole(t *testing.T) {
	t.Helper()
	a, err := mdsysfs.Open(sysfs.Host, filepath.Base(array))
	if err != nil {
		t.Fatal(err)
	}
	lab.Poll(t, func() string {
		action, err := a.SyncAction()
		if err != nil {
			t.Fatal(err)
		}
		missing, err := a.Degraded()
		if err != nil {
			t.Fatal(err)
		}
		if missing == 0 && action == mdsysfs.Idle {
			return ""
		}
		return fmt.Sprintf("%s to be whole: %v with %d members missing", array, action, missing)
	})
}

// withMount calls f while the array's filesystem is mounted on mountPoint.
func withMount(t *testing.T, f func()) {
	t.Helper()
	if err := os.MkdirAll(mountPoint, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(array, mountPoint, "ext4", 0, ""); err != nil {
		t.Fatalf("mount %s: %v", array, err)
	}
	f()
	if err := unix.Unmount(mountPoint, 0); err != nil {
		t.Fatalf("unmount %s: %v", mountPoint, err)
	}
}

// copyTree copies a folder into another that exists.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}
