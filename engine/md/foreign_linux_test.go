package md_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/internal/lab"
)

// TestBigEndian has Debian's mdadm read 0.90 superblocks that were converted to
// those of a big-endian machine: it must see the same as in the original.
func TestBigEndian(t *testing.T) {
	if lab.InGuest() {
		t.Skip("a host test")
	}
	mdadm := lab.Peer(t, "mdadm")
	examine := func(path, version string) map[string]string {
		out, err := mdadm.Command(t.Context(), "--examine", "--metadata="+version, path).CombinedOutput()
		if err != nil {
			t.Fatalf("mdadm: %v\n%s", err, out)
		}
		return labels(string(out))
	}
	found := 0
	for _, f := range loadFixtures(t) {
		for _, img := range f.images {
			m, err := md.ReadMember(img)
			if err != nil {
				t.Fatal(err)
			}
			if m.Super0 == nil {
				continue
			}
			found++
			path := filepath.Join(t.TempDir(), "member")
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(path, img.Size()); err != nil {
				t.Fatal(err)
			}
			d, err := block.OpenFile(path, block.ForWriting)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			put := func(b []byte) {
				if _, err := d.WriteAt(b, m.Offset); err != nil {
					t.Fatal(err)
				}
			}
			m.Super0.State &^= md.Super0BitmapPresent // the file has no bitmap
			put(m.AppendSuper(nil))
			want := examine(path, "0.90")
			put(bigEndian(t, m.AppendSuper(nil)))
			got := examine(path, "0.swap")
			if m.Super0.Reshaping() {
				// mdadm 4.2 swaps the halves of the 64-bit position as well.
				delete(want, "Reshape pos'n")
			}
			for label, v := range want {
				if got[label] != v {
					t.Errorf("%s %s: %s: swapped %q, native %q", f.name, m.Name, label, got[label], v)
				}
			}
			if !strings.Contains(got["Checksum"], "- correct") {
				t.Errorf("%s %s: checksum %s", f.name, m.Name, got["Checksum"])
			}
			again, err := md.ReadMember(d)
			if err != nil {
				t.Errorf("%s %s: %v", f.name, m.Name, err)
				continue
			}
			if again.Super0.Order != binary.ByteOrder(binary.BigEndian) || again.UUID() != m.UUID() || again.Events() != m.Events() {
				t.Errorf("%s %s: read back %+v", f.name, m.Name, again)
			}
		}
	}
	if found == 0 {
		t.Error("no fixture is of version 0.90")
	}
}

// TestKernelBlockSize writes a logical block size into the superblocks: a kernel
// that knows the field gives the array blocks of that size and keeps the field; an
// older one refuses the members.
func TestKernelBlockSize(t *testing.T) {
	for _, kernel := range []string{lab.Newest, lab.Oldest} {
		t.Run(kernel, func(t *testing.T) {
			spec := kernelSpec(t)
			spec.Kernel = kernel
			lab.Run(t, spec, lab.Case{Name: "raid1", Run: func(t *testing.T, g *lab.Guest) {
				r := rig{t, g}
				defer r.wipe()
				devs := recipe{version: "1.2", n: 2, args: []string{"--level=1", "--bitmap=none"}}.create(r)
				lab.ArraysIdle(r.t)
				_, err := os.Stat(arraySys + "logical_block_size")
				knows := err == nil
				r.stop()
				for _, dev := range devs {
					d := r.open(dev, block.ForWriting)
					m, err := md.ReadMember(d)
					if err != nil {
						t.Fatal(err)
					}
					m.Super1.LogicalBlockSize = 4096
					if _, err := d.WriteAt(m.AppendSuper(nil), m.Offset); err != nil {
						t.Fatal(err)
					}
					if err := d.Sync(); err != nil {
						t.Fatal(err)
					}
				}
				r.read(devs)
				out, err := r.tryMdadm(append([]string{"--assemble", array}, devs...)...)
				if knows != (err == nil) {
					t.Fatalf("the kernel knows the field: %v; mdadm: %v: %s", knows, err, out)
				}
				if knows != g.AtLeast("7.2") {
					t.Errorf("kernel %s knows the field: %v", g.Release, knows)
				}
				if !knows {
					return
				}
				b, err := os.ReadFile("/sys/block/md0/queue/logical_block_size")
				if err != nil || strings.TrimSpace(string(b)) != "4096" {
					t.Errorf("the array has blocks of %s bytes, %v", b, err)
				}
				r.stop()
				for _, m := range r.read(devs) {
					if m.Super1.LogicalBlockSize != 4096 {
						t.Errorf("%s: the kernel left %d", m.Name, m.Super1.LogicalBlockSize)
					}
				}
			}})
		})
	}
}
