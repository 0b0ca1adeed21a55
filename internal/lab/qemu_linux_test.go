package lab

import (
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestQEMU checks what user-mode Linux lacks: several processors and BTF, on
// Debian's stock kernel, behind the same Run.
func TestQEMU(t *testing.T) {
	for _, kernel := range Kernels() {
		if kernel != Oldest && !InGuest() && !Soak() {
			continue
		}
		t.Run(kernel, func(t *testing.T) { stockMachine(t, kernel) })
	}
}

func stockMachine(t *testing.T, kernel string) {
	Run(t, Spec{
		Backend: "qemu", Kernel: kernel, CPUs: 2, Modules: []string{"raid456", "dm-thin-pool"},
		Disks: []Disk{{Size: 1 << 20}, {Path: image(t, "cow", 'c'), COW: true}},
		NICs:  []*Port{NewSwitch(t).Port("10.9.0.1/24")},
	},
		Case{Name: "machine", Run: func(t *testing.T, g *Guest) {
			if g.Kernel != kernel || !strings.HasSuffix(g.Release, "-amd64") || g.Backend != "qemu" {
				t.Errorf("kernel %s, release %s on %s", g.Kernel, g.Release, g.Backend)
			}
			if runtime.NumCPU() != 2 {
				t.Errorf("%d processors", runtime.NumCPU())
			}
			if !g.HasModule("raid456") || !g.HasModule("dm_thin_pool") {
				t.Error("modules are missing")
			}
			for _, f := range []string{"/sys/kernel/btf/vmlinux", "/sys/kernel/btf/md_mod", "/sys/kernel/tracing/events", "/sys/class/net/" + g.NICs[0]} {
				if _, err := os.Stat(f); err != nil {
					t.Error(err)
				}
			}
		}},
		Case{Name: "disks", Run: func(t *testing.T, g *Guest) {
			if got := readDisk(t, g.Disks[1], 0); got[0] != 'c' {
				t.Errorf("the second disk begins with %q", got[0])
			}
			for _, d := range g.Disks {
				if err := writeDisk(t, d, 0, 'q', unix.O_DIRECT); err != nil {
					t.Error(err)
				}
			}
		}},
	)
}
