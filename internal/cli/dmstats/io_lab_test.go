package dmstats_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/ioctl/dm"
)

// openNumber opens a device for direct I/O, by a node of its own.
func openNumber(t *testing.T, n dm.Number) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "node")
	if err := unix.Mknod(path, unix.S_IFBLK|0o600, int(n.Dev())); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_DIRECT, 0)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// alignedBlock returns 4096 bytes at an address suitable for O_DIRECT.
func alignedBlock() []byte {
	const size = 4096
	buf := make([]byte, 2*size)
	off := size - int(uintptr(unsafe.Pointer(&buf[0]))%size)
	return buf[off%size : off%size+size]
}

// fileSystem makes an ext4 on the device, mounted at /tmp/fs until the end of the test,
// with two files in several pieces, an empty one and a link. A second call does nothing.
func (w *statsWorld) fileSystem(t *testing.T, name string) {
	t.Helper()
	if _, err := os.Stat("/tmp/fs/a"); err == nil {
		return
	}
	info, err := w.ctl.Status(dm.ByName(name), dm.StatusOptions{})
	if err != nil {
		t.Fatal(err)
	}
	node := filepath.Join(t.TempDir(), "node")
	if err := unix.Mknod(node, unix.S_IFBLK|0o600, int(info.Number.Dev())); err != nil {
		t.Fatal(err)
	}
	if said, err := exec.Command("mke2fs", "-q", "-F", "-t", "ext4", "-b", "1024", node).CombinedOutput(); err != nil {
		t.Fatalf("mke2fs: %v: %s", err, said)
	}
	if err := os.MkdirAll("/tmp/fs", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(node, "/tmp/fs", "ext4", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount("/tmp/fs", 0); err != nil {
			t.Error(err)
		}
	})
	for range 3 { // written alternately and synced, so that neither is in one piece
		for _, file := range []string{"/tmp/fs/a", "/tmp/fs/b"} {
			appendSynced(t, file, bytes.Repeat([]byte{'x'}, 40<<10))
		}
	}
	if err := errors.Join(os.WriteFile("/tmp/fs/empty", nil, 0o644), os.Symlink("a", "/tmp/fs/link")); err != nil {
		t.Fatal(err)
	}
}

func appendSynced(t *testing.T, path string, data []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
}
