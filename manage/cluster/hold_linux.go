package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/mdkit/mdkit/dlm"
	"github.com/mdkit/mdkit/sysfs"
)

// holderSocket is where the holder of the monitor listens, in the cluster's folder.
const holderSocket = "holder"

// letGo is what a controller writes to a holder that is no longer needed.
const letGo = 'q'

// Hold has the kernel's monitor device open for as long as a controller is connected,
// and for the time of grace after that. It is what the process does that
// [Request.Holder] names.
func Hold(dir, grace string) error {
	ms, err := strconv.Atoi(grace)
	if err != nil {
		return fmt.Errorf("hold the DLM's monitor: time of grace %q: %w", grace, err)
	}
	monitor, err := dlm.OpenMonitor(sysfs.Host)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, holderSocket)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return errors.Join(err, monitor.Close())
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return errors.Join(err, monitor.Close())
	}
	for over := false; !over && err == nil; {
		over, err = holdFor(l, time.Duration(ms)*time.Millisecond)
	}
	return errors.Join(l.Close(), monitor.Close())
}

// holdFor waits for a controller, and until it goes.
func holdFor(l *net.UnixListener, grace time.Duration) (over bool, err error) {
	if err := l.SetDeadline(time.Now().Add(grace)); err != nil {
		return false, err
	}
	c, err := l.Accept()
	if err != nil {
		return true, nil // nobody has come
	}
	defer c.Close()
	b := make([]byte, 1)
	n, _ := c.Read(b) // until it ends
	return n == 1 && b[0] == letGo, nil
}

// hold connects to the holder, and starts one if there is none. found says whether it
// was there, and so has kept the lockspaces running.
func hold(ctx context.Context, dir string, command []string, grace time.Duration) (c net.Conn, found bool, err error) {
	path := filepath.Join(dir, holderSocket)
	if c, err := net.Dial("unix", path); err == nil {
		return c, true, nil
	}
	args := append(command[1:len(command):len(command)], dir, strconv.FormatInt(grace.Milliseconds(), 10))
	cmd := exec.Command(command[0], args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // it must not end with the controller's terminal
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		return nil, false, fmt.Errorf("start the holder of the DLM's monitor: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		if c, err := net.Dial("unix", path); err == nil {
			return c, false, nil
		}
		select {
		case err := <-ended:
			return nil, false, fmt.Errorf("the holder of the DLM's monitor ended (%w): %s", errors.Join(err, errHolder), said.String())
		case <-ctx.Done():
			return nil, false, ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

var errHolder = errors.New("it has to stay")
