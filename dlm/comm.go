package dlm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/mdkit/mdkit/sysfs"
)

// MaxAddrs is how many addresses a node can have (DLM_MAX_ADDR_COUNT). More than one
// needs SCTP.
const MaxAddrs = 3

// Comm is a node of the cluster as the kernel reaches it.
type Comm struct {
	Node  int          // its number, positive
	Local bool         // this node
	Mark  uint32       // mark of the sockets to it, 0 for the cluster's
	Addrs []netip.Addr // at most MaxAddrs
}

// AddComm tells the kernel of a node. The folder is named by the node's number, which
// newer kernels ask for and older ones allow, and the number is written before the
// addresses, which older kernels need (fs/dlm/config.c comm_addr_store). [Config.AddComm]
// of the local node comes after [OpenMonitor]: a kernel that has a local node and no
// monitor takes its controller for one that knows of no monitor.
func (c Config) AddComm(comm Comm) error {
	op := fmt.Sprintf("add node %d", comm.Node)
	switch {
	case comm.Node <= 0:
		return &Error{Op: op, Mode: ModeNone, Class: ErrInvalid, Meaning: "node numbers begin at 1"}
	case len(comm.Addrs) == 0 || len(comm.Addrs) > MaxAddrs:
		return &Error{Op: op, Mode: ModeNone, Class: ErrInvalid, Meaning: fmt.Sprintf("%d addresses; a node has 1 to %d", len(comm.Addrs), MaxAddrs)}
	}
	path := c.comm(comm.Node)
	if err := os.Mkdir(path, 0o755); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return &Error{Op: op, Mode: ModeNone, Class: ErrExist, Meaning: "its addresses are known already"}
		}
		return c.failed(op, "", err)
	}
	if err := writeComm(sysfs.Dir(path), comm); err != nil {
		return &Error{Op: op, Mode: ModeNone, Err: errors.Join(err, os.Remove(path))}
	}
	return nil
}

// RemoveComm makes the kernel forget a node's addresses. Of a node that has crashed
// they are removed before it is taken out of the lockspaces: by that the kernel tells
// a crash from a leave, and only after a crash does md-cluster recover what the node
// had dirty (fs/dlm/member.c dlm_slots_assign and remove_nodes, recover_slot).
func (c Config) RemoveComm(node int) error {
	if err := rmdir(c.comm(node)); err != nil {
		return c.failed(fmt.Sprintf("remove node %d", node), "", err)
	}
	return nil
}

func (c Config) comm(node int) string {
	return sysfs.Dir(c.cluster().Path("comms")).Path(strconv.Itoa(node))
}

func writeComm(dir sysfs.Dir, comm Comm) error {
	if err := dir.Write("nodeid", strconv.Itoa(comm.Node)); err != nil {
		return err
	}
	for _, a := range comm.Addrs {
		if err := dir.Write("addr", string(sockaddr(a))); err != nil {
			return err
		}
	}
	if comm.Mark != 0 {
		if err := dir.Write("mark", strconv.FormatUint(uint64(comm.Mark), 10)); err != nil {
			return err
		}
	}
	if comm.Local {
		return dir.Write("local", "1")
	}
	return nil
}

// storageSize is sizeof(struct sockaddr_storage), in bytes: the kernel takes no
// other length.
const storageSize = 128

// Address families of Linux.
const (
	inet  = 2
	inet6 = 10
)

// sockaddr is the address as a sockaddr_storage. The port counts for nothing.
func sockaddr(a netip.Addr) []byte {
	b := make([]byte, storageSize)
	if a.Is4() || a.Is4In6() {
		binary.NativeEndian.PutUint16(b, inet)
		v4 := a.As4()
		copy(b[4:], v4[:])
		return b
	}
	binary.NativeEndian.PutUint16(b, inet6)
	v6 := a.As16()
	copy(b[8:], v6[:])
	return b
}

func readComm(dir sysfs.Dir) (Comm, error) {
	node, err := dir.ReadUint("nodeid")
	if err != nil {
		return Comm{}, err
	}
	comm := Comm{Node: int(node)}
	if comm.Local, err = dir.ReadBool("local"); err != nil {
		return Comm{}, err
	}
	// Absent before 5.9.
	if mark, err := dir.ReadUint("mark"); err == nil {
		comm.Mark = uint32(mark)
	}
	list, err := dir.Read("addr_list")
	if err != nil {
		return Comm{}, err
	}
	comm.Addrs, err = parseAddrs(dir.Path("addr_list"), list)
	return comm, err
}

// parseAddrs reads lines of a family, a tab and an address (comm_addr_list_show).
func parseAddrs(path, list string) ([]netip.Addr, error) {
	var all []netip.Addr
	for line := range strings.Lines(list) {
		family, text, _ := strings.Cut(strings.TrimSpace(line), "\t")
		a, err := netip.ParseAddr(text)
		if err != nil || family != "AF_INET" && family != "AF_INET6" {
			return nil, &sysfs.ParseError{Path: path, Text: strings.TrimSpace(line), Want: "AF_INET or AF_INET6 and an address"}
		}
		all = append(all, a)
	}
	return all, nil
}
