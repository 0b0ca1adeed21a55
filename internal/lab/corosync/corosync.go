// Package corosync runs Debian's corosync and dlm_controld in lab machines: the cluster
// stack that ours is held against, and works beside.
package corosync

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mdkit/mdkit/internal/lab"
)

// Cluster is the name of the cluster.
const Cluster = "labcluster"

// Address is a node's on the lab's network, for lab.Switch.Port. Nodes count from 1.
func Address(node int) string { return fmt.Sprintf("10.9.0.%d/24", node) }

// configuration is corosync.conf for so many nodes. Two have quorum with one.
func configuration(nodes int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "totem {\n\tversion: 2\n\tcluster_name: %s\n\ttransport: udpu\n\tcrypto_cipher: none\n\tcrypto_hash: none\n}\nnodelist {\n", Cluster)
	for n := 1; n <= nodes; n++ {
		addr, _, _ := strings.Cut(Address(n), "/")
		fmt.Fprintf(&b, "\tnode {\n\t\tring0_addr: %s\n\t\tnodeid: %d\n\t\tname: node%d\n\t}\n", addr, n, n)
	}
	b.WriteString("}\nquorum {\n\tprovider: corosync_votequorum\n")
	if nodes == 2 {
		b.WriteString("\ttwo_node: 1\n\twait_for_all: 0\n")
	}
	b.WriteString("}\nlogging {\n\tto_stderr: yes\n\tto_syslog: no\n}\n")
	return b.String()
}

// Files are what a machine of a cluster of so many nodes needs, for lab.Spec.Files.
func Files(t *testing.T, nodes int) map[string]string {
	t.Helper()
	files := maps.Clone(lab.Peer(t, "cluster").Files)
	if lab.InGuest() {
		return files
	}
	conf := filepath.Join(t.TempDir(), "corosync.conf")
	if err := os.WriteFile(conf, []byte(configuration(nodes)), 0o600); err != nil {
		t.Fatal(err)
	}
	files["/etc/corosync/corosync.conf"] = conf
	return files
}

// Log is what a daemon has said. It can be read while the daemon runs.
type Log struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write adds to the log.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String returns all that was said.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// daemon starts a program that runs until the machine ends.
func daemon(t *testing.T, name string, args ...string) *Log {
	t.Helper()
	said := &Log{}
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return said
}

// hasLocal reports whether the kernel knows which of the nodes this one is: without, no
// lockspace can be joined.
func hasLocal() bool {
	files, _ := filepath.Glob("/sys/kernel/config/dlm/cluster/comms/*/local")
	return slices.ContainsFunc(files, func(file string) bool {
		local, _ := os.ReadFile(file)
		return strings.TrimSpace(string(local)) == "1"
	})
}

// Start starts both daemons in the guest, without fencing, and waits until this node has
// quorum and dlm_controld serves the kernel. It returns what dlm_controld says.
func Start(t *testing.T) *Log {
	t.Helper()
	for _, dir := range []string{"/var/lib/corosync", "/var/log/cluster", "/var/log/dlm_controld", "/run/dlm_controld"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{
		"/var/run":  "/run",
		"/dev/misc": ".", // where libdlm looks for its devices
	} {
		if err := os.Symlink(to, link); err != nil {
			t.Fatal(err)
		}
	}
	waitFor := func(what string, said *Log, ok func() bool) {
		t.Helper()
		lab.Poll(t, func() string {
			if ok() {
				return ""
			}
			return what + ":\n" + said.String()
		})
	}
	waitFor("corosync to have quorum", daemon(t, "corosync", "-f"), func() bool {
		out, _ := exec.Command("corosync-quorumtool", "-s").CombinedOutput()
		return strings.Contains(string(out), "Quorate:          Yes")
	})
	controld := daemon(t, "dlm_controld", "-D", "-f", "0")
	waitFor("dlm_controld to set the cluster's name and this node's address", controld, func() bool {
		name, _ := os.ReadFile("/sys/kernel/config/dlm/cluster/cluster_name")
		return strings.TrimSpace(string(name)) == Cluster && hasLocal()
	})
	return controld
}
