//go:build !linux

package fetch

// locked refuses: packages for the lab are of use on Linux only.
func (*Store) locked(string, func() error) error { return ErrUnsupported }
