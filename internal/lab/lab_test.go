package lab

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestMain(m *testing.M) { Main(m) }

// TestBoot tries everything that a machine offers to an ordinary test.
func TestBoot(t *testing.T) {
	spec := Spec{
		Modules: []string{"raid456", "no-such-module", "brd rd_nr=2 rd_size=4096"},
		Disks:   []Disk{{Size: 16 << 20}, {Size: 1 << 20}},
		Files:   map[string]string{"/share/doc.go": "doc.go", "/share/all": "fetch"},
		Env:     map[string]string{"LAB_COLOUR": "green", "LAB_SEED": fmt.Sprint(Seed(t))},
	}
	Run(t, spec,
		Case{Name: "machine", Run: func(t *testing.T, g *Guest) {
			if !slices.Contains(Kernels(), g.Kernel) || !g.AtLeast("6") {
				t.Errorf("release %s of kernel %s", g.Release, g.Kernel)
			}
			if !slices.Equal(g.Disks, []string{"/dev/ubda", "/dev/ubdb"}) {
				t.Errorf("disks %q", g.Disks)
			}
			if os.Getenv("LAB_COLOUR") != "green" || g.Env["LAB_COLOUR"] != "green" {
				t.Error("the environment did not arrive")
			}
			if want := g.Env["LAB_SEED"]; want != fmt.Sprint(Seed(t)) {
				t.Errorf("seed %d in the guest, %s on the host", Seed(t), want)
			}
			for _, f := range []string{"/share/doc.go", "/share/all/apt.go", "/proc/self/stat", "/sys/block/ram1", "/sys/kernel/config", "/dev/fd/0"} {
				if _, err := os.Stat(f); err != nil {
					t.Error(err)
				}
			}
			for _, d := range []string{"/run", "/tmp", "/dev/shm", "/var/lib", "/mnt"} {
				if err := os.WriteFile(d+"/probe", nil, 0o644); err != nil {
					t.Error(err)
				}
			}
			if err := os.WriteFile("/share/doc.go", nil, 0o644); err == nil {
				t.Error("the guest could write to a staged file")
			}
		}},
		Case{Name: "modules", Run: func(t *testing.T, g *Guest) {
			if !g.HasModule("raid456") || !g.HasModule("raid6-pq") || g.HasModule("no-such-module") {
				t.Error("modules are not as asked for")
			}
			b, err := os.ReadFile("/proc/mdstat")
			if err != nil || !strings.Contains(string(b), "[raid6]") {
				t.Errorf("mdstat: %q, %v", b, err)
			}
			if b, err := os.ReadFile("/sys/block/ram0/size"); err != nil || string(b) != "8192\n" {
				t.Errorf("size of ram0: %q, %v", b, err)
			}
		}},
		Case{Name: "kernel log", Run: func(t *testing.T, g *Guest) {
			if said := g.KernelLog(t); len(said) > 0 {
				t.Errorf("messages of before the case: %q", said)
			}
			if err := os.WriteFile("/dev/kmsg", []byte("<4>lab: one\n"), 0); err != nil {
				t.Fatal(err)
			}
			if said := g.KernelLog(t); !slices.Equal(said, []string{"lab: one"}) {
				t.Errorf("log %q", said)
			}
		}},
	)
}

// TestKernels boots each kernel there is. Every machine checks that its release
// is the one that the package promises.
func TestKernels(t *testing.T) {
	for _, k := range Kernels() {
		t.Run(k, func(t *testing.T) {
			Run(t, Spec{Kernel: k, Modules: []string{"raid1", "raid456", "dm-thin-pool"}},
				Case{Name: "release", Run: func(t *testing.T, g *Guest) {
					if g.Kernel != k {
						t.Errorf("kernel %s", g.Kernel)
					}
					if !g.AtLeast("6.1") {
						t.Errorf("release %s", g.Release)
					}
					if !g.HasModule("raid1") || !g.HasModule("raid456") || !g.HasModule("dm_thin_pool") {
						t.Error("modules are missing")
					}
				}})
		})
	}
}
