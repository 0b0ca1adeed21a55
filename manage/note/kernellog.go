// Package note is what operations on live devices have in common: notes for people,
// what the kernel says about a refused request, and what holds a device.
package note

import (
	"errors"
	"io"
	"strings"

	"golang.org/x/sys/unix"
)

// NoKernelLog returns a KernelLog that hears nothing.
func NoKernelLog() *KernelLog { return &KernelLog{fd: -1} }

// KernelLog listens to what the kernel logs from now on (/dev/kmsg). A driver answers
// a refused request with a bare errno and logs the reason.
type KernelLog struct {
	fd int
}

// ListenToKernel starts listening at the end of the log. If the log cannot be read,
// the KernelLog hears nothing.
func ListenToKernel() *KernelLog {
	k := RereadKernel()
	if k.fd >= 0 {
		if _, err := unix.Seek(k.fd, 0, io.SeekEnd); err != nil {
			unix.Close(k.fd)
			return NoKernelLog()
		}
	}
	return k
}

// RereadKernel starts at the oldest record that the kernel still has. If the log cannot
// be read, the KernelLog hears nothing.
func RereadKernel() *KernelLog {
	fd, err := unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return NoKernelLog()
	}
	return &KernelLog{fd: fd}
}

// Close stops listening.
func (k *KernelLog) Close() error {
	if k.fd < 0 {
		return nil
	}
	fd := k.fd
	k.fd = -1
	return unix.Close(fd)
}

// Heard returns the lines, out of those that the kernel has logged since the last call,
// for which about is true: oldest first, without time stamps.
func (k *KernelLog) Heard(about func(line string) bool) []string {
	var lines []string
	buf := make([]byte, 8192) // records are shorter than that (kernel/printk)
	for k.fd >= 0 {
		n, err := unix.Read(k.fd, buf)
		switch {
		case errors.Is(err, unix.EPIPE): // the oldest records have been overwritten
			continue
		case err != nil || n == 0:
			return lines
		}
		if line, ok := kernelRecord(string(buf[:n])); ok && about(line) {
			lines = append(lines, line)
		}
	}
	return lines
}

// kernelRecord extracts the message from a record: "6,339,5140900,-;message", then
// lines that begin with a blank.
func kernelRecord(record string) (string, bool) {
	_, text, ok := strings.Cut(record, ";")
	text, _, _ = strings.Cut(text, "\n")
	return text, ok && text != ""
}
