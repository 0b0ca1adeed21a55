package cluster

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const twoNodes = `cluster = "c"
[[node]]
id = 1
name = "a"
addrs = ["10.0.0.1"]
[[node]]
id = 2
name = "b"
addrs = ["10.0.0.2"]
`

func readNodes(t *testing.T, text string) (*File, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "nodes.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return ReadNodes(path)
}

// TestNodes: each mistake is one line that names file, line and key.
func TestNodes(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{"id = 2", "id = 1", ":7: id: 1 is the number of node a already; give each"},
		{"id = 2", "id = 0", ":7: id: 0; numbers"},
		{"id = 2", "", ":6: id: 0; numbers"},
		{"id = 2", `id = "x"`, ":7: "},
		{`name = "b"`, `name = "a"`, ":8: name: node 1 has the name a already; give each"},
		{`name = "b"`, `name = "b c"`, ":8: name: \"b c\" is no name"},
		{`"10.0.0.2"`, `"10.0.0.1"`, ":9: addrs: node a has the address"},
		{`"10.0.0.2"`, `"10.0.0.2", "10.0.0.3"`, ":9: addrs: 2 addresses"},
		{`"10.0.0.2"`, `"host"`, ":9: "},
		{`"10.0.0.2"`, `"0.0.0.0"`, ":9: addrs: 0.0.0.0 is no address"},
		{`"c"`, `"a b"`, ":1: cluster: "},
		{`"c"`, `""`, ":1: cluster: "},
		{`"c"`, "\"c\"\ntypo = 1", ":2: typo: there is no such key; docs"},
		{`"c"`, "\"c\"\ntwo_node = \"last\"", ":2: two_node: \"last\""},
		{`"c"`, "\"c\"\nport = 0", ":2: port: "},
		{`"c"`, "\"c\"\ntick_ms = 1", ":2: tick_ms: "},
		{`"c"`, "\"c\"\ndead_ms = 300", ":2: dead_ms: "},
		{`"c"`, "\"c\"\nfence = [\"\"]", ":2: fence: "},
		{`"c"`, "\"c", ":1: "},
		{"[[node]]", "[[nodes]]", ":2: "},
	} {
		_, err := readNodes(t, strings.Replace(twoNodes, c.from, c.to, 1))
		if !errors.Is(err, ErrNodes) || !strings.Contains(err.Error(), "nodes.toml"+c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s for %s: %v; want %s", c.to, c.from, err, c.want)
		}
	}
	if _, err := readNodes(t, `cluster = "c"`); err == nil || !strings.Contains(err.Error(), "no quorum") {
		t.Errorf("without nodes: %v", err)
	}
	if _, err := readNodes(t, strings.Replace(twoNodes, "\n", "\ntwo_node = \"lowest\"\n", 1)+"[[node]]\nid = 3\nname = \"x\"\naddrs = [\"::1\"]\n"); err == nil || !strings.Contains(err.Error(), ":2: two_node") {
		t.Errorf("lowest of three: %v", err)
	}
}

// TestAddrList: what a machine could be given as its address.
func TestAddrList(t *testing.T) {
	var own []netip.Addr
	if got := addrList(own); got != "none" {
		t.Error(got)
	}
	for _, a := range []string{"127.0.0.1", "10.0.0.7", "::1", "fe80::1", "fd00::2"} {
		own = append(own, netip.MustParseAddr(a))
	}
	if got := addrList(own); got != "10.0.0.7, fd00::2" {
		t.Error(got)
	}
}

// TestLocal: exactly one node is this machine.
func TestLocal(t *testing.T) {
	f, err := readNodes(t, twoNodes)
	if err != nil {
		t.Fatal(err)
	}
	a, b, other := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("127.0.0.1")
	if n, err := f.Local([]netip.Addr{other, b}); err != nil || n.ID != 2 || n.Name != "b" {
		t.Errorf("node %+v, %v", n, err)
	}
	for _, own := range [][]netip.Addr{{other}, {a, b}, nil} {
		if _, err := f.Local(own); !errors.Is(err, ErrNodes) {
			t.Errorf("with %v: %v", own, err)
		}
	}
}
