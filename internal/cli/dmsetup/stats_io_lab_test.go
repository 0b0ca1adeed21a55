package dmsetup

import (
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/ioctl/dm"
)

// openNumber opens a device past the cache, by a node of its own.
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

// alignedBlock is 4096 bytes where O_DIRECT wants them.
func alignedBlock() []byte {
	const size = 4096
	buf := make([]byte, 2*size)
	off := size - int(uintptr(unsafe.Pointer(&buf[0]))%size)
	return buf[off%size : off%size+size]
}
