package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// thisGuest is the machine this process runs in, the same for all cases.
var thisGuest = sync.OnceValues(func() (*Guest, error) {
	o, err := readOrders()
	if err != nil {
		return nil, err
	}
	g := &Guest{
		Kernel: o.Kernel, Backend: o.Backend, Release: release(), Disks: o.Disks,
		Env: o.Env, changed: make(chan struct{}), builtin: map[string]bool{},
	}
	for _, b := range o.Builtin {
		g.builtin[b] = true
	}
	for _, n := range o.NICs {
		g.NICs = append(g.NICs, n.Name)
	}
	if g.kmsg, err = os.OpenFile("/dev/kmsg", os.O_RDONLY|unix.O_NONBLOCK, 0); err != nil {
		return nil, err
	}
	go g.listen(os.Stdin)
	return g, nil
})

func readOrders() (orders, error) {
	var o orders
	b, err := os.ReadFile(guestOrders)
	if err == nil {
		err = json.Unmarshal(b, &o)
	}
	return o, err
}

// release is uname -r.
func release() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}

// HasModule reports whether the kernel has this module, loaded or built in.
func (g *Guest) HasModule(name string) bool {
	_, err := os.Stat("/sys/module/" + moduleName(name))
	return err == nil || g.builtin[moduleName(name)]
}

// skipLog forgets what the kernel has said so far.
func (g *Guest) skipLog() {
	g.kmsg.Seek(0, unix.SEEK_END)
}

// KernelLog returns what the kernel has logged since the last call, or since the
// case began: one line per message, without level and time. A test that expects
// no complaints checks it at the end.
func (g *Guest) KernelLog(t testing.TB) []string {
	t.Helper()
	var lines []string
	buf := make([]byte, 8192)
	for {
		// Not through os.File.Read: kmsg is not pollable, and reading an empty
		// log fails with EAGAIN.
		n, err := unix.Read(int(g.kmsg.Fd()), buf)
		switch {
		case err == nil:
			// "6,339,5140900,-;message\n KEY=value\n"; man page: Documentation/
			// ABI/testing/dev-kmsg.
			_, msg, _ := strings.Cut(string(buf[:n]), ";")
			msg, _, _ = strings.Cut(msg, "\n")
			lines = append(lines, msg)
		case errors.Is(err, unix.EPIPE):
			t.Log("lab: the kernel log overran; some messages are lost")
		case errors.Is(err, unix.EAGAIN):
			return lines
		case errors.Is(err, unix.EINTR):
		default:
			t.Fatalf("lab: /dev/kmsg: %v", err)
		}
	}
}

// KernelSays waits until the kernel has logged a line with that text since the
// last KernelLog, and returns all lines up to then. The test fails at the
// deadline of Until.
func (g *Guest) KernelSays(t testing.TB, text string) []string {
	t.Helper()
	var lines []string
	Poll(t, func() string {
		for _, l := range g.KernelLog(t) {
			lines = append(lines, l)
			if strings.Contains(l, text) {
				return ""
			}
		}
		return fmt.Sprintf("the kernel to say %q; it said:\n%s", text, strings.Join(lines, "\n"))
	})
	return lines
}
