package glob

import (
	"io/fs"
	"os"
	"slices"
	"strings"
)

// Paths lists the files of this system that match a pattern, which is absolute or
// relative to the current folder.
func Paths(pattern string) []string {
	root := "."
	if strings.HasPrefix(pattern, "/") {
		root = "/"
	}
	found := Expand(os.DirFS(root), pattern)
	if root == "/" {
		for i := range found {
			found[i] = "/" + found[i]
		}
	}
	return found
}

// Expand lists the paths in a file system that match a pattern (glob(3)), in the order
// of their names. A leading dot in a name is matched only by a dot in the pattern.
// Folders that cannot be read count as empty, and a pattern without wildcards gives its
// path if that exists. The pattern has no leading slash.
func Expand(files fs.FS, pattern string) []string {
	dirs := []string{"."}
	for part := range strings.SplitSeq(strings.Trim(pattern, "/"), "/") {
		if part == "" {
			continue
		}
		var next []string
		for _, dir := range dirs {
			next = append(next, within(files, dir, part)...)
		}
		dirs = next
	}
	slices.Sort(dirs)
	return dirs
}

// within lists the names in a folder that match one part of a pattern.
func within(files fs.FS, dir, part string) (found []string) {
	path := func(name string) string {
		if dir == "." {
			return name
		}
		return dir + "/" + name
	}
	if name, plain := literal(part); plain {
		if _, err := fs.Stat(files, path(name)); err != nil {
			return nil
		}
		return []string{path(name)}
	}
	entries, err := fs.ReadDir(files, dir)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		hidden := strings.HasPrefix(e.Name(), ".") && !strings.HasPrefix(part, ".") && !strings.HasPrefix(part, `\.`)
		if !hidden && Match(part, e.Name()) {
			found = append(found, path(e.Name()))
		}
	}
	return found
}

// literal returns the name that a pattern without wildcards stands for.
func literal(part string) (name string, plain bool) {
	if strings.ContainsAny(part, "*?[") {
		return "", false
	}
	var b strings.Builder
	for i := 0; i < len(part); i++ {
		if part[i] == '\\' && i+1 < len(part) {
			i++
		}
		b.WriteByte(part[i])
	}
	return b.String(), true
}
