package cluster

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/internal/lab"
	"github.com/mdkit/mdkit/sysfs"
)

// TestWrong gives the program what it has to refuse: in one line that names the thing, with
// the documented exit code, and with nothing changed in the kernel's tree.
func TestWrong(t *testing.T) {
	spec := lab.Spec{Modules: []string{"dlm"}, Files: mdadmFiles(t), NICs: []*lab.Port{lab.NewSwitch(t).Port("10.9.0.1/24")}}
	lab.Run(t, spec, lab.Case{Name: "input", Run: labWrong})
}

// wrongFiles are files of nodes, made from that of two nodes of which the first is here.
var wrongFiles = []struct{ from, to, says string }{
	{"id = 2", "id = 1", ":10: id: 1 is the number of node n1 already; give each"},
	{`"10.9.0.1"`, `"10.9.0.7"`, ":8: addrs: no interface of this machine has the address of any node listed; it has 10.9.0.1"},
	{`"lab"`, `"a lab"`, `:1: cluster: name a cluster`},
	{`"lab"`, `"a/b"`, `:1: cluster: name a cluster`},
	{"tick_ms", "tock_ms", ":2: tock_ms: there is no such key; "},
	{"[[node]]", "two_node = \"lowest\"\n[[node]]\nid = 9\nname = \"n9\"\naddrs = [\"10.9.0.9\"]\n[[node]]", ":5: two_node: \"lowest\" is a rule for two nodes; there are 3"},
	{"fence = ", "#", ":1: fence: no fence command"},
}

func labWrong(t *testing.T, _ *lab.Guest) {
	s := &site{t: t, nodes: 1}
	refuse := func(code int, says string, args ...string) {
		t.Helper()
		before := trees(t)
		out, err := exec.Command("/sbin/mdkit", append([]string{"cluster"}, args...)...).CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != code {
			t.Errorf("%v: %v, want exit code %d", args, err, code)
		}
		if text := string(out); !strings.Contains(text, says) || strings.Count(text, "\n") != 1 {
			t.Errorf("%v: %q, want one line with %q", args, text, says)
		}
		if after := trees(t); !slices.Equal(before, after) {
			t.Errorf("%v: there was %q and is %q", args, before, after)
		}
	}
	path := filepath.Join(t.TempDir(), "nodes.toml")
	good := nodesText("/sbin/mdkit", 2)
	for _, w := range wrongFiles {
		text := strings.Replace(good, w.from, w.to, 1)
		if text == good {
			t.Fatalf("nothing is wrong with %s", w.to)
		}
		s.must(os.WriteFile(path, []byte(text), 0o600))
		refuse(16, w.says, "up", "--static", path)
	}
	refuse(8, "no controller is running; start one with cluster up", "join", "tst")
	refuse(8, "no program has made one of that name on this node; cluster status lists", "leave", "tst")
	refuse(8, "no controller is running", "down")

	s.up()
	s.must(Find(sysfs.Host, Dir).Join(lab.Patient(t), "tst"))
	s.must(os.WriteFile(path, []byte(nodesText("/sbin/mdkit", 1)), 0o600))
	s.await("tst", "running", 1)
	refuse(8, "a controller is running already; ask it", "up", "--static", path)
	refuse(8, "has a lockspace of that name already (file exists); leave it", "join", "tst")
	refuse(16, "name a lockspace", "join", "a/b")
	refuse(16, "name a lockspace", "leave", "a b")
	refuse(8, "cluster status lists", "leave", "other")
	refuse(8, "tst", "down")
	s.leave("tst")
	s.must(Find(sysfs.Host, Dir).Down())
	s.must(lab.Receive(t, "the controller to end", s.ended))
}

// trees lists what the kernel was told of clusters, and the lockspaces there are.
func trees(t *testing.T) (all []string) {
	t.Helper()
	for _, root := range []string{"/sys/kernel/config/dlm", "/sys/kernel/dlm"} {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			all = append(all, path)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}
