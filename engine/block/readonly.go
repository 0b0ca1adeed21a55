package block

// readOnly passes reads on and refuses everything that would change the device.
type readOnly struct{ Device }

// ReadOnly returns d with every WriteAt and Discard refused by an *Error
// matching ErrReadOnly, before it reaches d.
func ReadOnly(d Device) Device {
	if _, ok := d.(readOnly); ok {
		return d
	}
	return readOnly{d}
}

func (r readOnly) Name() string { return Name(r.Device) }

func (r readOnly) Sync() error { return nil }

func (r readOnly) WriteAt(p []byte, off int64) (int, error) {
	return 0, &Error{Op: "write", Device: r.Name(), Off: off, Len: int64(len(p)), Err: ErrReadOnly}
}

func (r readOnly) Discard(off, length int64) error {
	return &Error{Op: "discard", Device: r.Name(), Off: off, Len: length, Err: ErrReadOnly}
}
