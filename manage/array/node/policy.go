package node

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/manage/mdconf"
)

// byPathDir is where udev names disks by the place where they are plugged in.
const byPathDir = "/dev/disk/by-path"

// FormatFamily returns what policies call a metadata format.
func FormatFamily(v md.Version) string {
	if v == md.V090 {
		return "0.90"
	}
	return "1.x"
}

// PoliciesOf collects what the configuration says about a device (policy.c,
// disk_policy).
func PoliciesOf(cf *mdconf.Config, major, minor uint32) mdconf.Policies {
	var paths []string
	if cf.HasPaths() {
		paths = PathsOf(major, minor)
	}
	kind := mdconf.TypeDisk
	if _, err := os.Stat(fmt.Sprintf("/sys/dev/block/%d:%d/partition", major, minor)); err == nil {
		kind = mdconf.TypePart
	}
	return cf.Policies(paths, kind)
}

// PathsOf lists the names of a device in /dev/disk/by-path.
func PathsOf(major, minor uint32) []string {
	entries, err := os.ReadDir(byPathDir)
	if err != nil {
		return nil
	}
	var paths []string
	for _, e := range entries {
		var st unix.Stat_t
		if e.Type()&os.ModeSymlink != 0 && unix.Stat(filepath.Join(byPathDir, e.Name()), &st) == nil &&
			st.Mode&unix.S_IFMT == unix.S_IFBLK && st.Rdev == unix.Mkdev(major, minor) {
			paths = append(paths, e.Name())
		}
	}
	return paths
}
