package native

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/block/blocktest"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/internal/lab"
)

func TestMain(m *testing.M) { lab.Main(m) }

// TestMountExports makes a filesystem on an array that the kernel writes to as a
// network disk, and mounts it again from a file that shows the array with two
// members missing. No md driver is loaded.
func TestMountExports(t *testing.T) {
	tool := lab.Peer(t, "e2fsprogs")
	lab.Run(t, lab.Spec{
		Modules: []string{"nbd nbds_max=1", "fuse", "loop max_loop=1", "ext4"},
		Files:   tool.Files,
		Memory:  512 << 20,
	}, lab.Case{Name: "nbd_then_fuse", Run: func(t *testing.T, g *lab.Guest) {
		paths := makeRAID6(t, lab.Seed(t))
		sum := writeThroughNBD(t, paths)
		readThroughFUSE(t, paths[2:], sum)
		if _, err := os.Stat("/proc/mdstat"); err == nil {
			t.Error("an md driver is in this kernel")
		}
		if code, out, errs := mdkit(append([]string{"verify", "--scrub", "-q"}, paths...)...); code != ui.ExitOK {
			t.Errorf("the scrub ends with %d\n%s%s", code, out, errs)
		}
	}})
}

// opened is mdkit open at work in the background.
type opened struct {
	ready chan exportReady
	stop  context.CancelFunc
	done  chan int
	errs  bytes.Buffer
}

// openInBackground runs mdkit open with --json, and waits until the array can be
// used.
func openInBackground(t *testing.T, args ...string) *opened {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	o := &opened{ready: make(chan exportReady, 1), stop: stop, done: make(chan int, 1)}
	r, w := io.Pipe()
	std := ui.IO{Out: w, Err: &o.errs, Interrupt: func(context.Context) (context.Context, context.CancelFunc) { return ctx, stop }}
	go func() {
		o.done <- Main(context.Background(), append([]string{"open", "--json"}, args...), std)
		_ = w.Close()
	}()
	var ready struct {
		Len      int64 `json:"length"`
		ReadOnly bool  `json:"read_only"`
	}
	if err := json.NewDecoder(r).Decode(&ready); err != nil {
		t.Fatalf("mdkit open: %v, exit code %d\n%s", err, <-o.done, &o.errs)
	}
	if ready.Len == 0 {
		t.Fatalf("%+v", ready)
	}
	return o
}

// end interrupts mdkit open.
func (o *opened) end(t *testing.T) {
	t.Helper()
	o.stop()
	if code := lab.Receive(t, "the end of mdkit open", o.done); code != ui.ExitOK {
		t.Fatalf("mdkit open ends with %d\n%s", code, &o.errs)
	}
}

// writeThroughNBD writes files to the array through /dev/nbd0, and returns a digest
// of them.
func writeThroughNBD(t *testing.T, paths []string) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "socket")
	o := openInBackground(t, append([]string{"--write", "--nbd", "unix:" + socket}, paths...)...)
	disconnect := connectNBD(t, socket)
	if out, err := exec.Command("mke2fs", "-q", "-t", "ext4", "/dev/nbd0").CombinedOutput(); err != nil {
		t.Fatalf("mke2fs: %v\n%s", err, out)
	}
	dir := mount(t, "/dev/nbd0", 0)
	rng := lab.Rand(t)
	for i := range 20 {
		name := filepath.Join(dir, fmt.Sprintf("dir%d", i%4), fmt.Sprintf("file%d", i))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, blocktest.Pattern(rng.Uint64(), rng.IntN(200<<10)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	sum := digest(t, dir)
	unmount(t, dir)
	disconnect()
	o.end(t)
	return sum
}

// readThroughFUSE mounts the array from a file, and checks that it has the same
// files.
func readThroughFUSE(t *testing.T, paths []string, want string) {
	t.Helper()
	folder := t.TempDir()
	o := openInBackground(t, append([]string{"--overlay", "--fuse", folder}, paths...)...)
	loop, detach := attachLoop(t, filepath.Join(folder, exportFile))
	dir := mount(t, loop, 0)
	if got := digest(t, dir); got != want {
		t.Errorf("the files' digest is %s, want %s", got, want)
	}
	if err := os.WriteFile(filepath.Join(dir, "more"), blocktest.Pattern(1, 100<<10), 0o644); err != nil {
		t.Error(err)
	}
	unmount(t, dir)
	detach()
	o.end(t)
	// The overlay took what was written: the array is as it was.
	o = openInBackground(t, append([]string{"--fuse", folder}, paths...)...)
	if f, err := os.OpenFile(filepath.Join(folder, exportFile), os.O_RDWR, 0); err == nil {
		_ = f.Close()
		t.Error("the file can be opened for writing")
	}
	loop, detach = attachLoop(t, filepath.Join(folder, exportFile))
	dir = mount(t, loop, unix.MS_RDONLY)
	if got := digest(t, dir); got != want {
		t.Errorf("after the overlay is gone the files' digest is %s, want %s", got, want)
	}
	unmount(t, dir)
	detach()
	o.end(t)
}

// digest sums up the names and contents of all files.
func digest(t *testing.T, dir string) string {
	t.Helper()
	h := sha256.New()
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		fmt.Fprintf(h, "%s %d\n", strings.TrimPrefix(path, dir), len(b))
		h.Write(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

func mount(t *testing.T, dev string, flags uintptr) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount(dev, dir, "ext4", flags, ""); err != nil {
		t.Fatalf("mount %s: %v", dev, err)
	}
	return dir
}

func unmount(t *testing.T, dir string) {
	t.Helper()
	if err := unix.Unmount(dir, 0); err != nil {
		t.Fatal(err)
	}
}

// The ioctls of the kernel's client (include/uapi/linux/nbd.h).
const (
	nbdSetSock       = 0xab00
	nbdSetBlockSize  = 0xab01
	nbdDoIt          = 0xab03
	nbdClearSock     = 0xab04
	nbdSetSizeBlocks = 0xab07
	nbdDisconnect    = 0xab08
	nbdSetFlags      = 0xab0a
)

// connectNBD does the handshake as nbd-client does and gives the socket to
// /dev/nbd0.
func connectNBD(t *testing.T, socket string) (disconnect func()) {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, make([]byte, 18)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("\x00\x00\x00\x03IHAVEOPT\x00\x00\x00\x01\x00\x00\x00\x00")); err != nil {
		t.Fatal(err)
	}
	var reply struct {
		Size  uint64
		Flags uint16
	}
	if err := binary.Read(conn, binary.BigEndian, &reply); err != nil {
		t.Fatal(err)
	}
	sock, err := conn.(*net.UnixConn).File()
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	dev, err := os.OpenFile("/dev/nbd0", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	control := func(request, argument uintptr) {
		t.Helper()
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, dev.Fd(), request, argument); errno != 0 {
			t.Fatalf("ioctl %#x: %v", request, errno)
		}
	}
	control(nbdSetBlockSize, 4096)
	control(nbdSetSizeBlocks, uintptr(reply.Size/4096))
	control(nbdSetFlags, uintptr(reply.Flags))
	control(nbdSetSock, sock.Fd())
	var doing sync.WaitGroup
	doing.Go(func() { // until the client is disconnected
		_, _, _ = syscall.Syscall(syscall.SYS_IOCTL, dev.Fd(), nbdDoIt, 0)
	})
	lab.Until(t, "/dev/nbd0 to be connected", func() bool {
		b, err := os.ReadFile("/sys/block/nbd0/pid")
		return err == nil && len(b) > 0
	})
	return func() {
		control(nbdDisconnect, 0)
		doing.Wait()
		control(nbdClearSock, 0)
		_ = sock.Close()
		_ = dev.Close()
	}
}

// attachLoop makes a loop device of a file.
func attachLoop(t *testing.T, path string) (dev string, detach func()) {
	t.Helper()
	const node = "/dev/loop0"
	info, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		if info, err = os.Open(path); err != nil {
			t.Fatal(err)
		}
	}
	defer info.Close()
	loop, err := os.OpenFile(node, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetInt(int(loop.Fd()), unix.LOOP_SET_FD, int(info.Fd())); err != nil {
		t.Fatal(err)
	}
	return node, func() {
		if err := unix.IoctlSetInt(int(loop.Fd()), unix.LOOP_CLR_FD, 0); err != nil {
			t.Error(err)
		}
		_ = loop.Close()
	}
}
