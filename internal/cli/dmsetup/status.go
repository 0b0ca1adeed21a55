package dmsetup

import (
	"context"
	"fmt"
	"strings"

	grammar "github.com/mdkit/mdkit/engine/dm"
	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/internal/cli/dmtask"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/manage/mapper"
	"github.com/mdkit/mdkit/sysfs"
)

// statuses lists devices and shows their tables and the status of their targets.
type statuses struct {
	*nodes
	naming  naming // how deps and ls name devices
	concise bool   // table --concise has begun its line
}

// status is the commands status, table and measure, and also ls with --target or --exec:
// it shows the targets of devices, or their state.
func (s *statuses) status(ctx context.Context, c dmtask.Call) error {
	if !s.All(c) {
		return s.statusOf(ctx, c)
	}
	if !s.isConcise(c) {
		return s.Each(ctx, c, s.statusOf)
	}
	list, err := s.AskList()
	if err != nil {
		return err
	}
	if len(list) == 0 && !s.Line.Has(dmopt.JSON) {
		fmt.Fprintln(s.Out, "No devices found")
	}
	m, err := s.manager(false)
	if err != nil {
		return err
	}
	return s.Among(ctx, c, m.RestoreOrder(list, s.Line.Has(dmopt.Inactive)), s.statusOf)
}

func (s *statuses) isConcise(c dmtask.Call) bool {
	return c.Name == "table" && s.Line.Has(dmopt.Concise)
}

// statusOf shows the targets of one device.
func (s *statuses) statusOf(ctx context.Context, c dmtask.Call) error {
	task, kind := dmtask.TaskStatus, dm.KindStatus
	switch c.Name {
	case "table":
		task, kind = dmtask.TaskTable, dm.KindTable
	case "measure":
		kind = dm.KindIMA
	}
	d, err := s.Device(c)
	if err != nil {
		return err
	}
	i, targets, err := s.AskTargets(ctx, task, d, kind)
	switch {
	case err != nil:
		return err
	case i == nil:
		return s.Missing()
	}
	name := d.Name
	if name == "" {
		name = i.Name
	}
	v := &targetsView{s: s, c: c, info: i, name: name, hide: task == dmtask.TaskTable && !s.Line.Has(dmopt.ShowKeys)}
	matched, err := v.show(ctx, targets)
	if err != nil || !matched || !s.executes() {
		return err
	}
	return s.execute(ctx, name)
}

// executes reports whether --exec gives a command to run.
func (s *statuses) executes() bool { return s.Line.Has(dmopt.Exec) }

// targetsView shows the targets of one device.
type targetsView struct {
	s    *statuses
	c    dmtask.Call
	info *dm.Info
	name string
	hide bool // do not show keys
}

// show shows the selected targets, and returns whether there were any. A device without
// targets counts as having one if no type is requested.
func (v *targetsView) show(ctx context.Context, targets []dm.Target) (bool, error) {
	s := v.s
	wanted, only := s.Line.Text[dmopt.Target], s.Line.Has(dmopt.Target)
	var shown []dm.Target
	for _, t := range targets {
		if !only || t.Type == wanted {
			shown = append(shown, t)
		}
	}
	if len(shown) == 0 && only {
		return false, nil
	}
	quiet := s.executes() && !s.Line.Has(dmopt.Verbose)
	switch {
	case v.c.Name == "ls":
		if !quiet && s.Line.Has(dmopt.JSON) {
			s.Show(entryJSON{Name: v.name, Major: v.info.Number.Major, Minor: v.info.Number.Minor})
		} else if !quiet {
			fmt.Fprintf(s.Out, "%s\t(%d, %d)\n", v.name, v.info.Number.Major, v.info.Number.Minor)
		}
		return true, nil
	case quiet:
		return true, nil
	case s.Line.Has(dmopt.JSON):
		s.Show(v.json(shown))
		return true, nil
	}
	if err := v.text(ctx, shown); err != nil {
		return true, err
	}
	verbose := s.Line.Seen[dmopt.Verbose]
	if v.c.Multiple && verbose > 0 && (!s.isConcise(v.c) || verbose > 1) {
		fmt.Fprintln(s.Out)
	}
	return true, nil
}

func (v *targetsView) text(ctx context.Context, targets []dm.Target) error {
	s := v.s
	if s.isConcise(v.c) {
		v.concise(targets)
		return nil
	}
	var failed error
	if s.Line.Has(dmopt.Verbose) {
		failed = s.showInfo(ctx, v.info)
	}
	prefix := ""
	if v.c.Multiple && !s.Line.Has(dmopt.Verbose) {
		prefix = v.name + ": "
	}
	if len(targets) == 0 {
		fmt.Fprintln(s.Out, prefix)
	}
	for _, t := range targets {
		fmt.Fprintf(s.Out, "%s%d %d %s %s\n", prefix, t.Start, t.Length, t.Type, v.params(t))
	}
	return failed
}

// concise adds the device to the single line of table --concise.
func (v *targetsView) concise(targets []dm.Target) {
	s := v.s
	if s.concise {
		s.Out.WriteByte(';')
	}
	s.concise = true
	d := grammar.Device{
		Name: v.name, UUID: v.info.UUID, Minor: int(v.info.Number.Minor), ReadOnly: v.info.ReadOnly(),
	}
	for _, t := range targets {
		d.Table = append(d.Table, grammar.Line{Start: t.Start, Length: t.Length, Type: t.Type, Params: v.params(t)})
	}
	s.Out.WriteString(grammar.FormatConcise([]grammar.Device{d}))
}

// params returns a target's parameters, without keys unless they are requested.
func (v *targetsView) params(t dm.Target) string {
	if !v.hide {
		return t.Params
	}
	return grammar.Mask(t).Params
}

// deps is the command deps.
func (s *statuses) deps(ctx context.Context, c dmtask.Call) error {
	if s.All(c) {
		return s.Each(ctx, c, s.deps)
	}
	d, err := s.Device(c)
	if err != nil {
		return err
	}
	i, deps, err := s.AskDeps(d, s.Line.Has(dmopt.Inactive))
	if err != nil {
		return err
	}
	if s.Line.Has(dmopt.JSON) {
		s.Show(depsJSON(i, deps))
		return nil
	}
	var failed error
	if s.Line.Has(dmopt.Verbose) {
		failed = s.Complain(s.showInfo(ctx, i))
	} else if c.Multiple {
		fmt.Fprintf(s.Out, "%s: ", ui.Choose(d.Name != "", d.Name, i.Name))
	}
	fmt.Fprintf(s.Out, "%d dependencies\t:", len(deps))
	for _, n := range deps {
		if name, ok := s.deviceName(n); ok {
			fmt.Fprintf(s.Out, " (%s)", name)
		} else {
			fmt.Fprintf(s.Out, " (%d, %d)", n.Major, n.Minor)
		}
	}
	fmt.Fprintln(s.Out)
	if c.Multiple && s.Line.Has(dmopt.Verbose) {
		fmt.Fprintln(s.Out)
	}
	_ = failed // the original continues
	return nil
}

// naming is how deps and ls name a device, besides its number.
type naming int

const (
	byNumber    naming = iota // major and minor
	byBlockName               // dm-0
	byMapName                 // the name of a mapped device
)

// deviceName returns the name of a device in the form of -o, unless that is its number.
func (s *statuses) deviceName(n dm.Number) (string, bool) {
	switch s.naming {
	case byBlockName:
		return mapper.KernelName(sysfs.Host, n)
	case byMapName:
		return mapper.DeviceName(sysfs.Host, n)
	}
	return "", false
}

// readOptions reads -o when it does not list the columns of a report.
func (s *statuses) readOptions() error {
	a := s.Line
	options := a.Text[dmopt.Options]
	if a.Has(dmopt.Tree) {
		var err error
		s.style, err = treeOptions(options, s.Std.Out)
		return err
	}
	if a.Has(dmopt.Columns) || !a.Has(dmopt.Options) {
		return nil
	}
	for rest := options; rest != ""; {
		word, more, _ := strings.Cut(rest, ",")
		switch {
		case strings.HasPrefix("devno", word):
			s.naming = byNumber
		case strings.HasPrefix("blkdevname", word):
			s.naming = byBlockName
		case strings.HasPrefix("devname", word):
			s.naming = byMapName
		default:
			return dmopt.Wrong("Option not recognised: %s.", rest)
		}
		rest = more
	}
	return nil
}

// ls is the command ls.
func (s *statuses) ls(ctx context.Context, c dmtask.Call) error {
	switch {
	case s.Line.Has(dmopt.Target) || s.executes():
		return s.status(ctx, c)
	case s.Line.Has(dmopt.Tree):
		return s.drawTree()
	}
	list, err := s.AskList()
	if err != nil {
		return err
	}
	if len(list) == 0 && !s.Line.Has(dmopt.JSON) {
		fmt.Fprintln(s.Out, "No devices found")
	}
	for _, e := range list {
		if s.Line.Has(dmopt.JSON) {
			s.Show(entryJSON{Name: e.Name, UUID: e.UUID, Major: e.Number.Major, Minor: e.Number.Minor, EventNr: e.EventNr})
			continue
		}
		name, ok := s.deviceName(e.Number)
		fmt.Fprintf(s.Out, "%s\t(%s)\n", e.Name, ui.Choose(ok, name, e.Number.String()))
	}
	return nil
}
