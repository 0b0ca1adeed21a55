package watch

import (
	"context"
	"errors"
	"iter"
	"strings"
	"time"

	"github.com/mdkit/mdkit/manage/array/node"
	"github.com/mdkit/mdkit/manage/mdconf"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/manage/plan"
	"github.com/mdkit/mdkit/sysfs"
	sysblock "github.com/mdkit/mdkit/sysfs/block"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// ErrNoRedundancy ends a watch that has nothing left to watch: there is no array
// with redundancy.
var ErrNoRedundancy = errors.New("no array with redundancy detected")

// Array is an array to watch from the beginning.
type Array struct {
	Path string // of its node
	// Spares is how many spares it should have; 0 or less for any number.
	Spares int
	// SpareGroup names arrays that lend each other spares; "" for none.
	SpareGroup string
	// Configured says that the array is known from a configuration: if it has no
	// redundancy, that is not reported.
	Configured bool
}

// Request says what to watch, and how.
type Request struct {
	Arrays    []Array       // to watch, whether they exist or not
	Scan      bool          // watch every array that appears, too
	Test      bool          // report TestMessage for each array found at first
	Oneshot   bool          // look once and end
	Share     bool          // move spares between arrays
	Delay     time.Duration // longest time between two looks; must be positive
	Increment int           // percent between reports of progress, 1 to 99
	Prefer    string        // part of the device names to prefer, "/by-id/"
	// Policy says, for Share, which devices belong to which domains. If it is nil,
	// there are only the spare groups of arrays.
	Policy *mdconf.Config
	// DryRun moves no spares: Step is told how they would be moved.
	DryRun bool
	// Step is told of each step before it is taken or, in a dry run, would be; nil
	// for nobody.
	Step func(plan.StepInfo)
	// Report is told about spares that could not be moved.
	Report note.Reporter
}

// Watcher watches arrays of the running system. It must not be used by several
// goroutines.
type Watcher struct {
	Request
	fs    sysfs.FS
	nodes node.Nodes
	known []*known
	yield func(Event, error) bool
	ended bool // the consumer wants no more
	wait  waiter

	runner plan.Runner
}

// New returns a Watcher that has not looked yet.
func New(r Request) *Watcher {
	w := &Watcher{Request: r, fs: sysfs.Host, runner: plan.Runner{DryRun: r.DryRun, Progress: r.Step}}
	for _, a := range r.Arrays {
		w.known = append([]*known{{
			path: a.Path, percent: unknown, spareGroup: a.SpareGroup, wantSpares: a.Spares, configured: a.Configured,
		}}, w.known...)
	}
	return w
}

// Events watches until ctx ends, until the first look is over with Oneshot, or until
// there is nothing left to watch, which is ErrNoRedundancy. Other errors mean that
// the kernel does not say which arrays there are. It may be called only once.
func (w *Watcher) Events(ctx context.Context) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		w.yield = yield
		defer w.wait.close()
		for test := w.Test; ; test = false {
			again, err := w.look(ctx, test)
			switch {
			case w.ended:
				return
			case ctx.Err() != nil:
				return
			case err != nil:
				yield(Event{}, err)
				return
			case again: // new arrays: they have not been looked at yet
				continue
			case w.Oneshot:
				return
			}
			if err := w.wait.sleep(ctx, w.Delay); err != nil {
				if ctx.Err() == nil {
					yield(Event{}, err)
				}
				return
			}
		}
	}
}

// look goes through all arrays once. It reports whether there are new ones.
func (w *Watcher) look(ctx context.Context, test bool) (again bool, err error) {
	text, err := w.wait.begin(w.fs)
	if err != nil {
		return false, err
	}
	stat, err := sysmd.ParseMdstat(strings.NewReader(text))
	if err != nil {
		return false, err
	}
	pass := &pass{stat: &stat, used: make(map[string]bool), test: test}
	degraded, redundant := false, false
	for _, k := range w.known {
		degraded = w.check(pass, k) || degraded
		redundant = redundant || k.errs == 0 && !k.container
		if w.ended {
			return false, nil
		}
	}
	if w.Scan {
		again = w.adopt(pass)
	}
	if w.Share && degraded {
		w.migrate(ctx)
	}
	w.forget()
	if !again && !redundant && !w.Oneshot {
		return false, ErrNoRedundancy
	}
	return again, nil
}

// forgetAfter is how many times an array that was found by scanning may be missing
// before it is forgotten.
const forgetAfter = 5

// forget drops arrays that were found by scanning and have been gone for long.
func (w *Watcher) forget() {
	var left []*known
	for _, k := range w.known {
		if !k.scanned || k.errs <= forgetAfter {
			left = append(left, k)
		}
	}
	w.known = left
}

// pass is one look at everything.
type pass struct {
	stat *sysmd.Mdstat
	used map[string]bool // those arrays in stat that are watched
	test bool
}

// tell passes on an event about an array.
func (w *Watcher) tell(name string, k *known, component, extra string) {
	if w.ended {
		return
	}
	e := Event{
		Time: time.Now(), Name: name, Array: k.path, Kernel: k.kernel,
		Component: component, Extra: extra, State: k.seen,
	}
	w.ended = !w.yield(e, nil)
}

// adopt adds the arrays that are not watched yet (Monitor.c, add_new_arrays).
func (w *Watcher) adopt(p *pass) (found bool) {
	for i := range p.stat.Arrays {
		a := &p.stat.Arrays[i]
		if p.used[a.Name] || a.Level == sysmd.RAID0 || a.Level == sysmd.Linear || !watchable(a.Name) {
			continue
		}
		path := w.nodeOf(a.Name)
		if path == "" || !setUp(path) {
			continue
		}
		k := &known{path: path, kernel: a.Name, percent: unknown, errs: 1, scanned: true, wantSpares: -1}
		w.known = append([]*known{k}, w.known...)
		if p.test {
			w.tell(TestMessage, k, "", "")
		}
		found = true
	}
	return found
}

// watchable reports whether the name is one that md gives to arrays: other names in
// mdstat are headings.
func watchable(name string) bool {
	rest, ok := strings.CutPrefix(name, "md")
	return ok && rest != "" && (rest[0] == '_' || '0' <= rest[0] && rest[0] <= '9')
}

// nodeOf names the device of an array by its kernel name (util.c,
// get_md_name), or "" if there is none.
func (w *Watcher) nodeOf(kernel string) string {
	dev, err := sysblock.Open(w.fs, kernel)
	if err != nil {
		return ""
	}
	num, err := dev.Num()
	if err != nil {
		return ""
	}
	candidates := []string{"/dev/" + kernel, "/dev/md/" + strings.TrimPrefix(kernel, "md")}
	if name, ok := strings.CutPrefix(kernel, "md_"); ok {
		candidates = append([]string{"/dev/md/" + name}, candidates...)
	}
	for _, path := range candidates {
		if isNode(path, num) {
			return path
		}
	}
	return w.nodes.Name(num.Major, num.Minor, "")
}
