package lab

import (
	"context"
	"debug/elf"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/internal/lab/fetch"
)

// The Debian releases whose tools mdkit is measured against: nearly all peers are of the
// first.
const (
	peerSuite = "bookworm"
	nextSuite = "trixie"
)

// peerDef says what one peer is made of.
type peerDef struct {
	packages []string // what to unpack, with what it depends on
	programs []string // globs of the programs wanted; the first is the main one
	opened   []string // libraries loaded at run time, which no ELF header names
	suite    string   // peerSuite if empty
}

// from is the release that the peer is of.
func (def peerDef) from() string {
	if def.suite == "" {
		return peerSuite
	}
	return def.suite
}

// peers are the tools mdkit is compared with, and what they need around them.
var peers = map[string]peerDef{
	"mdadm": {
		packages: []string{"mdadm", "libdlm3", "libcmap4"},
		programs: []string{"sbin/mdadm", "sbin/mdmon"},
		opened:   []string{"libdlm_lt.so.3", "libcmap.so.4"},
	},
	"mdadm-next": {suite: nextSuite, packages: []string{"mdadm"}, programs: []string{"usr/sbin/mdadm"}},
	"dmsetup":    {packages: []string{"dmsetup"}, programs: []string{"sbin/dmsetup", "sbin/dmstats"}},
	"blkdeactivate": {
		packages: []string{"dmsetup", "bash", "util-linux", "mount", "coreutils", "grep", "mdadm"},
		programs: []string{"sbin/blkdeactivate", "bin/bash", "bin/lsblk", "bin/mountpoint", "bin/findmnt", "bin/umount", "bin/cat", "usr/bin/sort", "bin/grep", "sbin/dmsetup", "sbin/mdadm"},
	},
	"thin":       {packages: []string{"thin-provisioning-tools"}, programs: []string{"usr/sbin/pdata_tools", "usr/sbin/*"}},
	"bcache":     {packages: []string{"bcache-tools"}, programs: []string{"usr/sbin/make-bcache", "usr/sbin/bcache*"}},
	"cryptsetup": {packages: []string{"cryptsetup-bin"}, programs: []string{"sbin/cryptsetup", "sbin/*setup*"}},
	"lvm2":       {packages: []string{"lvm2"}, programs: []string{"sbin/lvm", "sbin/*"}},
	"e2fsprogs":  {packages: []string{"e2fsprogs"}, programs: []string{"sbin/mke2fs", "sbin/mkfs.*", "sbin/e2fsck", "sbin/debugfs"}},
	"util-linux": {packages: []string{"util-linux"}, programs: []string{"sbin/blkid"}},
	"snapraid":   {packages: []string{"snapraid"}, programs: []string{"usr/bin/snapraid"}},
	"nbdkit":     {packages: []string{"nbdkit"}, programs: []string{"usr/bin/nbdkit"}, opened: []string{"nbdkit/plugins/nbdkit-file-plugin.so"}},
	"libdlm":     {packages: []string{"libdlm-dev"}, programs: []string{"usr/lib/x86_64-linux-gnu/libdlm_lt.so.3"}},
	"busybox":    {packages: []string{"busybox-static"}, programs: []string{"bin/busybox"}},
	"cluster": {
		packages: []string{"corosync", "dlm-controld"},
		programs: []string{"usr/sbin/corosync", "usr/sbin/corosync-*", "usr/sbin/dlm_*", "usr/bin/corosync-*"},
		opened:   []string{"libgcc_s.so.1"},
	},
}

// Tool is a peer, unpacked from its Debian packages with every library it
// needs, so that it runs the same on any host and in any guest.
type Tool struct {
	// Files are its programs and libraries for Spec.Files: guest path, where
	// Debian has them, to host path.
	Files map[string]string

	root string // the unpacked tree
	main string // host path of the main program
}

// Peer returns the named peer ("mdadm", "dmsetup", "blkdeactivate", "thin",
// "bcache", "cryptsetup", "lvm2", "e2fsprogs", "util-linux", "busybox", "cluster") from the
// cache. If it is not there, the test ends as it does without a kernel: see the
// package comment.
func Peer(t testing.TB, name string) *Tool {
	t.Helper()
	if InGuest() {
		return &Tool{} // the host has staged it
	}
	tool, err := OpenTool(t.Context(), name)
	if err != nil {
		noLab(t, err)
	}
	return tool
}

// OpenTool is Peer outside tests.
func OpenTool(ctx context.Context, name string) (*Tool, error) {
	def, ok := peers[name]
	if !ok {
		return nil, fmt.Errorf("no peer %q; there are %s", name, strings.Join(slices.Sorted(maps.Keys(peers)), " "))
	}
	if err := supported(); err != nil {
		return nil, err
	}
	store, err := fetch.Open()
	if err != nil {
		return nil, err
	}
	store.Log = os.Stderr
	if _, ok := store.LookupTree(def.from(), name); !ok && !mayFetch() {
		return nil, fmt.Errorf("%w: peer %s is not in %s; run make lab", errNoLab, name, store.Dir)
	}
	root, err := store.Tree(ctx, def.from(), name, def.packages...)
	if err != nil {
		return nil, err
	}
	return def.open(root)
}

// open finds the peer's programs in the tree, and the libraries they need.
func (def peerDef) open(root string) (*Tool, error) {
	tool := &Tool{Files: map[string]string{}, root: root}
	sys := sysroot(root)
	for _, glob := range def.programs {
		found, err := fs.Glob(os.DirFS(root), glob)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("peer in %s: no %s", root, glob)
		}
		for _, f := range found {
			host, err := sys.resolve(f)
			if err != nil {
				return nil, err
			}
			if tool.main == "" {
				tool.main = host
			}
			tool.Files["/"+f] = host
			if err := sys.addLibs(tool.Files, host); err != nil {
				return nil, err
			}
		}
	}
	for _, name := range def.opened {
		if err := sys.addLib(tool.Files, name); err != nil {
			return nil, err
		}
	}
	return tool, nil
}

// Command is the peer's main program, to be run on the host. It runs with its
// own ld.so and its own libraries: the host need not have them.
func (tool *Tool) Command(ctx context.Context, args ...string) *exec.Cmd {
	return tool.Program(ctx, filepath.Base(tool.main), args...)
}

// Program is Command for another of the peer's programs, by its base name.
func (tool *Tool) Program(ctx context.Context, name string, args ...string) *exec.Cmd {
	host := tool.main
	for _, g := range slices.Sorted(maps.Keys(tool.Files)) {
		if path.Base(g) == name {
			host = tool.Files[g]
		}
	}
	ld, ok := tool.Files[guestLoader]
	if !ok {
		cmd := exec.CommandContext(ctx, host, args...) // a static program
		cmd.Args[0] = name
		return cmd
	}
	dirs := sysroot(tool.root).libPath()
	return exec.CommandContext(ctx, ld, append([]string{"--library-path", dirs, "--argv0", name, host}, args...)...)
}

// Aside returns the files of the tool for a guest that has another version of it: all of
// them in the folder dir. [AsideCommand] runs what is there.
func (tool *Tool) Aside(dir string) map[string]string {
	files := make(map[string]string, len(tool.Files))
	for guest, host := range tool.Files {
		files[dir+guest] = host
	}
	return files
}

// AsideCommand is the command for a guest's program whose files are in dir, with the
// ld.so and the libraries that it has there.
func AsideCommand(dir, program string, args ...string) *exec.Cmd {
	return exec.Command(dir+guestLoader, append([]string{
		"--library-path", sysroot(dir).libPath(), "--argv0", path.Base(program), dir + program,
	}, args...)...)
}

// guestLoader is the ELF interpreter of amd64.
const guestLoader = "/lib64/ld-linux-x86-64.so.2"

// sysroot is a folder that holds a Debian system, or a part of one.
type sysroot string

// libPath is LD_LIBRARY_PATH for the system's libraries.
func (s sysroot) libPath() string {
	return filepath.Join(string(s), "lib/x86_64-linux-gnu") + ":" + filepath.Join(string(s), "usr/lib/x86_64-linux-gnu")
}

// resolve returns the host path of a file of the system, following symbolic links
// as the system itself would: absolute ones begin at its own root.
func (s sysroot) resolve(name string) (string, error) {
	name = path.Clean("/" + name)
	for range 10 {
		host := filepath.Join(string(s), name)
		to, err := os.Readlink(host)
		if err != nil {
			_, err := os.Stat(host)
			if merged := filepath.Join(string(s), "usr", name); err != nil && !strings.HasPrefix(name, "/usr/") {
				// A tree of packages lacks the links that lead from / to /usr.
				if _, err := os.Stat(merged); err == nil {
					return merged, nil
				}
			}
			return host, err
		}
		if !path.IsAbs(to) {
			to = path.Join(path.Dir(name), to)
		}
		name = path.Clean(to)
	}
	return "", fmt.Errorf("%s in %s: too many links", name, s)
}

// addLibs adds all libraries that the program at the host path needs, directly
// or indirectly.
func (s sysroot) addLibs(files map[string]string, prog string) error {
	f, err := elf.Open(prog)
	if err != nil {
		return nil //nolint:nilerr // a script
	}
	defer f.Close()
	if interpreter(f) == guestLoader {
		host, err := s.resolve(guestLoader)
		if err != nil {
			return err
		}
		files[guestLoader] = host
	}
	needed, err := f.ImportedLibraries()
	if err != nil {
		return nil //nolint:nilerr // no dynamic section: static
	}
	for _, n := range needed {
		if err := s.addLib(files, n); err != nil {
			return fmt.Errorf("%s: %w", prog, err)
		}
	}
	return nil
}

func (s sysroot) addLib(files map[string]string, name string) error {
	for _, dir := range []string{"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu"} {
		guest := path.Join(dir, name)
		if _, ok := files[guest]; ok {
			return nil
		}
		host, err := s.resolve(guest)
		if err != nil {
			continue
		}
		files[guest] = host
		return s.addLibs(files, host)
	}
	return fmt.Errorf("library %s is not in %s", name, s)
}
