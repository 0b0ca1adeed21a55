package dmsetup

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	grammar "github.com/mdkit/mdkit/engine/dm"
	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/manage/mapper"
	"github.com/mdkit/mdkit/manage/plan"
)

// changed is what --json shows of a change: its steps, whether they were taken,
// and how the device is then.
type changed struct {
	Device  string          `json:"device"`
	Applied bool            `json:"applied"`
	Steps   []plan.StepInfo `json:"steps"`
	Info    *infoDoc        `json:"info,omitempty"`
}

// showSteps shows what --dry-run says would be done.
func (s *session) showSteps(name string, steps ...plan.StepInfo) {
	if s.args.Has(dmopt.JSON) {
		s.rows = append(s.rows, changed{Device: name, Steps: steps})
		return
	}
	for _, i := range steps {
		fmt.Fprintln(s.out, i)
	}
}

// carryOut applies a change, or shows it under --dry-run. tasks says what a
// refused command is called in messages, and label names the device there.
func (s *session) carryOut(ctx context.Context, c *mapper.Change, d device, tasks tasks, show bool) error {
	if s.args.Has(dmopt.DryRun) {
		s.showSteps(d.String(), c.Describe()...)
		return nil
	}
	if s.synchronises() { // who is impatient with udev leaves no semaphore behind
		var stop context.CancelFunc
		ctx, stop = s.std.Cancellable(ctx)
		defer stop()
	}
	err := c.Apply(ctx, nil)
	for _, note := range c.Notes() {
		s.warn("%s", s.noteText(note))
	}
	if err != nil {
		return s.failedPlan(err, d, tasks, c.Info())
	}
	i := c.Info()
	if err := s.unmangleInfo(&i); err != nil {
		return err
	}
	if s.args.Has(dmopt.JSON) {
		row := changed{Device: d.String(), Applied: true, Steps: c.Describe()}
		if show {
			info := s.infoJSON(&i)
			row.Info = &info
		}
		s.rows = append(s.rows, row)
		return nil
	}
	if !show || !s.args.Has(dmopt.Verbose) {
		return nil
	}
	return s.showInfo(ctx, &i)
}

// tasks names the commands of a change.
type tasks map[dm.Command]string

// oneTask is a change of which every command has the same name.
func oneTask(name string) tasks { return tasks{anyCommand: name} }

// anyCommand stands for the commands that tasks does not list.
const anyCommand = ^dm.Command(0)

// failedPlan makes the error of a plan that was refused: the task, the errno,
// what the kernel said, and what could not be taken back.
func (s *session) failedPlan(err error, d device, names tasks, i dm.Info) error {
	var failed *plan.PlanError
	if !errors.As(err, &failed) {
		return s.failed(names[anyCommand], d, err)
	}
	task := names[anyCommand]
	var refused *dm.Error
	if errors.As(err, &refused) {
		if name, ok := names[refused.Command]; ok {
			task = name
		}
	}
	if task == taskReload && d.creating {
		d.num, d.uuid = i.Number, ""
	}
	out := s.failed(task, d, failed.Err)
	var t *taskError
	if errors.As(out, &t) {
		for _, l := range failed.Left {
			t.more = append(t.more, fmt.Sprintf("not taken back: %v: %v", l.Step, l.Err))
		}
	}
	return out
}

// loads applies a change that loads a table. If the kernel refuses that, the
// reasons that are known here come first; under --dry-run they are warnings, for
// the devices that the table is about may be yet to come.
func (s *session) loads(ctx context.Context, m *mapper.Mapper, c *mapper.Change, d device, t grammar.Table, readOnly bool, names tasks) error {
	if s.args.Has(dmopt.DryRun) {
		for _, p := range problems(m.Check(t, readOnly)) {
			s.warn("WARNING: %v", p)
		}
	}
	err := s.carryOut(ctx, c, d, names, true)
	var refused *taskError
	if errors.As(err, &refused) && refused.task == taskReload {
		var reasons []string
		for _, p := range problems(m.Check(t, readOnly)) {
			reasons = append(reasons, p.Error())
		}
		refused.more = append(reasons, refused.more...)
	}
	return err
}

// noteText says what went wrong beside a change that was made.
func (s *session) noteText(err error) string { return "WARNING: " + err.Error() }

// explained takes the additions out of a refusal: what the kernel said, who
// holds the device.
func explained(err error) []string {
	var full *mapper.Error
	if !errors.As(err, &full) {
		return nil
	}
	var more []string
	for _, line := range full.Kernel {
		more = append(more, "kernel: "+line)
	}
	if full.Held != "" {
		more = append(more, full.Held)
	}
	return more
}

// udevFlags tells udev's rules what the options ask for. Without --verifyudev
// nodes are left to udev alone, as long as they are where udev makes them.
func (s *session) udevFlags() mapper.UdevFlags {
	var f mapper.UdevFlags
	if s.args.Has(dmopt.NoUdevRules) {
		f |= mapper.UdevNoDMRules | mapper.UdevNoSubsystemRules
	}
	if s.folder() == mapperFolder && (s.cookie != 0 || !s.args.Has(dmopt.VerifyUdev)) {
		f |= mapper.UdevNoFallback
	}
	if s.noUdev {
		f &^= mapper.UdevNoFallback
		f |= mapper.UdevNoDMRules | mapper.UdevNoSubsystemRules
	}
	return f
}

// synchronises says whether udev is to be waited for.
func (s *session) synchronises() bool {
	return !s.noUdev && !s.args.Has(dmopt.NoUdevSync) && mapper.UdevRunning()
}

// manager gives the manager of mapped devices. sync false leaves udev alone.
func (s *session) manager(sync bool) (*mapper.Mapper, error) {
	ctl, err := s.control()
	if err != nil {
		return nil, err
	}
	m := &mapper.Mapper{Control: ctl, Nodes: mapper.Nodes{Dir: s.folder()}, Udev: mapper.NoUdev{}, FS: host}
	if sync && s.synchronises() {
		if err := s.checkCookie(); err != nil {
			return nil, err
		}
		m.Udev = mapper.Semaphores{Join: s.cookie, Deadline: s.args.Timeout}
	}
	return m, nil
}

// checkCookie refuses to join a transaction that there is not.
func (s *session) checkCookie() error {
	if s.cookie == 0 {
		return nil
	}
	if err := s.cookiePrefix(s.cookie); err != nil {
		return err
	}
	list, err := mapper.Cookies()
	if err == nil && !slices.ContainsFunc(list, func(c mapper.Cookie) bool { return c.Key == s.cookie }) {
		return s.cookieError(mapper.ErrNoCookie, s.cookie)
	}
	return err
}

// suspendOptions are --noflush and --nolockfs.
func (s *session) suspendOptions() dm.SuspendOptions {
	return dm.SuspendOptions{NoFlush: s.args.Has(dmopt.NoFlush), SkipLockFS: s.args.Has(dmopt.NoLockFS)}
}

// readAheadWish is --readahead.
func (s *session) readAheadWish() mapper.ReadAhead {
	a := s.args
	n := a.Number[dmopt.ReadAhead]
	if !a.Has(dmopt.ReadAhead) || n == dmopt.ReadAheadAuto {
		return mapper.ReadAhead{}
	}
	return mapper.ReadAhead{Set: true, Sectors: uint32(n), AtLeast: a.AtLeast}
}

// owner is whose the node is to be.
func (s *session) owner() mapper.Owner {
	a, o := s.args, mapper.DefaultOwner
	if a.Has(dmopt.UID) {
		o.UID = a.Number[dmopt.UID]
	}
	if a.Has(dmopt.GID) {
		o.GID = a.Number[dmopt.GID]
	}
	if a.Has(dmopt.Mode) {
		o.Mode = uint32(a.Number[dmopt.Mode])
	}
	return o
}

// joinCookie takes the cookie of a transaction from the environment, if no
// option names one.
func (s *session) joinCookie() {
	s.cookie = s.args.Cookie
	if s.cookie != 0 || s.environment.cookie == "" {
		return
	}
	cookie, err := dmopt.CookieValue(s.environment.cookie)
	if err != nil {
		s.warn("%v", err)
	}
	s.cookie = cookie
}

// errTimeout is what a passed deadline matches.
var errTimeout = mapper.ErrUdevTimeout

// isMissing says whether the kernel knows no such device.
func isMissing(err error) bool { return errnoOf(err) == unix.ENXIO }
