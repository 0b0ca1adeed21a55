package array_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/block/blocktest"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/array"
	"github.com/mdkit/mdkit/internal/lab"
)

// TestFaultyLikeTheKernel does the same requests in the same modes to the kernel's
// faulty level and to the engine's: the same requests must fail, and the members must
// have the same content in the end.
func TestFaultyLikeTheKernel(t *testing.T) {
	mdadm := lab.Peer(t, "mdadm")
	seed := lab.Seed(t)
	var cases []lab.Case
	for i, metadata := range metadataVersions {
		cases = append(cases, lab.Case{Name: metadata, Run: func(t *testing.T, g *lab.Guest) {
			if !g.HasModule("faulty") {
				t.Skip("this kernel has no faulty level")
			}
			x := &exchange{
				t: t, g: g, k: kernelArray{level: "faulty", metadata: metadata, disks: 1}, level: md.LevelFaulty,
				rng: rand.New(rand.NewPCG(seed, uint64(i))), disks: g.Disks[:1],
			}
			x.faultyLevel()
		}})
	}
	lab.Run(t, lab.Spec{
		Modules: []string{"faulty"}, Disks: []lab.Disk{{Size: 4 << 20}}, Files: mdadm.Files,
	}, lab.Sample(t, cases, 2)...)
}

// faultyWords are what mdadm --layout takes for the level.
var faultyWords = []string{"write-transient", "read-transient", "write-persistent", "read-persistent", "write-all", "read-fixable", "clear", "flush"}

func (x *exchange) faultyLevel() {
	x.t.Helper()
	x.t.Cleanup(x.wipe)
	x.create()
	engine := x.copyDisk()
	a := mustOpen(x.t, []block.Device{engine}, array.Options{})
	f, err := os.OpenFile(kernelDevice, os.O_RDWR|unix.O_DIRECT, 0)
	if err != nil {
		x.t.Fatal(err)
	}
	defer f.Close()
	if size, err := f.Seek(0, 2); err != nil || size != a.Size() {
		x.t.Fatalf("the kernel's array has %d bytes, %v; the engine's %d", size, err, a.Size())
	}
	buf, err := unix.Mmap(-1, 0, 64<<10, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		x.t.Fatal(err)
	}
	defer func() { _ = unix.Munmap(buf) }()
	failed := 0
	for step := range 600 {
		if x.rng.IntN(20) == 0 {
			x.setFaults(a)
		}
		if x.faultyRequest(f, a, buf, step) {
			failed++
		}
	}
	if failed < 10 {
		x.t.Errorf("only %d of 600 requests failed", failed)
	}
	x.setFaultsTo(a, "clear")
	x.setFaultsTo(a, "flush")
	got := make([]byte, a.Size())
	if err := block.ReadFull(a, got, 0); err != nil {
		x.t.Fatal(err)
	}
	for at := range len(got) / len(buf) {
		if _, err := f.ReadAt(buf, int64(at*len(buf))); err != nil {
			x.t.Fatal(err)
		}
		// The kernel updates its superblock, which is in the first bytes with 1.1
		// and 1.2.
		if !bytes.Equal(buf, got[at*len(buf):][:len(buf)]) && (at > 0 || x.k.metadata == "0.90" || x.k.metadata == "1.0") {
			x.t.Fatalf("the kernel's member and the engine's differ within %d bytes from %d", len(buf), at*len(buf))
		}
	}
}

// copyDisk copies the member as the kernel left it.
func (x *exchange) copyDisk() *block.Memory {
	x.t.Helper()
	forget(x.t, x.disks[0])
	d := mustFile(x.t, x.disks[0])
	p := make([]byte, d.Size())
	if err := block.ReadFull(d, p, 0); err != nil {
		x.t.Fatal(err)
	}
	return block.NewMemoryFrom(x.disks[0], p)
}

func (x *exchange) setFaults(a *array.Array) {
	x.t.Helper()
	word := faultyWords[x.rng.IntN(len(faultyWords))]
	if word == "write-all" && x.rng.IntN(4) > 0 {
		word = "clear"
	}
	if n := x.rng.IntN(12); word != "clear" && word != "flush" && n > 0 {
		word += fmt.Sprint(n)
	}
	x.setFaultsTo(a, word)
}

func (x *exchange) setFaultsTo(a *array.Array, word string) {
	x.t.Helper()
	mode, err := md.ParseLayout(md.LevelFaulty, word)
	if err != nil {
		x.t.Fatal(err)
	}
	x.set("layout", fmt.Sprint(mode))
	if err := a.SetFaults(mode); err != nil {
		x.t.Fatal(err)
	}
}

// faultyRequest does one request on both sides, and reports whether it failed.
func (x *exchange) faultyRequest(f *os.File, a *array.Array, buf []byte, step int) bool {
	x.t.Helper()
	// A few places only, so that they come up again, and none where a superblock is.
	n := (1 + x.rng.IntN(4)) * 4096
	off := int64(1<<20 + x.rng.IntN(24)*4096)
	write := x.rng.IntN(2) == 0
	var kernel, engine error
	if write {
		copy(buf, blocktest.Pattern(x.rng.Uint64(), n))
		_, kernel = f.WriteAt(buf[:n], off)
		_, engine = a.WriteAt(buf[:n], off)
	} else {
		_, kernel = f.ReadAt(buf[:n], off)
		got := make([]byte, n)
		_, engine = a.ReadAt(got, off)
		if kernel == nil && engine == nil && !bytes.Equal(got, buf[:n]) {
			x.t.Fatalf("request %d reads other bytes", step)
		}
	}
	if (kernel == nil) != (engine == nil) || engine != nil && !errors.Is(engine, array.ErrInjected) {
		x.t.Fatalf("request %d, write %v, %d bytes at %d: kernel says %v, engine %v", step, write, n, off, kernel, engine)
	}
	return kernel != nil
}

// TestMultipathLikeTheKernel has the kernel and the engine in turn use a disk through
// one or both of two paths.
func TestMultipathLikeTheKernel(t *testing.T) {
	mdadm := lab.Peer(t, "mdadm")
	seed := lab.Seed(t)
	var cases []lab.Case
	for i, metadata := range metadataVersions {
		cases = append(cases, lab.Case{Name: metadata, Run: func(t *testing.T, g *lab.Guest) {
			if !g.HasModule("multipath") {
				t.Skip("this kernel has no multipath level")
			}
			x := &exchange{
				t: t, g: g, k: kernelArray{level: "multipath", metadata: metadata, disks: 2}, level: md.LevelMultipath,
				rng: rand.New(rand.NewPCG(seed, uint64(i))),
			}
			for i := range x.k.disks {
				x.disks = append(x.disks, pathTo(t, g.Disks[0], i))
			}
			x.multipathLevel()
		}})
	}
	lab.Run(t, lab.Spec{
		Modules: []string{"multipath", "loop"}, Disks: []lab.Disk{{Size: 4 << 20}}, Files: mdadm.Files,
	}, lab.Sample(t, cases, 2)...)
}

// pathTo makes another path to a disk, until the test ends.
func pathTo(t *testing.T, disk string, number int) string {
	t.Helper()
	f, err := os.OpenFile(disk, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	name := fmt.Sprintf("/dev/loop%d", number)
	loop, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetInt(int(loop.Fd()), unix.LOOP_SET_FD, int(f.Fd())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.IoctlSetInt(int(loop.Fd()), unix.LOOP_CLR_FD, 0); err != nil {
			t.Error(err)
		}
		_ = loop.Close()
	})
	return name
}

func (x *exchange) multipathLevel() {
	x.t.Helper()
	x.t.Cleanup(func() { _ = exec.Command("mdadm", "--stop", kernelDevice).Run() }) // fails if it is stopped already
	x.mdadm("--create", kernelDevice, "--run", "--level=multipath", "--metadata="+x.k.metadata, "--raid-devices=2", x.disks[0], x.disks[1])
	f := x.openKernel(os.O_RDONLY)
	size, err := f.Seek(0, 2)
	if err = errors.Join(err, f.Close()); err != nil {
		x.t.Fatal(err)
	}
	x.model = make([]byte, size)
	x.kernelWrites(len(x.model))
	x.stop()
	for _, paths := range [][]string{x.disks, x.disks[:1], x.disks[1:]} {
		x.forgetPaths()
		x.withFiles(paths, block.ForReading, x.engineReads)
	}
	x.forgetPaths()
	x.withFiles(x.disks, block.ForWriting, func(files []block.Device) {
		broken, err := block.NewFault(files[0], "any 128K+8M error")
		if err != nil {
			x.t.Fatal(err)
		}
		a, err := openByMembers(files, []block.Device{broken, files[1]})
		if err != nil {
			x.t.Fatal(err)
		}
		for range 20 {
			x.write(a, 1<<x.rng.IntN(18))
		}
		mustClose(x.t, a)
		wantArray(x.t, a, x.model)
	})
	x.forgetPaths()
	x.assemble(x.disks)
	x.kernelReads()
	x.mdadm(kernelDevice, "--fail", x.disks[0])
	x.kernelWrites(1 << 18)
	x.stop()
	x.forgetPaths()
	x.withFiles(x.disks[1:], block.ForReading, x.engineReads)
}

// forgetPaths drops the cache of every path, because nothing keeps these caches
// consistent.
func (x *exchange) forgetPaths() {
	x.t.Helper()
	for _, d := range x.disks {
		forget(x.t, d)
	}
}
