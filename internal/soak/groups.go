package soak

import (
	"fmt"
	"slices"
	"strings"
)

// groups are the parts of a soak that can be asked for by name, each with the
// folders of its packages. A package belongs to the group whose folder matches the
// longest part of its path.
var groups = map[string][]string{
	"md":      {"ioctl/md", "sysfs/md", "manage/array", "manage/watch", "internal/cli/mdadm", "internal/demo"},
	"engine":  {"engine", "internal/bench/arrays", "internal/lab/powercut"},
	"dm":      {"engine/dm", "ioctl/dm", "sysfs/dm", "manage/mapper", "manage/mirrorlog", "internal/cli/dmsetup", "internal/cli/dmstats", "internal/cli/blkdeactivate", "internal/bench/mapped"},
	"cluster": {"dlm", "engine/cluster", "manage/cluster", "internal/cli/dlmtool", "internal/bench/locks"},
	"trace":   {"ebpf"},
	"formats": {"engine/probe", "engine/recover", "engine/persistent", "engine/bcache", "ioctl/block", "sysfs/block", "manage/cacheset", "internal/cli/native", "internal/cli/thintools", "internal/cli/bcachetools"},
}

// Group returns the group that a package belongs to, "" if there is none.
func Group(pkg string) string {
	pkg = strings.TrimPrefix(pkg, "./")
	best, name := "", ""
	for g, folders := range groups {
		for _, f := range folders {
			if (pkg == f || strings.HasPrefix(pkg, f+"/")) && len(f) > len(best) {
				best, name = f, g
			}
		}
	}
	return name
}

// CheckGroup refuses names of groups that do not exist; "" stands for all groups.
func CheckGroup(name string) error {
	if _, ok := groups[name]; ok || name == "" {
		return nil
	}
	var names []string
	for g := range groups {
		names = append(names, g)
	}
	slices.Sort(names)
	return fmt.Errorf("no group %q; there are %s", name, strings.Join(names, ", "))
}
