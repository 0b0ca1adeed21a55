package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
)

// plainBinary is the test binary for a user-mode Linux guest: this one, or, if
// this one was built with the race detector, one built without it. The detector's
// shadow memory lies beyond the end of user-mode Linux's address space. What runs
// on the host is still under the detector, and so are guests in QEMU.
var plainBinary = sync.OnceValues(func() (string, error) {
	info, ok := debug.ReadBuildInfo()
	if !ok || setting(info, "-race") != "true" {
		return os.Executable()
	}
	path := plainPath()
	// Tests run in the folder of their package.
	args := []string{"test", "-c", "-o", path}
	if tags := setting(info, "-tags"); tags != "" {
		args = append(args, "-tags", tags)
	}
	cmd := exec.Command("go", append(args, ".")...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the test without -race for the guest: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return path, nil
})

// plainPath is where plainBinary builds to; Main removes it.
func plainPath() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("mdkit-lab-plain-%d.test", os.Getpid()))
}

func setting(info *debug.BuildInfo, key string) string {
	for _, s := range info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}
