package lab

import (
	"context"
	"debug/elf"
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

// umlPackage is Debian's package of user-mode Linux.
const umlPackage = "user-mode-linux"

// umlKernel is an unpacked user-mode Linux.
type umlKernel struct {
	role    string
	release string // as the package says
	binary  string
	env     []string // how to find its C library, if the system's is too old
	modules moduleSet
}

// findUML returns the kernel of that name from the cache, fetching it if that is
// allowed.
func findUML(ctx context.Context, name string) (*umlKernel, error) {
	store, err := fetch.Open()
	if err != nil {
		return nil, err
	}
	store.Log = os.Stderr
	u, err := namedUML(ctx, store, name)
	if err != nil {
		return nil, err
	}
	k := &umlKernel{role: u.role, release: u.release, binary: filepath.Join(u.dir, "usr/bin/linux.uml")}
	if k.modules, err = readModules(u.modules); err != nil {
		return nil, fmt.Errorf("kernel %s: %w", u.role, err)
	}
	if u.suite != ownLibc {
		libc, _ := store.Lookup(u.suite, libcPackage)
		err = k.fitLibc(filepath.Join(store.Dir, "fit", u.suite, "linux.uml"), sysroot(libc))
	}
	return k, err
}

func (k *umlKernel) identity() (role, release string) { return k.role, k.release }

// ownLibc is the suite whose kernel works with the C library of any system that
// the lab supports. The later ones get the library of their own suite.
const ownLibc = "bookworm"

// libcPackage is Debian's C library.
const libcPackage = "libc6"

// fetchUML fetches the kernel of that suite and what it needs.
func fetchUML(ctx context.Context, store *fetch.Store, suite string) error {
	if _, err := store.Package(ctx, suite, umlPackage); err != nil || suite == ownLibc {
		return err
	}
	_, err := store.Package(ctx, suite, libcPackage)
	return err
}

// fitLibc makes the kernel run with the C library in that tree, by a copy of the
// binary that names the tree's interpreter. Starting the kernel as an argument of
// ld.so does not work: it maps its memory where ld.so would put the kernel.
func (k *umlKernel) fitLibc(fitted string, libc sysroot) error {
	loader, err := libc.resolve(guestLoader)
	if err != nil {
		if loader, err = libc.resolve("/usr" + guestLoader); err != nil {
			return err
		}
	}
	old, err := elf.Open(fitted)
	if err == nil {
		fits := interpreter(old) == loader
		old.Close()
		if fits && newer(fitted, k.binary) {
			k.use(fitted, libc)
			return nil
		}
	}
	if err := withInterpreter(k.binary, fitted, loader); err != nil {
		return err
	}
	k.use(fitted, libc)
	return nil
}

func (k *umlKernel) use(fitted string, libc sysroot) {
	k.binary = fitted
	k.env = []string{"LD_LIBRARY_PATH=" + libc.libPath()}
}

// newer reports whether file a was changed after file b.
func newer(a, b string) bool {
	sa, errA := os.Stat(a)
	sb, errB := os.Stat(b)
	return errA == nil && errB == nil && sa.ModTime().After(sb.ModTime())
}

// command stages the root as a folder, which hostfs shows to the guest.
func (k *umlKernel) command(m *Machine, guest *os.File) (*exec.Cmd, error) {
	binary, err := plainBinary()
	if err != nil {
		return nil, err
	}
	tr, err := m.payload(binary)
	if err != nil {
		return nil, err
	}
	list, err := k.modules.order(append(basicModules, m.spec.Modules...))
	if err != nil {
		return nil, err
	}
	o := m.orders()
	o.Channel = "/dev/tty1"
	o.Modules = stageModules(tr, list)
	o.Builtin = slices.Sorted(maps.Keys(k.modules.builtin))

	root := filepath.Join(m.dir, "root")
	args := []string{
		fmt.Sprintf("mem=%dM", (m.spec.Memory+1<<20-1)>>20),
		"umid=uml", "uml_dir=" + m.dir,
		"root=/dev/root", "rootfstype=hostfs", "rootflags=" + root, "ro", "init=/init",
		"con=null", "con0=null,fd:1", "con1=fd:3", "panic=-1", "loglevel=6",
	}
	cmd := exec.Command(k.binary)
	cmd.ExtraFiles = []*os.File{guest}
	for i, d := range m.spec.Disks {
		letter := string(rune('a' + i))
		arg := "ubd" + letter
		if d.ReadOnly {
			arg += "r"
		}
		if d.Shared {
			arg += "c"
		}
		if d.Shared || d.Sync {
			arg += "s"
		}
		arg += "="
		if d.COW {
			if strings.Contains(m.Disks[i], ",") {
				return nil, errors.New("a COW disk's path must not contain a comma")
			}
			arg += filepath.Join(m.dir, fmt.Sprintf("cow%d", i)) + ","
		}
		args = append(args, arg+m.Disks[i])
		o.Disks = append(o.Disks, "/dev/ubd"+letter)
	}
	for i, p := range m.spec.NICs {
		f, err := p.plug()
		if err != nil {
			return nil, err
		}
		m.lend = append(m.lend, f)
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
		fd := 2 + len(cmd.ExtraFiles)
		args = append(args, fmt.Sprintf("vec%d:transport=fd,fd=%d,depth=128,mac=%s", i, fd, p.mac()))
		o.NICs = append(o.NICs, orderedNIC{Name: "vec" + strconv.Itoa(i), Addr: p.addr})
	}
	if err := plant(root, tr, o); err != nil {
		return nil, err
	}
	cmd.Args = append([]string{k.binary}, args...)
	memory, err := memoryDir(m.dir, m.spec.Memory)
	if err != nil {
		return nil, err
	}
	cmd.Env = append(append(os.Environ(), "TMPDIR="+memory), k.env...)
	cmd.Dir = m.dir
	return cmd, nil
}
