package mapper

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/sysfs"
)

// TestFindReadAhead shows that sysfs is asked first and then the node, and what the
// error is if the node does not help.
func TestFindReadAhead(t *testing.T) {
	root, nodes := t.TempDir(), t.TempDir()
	attr := filepath.Join(root, "sys/dev/block/253:0/bdi")
	must(t, os.MkdirAll(attr, 0o755))
	must(t, os.WriteFile(filepath.Join(attr, "read_ahead_kb"), []byte("128\n"), 0o644))
	must(t, os.WriteFile(filepath.Join(nodes, "file"), nil, 0o644))
	for _, c := range []struct {
		name  string
		minor uint32
		want  uint32
		op    string
		err   error
	}{
		{name: "missing", minor: 0, want: 256},
		{name: "missing", minor: 1, op: "open", err: fs.ErrNotExist},
		{name: "file", minor: 1, op: "BLKRAGET", err: unix.ENOTTY},
	} {
		got, err := FindReadAhead(sysfs.FS(root), dm.Number{Major: 253, Minor: c.minor}, Nodes{Dir: nodes}, c.name)
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s, minor %d: %d, %v", c.name, c.minor, got, err)
		}
		var failed *os.PathError
		if errors.As(err, &failed) != (c.op != "") || failed != nil && (failed.Op != c.op || failed.Path != filepath.Join(nodes, c.name)) {
			t.Errorf("%s, minor %d: %#v", c.name, c.minor, err)
		}
	}
}
