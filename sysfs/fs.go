// Package sysfs reads, writes and waits for kernel attributes: the small text
// files of /sys, and the few of /proc that belong with them. It knows no
// driver; its subpackages give types to the attributes of md, block devices and
// others.
//
// Every access starts from an [FS], a root folder that contains sys and proc.
// The running system is [Host]; a folder of plain files takes its place in
// tests, or when a bug report is examined on another machine.
package sysfs

import (
	"fmt"
	"os"
	"path/filepath"
)

// FS is the folder that contains sys and proc. The zero value is not usable;
// use [Host] or [NewFS].
type FS string

// Host is the running system.
const Host FS = "/"

// NewFS returns a tree rooted at the folder root, which must contain a folder
// sys.
func NewFS(root string) (FS, error) {
	fi, err := os.Stat(filepath.Join(root, "sys"))
	if err != nil {
		return "", fmt.Errorf("sysfs: root %s: %w", root, err)
	}
	if !fi.IsDir() {
		return "", fmt.Errorf("sysfs: root %s: sys is not a folder", root)
	}
	return FS(root), nil
}

// Sys returns the path of a file or folder below sys.
func (fs FS) Sys(elem ...string) string { return fs.join("sys", elem) }

// Proc returns the path of a file or folder below proc.
func (fs FS) Proc(elem ...string) string { return fs.join("proc", elem) }

func (fs FS) join(first string, elem []string) string {
	return filepath.Join(append([]string{string(fs), first}, elem...)...)
}
