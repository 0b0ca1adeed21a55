//go:build !linux

package lab

import (
	"os"
	"os/exec"
	"testing"
)

// On systems other than Linux there is no lab: supported says so before any of
// these is called. They let packages with lab tests build, and run their other
// tests.

func isInit() bool { return false }

func runInit() {}

func pin() (restore, release func()) { return func() {}, func() {} }

func group(*exec.Cmd) {}

func killGroup(cmd *exec.Cmd) { cmd.Process.Kill() } //nolint:errcheck // gone already

func guard(int, string) (func(), error) { return nil, errNoLab }

func streamPair(string) (host, guest *os.File, err error) { return nil, nil, errNoLab }

func packetPair(string) (host, guest *os.File, err error) { return nil, nil, errNoLab }

func memoryDir(string, int64) (string, error) { return "", errNoLab }

func thisGuest() (*Guest, error) { return nil, errNoLab }

func (g *Guest) skipLog() {}

func kernelBusy() string { return "" }

// HasModule says whether the kernel has this module; see the Linux version.
func (g *Guest) HasModule(string) bool { return false }

// KernelLog returns what the kernel said; see the Linux version.
func (g *Guest) KernelLog(testing.TB) []string { return nil }

// KernelSays waits for a message of the kernel; see the Linux version.
func (g *Guest) KernelSays(testing.TB, string) []string { return nil }
