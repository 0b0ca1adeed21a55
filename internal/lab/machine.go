package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// Machine is one running (or ended) lab machine, seen from the host.
type Machine struct {
	// Disks are the host paths of the images, in the order of Spec.Disks. The
	// machine writes to them while it runs.
	Disks []string

	t     testing.TB
	spec  Spec
	dir   string    // private: staged root, images
	cases []string  // full names
	until time.Time // when the guest's tests must have ended; zero: never
	cmd   *exec.Cmd
	link  *os.File   // the channel, host end
	lend  []*os.File // only for the process: closed here once it has them

	out     stream
	console tail

	up   chan struct{} // closed when the guest listens to its channel
	done chan struct{} // closed when the process is gone and all is read

	mu        sync.Mutex
	changed   chan struct{} // closed and replaced at every publication
	published map[string][]byte
	expected  string // the release that the kernel's package promises
	release   string
	exited    bool // the guest's test process ended by itself
	fatal     string
	killed    bool
	expired   string // which limit it exceeded, "" if none
	reported  bool
}

// Each time limit ends some time before the next outer one, so that there is time
// to say what hangs: a hanging test shows its goroutines, then init has the kernel
// show what is blocked, then the machine is killed and its console shown.
const (
	sayGrace  = 5 * time.Second  // the guest's test process
	killGrace = 30 * time.Second // the guest
	stopGrace = 10 * time.Second // the machine, before the test binary's own deadline
)

// start boots a machine for the cases with these full names.
func start(t *testing.T, spec Spec, names []string) *Machine {
	t.Helper()
	if InGuest() {
		t.Fatal("lab: a machine cannot boot machines")
	}
	spec, err := spec.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	if err := supported(); err != nil {
		noLab(t, err)
	}
	if spec.Env, err = guestEnviron(spec.Env); err != nil {
		t.Fatalf("lab: %s: %v", seedEnv, err)
	}
	k, err := findKernel(t.Context(), spec)
	if err != nil {
		noLab(t, err)
	}
	m := &Machine{t: t, spec: spec, cases: names, up: make(chan struct{}), done: make(chan struct{}), changed: make(chan struct{}), published: map[string][]byte{}}
	m.spec.Kernel, m.expected = k.identity()
	m.out.onNote = m.onNote
	if err := m.boot(t, k); err != nil {
		t.Fatalf("lab: %v", err)
	}
	t.Logf("lab: booted Linux %s (%s, %s)", m.expected, m.spec.Kernel, spec.Backend) // coverage.Booted
	return m
}

// boot stages the machine's folder and starts its process.
func (m *Machine) boot(t *testing.T, k kernel) error {
	// Not t.TempDir: its names are too long for the path of the socket that
	// user-mode Linux makes for its management console.
	dir, err := os.MkdirTemp("", "mdkit-lab-")
	if err != nil {
		return err
	}
	m.dir = dir
	t.Cleanup(func() {
		m.stop()
		os.RemoveAll(dir)
	})
	for i, d := range m.spec.Disks {
		path := d.Path
		if path == "" {
			path = filepath.Join(dir, fmt.Sprintf("disk%d.img", i))
			if err := makeImage(path, d.Size); err != nil {
				return err
			}
		} else if path, err = filepath.Abs(path); err != nil {
			return err
		} else if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("disk %d: %w", i, err)
		}
		m.Disks = append(m.Disks, path)
	}
	host, guest, err := streamPair("lab-channel")
	if err != nil {
		return err
	}
	m.link, m.lend = host, []*os.File{guest}
	defer func() {
		for _, f := range m.lend {
			f.Close()
		}
	}()
	if dl, ok := t.Deadline(); ok {
		m.until = dl.Add(-Stretched(killGrace + stopGrace))
		if time.Until(m.until) <= 0 {
			return errors.New("no time left before the test binary's own deadline (-timeout)")
		}
	}
	cmd, err := k.command(m, guest)
	if err != nil {
		return err
	}
	m.cmd = cmd
	conOut, conIn, err := os.Pipe()
	if err != nil {
		return err
	}
	defer conIn.Close()
	cmd.Stdout, cmd.Stderr = conIn, conIn
	group(cmd)
	started := make(chan error)
	go func() {
		// The machine dies with the thread that starts it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		restore, release := func() {}, func() {}
		if m.spec.Backend == "uml" {
			restore, release = pin()
		}
		defer release()
		err := cmd.Start()
		restore()
		if err != nil {
			started <- err
			return
		}
		dismiss, err := guard(cmd.Process.Pid, m.dir)
		if err != nil {
			killGroup(cmd)
			cmd.Wait() //nolint:errcheck // killed
			started <- err
			return
		}
		started <- nil
		m.run(conOut)
		dismiss()
		close(m.done)
	}()
	if err := <-started; err != nil {
		m.cmd = nil
		conOut.Close()
		return fmt.Errorf("start the machine: %w", err)
	}
	return nil
}

// makeImage makes a sparse file of that size.
func makeImage(path string, size int64) error {
	if size <= 0 || size%512 != 0 {
		return fmt.Errorf("a disk of %d bytes; it must be a multiple of 512", size)
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(size), f.Close())
}

// limit kills the machine if it does not come up, or runs for longer than its
// tests may. It returns when the machine is gone.
func (m *Machine) limit() {
	expire := func(why string) {
		m.mu.Lock()
		m.expired = why
		m.mu.Unlock()
		killGroup(m.cmd)
	}
	left := func(d time.Duration) time.Duration {
		if m.until.IsZero() {
			return d
		}
		return min(d, time.Until(m.until))
	}
	select {
	case <-m.done:
		return
	case <-time.After(left(m.spec.boot)):
		expire(fmt.Sprintf("was not up after %v", m.spec.boot))
		return
	case <-m.up:
	}
	// The guest itself ends its tests at that time, and says what hung.
	tests := left(m.spec.Timeout)
	select {
	case <-m.done:
	case <-time.After(tests + tests/10 + Stretched(killGrace)):
		expire(fmt.Sprintf("was still running after %v of tests", tests))
	}
}

// run watches the machine until it is gone.
func (m *Machine) run(console *os.File) {
	var wg sync.WaitGroup
	go m.limit()
	wg.Go(func() {
		io.Copy(&m.console, console) //nolint:errcheck // ends with the process
	})
	linkDone := make(chan struct{})
	go func() {
		defer close(linkDone)
		io.Copy(&m.out, m.link) //nolint:errcheck // likewise
	}()
	m.cmd.Wait()     //nolint:errcheck // its notes and console tell how it ended
	killGroup(m.cmd) // helpers of the dead kernel, if any are left
	// What the kernel wrote last is still in the sockets; a helper process that
	// keeps them open a little longer must not hold us up.
	late := time.AfterFunc(Stretched(5*time.Second), func() {
		console.SetReadDeadline(time.Now())
		m.link.SetReadDeadline(time.Now())
	})
	wg.Wait()
	<-linkDone
	late.Stop()
	console.Close()
	m.link.Close()
	m.out.flush()
}

// onNote is called for every note from the guest.
func (m *Machine) onNote(n note) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch n.Kind {
	case noteUp:
		m.release = n.Text
		close(m.up)
	case notePublish:
		m.published[n.Name] = n.Data
		close(m.changed)
		m.changed = make(chan struct{})
	case noteCover:
		if err := saveCover(n.Name, n.Data); err != nil {
			m.fatal = err.Error()
		}
	case noteExit:
		m.exited = true
	case noteFatal:
		m.fatal = n.Text
	}
}

// stop kills the machine if it runs, and waits until it is gone.
func (m *Machine) stop() {
	if m.cmd == nil || m.cmd.Process == nil {
		return
	}
	select {
	case <-m.done:
	default:
		killGroup(m.cmd)
		<-m.done
	}
}

// Kill is a power cut: the machine ends at once, and the images hold what it had
// written to them until then. The result has the cases that had ended;
// unfinished ones do not count as failures, failed ones do.
func (m *Machine) Kill() *Result {
	m.t.Helper()
	m.mu.Lock()
	m.killed = true
	m.mu.Unlock()
	m.stop()
	return m.Wait()
}

// Wait returns when the machine is gone. A failed or unfinished case, or a
// machine that did not end by itself, is an error of the test that started it.
func (m *Machine) Wait() *Result {
	m.t.Helper()
	r := m.wait()
	m.mu.Lock()
	reported := m.reported
	m.reported = true
	m.mu.Unlock()
	if reported {
		return r
	}
	if r.Err != nil {
		m.t.Errorf("%v\n%s", r.Err, r.consoleTail())
	}
	for _, c := range r.failures() {
		m.t.Errorf("lab: in the guest: %s: %s\n%s", c.Status, c.Name, c.Log)
	}
	return r
}

// wait returns the result without judging it.
func (m *Machine) wait() *Result {
	<-m.done
	m.mu.Lock()
	defer m.mu.Unlock()
	r := &Result{
		Killed:    m.killed,
		Release:   m.release,
		Published: clonePublished(m.published),
		Console:   m.console.lines(),
		Loose:     m.out.looseText(),
	}
	for _, n := range m.cases {
		r.Cases = append(r.Cases, m.out.snapshot(n))
	}
	switch {
	case m.killed:
	case m.expired != "":
		r.Err = fmt.Errorf("lab: the machine %s and was killed", m.expired)
	case m.fatal != "":
		r.Err = fmt.Errorf("lab: the machine could not be set up: %s", m.fatal)
	case m.release == "":
		r.Err = errors.New("lab: the kernel ended before it ran the tests")
	case m.release != m.expected:
		r.Err = fmt.Errorf("lab: the kernel says it is release %s, its package %s", m.release, m.expected)
	case !m.exited:
		r.Err = errors.New("lab: the kernel ended in the middle of the tests")
		for _, l := range r.Console {
			if strings.Contains(l, "Kernel panic") {
				r.Err = fmt.Errorf("lab: %s", l)
			}
		}
	}
	return r
}

// Await returns what the guest publishes under that name, waiting for it if need
// be. The test fails at once if the machine ends without publishing it.
func (m *Machine) Await(name string) []byte {
	m.t.Helper()
	for {
		m.mu.Lock()
		data, ok := m.published[name]
		changed := m.changed
		m.mu.Unlock()
		if ok {
			return data
		}
		select {
		case <-changed:
		case <-m.done:
			m.mu.Lock()
			data, ok = m.published[name]
			m.mu.Unlock()
			if ok {
				return data
			}
			m.Wait()
			m.t.Fatalf("lab: the machine ended without publishing %q", name)
		}
	}
}

// Tell sends a value to the guest, where Guest.Await waits for it.
//
// It first waits until the guest listens: before that, the guest's end of the
// channel is a terminal, which would swallow or change what is sent.
func (m *Machine) Tell(name string, data []byte) {
	m.t.Helper()
	select {
	case <-m.up:
	case <-m.done:
		m.Wait()
		m.t.Fatalf("lab: the machine ended before %q could be told to it", name)
	}
	n := note{Kind: noteTell, Name: name, Data: data}
	if _, err := m.link.Write(n.encode()); err != nil {
		m.t.Errorf("lab: tell %q: %v", name, err)
	}
}

// kernel is something bootable.
type kernel interface {
	// command stages the root and makes the command that runs the machine.
	// guest is the channel's guest end, inherited by the command.
	command(m *Machine, guest *os.File) (*exec.Cmd, error)
	// identity is the kernel's role and the release of its package.
	identity() (role, release string)
}

func findKernel(ctx context.Context, spec Spec) (kernel, error) {
	if err := supported(); err != nil {
		return nil, err
	}
	if spec.Backend == "qemu" {
		return findQEMU(ctx, spec)
	}
	return findUML(ctx, spec.Kernel)
}
