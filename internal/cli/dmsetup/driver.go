package dmsetup

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/internal/cli/dmtask"
	"github.com/mdkit/mdkit/ioctl/dm"
)

// drivers queries the driver and the targets of devices, apart from reports, and sends
// them messages.
type drivers struct{ *changes }

// version is the command version: the version of the library whose messages these are,
// and that of the driver's interface.
func (dr *drivers) version(_ context.Context, c dmtask.Call) error {
	asJSON := dr.Line.Has(dmopt.JSON)
	if !asJSON {
		fmt.Fprintf(dr.Out, "Library version:   %s\n", dmtask.LibraryVersion)
	}
	ctl, err := dr.Control()
	if err != nil {
		return err
	}
	v, err := ctl.Version()
	if err != nil {
		return dmtask.Failed("version", dmtask.Device{}, err)
	}
	if asJSON {
		dr.Show(versionJSON{Library: dmtask.LibraryVersion, Driver: v.String()})
		return nil
	}
	fmt.Fprintf(dr.Out, "Driver version:    %v\n", v)
	dr.report = nil // dmstats version shows no columns
	return nil
}

type versionJSON struct {
	Library string `json:"library"`
	Driver  string `json:"driver"`
}

// targetTypeJSON is a target type.
type targetTypeJSON struct {
	Type    string    `json:"type"`
	Version [3]uint32 `json:"version"`
}

func (dr *drivers) showTargetVersion(v dm.TargetVersion) {
	if dr.Line.Has(dmopt.JSON) {
		dr.Show(targetTypeJSON{Type: v.Name, Version: v.Version})
		return
	}
	fmt.Fprintf(dr.Out, "%-16s v%d.%d.%d\n", v.Name, v.Version[0], v.Version[1], v.Version[2])
}

// targets is the command targets: the types that the kernel has loaded.
func (dr *drivers) targets(context.Context, dmtask.Call) error {
	ctl, err := dr.Control()
	if err != nil {
		return err
	}
	list, err := ctl.TargetVersions()
	if err != nil {
		return dmtask.Failed(dmtask.TaskVersions, dmtask.Device{}, err)
	}
	for _, v := range list {
		dr.showTargetVersion(v)
	}
	return nil
}

// targetVersion is the command target-version.
func (dr *drivers) targetVersion(_ context.Context, c dmtask.Call) error {
	ctl, err := dr.Control()
	if err != nil {
		return err
	}
	d, err := dr.Named(c.Args[0])
	if err != nil {
		return err
	}
	v, err := ctl.TargetVersion(d.Known)
	if err != nil {
		return dmtask.Failed(dmtask.TaskTargetVersion, d, err)
	}
	dr.showTargetVersion(v)
	return nil
}

// setGeometry is the command setgeometry.
func (dr *drivers) setGeometry(ctx context.Context, c dmtask.Call) error {
	d, words, err := dr.DeviceAside(c)
	if err != nil {
		return err
	}
	g, err := geometry(words)
	if err != nil {
		return dmtask.Failed(dmtask.TaskGeometry, d, err)
	}
	m, err := dr.manager(false)
	if err != nil {
		return err
	}
	_, err = dr.Run(ctx, d.String(), &m.PlanSetGeometry(d.Selector(), g).Plan)
	return dmtask.Failed(dmtask.TaskGeometry, d, refusal(err))
}

// geometry parses cylinders, heads, sectors and the start as the kernel does
// (dm-ioctl.c, dev_set_geometry).
func geometry(words []string) (g dm.Geometry, err error) {
	limits := [4]uint64{1<<16 - 1, 1<<8 - 1, 1<<8 - 1, 1<<64 - 1}
	var n [4]uint64
	for i := range n {
		var err2 error
		if n[i], err2 = strconv.ParseUint(words[i], 10, 64); err2 != nil || n[i] > limits[i] {
			err = errors.Join(err, fmt.Errorf("%q is no %s of a geometry: %w", words[i],
				[]string{"number of cylinders", "number of heads", "number of sectors", "start"}[i], unix.EINVAL))
		}
	}
	return dm.Geometry{Cylinders: uint16(n[0]), Heads: uint8(n[1]), Sectors: uint8(n[2]), Start: n[3]}, err
}

// wait is the command wait: it waits until the number of events of the device differs
// from the given one, 0 by default. There is nothing to clean up, so a signal ends the
// program as it does the original: without a word.
func (dr *drivers) wait(ctx context.Context, c dmtask.Call) error {
	defer dieAsC()()
	d, words, err := dr.DeviceAside(c)
	if err != nil {
		return err
	}
	nr := 0
	if len(words) > 0 {
		nr = dmopt.Atoi(words[len(words)-1])
	}
	ctl, err := dr.Control()
	if err != nil {
		return err
	}
	i, err := ctl.Wait(ctx, d.Selector(), uint32(nr))
	if err != nil {
		return dmtask.Failed(dmtask.TaskWait, d, err)
	}
	if err := dr.UnmangleInfo(&i); err != nil {
		return err
	}
	return dr.afterwards(ctx, &i)
}

// afterwards shows the device that was changed, if -v or --json asks for it.
func (dr *drivers) afterwards(ctx context.Context, i *dm.Info) error {
	if !dr.Line.Has(dmopt.Verbose) && !dr.Line.Has(dmopt.JSON) {
		return nil
	}
	return dr.showInfo(ctx, i)
}
