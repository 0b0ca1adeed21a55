package dm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/internal/lab"
)

// labBounded sends commands from a process of their own: they do what they do otherwise,
// and end when they are told to, even though the kernel waits.
func labBounded(t *testing.T, g *lab.Guest) {
	c := open(t)
	const long = time.Hour
	if same := c.Bounded(t.Context(), 0); same != c {
		t.Error("without a limit it is another one")
	}
	if s := NewControl(NewScript(nil)); s.Bounded(t.Context(), long) != s {
		t.Error("a Transport other than the kernel's is left")
	}
	b := c.Bounded(t.Context(), long)
	v, err := b.Version()
	want, err2 := c.Version()
	if err != nil || err2 != nil || v != want {
		t.Errorf("version %v, %v; without: %v, %v", v, err, want, err2)
	}
	_, err = b.Status(ByName("a"), StatusOptions{})
	refused(t, err, ErrNotExist, unix.ENXIO)
	low, top := ByName("low"), ByName("top")
	_, err = b.Create("low", CreateOptions{})
	must(t, err)
	table := []Target{{Length: 64, Type: "linear", Params: g.Disks[0] + " 0"}}
	_, err = b.Load(low, table, LoadOptions{Secure: true})
	must(t, err)
	info, err := b.Resume(low, ResumeOptions{})
	if err != nil || !info.LiveTable() {
		t.Fatalf("%+v, %v", info, err)
	}
	_, targets, err := b.TableStatus(low, TableStatusOptions{Kind: KindTable})
	if err != nil || len(targets) != 1 || targets[0].Type != "linear" {
		t.Errorf("%v, %v", targets, err)
	}
	_, err = c.Create("top", CreateOptions{})
	must(t, err)
	_, err = c.Load(top, []Target{{Length: 64, Type: "linear", Params: fmt.Sprintf("%v 0", info.Number)}}, LoadOptions{})
	must(t, err)
	_, err = c.Resume(top, ResumeOptions{})
	must(t, err)

	f := nodeOf(t, c, top)
	_, err = b.Suspend(low, SuspendOptions{})
	must(t, err)
	read := stuckRead(t, f, top, c)

	_, err = c.Bounded(t.Context(), 200*time.Millisecond).Suspend(top, SuspendOptions{})
	var late *StuckError
	if !errors.Is(err, ErrStuck) || !errors.Is(err, unix.EINTR) || !errors.As(err, &late) || !late.Ended || late.Cause != nil || late.After != 200*time.Millisecond {
		t.Errorf("after its time: %v, %+v", err, late)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := c.Bounded(ctx, long).Suspend(top, SuspendOptions{})
		ended <- err
	}()
	lab.Until(t, "the command to wait", func() bool { return lab.HasChild(os.Getpid()) })
	cancel(fs.ErrClosed)
	err = lab.Receive(t, "the command to end", ended)
	if !errors.Is(err, ErrStuck) || !errors.Is(err, fs.ErrClosed) || !errors.As(err, &late) || !late.Ended || late.After <= 0 {
		t.Errorf("called off: %v, %+v", err, late)
	}
	if info, err := c.Status(top, StatusOptions{}); err != nil || info.Suspended() {
		t.Errorf("broken off, and yet: %+v, %v", info, err)
	}

	_, err = b.Resume(low, ResumeOptions{})
	must(t, err)
	must(t, lab.Receive(t, "the read", read))
	must(t, f.Close())
	for _, dev := range []Device{top, low} {
		_, err = b.Remove(dev, RemoveOptions{})
		must(t, err)
	}
}

// stuckRead reads from a device above a suspended one, and returns once that waits.
func stuckRead(t *testing.T, f *os.File, dev Device, c *Control) <-chan error {
	t.Helper()
	ended := make(chan error, 1)
	page, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	must(t, err)
	_, err = unix.FcntlInt(f.Fd(), unix.F_SETFL, unix.O_DIRECT)
	must(t, err)
	go func() {
		_, err := f.ReadAt(page, 0)
		ended <- errors.Join(err, unix.Munmap(page))
	}()
	info, err := c.Status(dev, StatusOptions{})
	must(t, err)
	path := filepath.Join("/sys/dev/block", info.Number.String(), "inflight")
	lab.Until(t, "a read to wait", func() bool {
		var reads, writes int
		text, err := os.ReadFile(path)
		must(t, err)
		_, err = fmt.Sscan(string(text), &reads, &writes)
		must(t, err)
		return reads > 0
	})
	return ended
}
