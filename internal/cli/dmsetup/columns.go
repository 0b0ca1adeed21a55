package dmsetup

import (
	"context"
	"errors"
	"strings"

	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/internal/cli/dmstats"
	"github.com/mdkit/mdkit/internal/cli/dmtask"
	"github.com/mdkit/mdkit/internal/cli/report"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/manage/mapper"
	"github.com/mdkit/mdkit/sysfs"
)

// Sections of the report, as libdevmapper's DR_ constants: what to ask for in order to
// fill them.
const (
	sectionTask report.Sections = 1 << iota
	sectionInfo
	sectionDeps
	sectionTree
	sectionSplit
)

// object is what a row of a report is about.
type object struct {
	reports *reports
	info    *dm.Info
	deps    []dm.Number
	node    *mapper.TreeNode
	split   *splitName
	region  *dmstats.Row
}

// defaultColumns are those of info -c.
const (
	defaultColumns      = "name,major,minor,attr,open,segments,events,uuid"
	defaultSplitColumns = "vg_name,lv_name,lv_layer"
)

// reportTable returns the columns of dmsetup's reports in the order of the original.
func reportTable() *report.Table[*object] {
	t := &report.Table[*object]{
		Sections: []report.Section{
			{ID: sectionTask, Name: "Mapped Device Name", Prefix: "name_"},
			{ID: sectionInfo, Name: "Mapped Device Information", Prefix: "info_"},
			{ID: sectionDeps, Name: "Mapped Device Relationship Information", Prefix: "deps_"},
			{ID: sectionTree, Name: "Mapped Device Relationship Information", Prefix: "tree_"},
			{ID: sectionSplit, Name: "Mapped Device Name Components", Prefix: "splitname_"},
			{ID: dmstats.SectionCounters, Name: "Mapped Device Statistics", Prefix: "stats_"},
			{ID: dmstats.SectionRegions, Name: "Mapped Device Statistics Region Information", Prefix: "region_"},
		},
	}
	for _, some := range [][]report.Field[*object]{
		nameColumns(), infoColumns(), relationColumns(), splitColumns(),
		statsColumns(),
	} {
		t.Fields = append(t.Fields, some...)
	}
	return t
}

// text makes a column of text. If an object lacks the section, the column has no data.
func text(section report.Sections, heading string, width int, id, help string, value func(*object) (string, error)) report.Field[*object] {
	return report.Field[*object]{
		Section: section, Kind: report.String, Heading: heading, Width: width, ID: id, Help: help,
		Value: func(o *object) (report.Value, error) {
			if !o.holds(section) {
				return report.Value{}, report.ErrNoData
			}
			s, err := value(o)
			return report.Text(s), err
		},
	}
}

func number(section report.Sections, heading string, width int, id, help string, value func(*object) int64) report.Field[*object] {
	return report.Field[*object]{
		Section: section, Kind: report.Number, Heading: heading, Width: width, ID: id, Help: help,
		Value: func(o *object) (report.Value, error) {
			if !o.holds(section) {
				return report.Value{}, report.ErrNoData
			}
			return report.Int(value(o)), nil
		},
	}
}

// holds reports whether the object can fill a section.
func (o *object) holds(section report.Sections) bool {
	switch section {
	case sectionTask, sectionInfo, sectionDeps:
		return o.info != nil
	case sectionTree:
		return o.node != nil
	case sectionSplit:
		return o.split != nil
	}
	return false
}

func nameColumns() []report.Field[*object] {
	const t = sectionTask
	return []report.Field[*object]{
		text(t, "Name", 16, "name", "Name of mapped device.",
			func(o *object) (string, error) { return o.info.Name, nil }),
		text(t, "MangledName", 16, "mangled_name", "Mangled name of mapped device.",
			func(o *object) (string, error) { return o.reports.ShownMangled("name", o.info.Name) }),
		text(t, "UnmangledName", 16, "unmangled_name", "Unmangled name of mapped device.",
			func(o *object) (string, error) { return o.reports.ShownUnmangled("name", o.info.Name) }),
		text(t, "UUID", 32, "uuid", "Unique (optional) identifier for mapped device.",
			func(o *object) (string, error) { return o.info.UUID, nil }),
		text(t, "MangledUUID", 32, "mangled_uuid", "Mangled unique (optional) identifier for mapped device.",
			func(o *object) (string, error) { return o.reports.ShownMangled("UUID", o.info.UUID) }),
		text(t, "UnmangledUUID", 32, "unmangled_uuid", "Unmangled unique (optional) identifier for mapped device.",
			func(o *object) (string, error) { return o.reports.ShownUnmangled("UUID", o.info.UUID) }),
		number(t, "RAhead", 6, "read_ahead", "Read ahead value.", func(o *object) int64 {
			n, _ := o.reports.readAhead(o.info)
			return int64(n)
		}),
	}
}

func infoColumns() []report.Field[*object] {
	const i = sectionInfo
	return []report.Field[*object]{
		text(i, "BlkDevName", 16, "blkdevname", "Name of block device.",
			func(o *object) (string, error) { return blockName(o.info.Number) }),
		text(i, "Stat", 4, "attr", "(L)ive, (I)nactive, (s)uspended, (r)ead-only, read-(w)rite.",
			func(o *object) (string, error) { return attributes(o.info), nil }),
		text(i, "Tables", 6, "tables_loaded", "Which of the live and inactive table slots are filled.",
			func(o *object) (string, error) { return tablesLoaded(o.info), nil }),
		text(i, "Suspended", 9, "suspended", "Whether the device is suspended.",
			func(o *object) (string, error) { return ui.Choose(o.info.Suspended(), "Suspended", "Active"), nil }),
		text(i, "Read-only", 9, "readonly", "Whether the device is read-only or writeable.",
			func(o *object) (string, error) { return ui.Choose(o.info.ReadOnly(), "Read-only", "Writeable"), nil }),
		text(i, "DevNo", 5, "devno", "Device major and minor numbers",
			func(o *object) (string, error) { return o.info.Number.String(), nil }),
		number(i, "Maj", 3, "major", "Block device major number.",
			func(o *object) int64 { return int64(o.info.Number.Major) }),
		number(i, "Min", 3, "minor", "Block device minor number.",
			func(o *object) int64 { return int64(o.info.Number.Minor) }),
		number(i, "Open", 4, "open", "Number of references to open device, if requested.",
			func(o *object) int64 { return int64(o.info.OpenCount) }),
		number(i, "Targ", 4, "segments", "Number of segments in live table, if present.",
			func(o *object) int64 { return int64(o.info.TargetCount) }),
		number(i, "Event", 6, "events", "Number of most recent event.",
			func(o *object) int64 { return int64(o.info.EventNr) }),
	}
}

func relationColumns() []report.Field[*object] {
	const d, t = sectionDeps, sectionTree
	return []report.Field[*object]{
		number(d, "#Devs", 5, "device_count", "Number of devices used by this one.",
			func(o *object) int64 { return int64(len(o.deps)) }),
		text(t, "DevNamesUsed", 16, "devs_used", "List of names of mapped devices used by this one.",
			func(o *object) (string, error) { return nodeNames(o.reports.devices.Used(o.node)), nil }),
		text(d, "DevNosUsed", 16, "devnos_used", "List of device numbers of devices used by this one.",
			func(o *object) (string, error) {
				return joined(o.deps, func(n dm.Number) (string, error) { return n.String(), nil })
			}),
		text(d, "BlkDevNamesUsed", 16, "blkdevs_used", "List of names of block devices used by this one.",
			func(o *object) (string, error) { return joined(o.deps, blockName) }),
		number(t, "#Refs", 5, "device_ref_count", "Number of mapped devices referencing this one.",
			func(o *object) int64 { return int64(len(o.reports.devices.Users(o.node))) }),
		text(t, "RefNames", 8, "names_using_dev", "List of names of mapped devices using this one.",
			func(o *object) (string, error) { return nodeNames(o.reports.devices.Users(o.node)), nil }),
		text(t, "RefDevNos", 9, "devnos_using_dev", "List of device numbers of mapped devices using this one.",
			func(o *object) (string, error) {
				var nums []dm.Number
				for _, n := range o.reports.devices.Users(o.node) {
					nums = append(nums, n.Number)
				}
				return joined(nums, func(n dm.Number) (string, error) { return n.String(), nil })
			}),
	}
}

func splitColumns() []report.Field[*object] {
	const n = sectionSplit
	return []report.Field[*object]{
		text(n, "Subsys", 6, "subsystem", "Userspace subsystem responsible for this device.",
			func(o *object) (string, error) { return o.split.subsystem, nil }),
		text(n, "VG", 4, "vg_name", "LVM Volume Group name.",
			func(o *object) (string, error) { return o.split.group, nil }),
		text(n, "LV", 4, "lv_name", "LVM Logical Volume name.",
			func(o *object) (string, error) { return o.split.volume, nil }),
		text(n, "LVLayer", 7, "lv_layer", "LVM device layer.",
			func(o *object) (string, error) { return o.split.layer, nil }),
	}
}

func blockName(n dm.Number) (string, error) {
	name, ok := mapper.KernelName(sysfs.Host, n)
	if !ok {
		return "", dmopt.Wrong("Could not resolve block device name for %v.", n)
	}
	return name, nil
}

// attributes returns the four letters of the column Stat.
func attributes(i *dm.Info) string {
	return ui.Choose(i.LiveTable(), "L", "-") + ui.Choose(i.InactiveTable(), "I", "-") +
		ui.Choose(i.Suspended(), "s", "-") + ui.Choose(i.ReadOnly(), "r", "w")
}

func tablesLoaded(i *dm.Info) string {
	switch {
	case i.LiveTable() && i.InactiveTable():
		return "Both"
	case i.LiveTable():
		return "Live"
	case i.InactiveTable():
		return "Inactive"
	}
	return "None"
}

// nodeNames lists the names of the mapped devices among nodes.
func nodeNames(nodes []*mapper.TreeNode) string {
	var names []string
	for _, n := range nodes {
		if name := n.Name(); name != "" {
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}

func joined(nums []dm.Number, text func(dm.Number) (string, error)) (string, error) {
	var list []string
	for _, n := range nums {
		s, err := text(n)
		if err != nil {
			return "", err
		}
		list = append(list, s)
	}
	return strings.Join(list, ","), nil
}

// columns is the report in progress.
type columns = report.Report[*object]

// reports shows devices: in the columns of a report, in paragraphs, or in rows of
// --json.
type reports struct {
	*trees
	statistics *dmstats.Statistics
	report     *columns                                     // the report of -c; nil without -c
	selected   func(ctx context.Context, name string) error // the command for the devices that -S selects; nil without -S
}

// startReport makes the report for the options.
func (r *reports) startReport(c dmtask.Call) error {
	made, err := r.newReport(c, r.reportOptions(c))
	if err != nil {
		return err
	}
	r.report = made
	if made.Sections()&sectionTree != 0 {
		return r.wholeTree()
	}
	return nil
}

func (r *reports) newReport(c dmtask.Call, o report.Options) (*columns, error) {
	if a := r.Line; a.Has(dmopt.Sort) && (c.Name == "status" || c.Name == "table") {
		return nil, dmopt.Wrong("--sort is not yet supported with status and table.")
	}
	made, err := report.New(reportTable(), o, r.Out, r.Std.Err)
	if errors.Is(err, report.ErrSaid) {
		err = &dmtask.Printed{Err: err}
	}
	return made, err
}

// reportOptions returns the options of the report.
func (r *reports) reportOptions(c dmtask.Call) report.Options {
	a := r.Line
	o := report.Options{
		Fields: defaultColumns, Separator: " ", Aligned: true, Headings: true,
		Rows: a.Has(dmopt.Rows), Unquoted: a.Has(dmopt.Unquoted),
	}
	switch c.Name {
	case "splitname":
		o.Fields = defaultSplitColumns
		o.Sections = sectionSplit
	case "stats":
		dmstats.DefaultColumns(a, &o)
	}
	if a.Has(dmopt.NoHeadings) {
		o.Separator, o.Aligned, o.Headings = ":", false, false
	}
	if a.Has(dmopt.NamePrefixes) {
		o.Aligned, o.NamePrefix = false, "dm_"
	}
	if a.Has(dmopt.Options) {
		fields := a.Text[dmopt.Options]
		if strings.Contains(fields, "help") {
			delete(a.Seen, dmopt.Count)
			delete(a.Seen, dmopt.Interval)
			o.Headings = false
		}
		if more, ok := strings.CutPrefix(fields, "+"); ok {
			fields = o.Fields + "," + more
		}
		o.Fields = fields
	}
	if a.Has(dmopt.Sort) {
		o.Sort = a.Text[dmopt.Sort]
	}
	if a.Has(dmopt.Separator) {
		o.Separator, o.Aligned = a.Text[dmopt.Separator], false
	}
	if a.Has(dmopt.Select) {
		o.Select = a.Text[dmopt.Select]
	}
	return o
}

// fieldHelp lists the columns, for help -c.
func (r *reports) fieldHelp(c dmtask.Call) {
	r.Line.Seen[dmopt.Options], r.Line.Text[dmopt.Options] = 1, "help"
	delete(r.Line.Seen, dmopt.Sort)
	_, err := r.newReport(c, r.reportOptions(c))
	_ = r.Complain(err)
}

// showReport prints the rows collected so far.
func (r *reports) showReport() error {
	if r.report == nil {
		return nil
	}
	if r.Line.Number[dmopt.Count] != 1 && !r.report.Empty() {
		r.report.Headings()
	}
	r.report.Output()
	return nil
}
