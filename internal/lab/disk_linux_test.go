package lab

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// sector is a recognisable block of 4096 bytes.
func sector(b byte) []byte { return bytes.Repeat([]byte{b}, 4096) }

// writeDisk writes one block at off, past the guest's page cache if direct.
func writeDisk(t *testing.T, dev string, off int64, b byte, flags int) error {
	t.Helper()
	f, err := os.OpenFile(dev, os.O_RDWR|flags, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteAt(aligned(sector(b)), off)
	return err
}

// readDisk reads the block at off past the guest's page cache.
func readDisk(t *testing.T, dev string, off int64) []byte {
	t.Helper()
	f, err := os.OpenFile(dev, os.O_RDONLY|unix.O_DIRECT, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := aligned(make([]byte, 4096))
	if _, err := f.ReadAt(b, off); err != nil {
		t.Fatal(err)
	}
	return b
}

// aligned is a copy of b that direct I/O accepts.
func aligned(b []byte) []byte {
	mem, err := unix.Mmap(-1, 0, len(b), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		panic(err)
	}
	copy(mem, b)
	return mem
}

// image makes an image of 1 MiB whose first block is filled with one byte.
func image(t *testing.T, name string, first byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, append(sector(first), make([]byte, 1<<20-4096)...), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// hostBlock is the block at off in an image, as the host sees it.
func hostBlock(t *testing.T, path string, off int64) []byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 4096)
	if _, err := f.ReadAt(b, off); err != nil {
		t.Fatal(err)
	}
	return b
}

// TestDisks looks at each kind of disk from inside the guest, and at its image
// afterwards.
func TestDisks(t *testing.T) {
	set := Cases(t, Case{Name: "use", Run: func(t *testing.T, g *Guest) {
		for i, want := range []byte{'w', 'r', 'c', 0} {
			if got := readDisk(t, g.Disks[i], 0); !bytes.Equal(got, sector(want)) {
				t.Errorf("%s begins with %q", g.Disks[i], got[0])
			}
			err := writeDisk(t, g.Disks[i], 8192, 'x', unix.O_DIRECT|unix.O_SYNC)
			if (err != nil) != (i == 1) {
				t.Errorf("write to %s: %v", g.Disks[i], err)
			}
		}
		if got := readDisk(t, g.Disks[2], 8192); !bytes.Equal(got, sector('x')) {
			t.Error("the copy-on-write disk forgot what was written")
		}
	}})
	rw, ro, cow := image(t, "rw", 'w'), image(t, "ro", 'r'), image(t, "cow", 'c')
	m := set.Start(t, Spec{Disks: []Disk{{Path: rw}, {Path: ro, ReadOnly: true}, {Path: cow, COW: true}, {Size: 1 << 20}}}, "use")
	m.Wait()
	for i, written := range []bool{true, false, false, true} {
		if got := hostBlock(t, m.Disks[i], 8192); bytes.Equal(got, sector('x')) != written {
			t.Errorf("image %d was written to: %v", i, !written)
		}
	}
	if m.Disks[0] != rw {
		t.Errorf("disk 0 is %s", m.Disks[0])
	}
}

// TestShared lets two kernels use one image at the same time.
func TestShared(t *testing.T) {
	set := Cases(t,
		Case{Name: "writer", Run: func(t *testing.T, g *Guest) {
			g.Await("reader is up")
			if err := writeDisk(t, g.Disks[0], 4096, 'S', unix.O_DIRECT); err != nil {
				t.Fatal(err)
			}
			g.Publish("written", nil)
		}},
		Case{Name: "reader", Run: func(t *testing.T, g *Guest) {
			if got := readDisk(t, g.Disks[0], 4096); got[0] != 0 {
				t.Errorf("before: %q", got[0])
			}
			g.Publish("up", nil)
			g.Await("written")
			if got := readDisk(t, g.Disks[0], 4096); !bytes.Equal(got, sector('S')) {
				t.Errorf("after: %q", got[0])
			}
		}},
	)
	spec := Spec{Disks: []Disk{{Path: image(t, "shared", 's'), Shared: true}}}
	writer, reader := set.Start(t, spec, "writer"), set.Start(t, spec, "reader")
	reader.Await("up")
	writer.Tell("reader is up", nil)
	writer.Await("written")
	reader.Tell("written", nil)
	writer.Wait()
	reader.Wait()
}

// TestKill cuts the power: what was synced is there, what was only in the
// guest's page cache is not, and the unfinished case does not count as a failure.
func TestKill(t *testing.T) {
	set := Cases(t, Case{Name: "write", Run: func(t *testing.T, g *Guest) {
		f, err := os.OpenFile(g.Disks[0], os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt(sector('1'), 0); err != nil {
			t.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt(sector('2'), 4096); err != nil {
			t.Fatal(err)
		}
		g.Publish("both written", []byte("now"))
		g.Await("never")
	}})
	m := set.Start(t, Spec{Disks: []Disk{{Size: 1 << 20}}}, "write")
	if got := m.Await("both written"); string(got) != "now" {
		t.Errorf("published %q", got)
	}
	r := m.Kill()
	if c, ok := r.Case("write"); !ok || c.Status != Unfinished || !r.Killed || r.Err != nil {
		t.Errorf("result %+v", r)
	}
	if !bytes.Equal(hostBlock(t, m.Disks[0], 0), sector('1')) {
		t.Error("what was synced is lost")
	}
	if !bytes.Equal(hostBlock(t, m.Disks[0], 4096), make([]byte, 4096)) {
		t.Error("what was only cached is there: that was no power cut")
	}
}

// TestTellEarly talks to a machine whose kernel has only just been started.
func TestTellEarly(t *testing.T) {
	set := Cases(t, Case{Name: "listen", Run: func(t *testing.T, g *Guest) {
		if got := g.Await("early"); string(got) != "bird" {
			t.Errorf("told %q", got)
		}
	}})
	m := set.Start(t, Spec{}, "listen")
	m.Tell("early", []byte("bird"))
	m.Wait()
}
