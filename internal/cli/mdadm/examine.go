package mdadm

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/internal/cli/mdadm/examine"
	"github.com/mdkit/mdkit/internal/cli/mdadm/mdtext"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/manage/array/node"
	"github.com/mdkit/mdkit/manage/array/report"
	"github.com/mdkit/mdkit/manage/note"
)

// examine is --examine: it reports the metadata of devices, each by itself
// (Examine.c). It needs only the right to read them.
func (c *Command) examine(_ context.Context, std ui.IO) int {
	cf := c.readConf(std)
	w := bufio.NewWriter(std.Out)
	defer w.Flush()
	e := &examiner{
		cmd: c, std: std, w: w, homeHost: c.homeHost(cf),
		brief: c.Brief || c.Scan && c.Verbose < 2,
	}
	var names []string
	for _, d := range c.Devices {
		names = append(names, d.Name)
	}
	if len(names) == 0 {
		if !c.Scan {
			return leave(usage("No devices to examine"), std)
		}
		names = scanDevices(cf, &e.nodes, std)
		if len(names) == 0 {
			fmt.Fprintf(std.Err, "mdadm: No devices listed in %s\n", cf.Name)
			return 1
		}
	}
	var err error
	if e.want, err = wantedVersions(c.Shape.Metadata); err != nil {
		fmt.Fprintf(std.Err, "mdadm: %v\n", err)
		return 1
	}
	code := 0
	for _, name := range names {
		code |= e.device(name)
	}
	switch {
	case c.JSON:
		code |= e.printJSON()
	case e.brief:
		e.printArrays()
	}
	return code
}

// examiner is one run of --examine.
type examiner struct {
	cmd      *Command
	std      ui.IO
	w        *bufio.Writer
	homeHost string
	brief    bool         // --brief, also by way of --scan
	want     []md.Version // of --metadata; empty for any
	nodes    node.Nodes
	arrays   []*briefArray // with brief: what was found, in that order
	docs     []examinedDevice
}

// wantedVersions are the superblock versions that --metadata asks for; none
// without it.
func wantedVersions(word string) ([]md.Version, error) {
	switch strings.TrimLeft(word, "0") {
	case "":
		if word == "" {
			return nil, nil
		}
	case "1":
		return []md.Version{md.V10, md.V11, md.V12}, nil
	case ".swap", ".9", ".91":
		return []md.Version{md.V090}, nil // in both byte orders; device looks which
	}
	v, err := md.ParseVersion(word)
	if err != nil {
		return nil, fmt.Errorf("%s metadata is not supported by mdkit", word)
	}
	return []md.Version{v}, nil
}

// device reports one device and returns its part of the exit code.
func (e *examiner) device(name string) int {
	d, err := block.OpenFile(name, block.Direct)
	if err != nil {
		if e.cmd.Scan {
			return 0
		}
		fmt.Fprintf(e.std.Err, "mdadm: cannot open %s: %s\n", name, openReason(err))
		e.docs = append(e.docs, examinedDevice{Device: name, Size: -1, Error: openReason(err)})
		return 1
	}
	defer d.Close()
	x, err := report.ExamineMember(d, e.want...)
	if err == nil && e.swapped() && md.NativeOrder(x.Member) {
		err = fmt.Errorf("%s: %w of the other byte order", name, md.ErrNoSuper)
	}
	if err != nil {
		return e.nothing(d, err)
	}
	if len(e.want) > 1 && !e.brief && !e.cmd.Scan {
		// mdadm says which formats it did not find, even if it found another one.
		why, _ := report.WhyNoSuper(d, e.want...)
		e.complain(why)
	}
	if n := x.Truncated(); n > 0 && e.cmd.compat < mdtext.Mdadm46 && !e.brief && !e.cmd.Scan && !report.IsArray(name) {
		fmt.Fprintf(e.std.Err, "mdadm: %s is truncated: its data ends %d sectors behind the end of the device.\n", name, n)
	}
	switch {
	case e.cmd.JSON:
		e.docs = append(e.docs, e.document(name, x))
	case e.brief:
		e.collect(name, x)
	case e.cmd.Export > 0:
		examine.Export(e.w, x)
	default:
		fmt.Fprintf(e.w, "%s:\n", name)
		examine.Text(e.w, x, e.homeHost, &e.nodes, e.cmd.compat)
	}
	return 0
}

// swapped reports whether only 0.90 superblocks of the other byte order are asked for
// (super0.c, match_metadata_desc0).
func (e *examiner) swapped() bool { return strings.HasSuffix(e.cmd.Shape.Metadata, ".swap") }

// whyNot says of each format that is asked for why the device does not have it.
func (e *examiner) whyNot(d *block.File) []*md.LoadError {
	if e.swapped() {
		_, bad := md.LoadSwapped(d)
		return []*md.LoadError{bad}
	}
	why, _ := report.WhyNoSuper(d, e.want...)
	return why
}

// complain prints mdadm's lines on the error stream.
func (e *examiner) complain(why []*md.LoadError) {
	for _, err := range why {
		fmt.Fprintf(e.std.Err, "mdadm: %s\n", mdtext.Of(note.Unloaded(err)))
	}
}

// openReason says why a device could not be opened, in the C library's words, or in
// ours if those are vague.
func openReason(err error) string {
	var no unix.Errno
	switch {
	case errors.Is(err, block.ErrNotDevice):
		var be *block.Error
		errors.As(err, &be)
		return be.Err.Error()
	case errors.As(err, &no):
		return errnoText(no)
	case errors.Is(err, fs.ErrNotExist):
		return errnoText(unix.ENOENT)
	}
	return err.Error()
}

// errnoText is strerror(3): Go's own texts begin with a lower-case letter.
func errnoText(no unix.Errno) string {
	s := no.Error()
	return strings.ToUpper(s[:1]) + s[1:]
}
