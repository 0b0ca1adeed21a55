package dlm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/mdkit/mdkit/sysfs"
)

// Config is the tree in which a controller tells the kernel's DLM of its cluster:
// /sys/kernel/config/dlm/cluster (fs/dlm/config.c).
type Config struct{ root sysfs.Dir }

// NewConfig returns the tree below fs. Whether there is one, [Config.Present] says.
func NewConfig(fs sysfs.FS) Config {
	return Config{sysfs.Dir(fs.Sys("kernel", "config", "dlm"))}
}

// cluster is the one cluster there can be. Its name is the folder's, which means
// nothing; every controller uses this one.
func (c Config) cluster() sysfs.Dir { return sysfs.Dir(c.root.Path("cluster")) }

// Present reports whether a cluster is set up. An error is [ErrNoDLM] if the kernel
// has no DLM or configfs is not mounted.
func (c Config) Present() (bool, error) {
	if _, err := os.Stat(string(c.root)); err != nil {
		return false, &Error{
			Op: "look for the DLM's configuration", Mode: ModeNone, Class: ErrNoDLM,
			Meaning: string(c.root) + " is not there: load the module dlm and mount configfs on " + filepath.Dir(string(c.root)),
		}
	}
	_, err := os.Stat(string(c.cluster()))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, c.failed("look for the cluster", "", err)
	}
	return true, nil
}

// Make makes the cluster's folder, if it is not there.
func (c Config) Make() error {
	present, err := c.Present()
	if err != nil || present {
		return err
	}
	if err := os.Mkdir(string(c.cluster()), 0o755); err != nil {
		return c.failed("set up a cluster", "", err)
	}
	return nil
}

// Remove takes everything away that the tree holds: nodes of lockspaces, lockspaces,
// addresses, the cluster. The kernel refuses nothing of that, even while lockspaces
// run, so that the caller has to see to it that none does.
func (c Config) Remove() error {
	present, err := c.Present()
	if err != nil || !present {
		return err
	}
	spaces, err := c.Spaces()
	if err != nil {
		return err
	}
	for _, s := range spaces {
		if err := c.RemoveSpace(s); err != nil {
			return err
		}
	}
	comms := sysfs.Dir(c.cluster().Path("comms"))
	names, err := folders(comms)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := os.Remove(comms.Path(name)); err != nil {
			return c.failed("remove the addresses of node", name, err)
		}
	}
	if err := os.Remove(string(c.cluster())); err != nil {
		return c.failed("remove the cluster", "", err)
	}
	return nil
}

// failed wraps what the file system said.
func (c Config) failed(op, name string, err error) error {
	e := &Error{Op: op, Resource: name, Mode: ModeNone, Err: err}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		e.Class = classOf(errno)
		e.Err = errno
		if errno == syscall.ENOENT {
			e.Class = ErrNoCluster
		}
	}
	return e
}

// each reads all folders of a folder. One that somebody removes meanwhile is left out.
func each[T any](dir sysfs.Dir, read func(sysfs.Dir) (T, error)) ([]T, error) {
	names, err := folders(dir)
	if err != nil {
		return nil, err
	}
	var all []T
	for _, name := range names {
		one := sysfs.Dir(dir.Path(name))
		v, err := read(one)
		if err == nil {
			all = append(all, v)
			continue
		}
		if _, gone := os.Stat(string(one)); !errors.Is(gone, fs.ErrNotExist) {
			return nil, err
		}
	}
	return all, nil
}

// folders returns the names of the folders in dir, sorted. A folder that is not
// there has none.
func folders(dir sysfs.Dir) ([]string, error) {
	ents, err := os.ReadDir(string(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, &sysfs.Error{Op: "list", Path: string(dir), Err: err}
	}
	var names []string
	for _, e := range ents {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// Setting is the name of one of the cluster's attributes.
type Setting string

// The settings. All but the last are numbers. Those that only some kernels have are
// marked; setting one that is absent is [sysfs.ErrNotSupported].
const (
	TCPPort          Setting = "tcp_port"          // default 21064; fixed while connections are up
	BufferSize       Setting = "buffer_size"       // bytes; at least 4096
	TableSize        Setting = "rsbtbl_size"       // buckets; unused since 6.10
	RecoverTimer     Setting = "recover_timer"     // seconds between looks at a slow node
	TossSeconds      Setting = "toss_secs"         // seconds that an unused resource is kept
	ScanSeconds      Setting = "scan_secs"         // seconds; unused since 6.11
	LogDebug         Setting = "log_debug"         // 1: log much
	LogInfo          Setting = "log_info"          // 1: log joins and recoveries
	Protocol         Setting = "protocol"          // 0 TCP, 1 SCTP; fixed while connections are up
	Mark             Setting = "mark"              // mark of the sockets
	NewResources     Setting = "new_rsb_count"     // how many to make in advance
	RecoverCallbacks Setting = "recover_callbacks" // 1 for md-cluster and gfs2
	TimeWarning      Setting = "timewarn_cs"       // hundredths of a second; CONFIG_DLM_DEPRECATED_API only
)

// clusterName is the attribute that is a text.
const clusterName = "cluster_name"

// Settings lists the settings that this kernel has, sorted, with their values.
func (c Config) Settings() (map[Setting]uint64, error) {
	ents, err := os.ReadDir(string(c.cluster()))
	if err != nil {
		return nil, c.failed("read the cluster's settings", "", err)
	}
	all := map[Setting]uint64{}
	for _, e := range ents {
		if e.IsDir() || e.Name() == clusterName {
			continue
		}
		v, err := c.cluster().ReadUint(e.Name())
		if err != nil {
			return nil, err
		}
		all[Setting(e.Name())] = v
	}
	return all, nil
}

// Set changes a setting.
func (c Config) Set(s Setting, value uint64) error {
	err := c.cluster().Write(string(s), strconv.FormatUint(value, 10))
	if err == nil {
		return nil
	}
	e := &Error{Op: "set " + string(s) + " to " + strconv.FormatUint(value, 10), Mode: ModeNone, Err: err}
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return e
	}
	e.Class = classOf(errno)
	switch {
	case errors.Is(err, sysfs.ErrNotSupported):
		e.Class = ErrUnsupported
	case errno == syscall.EBUSY:
		e.Meaning = "the nodes are connected already; leave all lockspaces first"
	case errno == syscall.EOPNOTSUPP && s == Protocol:
		e.Meaning = "this kernel is built without SCTP"
	}
	return e
}

// ClusterName returns the cluster's name, "" if it has none yet.
func (c Config) ClusterName() (string, error) {
	present, err := c.Present()
	if err != nil || !present {
		return "", err
	}
	text, err := sysfs.ReadAttr(c.cluster().Path(clusterName))
	// The kernel adds one newline to what was written. One more means that
	// somebody wrote a name with a newline in it, and this is the name then.
	return strings.TrimSuffix(text, "\n"), err
}

// SetClusterName gives the cluster its name. A lockspace of md-cluster can only be
// joined in a cluster of the name that its metadata has.
func (c Config) SetClusterName(name string) error {
	if err := CheckClusterName(name); err != nil {
		return err
	}
	return c.cluster().Write(clusterName, name)
}

// Comms lists the nodes whose addresses the kernel knows, by their number.
func (c Config) Comms() ([]Comm, error) {
	all, err := each(sysfs.Dir(c.cluster().Path("comms")), readComm)
	slices.SortFunc(all, func(a, b Comm) int { return a.Node - b.Node })
	return all, err
}

// Spaces lists the lockspaces that have members configured, sorted. Those that exist
// in the kernel are [Lockspaces].
func (c Config) Spaces() ([]string, error) {
	return folders(sysfs.Dir(c.cluster().Path("spaces")))
}

// Member is a node's membership in a lockspace.
type Member struct {
	Node   int // its number
	Weight int // its share of the resource directory; 1 unless somebody set it
}

// Members lists the nodes of a lockspace by their number.
func (c Config) Members(space string) ([]Member, error) {
	all, err := each(c.nodes(space), readMember)
	slices.SortFunc(all, func(a, b Member) int { return a.Node - b.Node })
	return all, err
}

func readMember(dir sysfs.Dir) (Member, error) {
	node, err := dir.ReadUint("nodeid")
	if err != nil {
		return Member{}, err
	}
	weight, err := dir.ReadUint("weight")
	return Member{Node: int(node), Weight: int(weight)}, err
}

func (c Config) nodes(space string) sysfs.Dir {
	return sysfs.Dir(c.cluster().Path(filepath.Join("spaces", space, "nodes")))
}

// AddMember adds a node to a lockspace; the kernel looks at it when the lockspace is
// started the next time. The node's addresses have to be known before: the kernel
// notes which incarnation of them the member belongs to when it is added
// (node_nodeid_store, and make_node of later kernels).
func (c Config) AddMember(space string, m Member) error {
	if err := CheckLockspaceName(space); err != nil {
		return err
	}
	comms, err := c.Comms()
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(comms, func(k Comm) bool { return k.Node == m.Node }) {
		return &Error{
			Op: fmt.Sprintf("add node %d to lockspace", m.Node), Space: space, Mode: ModeNone, Class: ErrNoSuchNode,
			Meaning: "its addresses are not known yet",
		}
	}
	dir := sysfs.Dir(c.nodes(space).Path(strconv.Itoa(m.Node)))
	// The kernel makes nodes/ together with the lockspace's folder.
	if err := mkdir(c.cluster().Path(filepath.Join("spaces", space))); err != nil {
		return c.failed("configure lockspace", space, err)
	}
	if err := os.Mkdir(string(dir), 0o755); err != nil {
		return c.failed(fmt.Sprintf("add node %d to lockspace", m.Node), space, err)
	}
	if err := dir.Write("nodeid", strconv.Itoa(m.Node)); err != nil {
		return errors.Join(err, os.Remove(string(dir)))
	}
	if m.Weight > 1 {
		if err := dir.Write("weight", strconv.Itoa(m.Weight)); err != nil {
			return errors.Join(err, os.Remove(string(dir)))
		}
	}
	return nil
}

// RemoveMember takes a node out of a lockspace's members. Where it is none, nothing
// happens.
func (c Config) RemoveMember(space string, node int) error {
	err := rmdir(c.nodes(space).Path(strconv.Itoa(node)))
	if err != nil {
		return c.failed(fmt.Sprintf("remove node %d from lockspace", node), space, err)
	}
	return nil
}

// RemoveSpace removes a lockspace's members and its folder. Where it has none,
// nothing happens.
func (c Config) RemoveSpace(space string) error {
	dir := c.nodes(space)
	names, err := folders(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := rmdir(dir.Path(name)); err != nil {
			return c.failed("remove member "+name+" of lockspace", space, err)
		}
	}
	if err := rmdir(filepath.Dir(string(dir))); err != nil {
		return c.failed("remove the configuration of lockspace", space, err)
	}
	return nil
}

func mkdir(path string) error {
	if err := os.Mkdir(path, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

func rmdir(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
