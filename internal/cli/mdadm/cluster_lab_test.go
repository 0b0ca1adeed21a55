package mdadm

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/internal/lab"
	"github.com/mdkit/mdkit/internal/lab/corosync"
)

// clusterFiles are what a machine of a cluster of so many nodes needs, with mdadm.
func clusterFiles(t *testing.T, nodes int) map[string]string {
	t.Helper()
	files := corosync.Files(t, nodes)
	maps.Copy(files, lab.Peer(t, "mdadm").Files)
	return files
}

// clusterLayouts are command lines of --create for arrays that a cluster shares.
var clusterLayouts = []string{
	"-l1 -n2 -b clustered", "-l1 -n2 -b clustered --nodes=2", "-l10 -n4 -b clustered --nodes=3", "-l1 -n2 -x1 -b clustered -d 7 --bitmap-chunk=8M",
	"-e 1.2 -l1 -n2 --bitmap=clustered --nodes=8 --assume-clean", "-l10 -n2 -p n2 -b clustered --size=20M --name=shared",
	"-l1 -n2 -b clustered --home-cluster=" + corosync.Cluster,
}

// TestClusterWritesLikeMdadm compares every byte that --create writes for an array that a
// cluster shares, and what both say where they refuse.
func TestClusterWritesLikeMdadm(t *testing.T) {
	beside(t)
	cases := []lab.Case{{Name: "setup", Run: func(t *testing.T, _ *lab.Guest) {
		do(t, "hostname labhost")
		corosync.Start(t)
	}}}
	for _, line := range clusterLayouts {
		cases = append(cases, lab.Case{
			Name: line,
			Run:  func(t *testing.T, _ *lab.Guest) { sameLayout(t, line, devicesOf(line)) },
		})
	}
	for _, line := range []string{
		"-l5 -n3 -b clustered", "-l10 -n2 -p f2 -b clustered", "-l10 -n2 -p o2 -b clustered", "-l1 -n2 -b clustered --nodes=1",
		"-l1 -n2 --nodes=3", "-l1 -n2 -b internal --nodes=3", "-l1 -n2 -W -b clustered",
	} {
		cases = append(cases, lab.Case{Name: "refused " + line, Run: func(t *testing.T, _ *lab.Guest) {
			args := append(append([]string{"--create", "/dev/md0", "--run"}, strings.Fields(line)...), devicesOf(line)...)
			want, got := peers(t, args...), ours(args...)
			if want.code != got.code || want.err != got.err {
				t.Errorf("mdadm %s: %v\nours: %v", line, want, got)
			}
		}})
	}
	lab.Run(t, lab.Spec{
		Modules: []string{"md-mod", "dlm", fmt.Sprintf("brd rd_nr=%d rd_size=%d", devs, ramSize>>10)},
		Files:   clusterFiles(t, 1),
		Memory:  1 << 30,
		NICs:    []*lab.Port{lab.NewSwitch(t).Port(corosync.Address(1))},
	}, cases...)
}

// TestClusterOfOne makes an array that a cluster shares, on the one node that there is,
// and has both tools stop, assemble and look at it.
func TestClusterOfOne(t *testing.T) {
	beside(t)
	lab.Run(t, lab.Spec{
		Modules: []string{"raid1", "md-cluster"},
		Disks:   []lab.Disk{{Size: 32 << 20}, {Size: 32 << 20}},
		Files:   clusterFiles(t, 1),
		NICs:    []*lab.Port{lab.NewSwitch(t).Port(corosync.Address(1))},
	}, lab.Case{Name: "life", Run: clusterOfOne})
}

func clusterOfOne(t *testing.T, g *lab.Guest) {
	do(t, "hostname labhost")
	corosync.Start(t)
	well := func(tool func(...string) outcome, args ...string) string {
		t.Helper()
		got := tool(args...)
		if got.code != 0 {
			t.Fatalf("mdadm %s: %v\n%s", strings.Join(args, " "), got, strings.Join(g.KernelLog(t), "\n"))
		}
		return got.out
	}
	mdadm := func(args ...string) outcome { return peers(t, args...) }
	create := append([]string{"--create", "/dev/md0", "--run", "-l1", "-n2", "--bitmap=clustered", "--nodes=2"}, g.Disks...)
	assemble := append([]string{"--assemble", "/dev/md0"}, g.Disks...)
	for _, makes := range []func(...string) outcome{mdadm, ours} {
		well(makes, create...)
		g.KernelSays(t, "Joined cluster")
		g.KernelSays(t, "md0: resync done")
		for _, looks := range [][]string{{"--detail", "/dev/md0"}, {"-X", g.Disks[1]}, {"--examine", g.Disks[0]}} {
			want, got := well(mdadm, looks...), well(ours, looks...)
			if !strings.Contains(want, corosync.Cluster) {
				t.Errorf("mdadm %v does not name the cluster:\n%s", looks, want)
			}
			if want != got {
				t.Errorf("mdadm %v:\n%s\nours:\n%s", looks, want, got)
			}
		}
		for _, starts := range []func(...string) outcome{mdadm, ours} {
			well(makes, "--stop", "/dev/md0")
			well(starts, assemble...)
			g.KernelSays(t, "Joined cluster")
		}
		well(makes, "--stop", "/dev/md0")
	}
}
