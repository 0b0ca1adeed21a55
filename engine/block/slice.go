package block

import "fmt"

// Slice is a part of another device, as a partition is of a disk. Errors name
// the underlying device and the offset there, which is where to look.
type Slice struct {
	base Device
	off  int64
	size int64
}

// NewSlice makes the part of base that begins at off and is size bytes long. It
// fails with an *Error matching ErrOutOfRange if base ends before that part
// does.
func NewSlice(base Device, off, size int64) (*Slice, error) {
	if err := CheckRange("open", Name(base), base.Size(), off, size); err != nil {
		return nil, err
	}
	return &Slice{base: base, off: off, size: size}, nil
}

// Name returns the name of the underlying device.
func (s *Slice) Name() string { return Name(s.base) }

// String returns the name and the range of the slice, in bytes.
func (s *Slice) String() string { return fmt.Sprintf("%s[%d+%d]", s.Name(), s.off, s.size) }

// Size returns the length in bytes.
func (s *Slice) Size() int64 { return s.size }

// Sync syncs the whole underlying device.
func (s *Slice) Sync() error { return s.base.Sync() }

// ReadAt implements io.ReaderAt; see Device.
func (s *Slice) ReadAt(p []byte, off int64) (int, error) {
	n, eof := ReadSpan(s.Name(), s.size, off, len(p))
	if n == 0 {
		return 0, eof
	}
	if err := ReadFull(s.base, p[:n], s.off+off); err != nil {
		return 0, err
	}
	return n, eof
}

// WriteAt implements io.WriterAt; see Device.
func (s *Slice) WriteAt(p []byte, off int64) (int, error) {
	if err := CheckRange("write", s.Name(), s.size, off, int64(len(p))); err != nil {
		return 0, err
	}
	return s.base.WriteAt(p, s.off+off)
}

// Discard drops a range of the underlying device.
func (s *Slice) Discard(off, length int64) error {
	if err := CheckRange("discard", s.Name(), s.size, off, length); err != nil {
		return err
	}
	return Discard(s.base, s.off+off, length)
}
