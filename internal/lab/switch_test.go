package lab

import (
	"bytes"
	"context"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"time"
)

// TestSwitch lets two kernels talk, cuts the network between them, and mends it.
func TestSwitch(t *testing.T) {
	set := Cases(t,
		Case{Name: "server", Run: func(t *testing.T, g *Guest) {
			l, err := net.Listen("tcp", "10.9.0.1:7000")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					c.Write([]byte("hello"))
					c.Close()
				}
			}()
			g.Publish("listening", nil)
			g.Await("stop")
		}},
		Case{Name: "client", Run: func(t *testing.T, g *Guest) {
			get := func(ctx context.Context) string {
				c, err := new(net.Dialer).DialContext(ctx, "tcp", "10.9.0.1:7000")
				if err != nil {
					return err.Error()
				}
				defer c.Close()
				b := make([]byte, 5)
				n, _ := c.Read(b)
				return string(b[:n])
			}
			g.Await("go")
			g.Publish("joined", []byte(get(Patient(t))))
			g.Await("cut")
			// Nothing must arrive, however long one waits. In a second the
			// kernel tries twice.
			brief, stop := context.WithTimeout(t.Context(), time.Second)
			defer stop()
			g.Publish("parted", []byte(get(brief)))
			g.Await("healed")
			g.Publish("rejoined", []byte(get(Patient(t))))
		}},
	)
	sw := NewSwitch(t)
	a, b := sw.Port("10.9.0.1/24"), sw.Port("10.9.0.2/24")
	var pcap bytes.Buffer
	if err := sw.Record(&pcap); err != nil {
		t.Fatal(err)
	}
	server := set.Start(t, Spec{NICs: []*Port{a}}, "server")
	client := set.Start(t, Spec{NICs: []*Port{b}}, "client")
	server.Await("listening")
	client.Tell("go", nil)
	if got := client.Await("joined"); string(got) != "hello" {
		t.Errorf("before the cut: %q", got)
	}
	sw.Partition([]*Port{a}, []*Port{b})
	client.Tell("cut", nil)
	if got := client.Await("parted"); string(got) == "hello" {
		t.Error("frames passed a partition")
	}
	sw.Heal()
	client.Tell("healed", nil)
	if got := client.Await("rejoined"); string(got) != "hello" {
		t.Errorf("after the partition: %q", got)
	}
	server.Tell("stop", nil)
	client.Wait()
	server.Wait()
	if err := sw.Record(nil); err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(pcap.Bytes(), []byte("hello")) {
		t.Error("the record does not hold what passed")
	}
}

// cable is the machine's end of a port, with frames for packets.
type cable struct {
	t *testing.T
	f *os.File
}

func plugIn(t *testing.T, p *Port) cable {
	t.Helper()
	f, err := p.plug()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return cable{t, f}
}

// frame is the smallest possible frame: two addresses, a type, a letter.
func frame(to, from, letter byte) []byte {
	return []byte{2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, from, 0x88, 0xb5, letter}
}

func (c cable) send(frame []byte) {
	if _, err := c.f.Write(frame); err != nil {
		c.t.Error(err)
	}
}

func (c cable) want(letter byte) {
	c.t.Helper()
	b := make([]byte, 100)
	n, err := c.f.Read(b) // a blocking socket: the test's own limit ends it
	if err != nil || n != 15 || b[14] != letter {
		c.t.Fatalf("got %q, %v; want %q", b[:n], err, letter)
	}
}

// TestSwitchRules is the switch without machines.
func TestSwitchRules(t *testing.T) {
	if InGuest() {
		t.Skip("a host test")
	}
	if err := supported(); err != nil {
		noLab(t, err)
	}
	sw := NewSwitch(t)
	ports := []*Port{sw.Port(), sw.Port(), sw.Port()}
	a, b, c := plugIn(t, ports[0]), plugIn(t, ports[1]), plugIn(t, ports[2])

	a.send(frame(9, 1, 'A')) // to an unknown address: to all
	b.want('A')
	c.want('A')
	b.send(frame(1, 2, 'B')) // a is known now: only to a
	a.want('B')
	c.send(frame(1, 3, 'C'))
	a.want('C')

	var seen []string
	sw.Filter(func(f Frame) Verdict {
		from, to := slices.Index(ports, f.From), slices.Index(ports, f.To)
		seen = append(seen, string(f.Data[14:])+string(rune('0'+from))+string(rune('0'+to)))
		switch f.Data[14] {
		case 'x':
			return Verdict{Drop: true}
		case 'd':
			return Verdict{Delay: 200 * time.Millisecond}
		}
		return Verdict{}
	})
	begin := time.Now()
	for _, l := range "xdn" {
		b.send(frame(1, 2, byte(l)))
	}
	a.want('d')
	if took := time.Since(begin); took < 200*time.Millisecond {
		t.Errorf("a delayed frame came after %v", took)
	}
	a.want('n') // the order stays
	sw.Filter(nil)
	if want := []string{"x10", "d10", "n10"}; !slices.Equal(seen, want) {
		t.Errorf("the filter saw %q", seen)
	}

	var entered recorder
	if err := sw.Record(&entered); err != nil {
		t.Fatal(err)
	}
	sw.Partition(ports[:2])
	c.send(frame(1, 3, 'P')) // c is alone
	entered.await(t, frame(1, 3, 'P'))
	b.send(frame(1, 2, 'Q'))
	a.want('Q')
	sw.Heal()
	c.send(frame(1, 3, 'R'))
	a.want('R')

	again := plugIn(t, ports[0]) // a new machine on an old port
	b.send(frame(1, 2, 'S'))
	again.want('S')
}

// recorder keeps what the switch records.
type recorder struct {
	mu  sync.Mutex
	all []byte
}

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, p...)
	return len(p), nil
}

// await waits until the frame has entered the switch.
func (r *recorder) await(t *testing.T, frame []byte) {
	t.Helper()
	Until(t, "a frame in the switch", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return bytes.Contains(r.all, frame)
	})
}
