package sysfs

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// MaxSize is the most that is read from one file, in bytes. A sysfs attribute
// has at most a page; files of /proc can be longer.
const MaxSize = 1 << 20

// ReadAttr returns the contents of the sysfs attribute at path, with one
// read(2) and without asking for its size first, which sysfs does not know. A
// second read would make the kernel print the value again (fs/sysfs/file.c
// sysfs_kf_read), and the two halves might not match; only if an attribute
// fills a whole page is the rest read.
func ReadAttr(path string) (string, error) { return readPath(path, false) }

// ReadProc returns the contents of the file at path, read to its end: files of
// /proc come in pieces of whole records that fit the kernel's page
// (fs/seq_file.c seq_read_iter).
func ReadProc(path string) (string, error) { return readPath(path, true) }

func readPath(path string, toEnd bool) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", &Error{Op: "read", Path: path, Err: err}
	}
	defer f.Close()
	text, err := readAll(func(p []byte, _ int64) (int, error) { return f.Read(p) }, toEnd)
	if err != nil {
		return "", &Error{Op: "read", Path: path, Err: unwrapPath(err)}
	}
	return text, nil
}

// readAll collects what read returns for offsets from 0 up, to the end or until
// a piece does not fill the buffer.
func readAll(read func(p []byte, off int64) (int, error), toEnd bool) (string, error) {
	buf := make([]byte, os.Getpagesize())
	n := 0
	for {
		m, err := read(buf[n:], int64(n))
		n += m
		switch {
		case errors.Is(err, io.EOF), err == nil && m == 0, err == nil && !toEnd && n < len(buf):
			return string(buf[:n]), nil
		case err != nil:
			return "", err
		case n >= MaxSize:
			return "", ErrTooLarge
		case n == len(buf):
			buf = append(buf, make([]byte, len(buf))...)
		}
	}
}

// unwrapPath drops the path that package os wraps around an errno: the caller
// names it.
func unwrapPath(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// WriteFile writes value to the attribute at path with one write(2). The file
// must exist; it is neither created nor truncated.
func WriteFile(path, value string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return &Error{Op: "write", Path: path, Value: value, Err: err}
	}
	_, err = f.WriteString(value)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return &Error{Op: "write", Path: path, Value: value, Err: unwrapPath(err)}
	}
	return nil
}

// Dir is the path of a folder of attributes: one kernel object.
type Dir string

// Path returns the path of a file in the folder.
func (d Dir) Path(name string) string { return filepath.Join(string(d), name) }

// Read returns the attribute's text without surrounding white space.
func (d Dir) Read(name string) (string, error) {
	s, err := ReadAttr(d.Path(name))
	return strings.TrimSpace(s), err
}

// ReadUint returns an attribute that is one decimal number.
func (d Dir) ReadUint(name string) (uint64, error) {
	s, err := d.Read(name)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, &ParseError{Path: d.Path(name), Text: s, Want: "a number"}
	}
	return n, nil
}

// ReadBool returns an attribute that is 0 or 1, N or Y.
func (d Dir) ReadBool(name string) (bool, error) {
	s, err := d.Read(name)
	if err != nil {
		return false, err
	}
	switch s {
	case "0", "N", "n":
		return false, nil
	case "1", "Y", "y":
		return true, nil
	}
	return false, &ParseError{Path: d.Path(name), Text: s, Want: "0 or 1, N or Y"}
}

// Write writes value to the attribute.
func (d Dir) Write(name, value string) error { return WriteFile(d.Path(name), value) }

// List returns the names in the folder, sorted.
func (d Dir) List() ([]string, error) {
	ents, err := os.ReadDir(string(d))
	if err != nil {
		return nil, &Error{Op: "list", Path: string(d), Err: err}
	}
	names := make([]string, len(ents))
	for i, e := range ents {
		names[i] = e.Name()
	}
	return names, nil
}

// Link returns the last element of the target of the symbolic link name: the
// kernel's name of the object it points to.
func (d Dir) Link(name string) (string, error) {
	p, err := os.Readlink(d.Path(name))
	if err != nil {
		return "", &Error{Op: "link", Path: d.Path(name), Err: err}
	}
	return filepath.Base(p), nil
}
