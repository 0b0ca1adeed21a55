//go:build unix

package fuzzlog

import (
	"os"
	"path/filepath"
	"syscall"
)

// lock keeps other processes from changing a log. It locks the folder, as the
// file itself is replaced.
func lock(path string) (unlock func(), err error) {
	f, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if err != syscall.EINTR {
			break
		}
	}
	if err != nil {
		f.Close()
		return nil, &os.PathError{Op: "lock", Path: f.Name(), Err: err}
	}
	return func() { f.Close() }, nil
}
