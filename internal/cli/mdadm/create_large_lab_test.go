package mdadm

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/internal/lab"
)

// TestCreateOnLargeDevicesLikeMdadm compares what --create writes on devices so
// large that the reserved space, the place and the chunk of the bitmap change.
func TestCreateOnLargeDevicesLikeMdadm(t *testing.T) {
	beside(t)
	mdadm := lab.Peer(t, "mdadm")
	var cases []lab.Case
	for _, gib := range []int64{9, 300, 5000} {
		for _, e := range []string{"0.90", "1.0", "1.1", "1.2"} {
			for _, l := range []string{"-l1 -n2", "-l5 -n3", "-l10 -n3 -b internal", "-l1 -n2 -b none", "-l5 -n3 -b internal --bitmap-chunk=8M"} {
				cases = append(cases, lab.Case{
					Name: fmt.Sprintf("%d GiB -e %s %s", gib, e, l),
					Run:  func(t *testing.T, _ *lab.Guest) { largeLayout(t, gib<<30, "-e "+e+" "+l) },
				})
			}
		}
	}
	lab.Run(t, lab.Spec{
		Modules: []string{"md-mod", "loop max_loop=8"},
		Files:   mdadm.Files,
	}, lab.Sample(t, cases, 5)...)
}

// sparseDisk makes a loop device of a file that is one hole.
func sparseDisk(t *testing.T, n int, size int64) (device, backing string) {
	t.Helper()
	backing = fmt.Sprintf("/tmp/disk%d", n)
	f, err := os.Create(backing)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	device = fmt.Sprintf("/dev/loop%d", n)
	l, err := os.OpenFile(device, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	config := unix.LoopConfig{Fd: uint32(f.Fd())}
	if err := unix.IoctlLoopConfigure(int(l.Fd()), &config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l, err := os.Open(device)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if err := unix.IoctlSetInt(int(l.Fd()), unix.LOOP_CLR_FD, 0); err != nil {
			t.Error(err)
		}
		os.Remove(backing)
	})
	return device, backing
}

// readSparse is readImage for a file with holes.
func readSparse(t *testing.T, path string) image {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, buf := image{}, make([]byte, piece)
	for off := int64(0); ; off += piece {
		off, err = unix.Seek(int(f.Fd()), off, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			return img
		}
		if err != nil {
			t.Fatal(err)
		}
		off &^= piece - 1
		n, _ := f.ReadAt(buf, off)
		if !blank(buf[:n]) {
			img[off] = slices.Clone(buf[:n])
		}
	}
}

func largeLayout(t *testing.T, size int64, line string) {
	t.Helper()
	var devices, backing []string
	for n := range devicesOf(line) {
		d, b := sparseDisk(t, n, size)
		devices, backing = append(devices, d), append(backing, b)
	}
	args := append([]string{"--create", "/dev/md0", "--run", "--uuid=" + testUUID}, strings.Fields(line)...)
	args = append(args, devices...)
	doc := planned(t, args...)
	var said strings.Builder
	for _, n := range doc.Notes {
		said.WriteString(n.Text + "\n")
	}
	want := peers(t, args...)
	if !strings.Contains(want.err, "RUN_ARRAY failed") {
		// Not every format can be that large: then ours must refuse in the same way.
		if doc.Exit != want.code || said.String() != strings.ReplaceAll(want.err, "mdadm: ", "") {
			t.Errorf("mdadm %s: %v\nours: exit %d, %s", line, want, doc.Exit, &said)
		}
		return
	}
	if doc.Exit != 0 {
		t.Fatalf("mdadm %s: ours: %s", line, &said)
	}
	for i, dev := range devices {
		theirs, got := readSparse(t, backing[i]), image{}
		for _, s := range doc.Steps {
			if s.Kind != "write" || s.Target != dev {
				continue
			}
			data := s.Data
			if s.Fill != "" {
				b, _ := hex.DecodeString(s.Fill)
				data = bytes.Repeat(b, int(s.Length))
			}
			got.write(s.Offset, data)
			got.forgetChance(s.What, s.Offset)
			theirs.forgetChance(s.What, s.Offset)
		}
		if d := diffImages(theirs, got); d != "" || len(theirs) == 0 {
			t.Errorf("mdadm %s: %s (%d pieces) %s", line, dev, len(theirs), d)
		}
	}
}
