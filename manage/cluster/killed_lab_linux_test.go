package cluster

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/mdkit/mdkit/dlm"
	"github.com/mdkit/mdkit/internal/lab"
	"github.com/mdkit/mdkit/sysfs"
)

// TestKilled kills the controller without warning, as the kernel does when memory runs
// out, while a lock is held: the lockspace runs on, and the next controller takes it up.
func TestKilled(t *testing.T) {
	spec := lab.Spec{Modules: []string{"dlm"}, Files: mdadmFiles(t), NICs: []*lab.Port{lab.NewSwitch(t).Port("10.9.0.1/24")}}
	lab.Run(t, spec, lab.Case{Name: "controller", Run: labKilled})
}

// startProgram runs the controller as a program of its own, and waits until it serves.
func (s *site) startProgram(path string) *exec.Cmd {
	s.t.Helper()
	cmd := exec.Command("/sbin/mdkit", "cluster", "up", "--static", path)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	s.must(cmd.Start())
	lab.Until(s.t, "the controller to serve", func() bool {
		_, ours := Find(sysfs.Host, Dir).(static)
		return ours && s.status().Quorate
	})
	return cmd
}

func labKilled(t *testing.T, _ *lab.Guest) {
	s := &site{t: t, nodes: 1, locks: map[string]*dlm.Lock{}}
	path := filepath.Join(t.TempDir(), "nodes.toml")
	s.must(os.WriteFile(path, []byte(nodesText("/sbin/mdkit", 1)), 0o600))
	first := s.startProgram(path)
	s.must(Find(sysfs.Host, Dir).Join(lab.Patient(t), "tst"))
	s.await("tst", "running", 1)
	s.lock("r", dlm.EX)
	s.must(first.Process.Kill())
	if err := first.Wait(); err == nil {
		t.Error("a controller that was killed ended well")
	}
	second := s.startProgram(path)
	s.await("tst", "running", 1)
	// The lock has been held all the time, by a descriptor that has noticed nothing.
	other, err := dlm.Open(sysfs.Host, "tst")
	s.must(err)
	if _, err := other.Lock(lab.Patient(t), "r", dlm.CR, dlm.With(dlm.NoQueue)); !errors.Is(err, dlm.ErrWouldBlock) {
		t.Errorf("beside the lock that was held throughout: %v", err)
	}
	s.must(other.Close())
	s.lock("r", dlm.NL)
	s.closeSpace()
	s.leave("tst")
	s.must(Find(sysfs.Host, Dir).Down())
	s.must(second.Wait())
}
