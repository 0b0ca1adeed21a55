package node

import (
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Nodes finds names for block devices by their numbers, as mdadm does (lib.c,
// map_dev_preferred): of all names below /dev the shortest, except that names in
// /dev/md, and names that the caller prefers, come before all others. The zero value is
// ready for use and reads /dev when it is first needed.
type Nodes struct {
	// Dir is the folder to search, /dev if empty.
	Dir string

	names map[uint64][]string // by device number, in the order they were found
	fixed bool                // names is complete: do not read Dir
}

// NodesOf returns Nodes with the given names, by major and minor number, for reports on
// another system.
func NodesOf(names map[[2]uint32]string) Nodes {
	n := Nodes{names: make(map[uint64][]string), fixed: true}
	for num, name := range names {
		n.names[unix.Mkdev(num[0], num[1])] = []string{name}
	}
	return n
}

// Name returns the name of a block device, or "" if there is none. prefer is a part of
// the preferred names, such as "/by-id/"; "" for no preference.
func (n *Nodes) Name(major, minor uint32, prefer string) string {
	if major == 0 && minor == 0 {
		return ""
	}
	fresh := n.names == nil
	if fresh {
		n.scan()
	}
	dev := unix.Mkdev(major, minor)
	if n.names[dev] == nil && !fresh && !n.fixed {
		n.scan() // the node may have been made since
	}
	return n.choose(n.names[dev], prefer)
}

// Folder returns the folder of the nodes.
func (n *Nodes) Folder() string {
	if n.Dir == "" {
		return "/dev"
	}
	return n.Dir
}

// choose picks a name; among equally short names it is the one found last, because
// mdadm's list is in reverse.
func (n *Nodes) choose(names []string, prefer string) string {
	var regular, preferred string
	shorter := func(best *string, name string) {
		if *best == "" || len(name) <= len(*best) {
			*best = name
		}
	}
	for _, name := range names {
		if strings.HasPrefix(name, n.Folder()+"/md/") || prefer != "" && strings.Contains(name, prefer) {
			shorter(&preferred, name)
		} else {
			shorter(&regular, name)
		}
	}
	if preferred != "" {
		return preferred
	}
	return regular
}

func (n *Nodes) scan() {
	n.names = make(map[uint64][]string)
	n.walk(n.Folder())
}

// walk collects the nodes in dir, in the order of the folder, entering folders as it
// meets them. A symbolic link counts as what it points to, but is not followed into
// folders. What cannot be read is left out.
func (n *Nodes) walk(dir string) {
	f, err := os.Open(dir)
	if err != nil {
		return
	}
	entries, _ := f.ReadDir(-1)
	f.Close()
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch t := e.Type(); {
		case t.IsDir():
			n.walk(path)
			continue
		case t&os.ModeSymlink == 0 && (t&os.ModeDevice == 0 || t&os.ModeCharDevice != 0):
			continue
		}
		var st unix.Stat_t
		if unix.Stat(path, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFBLK {
			n.names[st.Rdev] = append(n.names[st.Rdev], path)
		}
	}
}
