package lab

import (
	"bufio"
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ulikunitz/xz"
)

// moduleSet is the modules that came with one kernel.
type moduleSet struct {
	files   map[string]string // name with underscores -> .ko on the host
	builtin map[string]bool
}

// moduleName is the form the kernel uses: raid6-pq is raid6_pq.
func moduleName(s string) string { return strings.ReplaceAll(s, "-", "_") }

// readModules finds the modules below dir, which is lib/modules/<release>.
func readModules(dir string) (moduleSet, error) {
	ms := moduleSet{files: map[string]string{}, builtin: map[string]bool{}}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		name, ok := strings.CutSuffix(filepath.Base(p), ".ko")
		if !ok {
			name, ok = strings.CutSuffix(filepath.Base(p), compressed)
		}
		if err == nil && !d.IsDir() && ok {
			ms.files[moduleName(name)] = p
		}
		return err
	})
	if err != nil {
		return ms, err
	}
	if b, err := os.ReadFile(filepath.Join(dir, "modules.builtin")); err == nil {
		for line := range strings.Lines(string(b)) {
			ms.builtin[moduleName(strings.TrimSuffix(filepath.Base(strings.TrimSpace(line)), ".ko"))] = true
		}
	}
	return ms, nil
}

// compressed is how the names of modules end in Debian's packages since trixie.
const compressed = ".ko.xz"

// plain returns the path of a module that is not compressed: beside it in the cache, where
// it stays.
func plain(file string) (string, error) {
	if !strings.HasSuffix(file, compressed) {
		return file, nil
	}
	out := strings.TrimSuffix(file, ".xz")
	if _, err := os.Stat(out); err == nil {
		return out, nil
	}
	in, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer in.Close()
	r, err := xz.NewReader(bufio.NewReader(in))
	if err != nil {
		return "", fmt.Errorf("module %s: %w", file, err)
	}
	part, err := os.CreateTemp(filepath.Dir(out), "part-")
	if err != nil {
		return "", err
	}
	defer os.Remove(part.Name()) // unless it has its name
	_, err = io.Copy(part, r)
	if err = errors.Join(err, part.Close()); err != nil {
		return "", fmt.Errorf("module %s: %w", file, err)
	}
	return out, os.Rename(part.Name(), out)
}

// modinfo reads the .modinfo section: key=value strings.
func modinfo(file string) (map[string][]string, error) {
	f, err := elf.Open(file)
	if err != nil {
		return nil, fmt.Errorf("module %s: %w", file, err)
	}
	defer f.Close()
	info := map[string][]string{}
	sec := f.Section(".modinfo")
	if sec == nil {
		return info, nil
	}
	b, err := sec.Data()
	if err != nil {
		return nil, fmt.Errorf("module %s: %w", file, err)
	}
	for kv := range bytes.SplitSeq(b, []byte{0}) {
		if k, v, ok := strings.Cut(string(kv), "="); ok {
			info[k] = append(info[k], v)
		}
	}
	return info, nil
}

// order resolves the modules wanted, as "name param=value ...", into load order.
// Those that the kernel does not have, or has built in, are left out.
func (ms moduleSet) order(wanted []string) ([]hostModule, error) {
	var list []hostModule
	seen := map[string]bool{}
	var visit func(name, param string) error
	visit = func(name, param string) error {
		name = moduleName(name)
		if seen[name] {
			return nil
		}
		seen[name] = true
		file, ok := ms.files[name]
		if !ok {
			return nil
		}
		file, err := plain(file)
		if err != nil {
			return err
		}
		info, err := modinfo(file)
		if err != nil {
			return err
		}
		var before, after []string
		for _, d := range info["depends"] {
			before = append(before, strings.FieldsFunc(d, func(r rune) bool { return r == ',' })...)
		}
		for _, d := range info["softdep"] {
			dst := &before
			for _, w := range strings.Fields(d) {
				switch w {
				case "pre:":
					dst = &before
				case "post:":
					dst = &after
				default:
					*dst = append(*dst, w)
				}
			}
		}
		if name == "libcrc32c" {
			// Its soft dependency "crc32c" is an alias, not a module; without
			// the implementation its init fails with ENOENT.
			before = append(before, "crc32c_generic")
		}
		for _, d := range before {
			if err := visit(d, ""); err != nil {
				return err
			}
		}
		list = append(list, hostModule{name: name, file: file, param: param})
		for _, d := range after {
			if err := visit(d, ""); err != nil {
				return err
			}
		}
		return nil
	}
	// Those with parameters first, in case another depends on them.
	wanted = slices.Clone(wanted)
	slices.SortStableFunc(wanted, func(a, b string) int {
		return boolInt(strings.Contains(b, " ")) - boolInt(strings.Contains(a, " "))
	})
	for _, w := range wanted {
		name, param, _ := strings.Cut(strings.TrimSpace(w), " ")
		if err := visit(name, strings.TrimSpace(param)); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// hostModule is one module to load.
type hostModule struct {
	name, file, param string
}

// stageModules puts the modules into the tree and returns them as the guest sees
// them.
func stageModules(tr tree, list []hostModule) []stagedModule {
	var staged []stagedModule
	for _, h := range list {
		guest := guestModules + "/" + h.name + ".ko"
		tr[guest] = h.file
		staged = append(staged, stagedModule{Name: h.name, File: guest, Param: h.param})
	}
	return staged
}

// basicModules are loaded in every guest.
var basicModules = []string{"configfs"}
