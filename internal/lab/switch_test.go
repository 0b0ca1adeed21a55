package lab

import (
	"bytes"
	"net"
	"testing"
	"time"
)

// TestSwitch lets two kernels talk, cuts the cable between them, and mends it.
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
			get := func(limit time.Duration) string {
				c, err := net.DialTimeout("tcp", "10.9.0.1:7000", limit)
				if err != nil {
					return err.Error()
				}
				defer c.Close()
				b := make([]byte, 5)
				n, _ := c.Read(b)
				return string(b[:n])
			}
			g.Await("go")
			g.Publish("joined", []byte(get(20*time.Second)))
			g.Await("cut")
			g.Publish("parted", []byte(get(2*time.Second)))
			g.Await("healed")
			g.Publish("rejoined", []byte(get(20*time.Second)))
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
