package block

import "sync"

// Fault is a device that fails according to a script; see ParseScript for its
// language. Whatever the script does not mention passes through to the base.
type Fault struct {
	base Device

	mu    sync.Mutex
	rules []activeRule
}

// activeRule is a rule and how often an operation has matched it.
type activeRule struct {
	Rule
	met int64
}

// NewFault makes a device on base that fails as the script says.
func NewFault(base Device, script string) (*Fault, error) {
	rules, err := ParseScript(script)
	if err != nil {
		return nil, err
	}
	f := &Fault{base: base}
	for _, r := range rules {
		f.rules = append(f.rules, activeRule{Rule: r})
	}
	return f, nil
}

// Name returns the name of the base.
func (f *Fault) Name() string { return Name(f.base) }

// Size returns the size of the base in bytes.
func (f *Fault) Size() int64 { return f.base.Size() }

// due counts an operation and returns the rules that act on it, in the order
// of the script.
func (f *Fault) due(op FaultOp, off, length int64) []Rule {
	f.mu.Lock()
	defer f.mu.Unlock()
	var due []Rule
	for i := range f.rules {
		r := &f.rules[i]
		if !r.matches(op, off, length) {
			continue
		}
		r.met++
		if r.met > r.After && (r.Times == 0 || r.met-r.After <= r.Times) {
			due = append(due, r.Rule)
		}
	}
	return due
}

// ReadAt implements io.ReaderAt; see Device.
func (f *Fault) ReadAt(p []byte, off int64) (int, error) {
	n, eof := ReadSpan(f.Name(), f.Size(), off, len(p))
	if n == 0 {
		return 0, eof
	}
	p = p[:n]
	due := f.due(FaultRead, off, int64(n))
	for _, r := range due {
		if r.Action == FaultError {
			return 0, f.fail("read", off, int64(n))
		}
	}
	if err := ReadFull(f.base, p, off); err != nil {
		return 0, err
	}
	for _, r := range due {
		switch keep := min(r.Arg, int64(n)); r.Action {
		case FaultTorn:
			clear(p[keep:])
		case FaultShort:
			return int(keep), f.fail("read", off, int64(n))
		case FaultFlip:
			r.flip(p, off)
		}
	}
	return n, eof
}

// WriteAt implements io.WriterAt; see Device.
func (f *Fault) WriteAt(p []byte, off int64) (int, error) {
	if err := CheckRange("write", f.Name(), f.Size(), off, int64(len(p))); err != nil {
		return 0, err
	}
	if len(p) == 0 {
		return f.base.WriteAt(p, off)
	}
	data := p
	for _, r := range f.due(FaultWrite, off, int64(len(p))) {
		switch keep := min(r.Arg, int64(len(data))); r.Action {
		case FaultError:
			return 0, f.fail("write", off, int64(len(p)))
		case FaultShort:
			n, err := f.base.WriteAt(data[:keep], off)
			if err == nil {
				err = f.fail("write", off, int64(len(p)))
			}
			return n, err
		case FaultTorn:
			data = data[:keep]
		case FaultFlip:
			data = append([]byte(nil), data...)
			r.flip(data, off)
		}
	}
	if n, err := f.base.WriteAt(data, off); err != nil {
		return n, err
	}
	return len(p), nil
}

// Sync syncs the base, unless the script says otherwise.
func (f *Fault) Sync() error {
	for _, r := range f.due(FaultSync, 0, f.Size()) {
		if r.Action == FaultError {
			return &Error{Op: "sync", Device: f.Name(), Off: -1, Err: ErrMedium}
		}
	}
	return f.base.Sync()
}

// Discard discards on the base, unless the script says otherwise.
func (f *Fault) Discard(off, length int64) error {
	if err := CheckRange("discard", f.Name(), f.Size(), off, length); err != nil {
		return err
	}
	for _, r := range f.due(FaultDiscard, off, length) {
		switch keep := min(r.Arg, length); r.Action {
		case FaultError:
			return f.fail("discard", off, length)
		case FaultTorn:
			length = keep
		case FaultShort:
			if err := Discard(f.base, off, keep); err != nil {
				return err
			}
			return f.fail("discard", off, length)
		}
	}
	return Discard(f.base, off, length)
}

func (f *Fault) fail(op string, off, length int64) error {
	return &Error{Op: op, Device: f.Name(), Off: off, Len: length, Err: ErrMedium}
}
