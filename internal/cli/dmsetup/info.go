package dmsetup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/internal/cli/dmtask"
	"github.com/mdkit/mdkit/internal/cli/report"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/manage/mapper"
	"github.com/mdkit/mdkit/sysfs"
)

// info is the command info.
func (r *reports) info(ctx context.Context, c dmtask.Call) error {
	if r.All(c) {
		return r.Each(ctx, c, r.info)
	}
	d, err := r.Device(c)
	if err != nil {
		return err
	}
	i, err := r.AskInfo(dmtask.TaskInfo, d)
	if err != nil {
		return err
	}
	return r.showInfo(ctx, i)
}

// showInfo shows a device's state in the form that the options ask for; nil is a device
// that does not exist.
func (r *reports) showInfo(ctx context.Context, i *dm.Info) error {
	switch {
	case i == nil:
		return r.Missing()
	case r.report != nil:
		return r.infoRow(ctx, i)
	case r.Line.Has(dmopt.JSON):
		r.Show(r.infoJSON(i))
		return nil
	}
	r.infoLong(i)
	return nil
}

// infoLong prints a paragraph about a device.
func (r *reports) infoLong(i *dm.Info) {
	line := func(label, format string, args ...any) {
		fmt.Fprintf(r.Out, "%-18s %s\n", label+":", fmt.Sprintf(format, args...))
	}
	line("Name", "%s", i.Name)
	line("State", "%s%s%s", ui.Choose(i.Suspended(), "SUSPENDED", "ACTIVE"),
		ui.Choose(i.ReadOnly(), " (READ-ONLY)", ""), ui.Choose(i.DeferredRemove(), " (DEFERRED REMOVE)", ""))
	if sectors, ok := r.readAhead(i); ok {
		line("Read Ahead", "%d", sectors)
	}
	var tables []string
	if i.LiveTable() {
		tables = append(tables, "LIVE")
	}
	if i.InactiveTable() {
		tables = append(tables, "INACTIVE")
	}
	line("Tables present", "%s", ui.Choose(len(tables) == 0, "None", strings.Join(tables, " & ")))
	if i.OpenCount != -1 {
		line("Open count", "%d", i.OpenCount)
	}
	line("Event number", "%d", i.EventNr)
	line("Major, minor", "%d, %d", i.Number.Major, i.Number.Minor)
	if int32(i.TargetCount) != -1 {
		line("Number of targets", "%d", i.TargetCount)
	}
	if i.UUID != "" {
		fmt.Fprintf(r.Out, "UUID: %s\n", i.UUID)
	}
	fmt.Fprintln(r.Out)
}

// infoRow adds a device to the report or, with -S, runs the command for which the device
// was selected.
func (r *reports) infoRow(ctx context.Context, i *dm.Info) error {
	o := &object{reports: r, info: i}
	sections := r.report.Sections()
	if sections&sectionTree != 0 {
		if o.node = r.devices.Node(i.Number); o.node == nil {
			return r.Refuse("Cannot find node %v.", i.Number)
		}
	}
	if sections&sectionDeps != 0 {
		_, deps, err := r.AskDeps(dmtask.Device{Num: i.Number, ByNum: true}, r.Line.Has(dmopt.Inactive))
		if err != nil {
			_ = r.Complain(err)
			return r.Refuse("Cannot get deps for %v.", i.Number)
		}
		o.deps = deps
	}
	if sections&sectionSplit != 0 {
		prefix, _, ok := strings.Cut(i.UUID, "-")
		o.split = split(ui.Choose(ok, prefix, ""), i.Name)
	}
	if r.selected == nil {
		return r.statsRows(o)
	}
	selected, err := r.report.Selects(o)
	if err != nil || !selected {
		return reported(err)
	}
	return r.selected(ctx, i.Name)
}

// reported marks an error that the report has printed itself.
func reported(err error) error {
	if errors.Is(err, report.ErrSaid) {
		return &dmtask.Printed{Err: err}
	}
	return err
}

// splitName is a name split into its parts.
type splitName struct{ subsystem, group, volume, layer string }

// split splits a name, if it belongs to a subsystem whose names have parts.
func split(subsystem, name string) *splitName {
	n := &splitName{subsystem: subsystem}
	if subsystem == "LVM" {
		n.group, n.volume, n.layer = mapper.SplitLVM(name)
	}
	return n
}

// splitName is the command splitname.
func (r *reports) splitName(_ context.Context, c dmtask.Call) error {
	subsystem := "LVM"
	if len(c.Args) == 2 {
		subsystem = c.Args[1]
	}
	n := split(subsystem, c.Args[0])
	if r.report == nil {
		r.Show(splitJSON{Subsystem: n.subsystem, Group: n.group, Volume: n.volume, Layer: n.layer})
		return nil
	}
	return reported(r.report.Object(&object{reports: r, split: n}))
}

// readAhead returns a device's read-ahead, in sectors of 512 bytes. If it is not known,
// readAhead reports that and returns false.
func (r *reports) readAhead(info *dm.Info) (uint32, bool) {
	sectors, err := mapper.FindReadAhead(sysfs.Host, info.Number, mapper.Nodes{Dir: r.Folder()}, info.Name)
	var failed *os.PathError
	switch {
	case err == nil:
		return sectors, true
	case errors.As(err, &failed) && failed.Op == "open":
		r.Warn("%s: open failed: %s", failed.Path, dmtask.ErrnoText(dmtask.Errno(err)))
	default:
		r.Warn("%s: BLKRAGET failed: %s", info.Name, dmtask.ErrnoText(dmtask.Errno(err)))
	}
	return 0, false
}
