package dmsetup

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/internal/cli/report"
	"github.com/mdkit/mdkit/ioctl/dm"
)

// all says whether a command is for every device: none is named.
func (s *session) all(c call) bool {
	return len(c.args) == 0 && !s.args.Has(dmopt.UUID) && !s.args.Has(dmopt.Major)
}

// each runs one on every device there is, and goes on after a failure. It says
// so if there is none.
func (s *session) each(ctx context.Context, c call, one func(context.Context, call) error) error {
	list, err := s.askList()
	if err != nil {
		return err
	}
	if len(list) == 0 && !s.args.Has(dmopt.JSON) {
		fmt.Fprintln(s.out, "No devices found")
	}
	return s.among(ctx, c, list, one)
}

// among runs one on every device of a list.
func (s *session) among(ctx context.Context, c call, list []dm.Entry, one func(context.Context, call) error) error {
	var failed error
	c.multiple = true
	for _, e := range list {
		c.args = []string{e.Name}
		failed = errors.Join(failed, s.complain(one(ctx, c)))
	}
	return failed
}

// info is the command info.
func (s *session) info(ctx context.Context, c call) error {
	if s.all(c) {
		return s.each(ctx, c, s.info)
	}
	d, err := s.device(c)
	if err != nil {
		return err
	}
	i, err := s.askInfo(taskInfo, d)
	if err != nil {
		return err
	}
	return s.showInfo(ctx, i)
}

// missing is the error of a device that is not there where the original says
// so in these words.
func (s *session) missing() error {
	return s.complain(&dmopt.UsageError{Lines: []string{"Device does not exist."}, Class: dm.ErrNotExist})
}

// showInfo shows a device's state in the way the options ask for; nil is a
// device that does not exist.
func (s *session) showInfo(ctx context.Context, i *dm.Info) error {
	switch {
	case i == nil:
		return s.missing()
	case s.report != nil:
		return s.infoRow(ctx, i)
	case s.args.Has(dmopt.JSON):
		s.rows = append(s.rows, s.infoJSON(i))
		return nil
	}
	s.infoLong(i)
	return nil
}

// infoLong prints a paragraph on a device.
func (s *session) infoLong(i *dm.Info) {
	line := func(label, format string, args ...any) {
		fmt.Fprintf(s.out, "%-18s %s\n", label+":", fmt.Sprintf(format, args...))
	}
	line("Name", "%s", i.Name)
	line("State", "%s%s%s", choose(i.Suspended(), "SUSPENDED", "ACTIVE"),
		choose(i.ReadOnly(), " (READ-ONLY)", ""), choose(i.DeferredRemove(), " (DEFERRED REMOVE)", ""))
	if sectors, ok := s.readAhead(i); ok {
		line("Read Ahead", "%d", sectors)
	}
	var tables []string
	if i.LiveTable() {
		tables = append(tables, "LIVE")
	}
	if i.InactiveTable() {
		tables = append(tables, "INACTIVE")
	}
	line("Tables present", "%s", choose(len(tables) == 0, "None", strings.Join(tables, " & ")))
	if i.OpenCount != -1 {
		line("Open count", "%d", i.OpenCount)
	}
	line("Event number", "%d", i.EventNr)
	line("Major, minor", "%d, %d", i.Number.Major, i.Number.Minor)
	if int32(i.TargetCount) != -1 {
		line("Number of targets", "%d", i.TargetCount)
	}
	if i.UUID != "" {
		fmt.Fprintf(s.out, "UUID: %s\n", i.UUID)
	}
	fmt.Fprintln(s.out)
}

// infoRow adds a device to the report or, under -S, runs the command that the
// device was chosen for.
func (s *session) infoRow(ctx context.Context, i *dm.Info) error {
	o := &object{s: s, info: i}
	sections := s.report.Sections()
	if sections&sectionTree != 0 {
		if o.node = s.devices.nodes[i.Number]; o.node == nil {
			return s.refuse("Cannot find node %v.", i.Number)
		}
	}
	if sections&sectionDeps != 0 {
		_, deps, err := s.askDeps(device{num: i.Number, byNum: true}, s.args.Has(dmopt.Inactive))
		if err != nil {
			_ = s.complain(err)
			return s.refuse("Cannot get deps for %v.", i.Number)
		}
		o.deps = deps
	}
	if sections&sectionSplit != 0 {
		prefix, _, ok := strings.Cut(i.UUID, "-")
		o.split = split(choose(ok, prefix, ""), i.Name)
	}
	if s.chosen == nil {
		return s.statsRows(o)
	}
	selected, err := s.report.Selects(o)
	if err != nil || !selected {
		return reported(err)
	}
	return s.chosen.run(s, ctx, call{cmd: s.chosen, args: []string{i.Name}, multiple: true})
}

// reported marks what the report has said itself.
func reported(err error) error {
	if errors.Is(err, report.ErrSaid) {
		return &said{err}
	}
	return err
}

// splitName is a name in its parts.
type splitName struct{ subsystem, group, volume, layer string }

// split takes the name of a device of LVM apart.
func split(subsystem, name string) *splitName {
	n := &splitName{subsystem: subsystem}
	if subsystem == "LVM" {
		n.group, name = cutComponent(name)
		n.volume, name = cutComponent(name)
		n.layer, _ = cutComponent(name)
	}
	return n
}

// cutComponent takes a component from the front of a name: up to a hyphen that
// is not doubled, with doubled ones made single. A hyphen at the very end
// belongs to the component.
func cutComponent(name string) (component, rest string) {
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		if name[i] == '-' && i+1 < len(name) {
			if name[i+1] != '-' {
				return b.String(), name[i+1:]
			}
			i++
		}
		b.WriteByte(name[i])
	}
	return b.String(), ""
}

// splitName is the command splitname.
func (s *session) splitName(_ context.Context, c call) error {
	subsystem := "LVM"
	if len(c.args) == 2 {
		subsystem = c.args[1]
	}
	n := split(subsystem, c.args[0])
	if s.report == nil {
		s.rows = append(s.rows, splitJSON{Subsystem: n.subsystem, Group: n.group, Volume: n.volume, Layer: n.layer})
		return nil
	}
	return reported(s.report.Object(&object{s: s, split: n}))
}
