package node

import (
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Nodes finds names for block devices by their numbers, as mdadm does
// (lib.c, map_dev_preferred): of all names below /dev the shortest, except that
// names in /dev/md, and names the caller prefers, come before all others. The
// zero value is ready for use and looks at /dev when first asked.
type Nodes struct {
	// Dir is the folder to look at, /dev if empty.
	Dir string

	names map[uint64][]string // by device number, in the order they were found
	fixed bool                // names is all there is
}

// NodesOf returns nodes that are known beforehand, for reports on a system that
// is not this one: names by major and minor number.
func NodesOf(names map[[2]uint32]string) Nodes {
	n := Nodes{names: make(map[uint64][]string), fixed: true}
	for num, name := range names {
		n.names[unix.Mkdev(num[0], num[1])] = []string{name}
	}
	return n
}

// Name returns the name of a block device, or "" if there is none. prefer is
// part of the names to prefer, such as "/by-id/"; nothing if empty.
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
		n.scan() // it may have come since
	}
	return n.choose(n.names[dev], prefer)
}

// Folder is where the nodes are.
func (n *Nodes) Folder() string {
	if n.Dir == "" {
		return "/dev"
	}
	return n.Dir
}

// choose picks among names as long as each other the one found last: mdadm
// keeps its list in reverse.
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

// walk collects what is in dir, in the order the folder gives it, going into
// folders as it meets them. Symbolic links count as what they point at, but
// are not followed into folders. What cannot be read is left out.
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
