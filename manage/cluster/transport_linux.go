package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// packet is what goes over the network, as JSON in one datagram.
type packet struct {
	Mdkit   int     `json:"mdkit"` // version of the protocol
	Cluster string  `json:"cluster"`
	Message Message `json:"message"`
}

const protocolVersion = 1

// maxPacket is the most that fits into a datagram.
const maxPacket = 65507

// transport carries messages between the controllers.
type transport struct {
	conn *net.UDPConn
	file *File
}

func listen(f *File, self Node) (*transport, error) {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(self.Addrs[0], f.Port)))
	if err != nil {
		return nil, fmt.Errorf("listen for the other controllers: %w", err)
	}
	return &transport{conn, f}, nil
}

// send sends once; what is lost is sent again with the next tick.
func (t *transport) send(to int, m *Message) error {
	b, err := json.Marshal(packet{protocolVersion, t.file.Cluster, *m})
	if err != nil {
		return err
	}
	if len(b) > maxPacket {
		return fmt.Errorf("a message of %d bytes does not fit into a datagram: fewer lockspaces have to do", len(b))
	}
	_, err = t.conn.WriteToUDPAddrPort(b, netip.AddrPortFrom(t.file.node(to).Addrs[0], t.file.Port))
	return err
}

// receive hands on what comes from the nodes of the file, and nothing else.
func (t *transport) receive(ctx context.Context, events chan<- Event) {
	b := make([]byte, maxPacket)
	for {
		n, from, err := t.conn.ReadFromUDPAddrPort(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		var p packet
		if err != nil || json.Unmarshal(b[:n], &p) != nil || p.Mdkit != protocolVersion || p.Cluster != t.file.Cluster {
			continue
		}
		node := t.file.node(p.Message.From.Node)
		if len(node.Addrs) == 0 || node.Addrs[0] != from.Addr().Unmap() {
			continue
		}
		select {
		case events <- Event{Kind: Received, Message: p.Message}:
		case <-ctx.Done():
			return
		}
	}
}
