package lab

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestPeer runs Debian's mdadm on the host, and on an array in a guest.
func TestPeer(t *testing.T) {
	mdadm := Peer(t, "mdadm")
	if !InGuest() {
		out, err := mdadm.Command(t.Context(), "--version").CombinedOutput()
		if err != nil || !strings.Contains(string(out), "v4.2") {
			t.Fatalf("mdadm on the host: %v: %s", err, out)
		}
	}
	Run(t, Spec{
		Modules: []string{"raid1"}, Files: mdadm.Files,
		Disks: []Disk{{Size: 16 << 20}, {Size: 16 << 20}},
	}, Case{Name: "create", Run: func(t *testing.T, g *Guest) {
		args := append([]string{"--create", "/dev/md0", "--run", "--level=1", "--raid-devices=2"}, g.Disks...)
		if out, err := exec.Command("mdadm", args...).CombinedOutput(); err != nil {
			t.Fatalf("mdadm: %v: %s\n%s", err, out, strings.Join(g.KernelLog(t), "\n"))
		}
		g.KernelSays(t, "md0: resync done")
		b, err := os.ReadFile("/proc/mdstat")
		if err != nil || !strings.Contains(string(b), "active raid1 ubdb[1] ubda[0]") {
			t.Errorf("mdstat: %v: %s", err, b)
		}
		if out, err := exec.Command("mdadm", "--stop", "/dev/md0").CombinedOutput(); err != nil {
			t.Errorf("mdadm: %v: %s", err, out)
		}
	}})
}

// TestPeers opens every other peer and runs it once.
func TestPeers(t *testing.T) {
	for name, arg := range map[string]string{
		"dmsetup": "version", "thin": "", "bcache": "", "cryptsetup": "--version", "lvm2": "version", "e2fsprogs": "-V", "busybox": "true", "cluster": "-v",
	} {
		t.Run(name, func(t *testing.T) {
			if InGuest() {
				t.Skip("a host test")
			}
			cmd := Peer(t, name).Command(t.Context(), arg)
			out, _ := cmd.CombinedOutput()
			if strings.Contains(string(out), "cannot open shared object") || cmd.ProcessState == nil || cmd.ProcessState.ExitCode() == 127 {
				t.Errorf("%s %v: %s", name, cmd.ProcessState, out)
			}
		})
	}
}
