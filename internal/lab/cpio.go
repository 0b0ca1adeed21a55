package lab

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
)

// cpioWriter writes an initramfs: the "newc" format of the kernel's
// Documentation/driver-api/early-userspace/buffer-format.rst.
type cpioWriter struct {
	w    io.Writer
	ino  int
	done map[string]bool // folders
	err  error
}

// entry writes one header, name and body, each padded to 4 bytes.
func (c *cpioWriter) entry(name string, mode uint32, size int64, body io.Reader) {
	if c.err != nil {
		return
	}
	name = strings.TrimPrefix(name, "/")
	c.ino++
	// ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor
	// rdevminor namesize check
	head := fmt.Sprintf("070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
		c.ino, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, len(name)+1, 0, name)
	if _, c.err = io.WriteString(c.w, head+pad(int64(len(head)))); c.err != nil || size == 0 {
		return
	}
	n, err := io.Copy(c.w, io.LimitReader(body, size))
	if err == nil && n != size {
		err = fmt.Errorf("%s: %d bytes of %d", name, n, size)
	}
	if err == nil {
		_, err = io.WriteString(c.w, pad(size))
	}
	c.err = err
}

func pad(n int64) string { return strings.Repeat("\x00", int(-n&3)) }

// folder writes a folder and those above it, once.
func (c *cpioWriter) folder(name string) {
	if name == "/" || name == "." || c.done[name] {
		return
	}
	c.folder(path.Dir(name))
	c.done[name] = true
	c.entry(name, 0o040755, 0, nil)
}

func (c *cpioWriter) bytes(name string, b []byte) {
	c.folder(path.Dir(name))
	c.entry(name, 0o100644, int64(len(b)), strings.NewReader(string(b)))
}

func (c *cpioWriter) file(name, host string) {
	c.folder(path.Dir(name))
	if c.err != nil {
		return
	}
	f, err := os.Open(host)
	if err != nil {
		c.err = err
		return
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		c.err = err
		return
	}
	c.entry(name, 0o100000|uint32(st.Mode().Perm()), st.Size(), f)
}

// writeInitramfs writes the files that plant would write, as an archive.
func writeInitramfs(w io.Writer, tr tree, o orders) error {
	c := &cpioWriter{w: w, done: map[string]bool{}}
	for _, d := range guestDirs {
		c.folder("/" + d)
	}
	for _, name := range slices.Sorted(maps.Keys(guestEtc)) {
		c.bytes("/etc/"+name, []byte(guestEtc[name]))
	}
	for _, g := range slices.Sorted(maps.Keys(tr)) {
		c.file(g, tr[g])
	}
	b, err := o.encode()
	if err != nil {
		return err
	}
	c.bytes(guestOrders, b)
	c.entry("TRAILER!!!", 0, 0, nil)
	return c.err
}
