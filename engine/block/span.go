package block

import "io"

// ReadSpan says how much of a read of length bytes at off a device of the given
// size (in bytes) can serve: all of it with a nil error; the part before the
// end, with io.EOF, where the device ends inside the read; nothing, with an
// *Error matching ErrOutOfRange, where the read begins outside the device.
// Reading at the very end gives 0 and io.EOF, as io.SectionReader and io.Copy
// expect.
func ReadSpan(name string, size, off int64, length int) (int, error) {
	if off < 0 || off > size {
		return 0, &Error{Op: "read", Device: name, Off: off, Len: int64(length), Err: ErrOutOfRange}
	}
	if left := size - off; int64(length) > left {
		return int(left), io.EOF
	}
	return length, nil
}

// WriteZeroes writes length zero bytes to d from off. A Discard falls back to
// it where nothing cheaper exists.
func WriteZeroes(d Device, off, length int64) error {
	if err := CheckRange("write", Name(d), d.Size(), off, length); err != nil {
		return err
	}
	zero := make([]byte, min(length, 1<<20))
	for length > 0 {
		n := min(length, int64(len(zero)))
		if _, err := d.WriteAt(zero[:n], off); err != nil {
			return err
		}
		off, length = off+n, length-n
	}
	return nil
}

// Discard drops a range of d with its own Discard if it has one, and otherwise
// by writing zeroes. Either way the range then reads as zeroes.
func Discard(d Device, off, length int64) error {
	if x, ok := d.(Discarder); ok {
		return x.Discard(off, length)
	}
	return WriteZeroes(d, off, length)
}
