package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/mdkit/mdkit/dlm"
)

// Node is a node as the file of nodes has it.
type Node struct {
	ID    int          `toml:"id"`
	Name  string       `toml:"name"`
	Addrs []netip.Addr `toml:"addrs"`
}

// File is a static cluster: what a nodes.toml says.
type File struct {
	Cluster string   `toml:"cluster"`
	Port    uint16   `toml:"port"`     // UDP, of the controllers; default 21065
	TwoNode string   `toml:"two_node"` // "both" (default) or "lowest"
	Fence   []string `toml:"fence"`    // a command; a node's number and name are added
	TickMS  int      `toml:"tick_ms"`  // how often nodes say that they live; default 250
	DeadMS  int      `toml:"dead_ms"`  // after how much silence they are dead; default 5000
	Nodes   []Node   `toml:"node"`

	path string
	text []byte
}

// ErrNodes is the class of all that is wrong with a file of nodes.
var ErrNodes = errors.New("file of nodes")

// Default settings.
const (
	defaultPort   = 21065
	defaultTickMS = 250
	defaultDeadMS = 5000
)

// The rules for two nodes.
const (
	ruleBoth   = "both"
	ruleLowest = "lowest"
)

// ReadNodes reads and checks a file of nodes. An error names file, line and key.
func ReadNodes(path string) (*File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read nodes: %w", err)
	}
	f := &File{
		Port: defaultPort, TwoNode: ruleBoth, TickMS: defaultTickMS, DeadMS: defaultDeadMS,
		path: path, text: text,
	}
	err = toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(f)
	var missing *toml.StrictMissingError
	var wrong *toml.DecodeError
	switch {
	case errors.As(err, &missing):
		row, _ := missing.Errors[0].Position()
		return nil, f.at(row, strings.Join(missing.Errors[0].Key(), "."), "there is no such key; docs/cluster.md lists them")
	case errors.As(err, &wrong):
		row, _ := wrong.Position()
		return nil, f.at(row, strings.Join(wrong.Key(), "."), oneLine(wrong.Error()))
	case err != nil:
		return nil, f.at(1, "", oneLine(err.Error()))
	}
	return f, f.check()
}

func oneLine(s string) string {
	return strings.TrimPrefix(strings.Join(strings.Fields(s), " "), "toml: ")
}

// at is an error about a line.
func (f *File) at(line int, key, why string) error {
	if key != "" {
		why = key + ": " + why
	}
	return fmt.Errorf("%w: %s:%d: %s", ErrNodes, f.path, line, why)
}

// wrong is an error about a key: of the node with that index, or, with -1, of the
// cluster. It names the line of the key, or that where it is missing.
func (f *File) wrong(node int, key, format string, args ...any) error {
	table, start, line := -1, 1, 0
	for text := range strings.Lines(string(f.text)) {
		line++
		text = strings.TrimSpace(text)
		if strings.HasPrefix(text, "[[") {
			table++
			if table == node {
				start = line
			}
			continue
		}
		if name, _, ok := strings.Cut(text, "="); ok && table == node && strings.TrimSpace(name) == key {
			start = line
			break
		}
	}
	return f.at(start, key, fmt.Sprintf(format, args...))
}

func (f *File) check() error {
	if err := dlm.CheckClusterName(f.Cluster); err != nil {
		return f.wrong(-1, "cluster", "%v", err)
	}
	switch {
	case f.Port == 0:
		return f.wrong(-1, "port", "0 is no port")
	case f.TwoNode != ruleBoth && f.TwoNode != ruleLowest:
		return f.wrong(-1, "two_node", "%q is neither %q nor %q", f.TwoNode, ruleBoth, ruleLowest)
	case f.TickMS < 10:
		return f.wrong(-1, "tick_ms", "%d is less than 10", f.TickMS)
	case f.DeadMS < 4*f.TickMS:
		return f.wrong(-1, "dead_ms", "%d is less than four times tick_ms, %d", f.DeadMS, f.TickMS)
	case len(f.Fence) > 0 && f.Fence[0] == "":
		return f.wrong(-1, "fence", "the command has no name")
	case len(f.Nodes) == 0:
		return f.wrong(-1, "node", "no node is listed, so there can be no quorum; add [[node]]")
	case len(f.Nodes) > dlm.MaxNodes:
		return f.wrong(-1, "node", "%d nodes; at most %d go", len(f.Nodes), dlm.MaxNodes)
	case f.TwoNode == ruleLowest && len(f.Nodes) != 2:
		return f.wrong(-1, "two_node", "%q is a rule for two nodes; there are %d", ruleLowest, len(f.Nodes))
	}
	for i := range f.Nodes {
		if err := f.checkNode(i); err != nil {
			return err
		}
	}
	return nil
}

func (f *File) checkNode(i int) error {
	n := f.Nodes[i]
	switch {
	case n.ID <= 0:
		return f.wrong(i, "id", "%d; numbers of nodes begin at 1", n.ID)
	case n.Name == "" || strings.ContainsAny(n.Name, " \t\n/"):
		return f.wrong(i, "name", "%q is no name of one word", n.Name)
	case len(n.Addrs) != 1:
		return f.wrong(i, "addrs", "%d addresses; over TCP the DLM has one for each node", len(n.Addrs))
	case !n.Addrs[0].IsValid() || n.Addrs[0].IsUnspecified() || n.Addrs[0].IsMulticast():
		return f.wrong(i, "addrs", "%v is no address of a node", n.Addrs[0])
	}
	for _, other := range f.Nodes[:i] {
		switch {
		case other.ID == n.ID:
			return f.wrong(i, "id", "%d is the number of node %s already; give each node its own", n.ID, other.Name)
		case other.Name == n.Name:
			return f.wrong(i, "name", "node %d has the name %s already; give each node its own", other.ID, n.Name)
		case other.Addrs[0] == n.Addrs[0]:
			return f.wrong(i, "addrs", "node %s has the address %v already; give each node its own", other.Name, n.Addrs[0])
		}
	}
	return nil
}

// Local finds the one node whose address is among those of this machine.
func (f *File) Local(own []netip.Addr) (Node, error) {
	found := -1
	for i, n := range f.Nodes {
		if !slices.Contains(own, n.Addrs[0]) {
			continue
		}
		if found >= 0 {
			return Node{}, f.wrong(i, "addrs", "%v and %v of node %s are both addresses of this machine", n.Addrs[0], f.Nodes[found].Addrs[0], f.Nodes[found].Name)
		}
		found = i
	}
	if found < 0 {
		return Node{}, f.wrong(0, "addrs", "no interface of this machine has the address of any node listed; it has %s: give a node one of them", addrList(own))
	}
	return f.Nodes[found], nil
}

// addrList lists addresses by which other nodes could reach this machine.
func addrList(own []netip.Addr) string {
	var all []string
	for _, a := range own {
		if !a.IsLoopback() && !a.IsLinkLocalUnicast() {
			all = append(all, a.String())
		}
	}
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ", ")
}

// rules are what the protocol has to know.
func (f *File) rules(self Life, fencing bool) Rules {
	r := Rules{Self: self, Lowest: f.TwoNode == ruleLowest, Fencing: fencing, Dead: f.DeadMS / f.TickMS}
	for _, n := range f.Nodes {
		r.Nodes = append(r.Nodes, n.ID)
	}
	slices.Sort(r.Nodes)
	return r
}

func (f *File) node(id int) Node {
	i := slices.IndexFunc(f.Nodes, func(n Node) bool { return n.ID == id })
	if i < 0 {
		return Node{ID: id}
	}
	return f.Nodes[i]
}

func (f *File) tick() time.Duration { return time.Duration(f.TickMS) * time.Millisecond }
func (f *File) dead() time.Duration { return time.Duration(f.DeadMS) * time.Millisecond }
