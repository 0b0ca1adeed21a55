package lab

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// Spec describes one machine. The zero value is a machine with 512 MiB, no
// disks, and the default kernel.
type Spec struct {
	// Kernel is Oldest, Stable or Newest, or a release series such as "6.12",
	// while one of the three belongs to it. Empty means $MDKIT_LAB_KERNEL, and if
	// that is empty too, Oldest.
	Kernel string
	// Backend is "uml" (user-mode Linux, the default) or "qemu" (Debian's stock
	// kernel of the oldest suite in QEMU without KVM: SMP, BTF, kprobes, and 5
	// times slower).
	Backend string
	// Memory is the machine's RAM in bytes; 0 means 512 MiB.
	Memory int64
	// CPUs is the number of processors; QEMU only, 0 means 1.
	CPUs int
	// Disks become Guest.Disks, in this order. At most 16.
	Disks []Disk
	// Modules are loaded before the tests, each with what it depends on, e.g.
	// "raid456" or, with parameters, "brd rd_nr=4 rd_size=65536". A module that
	// the kernel does not have is not an error: Guest.HasModule tells.
	Modules []string
	// Files are visible in the guest: guest path to the host path of a file or a
	// folder. They are copies; the guest cannot write to them. A relative host
	// path is relative to the package's folder. Peer makes such maps.
	Files map[string]string
	// Env is passed to the cases, in the environment and in Guest.Env; so is
	// what Seed and Soak need.
	Env map[string]string
	// Timeout is how long the cases may take, from when the machine is up; 0
	// means 20 minutes. It is four times that in a soak, and $MDKIT_SLOW
	// stretches it. When it is over, the machine is killed and the test fails
	// with the end of the console. It is there for machines that hang, not for
	// slow hosts: leave it alone.
	Timeout time.Duration
	// boot is how long the machine may take until it is up.
	boot time.Duration
	// NICs are the machine's network cards: Guest.NICs, in this order.
	NICs []*Port
}

// Disk is one disk of a machine.
type Disk struct {
	Size     int64  // bytes of a new, private, empty image; ignored with Path
	Path     string // an image of the caller's
	Shared   bool   // other machines use it too: no lock, no write is delayed
	ReadOnly bool   // the guest cannot write
	COW      bool   // writes go to a private overlay and are dropped at the end
	Sync     bool   // every write is in the image before the guest hears of it
}

// Case is one test that runs inside a machine. Its name must not contain a
// slash, and Run must not call t.Parallel.
type Case struct {
	Name string
	Run  func(t *testing.T, g *Guest)
}

// kernelEnv and labEnv are the settings a user may make.
const (
	kernelEnv = "MDKIT_LAB_KERNEL"
	labEnv    = "MDKIT_LAB"
)

// errNoLab marks the reasons why a test cannot have a machine here.
var errNoLab = errors.New("no lab")

// withDefaults fills in what the caller left open.
func (s Spec) withDefaults() (Spec, error) {
	if s.Backend == "" {
		s.Backend = "uml"
	}
	if s.Kernel == "" && s.Backend == "uml" {
		s.Kernel = os.Getenv(kernelEnv)
	}
	if s.Kernel == "" {
		s.Kernel = Oldest
	}
	if s.Memory == 0 {
		s.Memory = 512 << 20
	}
	if s.Timeout == 0 {
		s.Timeout = Stretched(20 * time.Minute)
	}
	if Soak() {
		s.Timeout *= 4 // all cases run, and nobody is waiting
	}
	if s.boot == 0 {
		s.boot = Stretched(bootLimit)
	}
	if s.CPUs == 0 {
		s.CPUs = 1
	}
	switch {
	case s.Backend != "uml" && s.Backend != "qemu":
		return s, fmt.Errorf("lab: no backend %q; there are uml and qemu", s.Backend)
	case s.CPUs != 1 && s.Backend == "uml":
		return s, errors.New("lab: user-mode Linux has one processor; ask for the qemu backend")
	case len(s.Disks) > maxDisks:
		return s, fmt.Errorf("lab: %d disks; a machine has at most %d", len(s.Disks), maxDisks)
	}
	return s, nil
}

// bootLimit is for kernels that never come up. User-mode Linux takes two
// seconds, QEMU ten.
const bootLimit = 3 * time.Minute

// maxDisks is MAX_DEV of arch/um/drivers/ubd_kern.c.
const maxDisks = 16

// noLab ends the test: with a skip that says what to do, or with a failure if the
// lab is required.
func noLab(t testing.TB, err error) {
	t.Helper()
	if os.Getenv(labEnv) == "require" {
		t.Fatalf("lab: %v (MDKIT_LAB=require)", err)
	}
	t.Skipf("lab: NOT TESTED: %v", err)
}

// supported returns an error if this system cannot run lab kernels at all.
func supported() error {
	if os.Getenv(labEnv) == "off" {
		return fmt.Errorf("%w: MDKIT_LAB=off", errNoLab)
	}
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return fmt.Errorf("%w: lab kernels run on linux/amd64, this is %s/%s", errNoLab, runtime.GOOS, runtime.GOARCH)
	}
	return nil
}

// mayFetch reports whether a test may download what is missing.
func mayFetch() bool {
	v := os.Getenv(labEnv)
	return v == "require" || v == "fetch"
}

// Run boots one machine and runs the cases in it, each as a subtest of t.
//
// On the host every selected case (-run TestX/case works) becomes a subtest
// with the result and the log of its twin in the guest. In the guest Run calls
// the cases for real. What a test does before Run is done in both places.
func Run(t *testing.T, spec Spec, cases ...Case) {
	t.Helper()
	if InGuest() {
		runCases(t, cases)
		return
	}
	var names []string
	var result *Result
	// Only the testing package knows which cases -run and -skip select. So each
	// subtest starts and waits in a goroutine of its own: those that started were
	// selected, and the machine is booted for exactly these.
	type twin struct{ begin, ended chan struct{} }
	var twins []twin
	for _, c := range cases {
		tw := twin{make(chan struct{}), make(chan struct{})}
		started := make(chan string)
		go func() {
			defer close(tw.ended)
			t.Run(c.Name, func(t *testing.T) {
				started <- t.Name()
				<-tw.begin
				if result == nil {
					t.Skip("no machine; see the test above")
				}
				result.mirror(t, t.Name())
			})
		}()
		select {
		case name := <-started:
			names = append(names, name)
			twins = append(twins, tw)
		case <-tw.ended: // not selected
		}
	}
	// One after the other, so that the report is in order.
	finish := func() {
		for _, tw := range twins {
			close(tw.begin)
			<-tw.ended
		}
	}
	if len(names) == 0 {
		return
	}
	defer finish()
	result = start(t, spec, names).wait()
	if result.Err != nil {
		t.Errorf("%v\n%s", result.Err, result.consoleTail())
	}
}

// CaseSet is what the machines of one test can run; see Cases.
type CaseSet struct {
	test  string // name of the test that declared them
	names []string
}

// Cases declares what the machines of a test can run, for tests that drive their
// machines with Start. In the guest it runs the cases asked for and ends the
// test; on the host it only checks the names and returns.
func Cases(t *testing.T, cases ...Case) *CaseSet {
	t.Helper()
	if InGuest() {
		runCases(t, cases)
		t.SkipNow() // what follows is the host's part
	}
	set := &CaseSet{test: t.Name()}
	for _, c := range cases {
		if strings.Contains(c.Name, "/") || c.Name == "" || slices.Contains(set.names, c.Name) {
			t.Fatalf("lab: bad or repeated case name %q", c.Name)
		}
		set.names = append(set.names, c.Name)
	}
	return set
}

// Start boots a machine that runs the named cases of the set, in the order in
// which they were declared. It returns as soon as the kernel has been started.
// The machine is killed when t ends, if not before. Host only.
func (s *CaseSet) Start(t *testing.T, spec Spec, caseNames ...string) *Machine {
	t.Helper()
	var names []string
	for _, n := range caseNames {
		if !slices.Contains(s.names, n) {
			t.Fatalf("lab: no case %q among those declared", n)
		}
		names = append(names, s.test+"/"+rewrite(n))
	}
	return start(t, spec, names)
}

// rewrite changes a name as package testing does: blanks become underscores.
func rewrite(name string) string { return strings.ReplaceAll(name, " ", "_") }
