// Package note is what operations on live devices have in common: to hear what
// the kernel says of a refused request, and to find out who holds a device.
package note

import (
	"errors"
	"io"
	"strings"

	"golang.org/x/sys/unix"
)

// NoKernelLog is a KernelLog that hears nothing.
func NoKernelLog() *KernelLog { return &KernelLog{fd: -1} }

// KernelLog listens to what the kernel says from now on (/dev/kmsg). The
// driver answers a refused request with a bare errno and puts the reason here.
type KernelLog struct {
	fd int
}

// ListenToKernel starts at the end of the log. Where the log cannot be read
// the KernelLog hears nothing.
func ListenToKernel() *KernelLog {
	fd, err := unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return NoKernelLog()
	}
	if _, err := unix.Seek(fd, 0, io.SeekEnd); err != nil {
		unix.Close(fd)
		return NoKernelLog()
	}
	return &KernelLog{fd: fd}
}

// Close ends the listening.
func (k *KernelLog) Close() error {
	if k.fd < 0 {
		return nil
	}
	fd := k.fd
	k.fd = -1
	return unix.Close(fd)
}

// Heard returns the lines that about picks of what the kernel has said since
// the last call, oldest first, without time stamps.
func (k *KernelLog) Heard(about func(line string) bool) []string {
	var lines []string
	buf := make([]byte, 8192) // a record is shorter than that (kernel/printk)
	for k.fd >= 0 {
		n, err := unix.Read(k.fd, buf)
		switch {
		case errors.Is(err, unix.EPIPE): // overtaken: the oldest records are gone
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

// kernelRecord takes the message out of a record: "6,339,5140900,-;message",
// then lines that begin with a blank.
func kernelRecord(record string) (string, bool) {
	_, text, ok := strings.Cut(record, ";")
	text, _, _ = strings.Cut(text, "\n")
	return text, ok && text != ""
}
