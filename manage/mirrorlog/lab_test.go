package mirrorlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	table "github.com/mdkit/mdkit/engine/dm"
	"github.com/mdkit/mdkit/internal/lab"
	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/ioctl/dm/userlog"
	"github.com/mdkit/mdkit/manage/mapper"
)

func TestMain(m *testing.M) { lab.Main(m) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const (
	sectors = 4096
	region  = 1024
)

// TestLabMirror makes the kernel keep the logs of its mirrors here.
func TestLabMirror(t *testing.T) {
	lab.Run(
		t,
		lab.Spec{
			Modules: []string{"cn", "dm-mod", "dm-mirror", "dm-log-userspace"},
			Disks:   []lab.Disk{{Size: sectors * 512}, {Size: sectors * 512}, {Size: 1 << 20}},
		},
		lab.Case{Name: "core", Run: labCore},
		lab.Case{Name: "disk", Run: labDisk},
		lab.Case{Name: "takeover", Run: labTakeOver},
		lab.Case{Name: "refused", Run: labRefused},
	)
}

// serve answers the kernel until the test ends. The returned function tells what it
// was asked.
func serve(t *testing.T) func() []Report {
	t.Helper()
	seen, stop := listen(t)
	t.Cleanup(stop)
	return seen
}

// listen is serve until stop is called.
func listen(t *testing.T) (told func() []Report, stop func()) {
	t.Helper()
	boot, err := BootID()
	must(t, err)
	c, err := userlog.Listen()
	must(t, err)
	var mu sync.Mutex
	var seen []Report
	s := &Server{Open: OpenDisk, Boot: boot, Report: func(r Report) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, r)
	}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Serve(ctx, c) }()
	stop = func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		must(t, errors.Join(s.Close(), c.Close()))
	}
	return func() []Report {
		mu.Lock()
		defer mu.Unlock()
		return append([]Report(nil), seen...)
	}, stop
}

// mirror makes a mirror of two disks with that log, and returns its node.
func mirror(t *testing.T, m *mapper.Mapper, g *lab.Guest, log string) string {
	t.Helper()
	params := fmt.Sprintf("%s 2 %s 0 %s 0", log, g.Disks[0], g.Disks[1])
	c, err := m.PlanCreate(mapper.CreateRequest{
		Name: "mirror", Owner: mapper.DefaultOwner,
		Table: table.Table{{Length: sectors, Type: "mirror", Params: params}},
	})
	must(t, err)
	must(t, c.Apply(t.Context(), nil))
	return m.Nodes.Path("mirror")
}

func remove(t *testing.T, m *mapper.Mapper) {
	t.Helper()
	must(t, m.PlanRemove(dm.ByName("mirror"), "mirror", mapper.RemoveRequest{Retry: true}).Apply(t.Context(), nil))
}

func status(t *testing.T, m *mapper.Mapper) string {
	t.Helper()
	_, lines, err := m.Control.TableStatus(dm.ByName("mirror"), dm.TableStatusOptions{})
	must(t, err)
	return lines[0].Params
}

func inSync(t *testing.T, m *mapper.Mapper) {
	t.Helper()
	want := fmt.Sprintf(" %d/%d ", sectors/region, sectors/region)
	lab.Poll(t, func() string {
		if s := status(t, m); !strings.Contains(s, want) {
			return "the mirror to be in sync: " + s
		}
		return ""
	})
}

// fill writes a pattern and waits until it is on the disks.
func fill(t *testing.T, node string, seed byte, size int) {
	t.Helper()
	f, err := os.OpenFile(node, os.O_RDWR, 0)
	must(t, err)
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i>>9) ^ byte(i) ^ seed
	}
	_, err = f.WriteAt(b, 0)
	must(t, errors.Join(err, f.Sync(), f.Close()))
}

// same compares the first bytes of the legs.
func same(t *testing.T, g *lab.Guest, size int) {
	t.Helper()
	a, err := os.ReadFile(g.Disks[0])
	must(t, err)
	b, err := os.ReadFile(g.Disks[1])
	must(t, err)
	a, b = a[:size], b[:size]
	if !bytes.Equal(a, b) || bytes.Count(a, []byte{0}) == len(a) {
		t.Error("the legs differ, or nothing was written")
	}
}

func open(t *testing.T) *mapper.Mapper {
	t.Helper()
	m, err := mapper.Open()
	must(t, err)
	t.Cleanup(func() { m.Close() })
	return m
}

func labCore(t *testing.T, g *lab.Guest) {
	m, seen := open(t), serve(t)
	for i, log := range []string{
		"userspace 4 log-core integrated_flush clustered-core 1024",
		"userspace 4 log-core clustered-core 1024 nosync",
	} {
		fill(t, g.Disks[0], byte(i), sectors*512)
		node := mirror(t, m, g, log)
		if s := status(t, m); !strings.HasSuffix(s, "1 clustered-core") {
			t.Errorf("status %q", s)
		}
		inSync(t, m)
		fill(t, node, byte(i+7), 64<<10)
		must(t, m.PlanSuspend(dm.ByName("mirror"), dm.SuspendOptions{}).Apply(t.Context(), nil))
		must(t, m.PlanResume(dm.ByName("mirror"), "mirror", mapper.ResumeRequest{}).Apply(t.Context(), nil))
		inSync(t, m)
		_, lines, err := m.Control.TableStatus(dm.ByName("mirror"), dm.TableStatusOptions{Kind: dm.KindTable})
		if err != nil || !strings.HasPrefix(lines[0].Params, log+" ") {
			t.Errorf("table %v, %v", lines, err)
		}
		remove(t, m)
		if strings.HasSuffix(log, "nosync") {
			same(t, g, 64<<10) // what was written; nothing was recovered
		} else {
			same(t, g, sectors*512)
		}
	}
	for _, r := range seen() {
		if r.Err != nil {
			t.Errorf("%v of %s: %v", r.Request, r.UUID, r.Err)
		}
	}
}

func labDisk(t *testing.T, g *lab.Guest) {
	m, seen := open(t), serve(t)
	ours := "userspace 4 log-disk clustered-disk " + g.Disks[2] + " 1024"
	kernels := "disk 2 " + g.Disks[2] + " 1024"
	fill(t, g.Disks[0], 3, sectors*512)
	node := mirror(t, m, g, ours)
	if s := status(t, m); !strings.Contains(s, " 3 clustered-disk ") || !strings.HasSuffix(s, " A") {
		t.Errorf("status %q", s)
	}
	inSync(t, m)
	fill(t, node, 9, 64<<10)
	remove(t, m)
	same(t, g, sectors*512)
	// The log survives the mirror, and has the kernel's own format: neither of
	// the two finds anything to recover in what the other has left.
	for _, log := range []string{ours, kernels, ours} {
		mirror(t, m, g, log)
		if s := status(t, m); !strings.Contains(s, fmt.Sprintf(" %d/%d ", sectors/region, sectors/region)) {
			t.Errorf("%s: %s", log, s)
		}
		remove(t, m)
	}
	// Told that nothing is in sync, it recovers everything.
	mirror(t, m, g, "userspace 5 log-disk clustered-disk "+g.Disks[2]+" 1024 sync")
	inSync(t, m)
	remove(t, m)
	for _, r := range seen() {
		if r.Err != nil {
			t.Errorf("%v of %s: %v", r.Request, r.UUID, r.Err)
		}
	}
}

// labTakeOver ends the program that keeps the log of a mirror in use. The next one, to
// which the kernel says "nosync" again, finds on the log's device that a region was
// being written to.
func labTakeOver(t *testing.T, g *lab.Guest) {
	m := open(t)
	_, stop := listen(t)
	node := mirror(t, m, g, "userspace 5 log-again clustered-disk "+g.Disks[2]+" 1024 nosync")
	inSync(t, m)
	fill(t, node, 1, 64<<10)
	stop()
	// As if that write were still in progress.
	d, err := OpenDisk(g.Disks[2])
	must(t, err)
	b := make([]byte, storeAlign)
	_, err = d.ReadAt(b, 0)
	must(t, err)
	b[offBits] &^= 1 << 2
	_, err = d.WriteAt(b, 0)
	must(t, errors.Join(err, d.Close()))
	seen := serve(t)
	// When the kernel is told to start anew, its first question is lost, as it
	// has no room left for the answer. It asks again soon.
	status(t, m)
	want := fmt.Sprintf(" %d/%d ", sectors/region-1, sectors/region)
	if s := status(t, m); !strings.Contains(s, want) {
		t.Errorf("status %q, want%s", s, want)
	}
	for _, r := range seen() {
		if r.Err != nil {
			t.Logf("%v of %s: %v", r.Request, r.UUID, r.Err)
		}
	}
	remove(t, m)
}

func labRefused(t *testing.T, g *lab.Guest) {
	m, seen := open(t), serve(t)
	for _, log := range []string{
		"userspace 3 log clustered-core 63",
		"userspace 3 log replicated 1024",
		"userspace 4 log clustered-disk /dev/nonesuch 1024",
	} {
		c, err := m.PlanCreate(mapper.CreateRequest{
			Name:  "mirror",
			Table: table.Table{{Length: sectors, Type: "mirror", Params: fmt.Sprintf("%s 2 %s 0 %s 0", log, g.Disks[0], g.Disks[1])}},
		})
		must(t, err)
		var refusal *mapper.Error
		if err := c.Apply(t.Context(), nil); !errors.As(err, &refusal) || !strings.Contains(err.Error(), "failed to create log") {
			t.Errorf("%s: %v", log, err)
		}
		all := seen()
		if len(all) == 0 || all[len(all)-1].Err == nil {
			t.Errorf("%s: %v", log, all)
		}
	}
}
