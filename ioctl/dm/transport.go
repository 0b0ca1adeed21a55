package dm

import "context"

// Transport carries commands to a device mapper. [Open] uses the kernel's;
// [Record] and [NewScript] make others.
type Transport interface {
	// Do issues a command of the control device. buf is struct dm_ioctl with
	// its payload, and holds the reply afterwards. A refusal is a
	// syscall.Errno; result is what ioctl(2) returned otherwise.
	Do(cmd Command, buf []byte) (result int, err error)
	// Poll waits until something has happened to any device since the last
	// DM_DEV_ARM_POLL that went through this Transport.
	Poll(ctx context.Context) error
	// Another opens a second Transport to the same device mapper, armed on its
	// own.
	Another() (Transport, error)
	Close() error
}
