package lab

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/mdkit/mdkit/internal/lab/fetch"
)

// The second backend: Debian's stock kernel in QEMU, by emulation (TCG). KVM is
// never used: /dev/kvm may exist and still fail to boot such a kernel.
const (
	qemuName    = "qemu"
	qemuPackage = "qemu-system-x86"
	qemuSuite   = "bookworm"
	stockMeta   = "linux-image-amd64" // depends on the current image
	stockPrefix = "linux-image-"
)

// qemuModules are what a stock kernel needs for its disks, channel and cards:
// all of virtio is modular there.
var qemuModules = []string{"virtio_pci", "virtio_console", "virtio_blk", "virtio_net"}

// qemuKernel is an unpacked QEMU and a stock kernel.
type qemuKernel struct {
	qemu    *Tool
	image   string
	role    string
	release string
	modules moduleSet
}

// fetchQEMU fetches QEMU with all it depends on, and the kernel of a suite.
func fetchQEMU(ctx context.Context, store *fetch.Store, suite string) error {
	if _, err := store.Tree(ctx, qemuSuite, qemuName, qemuPackage); err != nil {
		return err
	}
	if _, ok, err := stockKernel(store, suite); ok || err != nil {
		return err
	}
	name, err := store.Resolve(ctx, suite, stockMeta, stockPrefix)
	if err != nil {
		return err
	}
	dir, err := store.Package(ctx, suite, name)
	if err != nil {
		return err
	}
	if len(imagesIn(dir)) > 0 {
		return nil
	}
	for _, part := range stockParts {
		if _, err := store.Package(ctx, suite, part+strings.TrimPrefix(name, stockPrefix)); err != nil {
			return err
		}
	}
	return nil
}

// stockParts are the packages of which Linux 7 and later consists; before, it is one.
var stockParts = []string{"linux-binary-", "linux-modules-"}

func imagesIn(dir string) []string {
	var all []string
	for _, place := range []string{"boot/vmlinuz-*", "usr/lib/modules/*/vmlinuz"} { // the second since 7
		found, _ := filepath.Glob(filepath.Join(dir, place)) // the pattern is well-formed
		all = append(all, found...)
	}
	return all
}

// stockFiles are where the parts of a stock kernel are in the cache.
type stockFiles struct {
	image, modules string
	release        string
}

// stockKernel is the newest stock kernel of a suite in the cache; ok is false if it, or
// part of it, is not there.
func stockKernel(store *fetch.Store, suite string) (k stockFiles, ok bool, err error) {
	some, _ := store.Lookup(suite, "any")
	packages := filepath.Dir(some)
	found, err := filepath.Glob(filepath.Join(packages, stockPrefix+"[0-9]*"))
	if err != nil || len(found) == 0 {
		return k, false, err
	}
	dir := latest(found, stockPrefix)
	k.release = strings.TrimPrefix(filepath.Base(dir), stockPrefix)
	dirs := []string{dir}
	for _, part := range stockParts {
		dirs = append(dirs, filepath.Join(packages, part+k.release))
	}
	for _, d := range dirs {
		if images := imagesIn(d); len(images) > 0 {
			k.image = images[0]
		}
		for _, place := range []string{"lib/modules", "usr/lib/modules"} { // the second since trixie
			if path := filepath.Join(d, place, k.release, "kernel"); isFolder(path) {
				k.modules = filepath.Dir(path)
			}
		}
	}
	return k, k.image != "" && k.modules != "", nil
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// findQEMU returns QEMU and the kernel from the cache, fetching them if that
// is allowed.
func findQEMU(ctx context.Context, spec Spec) (*qemuKernel, error) {
	store, err := fetch.Open()
	if err != nil {
		return nil, err
	}
	store.Log = os.Stderr
	if umlSuites[spec.Kernel] != "" {
		return stock(ctx, store, spec.Kernel)
	}
	var there []string
	for _, role := range Kernels() {
		k, err := stock(ctx, store, role)
		switch {
		case err != nil:
			return nil, err
		case isSeries(spec.Kernel) && inSeries(k.release, spec.Kernel):
			return k, nil
		}
		there = append(there, k.release+" ("+role+")")
	}
	return nil, fmt.Errorf("%w: the qemu backend has no kernel %s; it has %s", errNoLab, spec.Kernel, strings.Join(there, ", "))
}

// stock returns QEMU and the kernel of that role.
func stock(ctx context.Context, store *fetch.Store, role string) (*qemuKernel, error) {
	suite := umlSuites[role]
	root, ok := store.LookupTree(qemuSuite, qemuName)
	files, okKernel, err := stockKernel(store, suite)
	if err != nil {
		return nil, err
	}
	if !ok || !okKernel {
		if !mayFetch() {
			return nil, fmt.Errorf("%w: QEMU or its %s kernel is not in %s; run make lab", errNoLab, role, store.Dir)
		}
		if err := fetchQEMU(ctx, store, suite); err != nil {
			return nil, err
		}
		root, _ = store.LookupTree(qemuSuite, qemuName)
		if files, okKernel, err = stockKernel(store, suite); err != nil || !okKernel {
			return nil, errors.Join(fmt.Errorf("stock kernel of %s: the fetched packages lack an image or modules", suite), err)
		}
	}
	k := &qemuKernel{role: role, image: files.image, release: files.release}
	def := peerDef{programs: []string{"usr/bin/qemu-system-x86_64"}}
	if k.qemu, err = def.open(root); err != nil {
		return nil, err
	}
	k.modules, err = readModules(files.modules)
	return k, err
}

func (k *qemuKernel) identity() (role, release string) { return k.role, k.release }

// command stages the root as an initramfs.
func (k *qemuKernel) command(m *Machine, guest *os.File) (*exec.Cmd, error) {
	binary, err := os.Executable()
	if err != nil {
		return nil, err
	}
	tr, err := m.payload(binary)
	if err != nil {
		return nil, err
	}
	list, err := k.modules.order(slices.Concat(qemuModules, basicModules, m.spec.Modules))
	if err != nil {
		return nil, err
	}
	o := m.orders()
	o.Channel = "/dev/vport0p1" // the first port after the console's
	o.Modules = stageModules(tr, list)
	o.Builtin = slices.Sorted(maps.Keys(k.modules.builtin))

	initrd := filepath.Join(m.dir, "initrd.gz")
	share := filepath.Join(k.qemu.root, "usr/share")
	files := []*os.File{guest}
	args := []string{
		"-L", filepath.Join(share, "qemu"), "-L", filepath.Join(share, "seabios"),
		"-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max",
		"-smp", strconv.Itoa(m.spec.CPUs), "-m", fmt.Sprintf("%dM", (m.spec.Memory+1<<20-1)>>20),
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio",
		"-kernel", k.image, "-initrd", initrd,
		"-append", "console=ttyS0 rdinit=/init panic=-1 loglevel=6 net.ifnames=0",
		"-device", "virtio-serial-pci", "-chardev", "socket,id=lab,fd=3", "-device", "virtserialport,chardev=lab,name=lab",
	}
	for i, d := range m.spec.Disks {
		args = append(args, qemuDisk(i, d, m.Disks[i])...)
		o.Disks = append(o.Disks, "/dev/vd"+string(rune('a'+i)))
	}
	for i, p := range m.spec.NICs {
		f, err := p.plug()
		if err != nil {
			return nil, err
		}
		m.lend = append(m.lend, f)
		files = append(files, f)
		args = append(args, "-netdev", fmt.Sprintf("dgram,id=net%d,local.type=fd,local.str=%d", i, 2+len(files)),
			"-device", fmt.Sprintf("virtio-net-pci,netdev=net%d,mac=%s,romfile=", i, p.mac()))
		o.NICs = append(o.NICs, orderedNIC{Name: "eth" + strconv.Itoa(i), Addr: p.addr})
	}
	if err := packInitramfs(initrd, tr, o); err != nil {
		return nil, fmt.Errorf("initramfs: %w", err)
	}
	cmd := k.qemu.Command(context.Background(), args...)
	cmd.ExtraFiles = files
	cmd.Dir = m.dir
	cmd.Env = append(os.Environ(), "QEMU_MODULE_DIR="+filepath.Join(k.qemu.root, "usr/lib/x86_64-linux-gnu/qemu"))
	return cmd, nil
}

// qemuDisk makes the options of one disk.
func qemuDisk(i int, d Disk, path string) []string {
	onOff := map[bool]string{true: "on", false: "off"}
	path = strings.ReplaceAll(path, ",", ",,")
	id := "disk" + strconv.Itoa(i)
	device := fmt.Sprintf("virtio-blk-pci,drive=%s,share-rw=%s,write-cache=%s", id, onOff[d.Shared], onOff[!d.Shared && !d.Sync])
	if d.COW {
		return []string{"-drive", fmt.Sprintf("if=none,id=%s,format=raw,snapshot=on,file.locking=off,file=%s", id, path), "-device", device}
	}
	file := fmt.Sprintf("driver=raw,node-name=%s,read-only=%s,file.driver=file,file.locking=off,file.filename=%s", id, onOff[d.ReadOnly], path)
	return []string{"-blockdev", file, "-device", device}
}

func packInitramfs(path string, tr tree, o orders) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	// It is read through an emulated device, so it boots faster if compressed,
	// even at the fastest level.
	z, err := gzip.NewWriterLevel(f, gzip.BestSpeed)
	if err == nil {
		err = writeInitramfs(z, tr, o)
		err = errors.Join(err, z.Close())
	}
	return errors.Join(err, f.Close())
}
