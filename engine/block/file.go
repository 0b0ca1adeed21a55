package block

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"unsafe"
)

// OpenFlag says how OpenFile opens a file. The zero value opens it for reading.
type OpenFlag uint

// Flags of OpenFile, to be or-ed together.
const (
	// ForReading opens without the right to write.
	ForReading OpenFlag = 0
	// ForWriting opens for reading and writing.
	ForWriting OpenFlag = 1 << (iota - 1)
	// Exclusive claims the device: on Linux a block device is opened with
	// O_EXCL, which fails with ErrBusy while a filesystem, md, dm or another
	// claimant holds it, and a regular file gets an exclusive flock(2). Other
	// systems refuse it with errors.ErrUnsupported.
	Exclusive
	// Direct reads a block device past the system's cache (O_DIRECT). That is
	// needed to see what the kernel's md driver wrote to the members of a
	// running array, as it writes past the cache too. It is for reading only,
	// and has no effect on regular files or on systems other than Linux.
	Direct
)

// ErrBusy marks a device that someone else has claimed.
var ErrBusy = errors.New("in use by something else")

// File is a regular file or a block device of the operating system.
type File struct {
	f        *os.File
	path     string
	size     int64
	writable bool
	special  bool // a block device, not a regular file
	align    int  // bytes that direct reads come in; 0 without Direct
}

// OpenFile opens the regular file or block device at path. The file must exist;
// its size is taken once, now. Anything else (a directory, a pipe, a character
// device) is refused with an *Error matching ErrNotDevice before it is opened,
// because opening some of them has effects.
func OpenFile(path string, flag OpenFlag) (*File, error) {
	f, err := openFile(path, flag)
	if err != nil {
		return nil, &Error{Op: "open", Device: path, Off: -1, Err: openReason(err)}
	}
	return f, nil
}

func openFile(path string, flag OpenFlag) (*File, error) {
	special, err := kindOf(os.Stat(path))
	if err != nil {
		return nil, err
	}
	mode := os.O_RDONLY
	if flag&ForWriting != 0 {
		mode = os.O_RDWR
	}
	exclusive := flag&Exclusive != 0
	if exclusive {
		bit, err := exclusiveOpenBit(special)
		if err != nil {
			return nil, err
		}
		mode |= bit
	}
	direct := special && flag&(Direct|ForWriting) == Direct
	if direct {
		mode |= directOpenBit
	}
	f, err := os.OpenFile(path, mode, 0)
	if err != nil {
		return nil, err
	}
	d := &File{f: f, path: path, special: special, writable: flag&ForWriting != 0}
	err = d.settle(exclusive)
	if err == nil && direct {
		d.align, err = directAlign(f)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return d, nil
}

// settle checks again what was opened, since the path may have changed under
// us, takes the lock of a regular file, and asks for the size.
func (d *File) settle(exclusive bool) error {
	special, err := kindOf(d.f.Stat())
	if err != nil {
		return err
	}
	if special != d.special {
		return fmt.Errorf("%w: the path was replaced while it was opened", ErrNotDevice)
	}
	if exclusive && !special {
		if err := lockFile(d.f); err != nil {
			return err
		}
	}
	d.size, err = fileSize(d.f, special)
	return err
}

// kindOf takes the result of a stat and says whether it is a block device
// (true), a regular file (false), or an error.
func kindOf(info fs.FileInfo, err error) (special bool, _ error) {
	if err != nil {
		return false, err
	}
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return false, nil
	case mode.IsDir():
		return false, fmt.Errorf("%w: it is a directory", ErrNotDevice)
	case mode&fs.ModeCharDevice != 0:
		return false, fmt.Errorf("%w: it is a character device", ErrNotDevice)
	case mode&fs.ModeDevice != 0:
		return true, nil
	case mode&fs.ModeNamedPipe != 0:
		return false, fmt.Errorf("%w: it is a named pipe", ErrNotDevice)
	case mode&fs.ModeSocket != 0:
		return false, fmt.Errorf("%w: it is a socket", ErrNotDevice)
	}
	return false, ErrNotDevice
}

// openReason strips the path that package os puts into its errors, since Error
// names it too, and gives EBUSY its class.
func openReason(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	if errors.Is(err, syscall.EBUSY) {
		return fmt.Errorf("%w (%w)", ErrBusy, err)
	}
	return err
}

// Name returns the path.
func (d *File) Name() string { return d.path }

// Size returns the size in bytes, as it was when the file was opened.
func (d *File) Size() int64 { return d.size }

// IsBlockDevice reports whether this is a block device rather than a regular
// file.
func (d *File) IsBlockDevice() bool { return d.special }

// Fd returns the file descriptor, for ioctls on the device. It belongs to the
// File and is valid until Close.
func (d *File) Fd() uintptr { return d.f.Fd() }

// ReadAt implements io.ReaderAt; see Device. A file that has been cut short
// since it was opened gives io.ErrUnexpectedEOF.
func (d *File) ReadAt(p []byte, off int64) (int, error) {
	n, eof := ReadSpan(d.path, d.size, off, len(p))
	if n == 0 {
		return 0, eof
	}
	got, err := d.read(p[:n], off)
	if got == n {
		return n, eof
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return got, d.fail("read", off, int64(n), err)
}

// read reads through an aligned buffer where the device needs that.
func (d *File) read(p []byte, off int64) (int, error) {
	if d.align == 0 {
		return d.f.ReadAt(p, off)
	}
	align := int64(d.align)
	start := off - off%align
	end := off + int64(len(p))
	if rest := end % align; rest != 0 {
		end += align - rest
	}
	buf := alignedBuffer(int(end-start), d.align)
	got, err := d.f.ReadAt(buf, start)
	n := copy(p, buf[min(off-start, int64(got)):got])
	return n, err
}

// alignedBuffer makes a buffer that begins at a multiple of align in memory,
// which direct reads insist on.
func alignedBuffer(n, align int) []byte {
	buf := make([]byte, n+align)
	skip := 0
	if rest := int(uintptr(unsafe.Pointer(unsafe.SliceData(buf))) % uintptr(align)); rest != 0 {
		skip = align - rest
	}
	return buf[skip : skip+n]
}

// WriteAt implements io.WriterAt; see Device.
func (d *File) WriteAt(p []byte, off int64) (int, error) {
	if err := d.mayChange("write", off, int64(len(p))); err != nil {
		return 0, err
	}
	n, err := d.f.WriteAt(p, off)
	if err != nil {
		return n, d.fail("write", off, int64(len(p)), err)
	}
	return n, nil
}

// Sync is fsync(2).
func (d *File) Sync() error {
	if err := d.f.Sync(); err != nil {
		return d.fail("sync", -1, 0, err)
	}
	return nil
}

// Discard punches a hole in a file, or tells a block device to unmap and zero
// the range; where neither works it writes zeroes.
func (d *File) Discard(off, length int64) error {
	if err := d.mayChange("discard", off, length); err != nil {
		return err
	}
	if length == 0 {
		return nil
	}
	err := punchHole(d.f, off, length)
	if errors.Is(err, errors.ErrUnsupported) {
		return WriteZeroes(d, off, length)
	}
	if err != nil {
		return d.fail("discard", off, length, err)
	}
	return nil
}

// Close closes the file. It does not sync.
func (d *File) Close() error {
	if err := d.f.Close(); err != nil {
		return d.fail("close", -1, 0, err)
	}
	return nil
}

func (d *File) mayChange(op string, off, length int64) error {
	if !d.writable {
		return &Error{Op: op, Device: d.path, Off: off, Len: length, Err: ErrReadOnly}
	}
	return CheckRange(op, d.path, d.size, off, length)
}

func (d *File) fail(op string, off, length int64, err error) error {
	reason := openReason(err)
	switch {
	case errors.Is(err, fs.ErrClosed):
		reason = ErrClosed
	case errors.Is(err, syscall.EIO):
		reason = fmt.Errorf("%w (%w)", ErrMedium, reason)
	}
	return &Error{Op: op, Device: d.path, Off: off, Len: length, Err: reason}
}
