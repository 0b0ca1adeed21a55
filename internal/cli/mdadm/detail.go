package mdadm

import (
	"bufio"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/internal/cli/mdadm/examine"
	"github.com/mdkit/mdkit/internal/cli/mdadm/mdtext"
	"github.com/mdkit/mdkit/internal/cli/ui"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/array/report"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// detailer is one run of --detail.
type detailer struct {
	cmd      *Command
	std      ui.IO
	w        *bufio.Writer
	homeHost string
	brief    bool
	reports  *report.Reports
	docs     []arrayDetailJSON
}

func (c *Command) newDetailer(std ui.IO) *detailer {
	return &detailer{
		cmd: c, std: std, w: bufio.NewWriter(std.Out), homeHost: c.homeHost(c.readConf(std)),
		brief: c.Brief || c.Scan && c.Verbose < 2, reports: report.NewReports(),
	}
}

// detail is --detail for the named arrays (Detail.c).
func (c *Command) detail(std ui.IO, names ...string) int {
	t := c.newDetailer(std)
	code := 0
	for _, name := range names {
		code |= t.array(name)
	}
	return code | t.finish()
}

// detailScan is --detail --scan: all arrays that the kernel has.
func (c *Command) detailScan(std ui.IO) int {
	t := c.newDetailer(std)
	names, err := t.reports.Arrays()
	code := 0
	if err != nil {
		fmt.Fprintf(std.Err, "mdadm: cannot list arrays: %v\n", err)
		code = 1
	}
	for _, n := range names {
		if n.Path == "" {
			fmt.Fprintf(std.Err, "mdadm: cannot find device file for %s\n", n.Name)
			continue
		}
		code |= t.array(n.Path)
	}
	return code | t.finish()
}

// finish prints the JSON document, if that was asked for, and flushes.
func (t *detailer) finish() int {
	code := 0
	if t.cmd.JSON {
		doc := detailDocument{Document: ui.Schema("detail"), Arrays: t.docs}
		if doc.Arrays == nil {
			doc.Arrays = []arrayDetailJSON{}
		}
		code = printDocument(t.std, doc)
	}
	t.w.Flush()
	return code
}

// array reports on one named array and returns its part of the exit code.
func (t *detailer) array(name string) int {
	d, err := t.reports.Detail(name)
	if err != nil {
		t.complain(name, err)
		if t.cmd.Test {
			return 4
		}
		return 1
	}
	return t.report(d)
}

// report prints one array and returns its part of the exit code.
func (t *detailer) report(d *report.Detail) int {
	for _, n := range slices.Sorted(maps.Keys(d.DiskErrors)) {
		fmt.Fprintf(t.std.Err, "mdadm: cannot get device detail for device %d: %s\n", n, errText(d.DiskErrors[n]))
	}
	switch {
	case t.cmd.JSON:
		t.docs = append(t.docs, t.document(d))
	case t.cmd.Export > 0:
		t.export(d)
		return 0
	case t.brief:
		t.briefLine(d)
	default:
		t.text(d)
	}
	return t.verdict(d)
}

// verdict is the exit code: with --test it tells the state of the array.
func (t *detailer) verdict(d *report.Detail) int {
	switch {
	case !t.cmd.Test:
		return 0
	case !d.Enough():
		return 2
	case slices.Contains(d.Available(), false):
		return 1
	}
	return 0
}

func (t *detailer) complain(name string, err error) {
	var refused *mdctl.Error
	switch {
	case errors.Is(err, report.ErrNotMD):
		fmt.Fprintf(t.std.Err, "mdadm: %s does not appear to be an md device\n", name)
	case errors.Is(err, report.ErrNoArray):
		fmt.Fprintf(t.std.Err, "mdadm: Array associated with md device %s does not exist.\n", name)
	case errors.As(err, &refused) && refused.Op == "open":
		fmt.Fprintf(t.std.Err, "mdadm: cannot open %s: %s\n", name, errText(err))
	default:
		fmt.Fprintf(t.std.Err, "mdadm: cannot get array detail for %s: %s\n", name, errText(err))
	}
}

// errText is the C library's text of the errno in err, or err's own.
func errText(err error) string {
	var no unix.Errno
	if errors.As(err, &no) {
		return errnoText(no)
	}
	return err.Error()
}

// detailLevel is the word for the array's level, "" for none: if the array does not
// run, only the superblock knows it.
func detailLevel(d *report.Detail) string {
	l := md.Level(d.Info.Level)
	if d.Inactive() && d.Super != nil {
		l = d.Super.Level()
	}
	if l.Known() {
		return l.String()
	}
	return ""
}

// metadataText is the metadata as --detail names it.
func metadataText(d *report.Detail) string {
	if d.Metadata.Kind != sysmd.MetadataNative {
		return d.Metadata.External
	}
	return fmt.Sprintf("%d.%d", d.Info.MajorVersion, d.Info.MinorVersion)
}

// container names the container that the array belongs to, if any.
func (t *detailer) container(d *report.Detail) (device, member string, ok bool) {
	name, member, _, ok := d.Metadata.Subarray()
	if !ok {
		return "", "", false
	}
	return t.reports.ArrayNode(name, t.cmd.Prefer), member, true
}

// briefLine prints a line for mdadm.conf.
func (t *detailer) briefLine(d *report.Detail) {
	w := t.w
	if d.Inactive() && !d.Container() {
		fmt.Fprintf(w, "INACTIVE-ARRAY %s", d.Path)
	} else {
		fmt.Fprintf(w, "ARRAY %s", d.Path)
	}
	verbose := t.cmd.Verbose > 0
	if verbose {
		switch level := detailLevel(d); {
		case d.Info.RaidDisks != 0:
			fmt.Fprintf(w, " level=%s num-devices=%d", orUnknown(level), d.Info.RaidDisks)
		case d.Container():
			fmt.Fprintf(w, " level=container num-devices=%d", d.Info.NrDisks)
		default:
			fmt.Fprintf(w, " num-devices=%d", d.Info.NrDisks)
		}
	}
	if device, member, ok := t.container(d); ok {
		fmt.Fprintf(w, " container=%s member=%s", device, member)
	} else {
		fmt.Fprintf(w, " metadata=%s", metadataText(d))
	}
	if d.BitmapFile != "" {
		fmt.Fprintf(w, " bitmap=%s", d.BitmapFile)
	}
	var devices []string
	if !t.cmd.NoDevices {
		var spares int
		devices, spares = t.briefDevices(d)
		if spares > 0 && d.Info.RaidDisks != 0 {
			fmt.Fprintf(w, " spares=%d", spares)
		}
	}
	t.briefSuper(d)
	if verbose && len(devices) > 0 {
		slices.Sort(devices)
		fmt.Fprintf(w, "\n   devices=%s", strings.Join(devices, ","))
	}
	w.WriteByte('\n')
}

// briefDevices lists the devices of an array and counts its spares.
func (t *detailer) briefDevices(d *report.Detail) (names []string, spares int) {
	for _, r := range tableRows(d) {
		if r.State == 0 {
			spares++
		}
		if name := t.reports.Nodes.Name(uint32(r.Major), uint32(r.Minor), t.cmd.Prefer); name != "" {
			names = append(names, name)
		}
	}
	return names, spares
}

func (t *detailer) briefSuper(d *report.Detail) {
	switch {
	case d.Super == nil:
	case d.Super.Super0 != nil:
		fmt.Fprintf(t.w, " UUID=%s", examine.UUID0(d.Super.Super0))
	default:
		s := d.Super.Super1
		if name := s.Name(); name != "" && t.cmd.compat.NamesInConf() {
			fmt.Fprintf(t.w, " name=%s", mdtext.QuoteWord(name))
		}
		fmt.Fprintf(t.w, " UUID=%s", s.SetUUID)
	}
}

// tableRows are the rows that --detail shows, slots first: a slot has one row even
// if it is empty, and a second one for a replacement.
func tableRows(d *report.Detail) []report.Row {
	var rows []report.Row
	slots, others := d.Rows()
	for _, pair := range slots {
		rows = append(rows, pair[0])
		if !pair[1].Empty() {
			rows = append(rows, pair[1])
		}
	}
	for _, r := range others {
		if !r.Empty() {
			rows = append(rows, r)
		}
	}
	return rows
}

// export prints an array as KEY=value lines, which udev rules read.
func (t *detailer) export(d *report.Detail) {
	w := t.w
	if d.Info.RaidDisks != 0 {
		if level := detailLevel(d); level != "" {
			fmt.Fprintf(w, "MD_LEVEL=%s\n", level)
		}
		fmt.Fprintf(w, "MD_DEVICES=%d\n", d.Info.RaidDisks)
	} else {
		if d.Container() {
			w.WriteString("MD_LEVEL=container\n")
		}
		fmt.Fprintf(w, "MD_DEVICES=%d\n", d.Info.NrDisks)
	}
	if device, member, ok := t.container(d); ok {
		fmt.Fprintf(w, "MD_CONTAINER=%s\nMD_MEMBER=%s\n", device, member)
	} else {
		fmt.Fprintf(w, "MD_METADATA=%s\n", metadataText(d))
	}
	switch {
	case d.Super != nil:
		fmt.Fprintf(w, "MD_UUID=%s\n", d.Super.UUID())
	case d.Entry != nil:
		fmt.Fprintf(w, "MD_UUID=%s\n", d.Entry.UUID)
	}
	if d.Entry != nil {
		if name, ok := strings.CutPrefix(d.Entry.Path, "/dev/md/"); ok {
			fmt.Fprintf(w, "MD_DEVNAME=%s\n", mdtext.EscapeName(name))
		}
	}
	if d.Super != nil && t.cmd.compat >= mdtext.Mdadm46 {
		fmt.Fprintf(w, "MD_RESHAPE_ACTIVE=%s\n", map[bool]string{true: "True", false: "False"}[d.Super.Reshape() != nil])
	}
	if d.Super != nil && d.Super.Super1 != nil {
		if name := examine.ExportName(d.Super.Super1); name != "" {
			fmt.Fprintf(w, "MD_NAME=%s\n", name)
		}
	}
	if !t.cmd.NoDevices {
		t.exportDevices(d)
	}
}

func (t *detailer) exportDevices(d *report.Detail) {
	for _, b := range d.Members {
		key := "MD_DEVICE_" + keyName(b.Name)
		if b.Slot >= 0 {
			fmt.Fprintf(t.w, "%s_ROLE=%d\n", key, b.Slot)
		} else {
			fmt.Fprintf(t.w, "%s_ROLE=spare\n", key)
		}
		if node := t.reports.Nodes.Name(b.Number.Major, b.Number.Minor, ""); node != "" {
			fmt.Fprintf(t.w, "%s_DEV=%s\n", key, node)
		}
	}
}

// keyName makes a kernel name fit for a variable's name: "dev_dm_0".
func keyName(s string) string {
	b := []byte(s)
	for i, c := range b {
		switch {
		case '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
		default:
			b[i] = '_'
		}
	}
	return string(b)
}

func orUnknown(word string) string {
	if word == "" {
		return mdtext.UnknownWord
	}
	return word
}
