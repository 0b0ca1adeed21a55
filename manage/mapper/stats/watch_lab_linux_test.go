package stats

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/internal/lab"
	"github.com/mdkit/mdkit/ioctl/dm"
)

func TestMain(m *testing.M) { lab.Main(m) }

// TestWatch watches files on an ext4 on a mapped device while they grow, shrink, are
// replaced and are removed.
func TestWatch(t *testing.T) {
	lab.Run(t, lab.Spec{
		Files:   lab.Peer(t, "e2fsprogs").Files,
		Disks:   []lab.Disk{{Size: 16 << 20}},
		Modules: []string{"dm-mod", "ext4"},
	},
		lab.Case{Name: "inode", Run: func(t *testing.T, g *lab.Guest) {
			w := watching(t, g, false)
			w.waitRegions(1)
			w.write("file", 3)
			w.waitRegions(2)
			if err := os.Truncate(filepath.Join(w.dir, "file"), 40<<10); err != nil {
				t.Fatal(err)
			}
			w.waitRegions(1)
			if err := os.Remove(filepath.Join(w.dir, "file")); err != nil {
				t.Fatal(err)
			}
			w.waitEnd()
		}},
		lab.Case{Name: "path", Run: func(t *testing.T, g *lab.Guest) {
			w := watching(t, g, true)
			w.waitRegions(1)
			w.write("other", 3)
			if err := os.Rename(filepath.Join(w.dir, "other"), filepath.Join(w.dir, "file")); err != nil {
				t.Fatal(err)
			}
			w.waitRegions(2)
			if err := os.Remove(filepath.Join(w.dir, "file")); err != nil {
				t.Fatal(err)
			}
			w.waitEnd()
		}},
		lab.Case{Name: "group removed", Run: func(t *testing.T, g *lab.Guest) {
			w := watching(t, g, false)
			w.waitRegions(1)
			if _, _, err := w.ctl.Message(dm.ByName("w"), 0, "@stats_delete 0", dm.MessageOptions{}); err != nil {
				t.Fatal(err)
			}
			w.waitEnd()
		}},
	)
}

// watched is a file that is being watched.
type watched struct {
	t    *testing.T
	ctl  *dm.Control
	dir  string
	done chan error
}

func watching(t *testing.T, g *lab.Guest, path bool) *watched {
	t.Helper()
	ctl, err := dm.Open()
	must(t, err)
	t.Cleanup(func() { ctl.Close() })
	info, err := ctl.Create("w", dm.CreateOptions{})
	must(t, err)
	t.Cleanup(func() {
		if _, err := ctl.Remove(dm.ByName("w"), dm.RemoveOptions{}); err != nil {
			t.Error(err)
		}
	})
	_, err = ctl.Load(dm.ByName("w"), []dm.Target{{Length: 32768, Type: "linear", Params: g.Disks[0] + " 0"}}, dm.LoadOptions{})
	must(t, err)
	_, err = ctl.Resume(dm.ByName("w"), dm.ResumeOptions{})
	must(t, err)
	dir := t.TempDir()
	node := filepath.Join(dir, "node")
	must(t, unix.Mknod(node, unix.S_IFBLK|0o600, int(info.Number.Dev())))
	if said, err := exec.Command("mke2fs", "-q", "-F", "-t", "ext4", "-b", "1024", node).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	w := &watched{t: t, ctl: ctl, dir: filepath.Join(dir, "fs"), done: make(chan error, 1)}
	must(t, os.Mkdir(w.dir, 0o755))
	must(t, unix.Mount(node, w.dir, "ext4", 0, ""))
	t.Cleanup(func() {
		if err := unix.Unmount(w.dir, 0); err != nil {
			t.Error(err)
		}
	})
	w.write("file", 1)
	mapped := func(major uint32) bool { return major == info.Number.Major }
	f, err := os.Open(filepath.Join(w.dir, "file"))
	must(t, err)
	ranges, err := FileRanges(f, mapped)
	must(t, err)
	h := Open(ctl, dm.ByNumber(info.Number.Major, info.Number.Minor))
	ids, err := h.CreateFile(ranges, FileOptions{Program: Program, Group: true, Alias: "file"})
	must(t, err)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		watch := &Watch{
			File: f, Path: f.Name(), Group: ids[0], FollowPath: path, Mapped: mapped,
			Every: 20 * time.Millisecond, Log: func(s string) { t.Log(s) },
		}
		w.done <- watch.Run(ctx, Open(ctl, dm.ByName("w")))
	})
	t.Cleanup(running.Wait)
	t.Cleanup(stop)
	return w
}

// write appends n pieces to a file, separated on disk by pieces of another.
func (w *watched) write(name string, n int) {
	w.t.Helper()
	for range n {
		for _, file := range []string{name, "filler"} {
			f, err := os.OpenFile(filepath.Join(w.dir, file), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
			must(w.t, err)
			_, err = f.Write(make([]byte, 40<<10))
			must(w.t, errors.Join(err, f.Sync(), f.Close()))
		}
	}
}

// waitRegions waits until the group has at least n regions, and the device no others; if
// n is 1, exactly one.
func (w *watched) waitRegions(n int) {
	w.t.Helper()
	h := Open(w.ctl, dm.ByName("w"))
	lab.Poll(w.t, func() string {
		_, err := h.List("")
		must(w.t, err)
		got := len(h.Table.Regions)
		if got > 0 {
			leader := h.Table.Leader(h.Table.Regions[0].ID)
			enough := got >= n
			if n == 1 {
				enough = got == 1
			}
			if leader != nil && len(leader.Group.Members) == got && enough {
				return ""
			}
		}
		return fmt.Sprintf("%d regions instead of %d", got, n)
	})
}

func (w *watched) waitEnd() {
	w.t.Helper()
	must(w.t, lab.Receive(w.t, "the end of following the file", w.done))
}
