package dmsetup

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/internal/lab"
	"github.com/mdkit/mdkit/manage/mapper"
	"github.com/mdkit/mdkit/sysfs"
)

// TestCheckWithoutMapper checks tables on a kernel that has no device mapper loaded, and
// watches whom the kernel asks for modules.
func TestCheckWithoutMapper(t *testing.T) {
	files := lab.Peer(t, "busybox").Files
	lab.Run(t, lab.Spec{Files: files}, lab.Case{Name: "check", Run: func(t *testing.T, _ *lab.Guest) {
		asked := listenForModules(t)
		for _, c := range []struct {
			table, says string
			code        int
		}{
			{"0 8 zero", "nothing checked speaks against this table: 1 target, 4 KiB", exitUnchecked},
			{"0 8 crypt aes-xts-plain64 " + strings.Repeat("0", 64) + " 0 1:0 0", "Device lookup failed", exitInvalid},
			{"0 8 linear 1:0 x", "Invalid device sector", exitInvalid},
			{"0 8 nosuch", "unknown target type", exitUnsupported},
		} {
			o := ours(t, []string{"dmsetup", "check", "--exit-codes", "--table", c.table}, "")
			if o.code != c.code || !strings.Contains(o.out+o.err, c.says) {
				t.Errorf("%s: want %d and %q: %v", c.table, c.code, c.says, o)
			}
		}
		if got := asked(); len(got) > 0 || mapper.Major(sysfs.Host) != 0 {
			t.Errorf("the kernel was asked to load %q", got)
		}
		// The same listener hears what a command that needs the device mapper asks for.
		if o := ours(t, []string{"dmsetup", "info", "--exit-codes"}, ""); o.code != exitNoDriver || !slices.ContainsFunc(asked(), func(m string) bool {
			return strings.Contains(m, "10-236")
		}) {
			t.Errorf("info: %v, and the kernel was asked for %q", o, asked())
		}
	}})
}

// listenForModules makes the kernel tell us instead of modprobe which modules it wants.
func listenForModules(t *testing.T) (asked func() []string) {
	t.Helper()
	const script, log = "/tmp/modprobe", "/tmp/asked"
	text := "#!/bin/busybox sh\necho \"$@\" >> " + log + "\nexit 1\n"
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil { //nolint:gosec // the kernel runs it
		t.Fatal(err)
	}
	if err := os.WriteFile("/proc/sys/kernel/modprobe", []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	return func() []string {
		said, err := os.ReadFile(log)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return strings.Fields(string(said))
	}
}
