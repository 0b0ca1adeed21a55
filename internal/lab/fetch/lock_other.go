//go:build !linux

package fetch

// locked refuses: packages for the lab are useful only on Linux.
func (*Store) locked(string, func() error) error { return ErrUnsupported }
