package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/nbd/nbdtest"
	"github.com/mdkit/mdkit/internal/lab"
)

const (
	nbdConnections = 4
	nbdInFlight    = 16 // requests of each connection at a time
	nbdFor         = 2 * time.Second
	nbdTurns       = 3
)

// NBDRandRead measures random reads of 4 KiB, in requests a second over unix
// sockets from the same client: from a RAID5 that mdkit serves, and from one of
// its members that nbdkit serves as a plain file. mdkit is the path of our program.
func NBDRandRead(mdkit string) Benchmark {
	return Benchmark{
		Name: "nbd.randread4k", PeerName: "nbdkit file (plain file)", Unit: "1/s", Better: "higher",
		Run: func(ctx context.Context, dir string) (ours, peer float64, err error) {
			paths, err := makeReadArray(dir, md.LevelRAID5)
			if err != nil {
				return 0, 0, err
			}
			kit, err := lab.OpenTool(ctx, "nbdkit")
			if err != nil {
				return 0, 0, err
			}
			plugin := kit.Files["/usr/lib/x86_64-linux-gnu/nbdkit/plugins/nbdkit-file-plugin.so"]
			for range nbdTurns { // both in turn
				socket := filepath.Join(dir, "ours")
				n, err := served(ctx, exec.CommandContext(ctx, mdkit, append([]string{"open", "--quiet", "--nbd", "unix:" + socket}, paths...)...), socket)
				if err != nil {
					return 0, 0, err
				}
				ours = max(ours, n)
				socket = filepath.Join(dir, "peer")
				n, err = served(ctx, kit.Command(ctx, "--foreground", "--readonly", "--unix", socket, plugin, paths[0]), socket)
				if err != nil {
					return 0, 0, err
				}
				peer = max(peer, n)
			}
			return ours, peer, nil
		},
	}
}

// served runs a server while it is being measured.
func served(ctx context.Context, server *exec.Cmd, socket string) (perSecond float64, err error) {
	if err := server.Start(); err != nil {
		return 0, err
	}
	defer func() {
		err = errors.Join(err, server.Process.Kill())
		_ = server.Wait()     // it was killed
		_ = os.Remove(socket) // and has left its socket behind
	}()
	var clients []*nbdtest.Client
	for range nbdConnections {
		conn, err := dialSoon(ctx, socket)
		if err != nil {
			return 0, err
		}
		defer conn.Close()
		c, err := nbdtest.Open(conn, "", false)
		if err != nil {
			return 0, err
		}
		clients = append(clients, c)
	}
	return randRead(clients)
}

// dialSoon connects to a server that may still be starting.
func dialSoon(ctx context.Context, socket string) (net.Conn, error) {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			return conn, nil
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			return nil, fmt.Errorf("the server does not answer: %w", err)
		}
	}
}

// randRead reads blocks at random for a while and returns how many a second.
func randRead(clients []*nbdtest.Client) (float64, error) {
	const size = 4096
	var (
		wg    sync.WaitGroup
		done  atomic.Int64
		fault atomic.Pointer[error]
	)
	start := time.Now()
	for _, c := range clients {
		for range nbdInFlight {
			wg.Go(func() {
				p := make([]byte, size)
				for time.Since(start) < nbdFor {
					if err := c.Read(p, rand.Int64N(c.Size/size)*size); err != nil {
						fault.Store(&err)
						return
					}
					done.Add(1)
				}
			})
		}
	}
	wg.Wait()
	if err := fault.Load(); err != nil {
		return 0, *err
	}
	return float64(done.Load()) / time.Since(start).Seconds(), nil
}
