package lab

import (
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Where things are in the guest.
const (
	guestOrders  = "/lab/orders.json"
	guestModules = "/lab/modules"
	guestCover   = "/run/lab-cover"
)

// orders is what init reads: everything that the guest must know.
type orders struct {
	Kernel  string            // Oldest, Stable or Newest
	Backend string            // as asked for in Spec
	Channel string            // device of the channel
	Modules []stagedModule    // in load order
	Builtin []string          // modules that are part of the kernel
	Cases   []string          // full names of the cases to run
	Disks   []string          // device names
	NICs    []orderedNIC      // network cards
	Env     map[string]string // Spec.Env
	Cover   bool              // collect coverage counters
	Verbose bool              // -v on the host
	Short   bool              // -short on the host
	Timeout time.Duration     // for the test process
	Grace   time.Duration     // for what it says after that
	Until   time.Time         // when it must have ended at the latest; zero: no limit
}

func (o orders) encode() ([]byte, error) { return json.MarshalIndent(o, "", "\t") }

// stagedModule is one module file in the guest.
type stagedModule struct {
	Name  string
	File  string // guest path
	Param string
}

// orderedNIC is one network card of the guest.
type orderedNIC struct {
	Name string
	Addr string // prefix to configure, or ""
}

// tree collects what is to be visible in the guest: guest path to host path.
type tree map[string]string

// add puts a file, or a folder with everything in it, at the guest path.
func (tr tree) add(guest, host string) error {
	guest = path.Clean("/" + guest)
	st, err := os.Stat(host)
	if err != nil {
		return fmt.Errorf("stage %s: %w", guest, err)
	}
	if !st.IsDir() {
		tr[guest] = host
		return nil
	}
	return filepath.WalkDir(host, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(host, p)
		if err != nil {
			return err
		}
		if st, err := os.Stat(p); err != nil || !st.Mode().IsRegular() {
			return nil // a dangling link or a socket is of no use there
		}
		tr[path.Join(guest, filepath.ToSlash(rel))] = p
		return nil
	})
}

// guestDirs are the empty folders every guest has.
var guestDirs = []string{"dev", "etc", "lab", "mnt", "proc", "root", "run", "sys", "tmp", "var"}

// guestEtc are the few files that libraries look for.
var guestEtc = map[string]string{
	"passwd":        "root:x:0:0:root:/root:/bin/sh\n",
	"group":         "root:x:0:\ndisk:x:6:\n",
	"hosts":         "127.0.0.1 localhost\n::1 localhost\n",
	"nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}

// payload is the tree of a guest without its modules and orders: the test binary
// as init, and the caller's files.
func (m *Machine) payload(binary string) (tree, error) {
	tr := tree{"/init": binary}
	libs, err := neededLibs(binary)
	if err != nil {
		return nil, err
	}
	for _, l := range libs {
		tr[l] = l
	}
	for _, g := range slices.Sorted(maps.Keys(m.spec.Files)) {
		if err := tr.add(g, m.spec.Files[g]); err != nil {
			return nil, err
		}
	}
	return tr, nil
}

// orders returns the orders for this machine's guest, except for what only the
// backend knows.
func (m *Machine) orders() orders {
	return orders{
		Kernel: m.spec.Kernel, Backend: m.spec.Backend, Cases: m.cases, Env: m.spec.Env,
		Cover: covering(), Verbose: verbose(), Short: short(),
		Timeout: m.spec.Timeout, Grace: Stretched(sayGrace), Until: m.until,
	}
}

// plant writes the tree, the folders and the orders under root.
func plant(root string, tr tree, o orders) error {
	for _, d := range guestDirs {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			return err
		}
	}
	for name, text := range guestEtc {
		if err := os.WriteFile(filepath.Join(root, "etc", name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	for _, g := range slices.Sorted(maps.Keys(tr)) {
		dst := filepath.Join(root, g)
		if err := os.MkdirAll(filepath.Dir(dst), 0o755); err != nil {
			return err
		}
		if err := linkOrCopy(tr[g], dst); err != nil {
			return fmt.Errorf("stage %s: %w", g, err)
		}
	}
	b, err := o.encode()
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(root, guestOrders), b, 0o644)
}

// linkOrCopy makes dst the same file as src, or, if that is not possible (another
// file system, a symbolic link, another user's file), a copy of it.
func linkOrCopy(src, dst string) error {
	src, err := filepath.EvalSymlinks(src)
	if err != nil {
		return err
	}
	if err := os.Remove(dst); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if os.Link(src, dst) == nil {
		return nil
	}
	in, err := os.Open(src)
	if err != nil {
		return err
	}
	defer in.Close()
	st, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(dst, os.O_WRONLY|os.O_CREATE|os.O_EXCL, st.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// libDirs is where ld.so(8) of a 64-bit system looks, and where Debian and
// others keep their libraries.
var libDirs = []string{"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"}

// neededLibs lists the interpreter and the libraries of a dynamic program, such
// as a test binary built with -race; a static one needs none.
func neededLibs(prog string) ([]string, error) {
	var all []string
	queue := []string{prog}
	for len(queue) > 0 {
		f, err := elf.Open(queue[0])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", queue[0], err)
		}
		needed, _ := f.ImportedLibraries()
		interp := interpreter(f)
		f.Close()
		queue = queue[1:]
		if interp != "" && !slices.Contains(all, interp) {
			all = append(all, interp)
		}
		for _, n := range needed {
			i := slices.IndexFunc(libDirs, func(d string) bool {
				_, err := os.Stat(filepath.Join(d, n))
				return err == nil
			})
			if i < 0 {
				return nil, fmt.Errorf("%s needs %s, which is in none of %s", prog, n, strings.Join(libDirs, " "))
			}
			if p := filepath.Join(libDirs[i], n); !slices.Contains(all, p) {
				all = append(all, p)
				queue = append(queue, p)
			}
		}
	}
	return all, nil
}

// interpreter is the program's ELF interpreter, "" for a static one.
func interpreter(f *elf.File) string {
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			b := make([]byte, p.Filesz)
			if _, err := p.ReadAt(b, 0); err == nil {
				return strings.TrimRight(string(b), "\x00")
			}
		}
	}
	return ""
}
