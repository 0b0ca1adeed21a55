package demo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/internal/lab"
)

// The cluster of the story: two nodes, of which the first goes on alone.
const (
	mib        = 1 << 20
	sharedSize = 32 * mib
	nodesFile  = "/nodes.toml"
	upLog      = "/run/cluster.log"
	nodesText  = `cluster = "demo"
fence = ["/sbin/true"]
two_node = "lowest"
tick_ms = 100
dead_ms = 3000

[[node]]
id = 1
name = "ann"
addrs = ["10.9.0.1"]

[[node]]
id = 2
name = "bob"
addrs = ["10.9.0.2"]
`
)

// TestDemoCluster: two kernels share a mirror; both write; one dies in the middle of a
// write that has reached only one half of the mirror; the other makes it whole.
func TestDemoCluster(t *testing.T) {
	if !lab.Soak() {
		t.Skip("the kernel's md-cluster can panic when an array stops (sync_ast after lockres_free): make demo-cluster, or MDKIT_SOAK=1")
	}
	set := lab.Cases(t, lab.Case{Name: "node", Run: obey})
	mdkit := buildMdkit(t)
	nodes := filepath.Join(t.TempDir(), "nodes.toml")
	if err := os.WriteFile(nodes, []byte(nodesText), 0o600); err != nil {
		t.Fatal(err)
	}
	disks := images(t)[:2]
	for i := range disks {
		if err := os.Truncate(disks[i].Path, sharedSize); err != nil {
			t.Fatal(err)
		}
		disks[i].Shared = true
	}
	files := map[string]string{"/sbin/mdadm": mdkit, "/sbin/mdkit": mdkit, nodesFile: nodes}
	// Nobody can switch a lab machine off from inside another: the story's fence is a
	// program that says that it has.
	files["/sbin/true"] = lab.Peer(t, "busybox").Files["/bin/busybox"]
	sw := lab.NewSwitch(t)
	say("Two user-mode Linux kernels start, on one network, with the same two disks of %d MiB.", sharedSize/mib)
	boot := func(name, addr string) *actor {
		spec := lab.Spec{Modules: []string{"raid1", "md-cluster"}, Disks: disks, Files: files, NICs: []*lab.Port{sw.Port(addr)}}
		return &actor{t: t, name: name, m: set.Start(t, spec, "node")}
	}
	ann, bob := boot("ann", "10.9.0.1/24"), boot("bob", "10.9.0.2/24")
	say("\nEach runs mdkit's own controller of the kernel's lock manager:")
	say("  # mdkit cluster up --static nodes.toml")
	ann.quietly("up")
	bob.quietly("up")
	ann.quietly("quorate")
	bob.quietly("quorate")
	members := " " + strings.Join([]string{"/dev/ubda", "/dev/ubdb"}, " ")
	ann.does("/sbin/mdadm --create /dev/md0 --run --level=1 --raid-devices=2 --bitmap=clustered --nodes=2 --bitmap-chunk=1M" + members)
	ann.quietly("whole")
	bob.does("/sbin/mdadm --assemble /dev/md0" + members)
	ann.does("/sbin/mdkit cluster status")

	say("\nBoth write, and each reads what the other has written.")
	ann.does("write a 0 4")
	bob.does("write b 4 8")
	bob.does("read 0 4")
	ann.does("read 4 8")
	bob.quietly("churn 8 9")
	say("\nbob keeps on writing from 8 to 9 MiB, and loses power.")
	bob.m.Kill()
	bob.m.Wait()
	at := tear(t, disks[1].Path)
	say("One of the writes had reached one disk and not the other: they differ %d bytes into the data.", at)
	say("\nann hears nothing of bob any more, has him fenced, and recovers what he had dirty.")
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s\n%s", ann.quietly("/sbin/mdkit cluster status"), ann.quietly("log"))
		}
	})
	lab.Poll(t, func() string {
		if a, b := around(t, disks[0].Path, at), around(t, disks[1].Path, at); !bytes.Equal(a, b) {
			return "the halves of the mirror to be equal again"
		}
		return ""
	})
	ann.quietly("whole")
	ann.does("read 0 4")
	ann.does("read 4 8")
	ann.does("/sbin/mdkit cluster status")
	ann.does("/sbin/mdadm --stop /dev/md0")
	ann.quietly("end")
	ann.m.Wait()
	if t.Failed() {
		return
	}
	say("\nBoth kernels are gone. On this host, mdkit compares the halves of the mirror:")
	t.Chdir(filepath.Dir(disks[0].Path))
	short := names([]string{disks[0].Path, disks[1].Path})
	say("  $ mdkit verify --scrub %s\n%s", short, indent(run(t, mdkit, append([]string{"verify", "--scrub"}, strings.Fields(short)...)...)))
}

// actor is a node of the story.
type actor struct {
	t    *testing.T
	name string
	m    *lab.Machine
	n    int
}

// quietly has the node do something, which must succeed.
func (a *actor) quietly(what string) string {
	a.t.Helper()
	a.m.Tell(fmt.Sprint("do ", a.n), []byte(what))
	answer := a.m.Await(fmt.Sprint("did ", a.n))
	a.n++
	verdict, out, _ := strings.Cut(string(answer), "\n")
	if verdict != "ok" {
		a.t.Fatalf("%s: %s: %s\n%s", a.name, what, verdict, out)
	}
	return out
}

// does is quietly, told.
func (a *actor) does(what string) {
	a.t.Helper()
	out := a.quietly(what)
	say("  %s# %s", a.name, strings.ReplaceAll(what, "/sbin/", ""))
	if out != "" {
		say("%s", indent(out))
	}
}

// obey is the node's side: it does what it is told, until it is told to end.
func obey(t *testing.T, g *lab.Guest) {
	for n := 0; ; n++ {
		what := string(g.Await(fmt.Sprint("do ", n)))
		if what == "end" {
			g.Publish(fmt.Sprint("did ", n), []byte("ok\n"))
			return
		}
		out, err := perform(t, g, strings.Fields(what))
		verdict := "ok"
		if err != nil {
			verdict = err.Error()
			out += strings.Join(g.KernelLog(t), "\n")
		}
		g.Publish(fmt.Sprint("did ", n), []byte(verdict+"\n"+out))
	}
}

func perform(t *testing.T, g *lab.Guest, words []string) (string, error) {
	number := func(i int) int64 {
		n, err := strconv.ParseInt(words[i], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n * mib
	}
	switch words[0] {
	case "up":
		cmd := exec.Command("/sbin/mdkit", "cluster", "up", "--static", nodesFile)
		said, err := os.Create(upLog)
		if err != nil {
			return "", err
		}
		cmd.Stdout, cmd.Stderr = said, said
		return "", errors.Join(cmd.Start(), said.Close())
	case "quorate":
		lab.Until(t, "a quorum", quorate)
		return "", nil
	case "whole":
		awaitWhole(t)
		return "", nil
	case "log":
		said, err := os.ReadFile(upLog)
		return string(said) + strings.Join(g.KernelLog(t), "\n"), err
	case "write":
		return "", fill(words[1][0], number(2), number(3))
	case "read":
		return uniform(number(1), number(2))
	case "churn":
		from, to := number(1), number(2)
		err := fill('0', from, to)
		go func() {
			for letter := byte('0'); fill(letter, from, to) == nil; letter = '0' + (letter+1-'0')%10 {
			}
		}()
		return "", err
	}
	out, err := exec.Command(words[0], words[1:]...).CombinedOutput()
	return string(out), err
}

// quorate reports whether the controller of this node has a quorum.
func quorate() bool {
	var status struct {
		Quorate bool `json:"quorate"`
		Nodes   []struct {
			Alive bool `json:"alive"`
		} `json:"nodes"`
	}
	out, err := exec.Command("/sbin/mdkit", "cluster", "status", "--json").Output()
	if err != nil || json.Unmarshal(out, &status) != nil || !status.Quorate {
		return false
	}
	for _, n := range status.Nodes {
		if !n.Alive {
			return false
		}
	}
	return true
}

// fill writes one letter over a part of the array, past the cache.
func fill(letter byte, from, to int64) error {
	return direct(os.O_WRONLY, from, to, func(f *os.File, b []byte, off int64) error {
		for i := range b {
			b[i] = letter
		}
		_, err := f.WriteAt(b, off)
		return err
	})
}

// uniform reads a part of the array, past the cache, and says which letter it holds.
func uniform(from, to int64) (string, error) {
	var first byte
	err := direct(os.O_RDONLY, from, to, func(f *os.File, b []byte, off int64) error {
		if _, err := f.ReadAt(b, off); err != nil {
			return err
		}
		if off == from {
			first = b[0]
		}
		if i := bytes.IndexFunc(b, func(r rune) bool { return r != rune(first) }); i >= 0 {
			return fmt.Errorf("%q at %d among %q", b[i], off+int64(i), first)
		}
		return nil
	})
	return fmt.Sprintf("all %c", first), err
}

// direct calls do for each MiB of a part of the array.
func direct(flags int, from, to int64, do func(f *os.File, b []byte, off int64) error) error {
	f, err := os.OpenFile(array, flags|unix.O_DIRECT, 0)
	if err != nil {
		return err
	}
	b, err := unix.Mmap(-1, 0, mib, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	for off := from; off < to && err == nil; off += mib {
		err = do(f, b, off)
	}
	return errors.Join(err, unix.Munmap(b), f.Close())
}

// tear makes a member differ where the dead node was writing, as a write does that has
// reached one member only. The node's own bitmap must say that it was writing there.
func tear(t *testing.T, path string) int64 {
	t.Helper()
	const at = 8*mib + 8192
	f, err := block.OpenFile(path, block.ForReading)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, bad := md.LoadSuper(f, md.V12)
	if bad != nil {
		t.Fatal(bad)
	}
	if dirty := dirtyOf(t, m, f, 1); dirty == 0 {
		t.Fatal("the dead node's bitmap says that it was not writing")
	}
	w, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err == nil {
		_, err = w.WriteAt(bytes.Repeat([]byte{'?'}, 4096), int64(m.Super1.DataOffset)*md.SectorSize+at)
		err = errors.Join(err, w.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// dirtyOf counts the chunks that are dirty in a node's bitmap.
func dirtyOf(t *testing.T, m *md.Member, d block.Device, node int) uint64 {
	t.Helper()
	first, err := m.ReadBitmap(d)
	if err != nil {
		t.Fatal(err)
	}
	own, err := m.ReadBitmapNode(d, first, node)
	if err != nil {
		t.Fatal(err)
	}
	count, err := own.Count(d)
	if err != nil {
		t.Fatal(err)
	}
	return count.Dirty
}

// around is what a member holds at a place of the data.
func around(t *testing.T, path string, at int64) []byte {
	t.Helper()
	f, err := block.OpenFile(path, block.ForReading)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, bad := md.LoadSuper(f, md.V12)
	if bad != nil {
		t.Fatal(bad)
	}
	b := make([]byte, 4096)
	if _, err := f.ReadAt(b, int64(m.Super1.DataOffset)*md.SectorSize+at); err != nil {
		t.Fatal(err)
	}
	return b
}
