package watch

import (
	"os"
	"path/filepath"

	"github.com/mdkit/mdkit/manage/mdconf"
	sysblock "github.com/mdkit/mdkit/sysfs/block"
)

// domainsOf lists the domains to which the configuration assigns a device, for
// arrays of one metadata format.
func (w *Watcher) domainsOf(num sysblock.Num, format string) []string {
	if w.Policy == nil {
		return nil
	}
	var paths []string
	if w.Policy.HasPaths() {
		paths = byPath(num)
	}
	kind := mdconf.TypeDisk
	if dev, err := sysblock.OpenNum(w.fs, num); err == nil {
		if _, part, err := dev.Partition(); err == nil && part {
			kind = mdconf.TypePart
		}
	}
	return w.Policy.Policies(paths, kind).Domains(format)
}

// byPath lists the names of a device in /dev/disk/by-path.
func byPath(num sysblock.Num) []string {
	const dir = "/dev/disk/by-path"
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		if e.Type()&os.ModeSymlink != 0 && isNode(filepath.Join(dir, e.Name()), num) {
			names = append(names, e.Name())
		}
	}
	return names
}
