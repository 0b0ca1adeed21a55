package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"testing"
	"time"
)

// Switch is an Ethernet switch between machines, run by the test. It learns which
// address is at which port, as a real one does, and it drops, delays and records
// frames as the test says.
type Switch struct {
	mu      sync.Mutex
	ports   []*Port
	where   map[[6]byte]*Port
	groups  [][]*Port // while partitioned
	filter  func(Frame) Verdict
	pcap    io.Writer
	pcapErr error
	closed  bool
	wg      sync.WaitGroup
}

// Port is one socket of a switch, for one network card: Spec.NICs.
type Port struct {
	sw    *Switch
	index int
	addr  string

	mu    sync.Mutex
	conn  *os.File // to the machine plugged in, nil if none
	queue chan delivery
}

// Frame is one Ethernet frame on its way from one port to another.
type Frame struct {
	From, To *Port
	Data     []byte // from the destination address on, without checksum
}

// Verdict is what a filter wants done with a frame. The zero value lets it
// pass.
type Verdict struct {
	Drop  bool
	Delay time.Duration // frames of one port keep their order
}

// delivery is a frame that waits in a port's queue.
type delivery struct {
	due  time.Time
	data []byte
}

// queueLength is how many frames may wait for a machine before new ones are
// dropped, as a switch would.
const queueLength = 1024

// NewSwitch makes a switch without ports. It is closed when the test ends.
func NewSwitch(t testing.TB) *Switch {
	sw := &Switch{where: map[[6]byte]*Port{}}
	t.Cleanup(sw.close)
	return sw
}

// Port adds a socket. If an address such as "10.9.0.1/24" is given, the guest's
// card has it when the cases begin; otherwise the card is up without one.
func (sw *Switch) Port(addr ...string) *Port {
	sw.mu.Lock()
	defer sw.mu.Unlock()
	p := &Port{sw: sw, index: len(sw.ports)}
	if len(addr) > 0 {
		p.addr = addr[0]
	}
	sw.ports = append(sw.ports, p)
	return p
}

// Partition splits the network: from now on frames pass only between ports of the
// same group. A port that is in no group is alone.
func (sw *Switch) Partition(groups ...[]*Port) {
	sw.mu.Lock()
	defer sw.mu.Unlock()
	sw.groups = slices.Clone(groups)
	if len(groups) == 0 {
		sw.groups = [][]*Port{{}}
	}
}

// Heal ends a partition.
func (sw *Switch) Heal() {
	sw.mu.Lock()
	defer sw.mu.Unlock()
	sw.groups = nil
}

// Filter makes f judge every frame, once for each port it would go to, after
// partitions have been applied. f is called from one goroutine at a time and must
// not call the switch. nil ends filtering.
func (sw *Switch) Filter(f func(Frame) Verdict) {
	sw.mu.Lock()
	defer sw.mu.Unlock()
	sw.filter = f
}

// Record writes every frame that enters the switch to w in pcap format, for
// tcpdump -r and the like. nil ends it.
func (sw *Switch) Record(w io.Writer) error {
	sw.mu.Lock()
	defer sw.mu.Unlock()
	err := sw.pcapErr
	sw.pcap, sw.pcapErr = w, nil
	if w == nil {
		return err
	}
	// The classic header: magic of microsecond stamps, version 2.4, frame
	// length limit, link type 1 (Ethernet).
	h := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	h = binary.LittleEndian.AppendUint16(h, 2)
	h = binary.LittleEndian.AppendUint16(h, 4)
	h = append(h, make([]byte, 8)...)
	h = binary.LittleEndian.AppendUint32(h, 65535)
	h = binary.LittleEndian.AppendUint32(h, 1)
	_, werr := w.Write(h)
	return errors.Join(err, werr)
}

func (sw *Switch) record(now time.Time, data []byte) {
	if sw.pcap == nil || sw.pcapErr != nil {
		return
	}
	b := binary.LittleEndian.AppendUint32(nil, uint32(now.Unix()))
	b = binary.LittleEndian.AppendUint32(b, uint32(now.Nanosecond()/1000))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
	_, sw.pcapErr = sw.pcap.Write(append(b, data...))
}

// forward sends one frame from a port to where it belongs.
func (sw *Switch) forward(from *Port, data []byte) {
	if len(data) < 14 {
		return
	}
	now := time.Now()
	dst, src := [6]byte(data[:6]), [6]byte(data[6:12])
	sw.mu.Lock()
	defer sw.mu.Unlock()
	sw.record(now, data)
	sw.where[src] = from
	to := sw.ports
	if p, ok := sw.where[dst]; ok && dst[0]&1 == 0 {
		to = []*Port{p}
	}
	for _, p := range to {
		if p == from || !sw.connected(from, p) {
			continue
		}
		var v Verdict
		if sw.filter != nil {
			v = sw.filter(Frame{From: from, To: p, Data: data})
		}
		if !v.Drop {
			p.enqueue(delivery{due: now.Add(v.Delay), data: data})
		}
	}
}

func (sw *Switch) connected(a, b *Port) bool {
	if sw.groups == nil {
		return true
	}
	return slices.ContainsFunc(sw.groups, func(g []*Port) bool {
		return slices.Contains(g, a) && slices.Contains(g, b)
	})
}

func (sw *Switch) close() {
	sw.mu.Lock()
	sw.closed = true
	ports := slices.Clone(sw.ports)
	sw.mu.Unlock()
	for _, p := range ports {
		p.unplug()
	}
	sw.wg.Wait()
}

// plug makes a cable and returns the machine's end. What was plugged in before is
// unplugged: that machine is gone.
func (p *Port) plug() (*os.File, error) {
	p.unplug()
	host, guest, err := packetPair(fmt.Sprintf("lab-port%d", p.index))
	if err != nil {
		return nil, err
	}
	p.sw.mu.Lock()
	defer p.sw.mu.Unlock()
	if p.sw.closed {
		host.Close()
		guest.Close()
		return nil, errors.New("the switch ended with its test")
	}
	queue := make(chan delivery, queueLength)
	p.mu.Lock()
	p.conn, p.queue = host, queue
	p.mu.Unlock()
	p.sw.wg.Go(func() { p.receive(host) })
	p.sw.wg.Go(func() { transmit(host, queue) })
	return guest, nil
}

func (p *Port) unplug() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn != nil {
		p.conn.Close()
		close(p.queue)
		p.conn, p.queue = nil, nil
	}
}

func (p *Port) enqueue(d delivery) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.queue == nil {
		return
	}
	select {
	case p.queue <- d:
	default: // the queue is full: a switch drops the frame
	}
}

// receive takes what the machine sends, until unplug closes the cable.
func (p *Port) receive(conn *os.File) {
	buf := make([]byte, 65536)
	for {
		n, err := conn.Read(buf)
		switch {
		case err == nil || errors.Is(err, io.EOF): // an empty datagram reads as EOF
			p.sw.forward(p, slices.Clone(buf[:n]))
		case errors.Is(err, os.ErrClosed):
			return
		default:
			// The machine is gone; another may be plugged in later.
			return
		}
	}
}

// transmit sends what is queued for the machine, each frame when it is due.
func transmit(conn *os.File, queue <-chan delivery) {
	for d := range queue {
		time.Sleep(time.Until(d.due))
		// A machine that takes nothing for that long has hung or died.
		conn.SetWriteDeadline(time.Now().Add(time.Second))
		conn.Write(d.data) //nolint:errcheck // Ethernet may lose frames
	}
}

// mac is the card's address: a locally administered one, made from the port's
// number.
func (p *Port) mac() string {
	return fmt.Sprintf("02:6d:64:00:%02x:%02x", p.index>>8&0xff, p.index&0xff)
}
