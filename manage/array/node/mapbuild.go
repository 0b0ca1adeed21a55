package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/manage/array/device"
	"github.com/mdkit/mdkit/manage/mdconf"
	"github.com/mdkit/mdkit/manage/plan"
	"github.com/mdkit/mdkit/sysfs"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// PlanRebuild plans to write the map of arrays anew from the arrays that exist
// (mapfile.c, RebuildMap).
func PlanRebuild(home Home, cf *mdconf.Config) (*plan.Plan, error) {
	entries, err := entriesOfArrays(home, cf)
	if err != nil {
		return nil, err
	}
	info := plan.StepInfo{Kind: plan.KindMap, Target: MapDir + "/map", What: "write it anew"}
	for _, e := range entries {
		info.Value = strings.TrimSpace(info.Value + " " + e.Name + "=" + e.Path)
	}
	return &plan.Plan{Steps: []plan.Step{
		plan.NewStep(info, func(context.Context) error { return Map{}.replace(entries) }, nil),
	}}, nil
}

// Hold locks the map for a command that works on arrays, and makes sure that it exists.
// release unlocks it, and can be called even if locking failed. A dry run does not lock
// it.
func (m *Map) Hold(ctx context.Context, r *plan.Runner, home Home, cf *mdconf.Config) (release func(), err error) {
	release = func() {}
	err = r.Do(ctx, plan.AsideStep(func(context.Context) error {
		held, unlock, err := m.Lock()
		if err != nil {
			return err
		}
		*m, release = held, unlock
		m.Ensure(home, cf)
		return nil
	}))
	return release, err
}

// Ensure writes the map if it is missing, so that existing arrays are found in it.
// Failures do not matter, since arrays work without it. It is for steps that are not
// shown, which dry runs leave out.
func (m Map) Ensure(home Home, cf *mdconf.Config) {
	if _, err := os.Stat(m.path("map")); !errors.Is(err, fs.ErrNotExist) {
		return
	}
	if entries, err := entriesOfArrays(home, cf); err == nil {
		_ = m.replace(entries)
	}
}

// replace replaces the map.
func (m Map) replace(entries []MapEntry) error {
	return m.change(func([]MapEntry) []MapEntry { return entries })
}

// entriesOfArrays returns the map entries of all arrays that exist.
func entriesOfArrays(home Home, cf *mdconf.Config) ([]MapEntry, error) {
	if cf == nil {
		cf = &mdconf.Config{}
	}
	stat, err := sysmd.ReadMdstat(sysfs.Host)
	if err != nil {
		return nil, fmt.Errorf("rebuild the map of arrays: %w", err)
	}
	var entries []MapEntry
	nodes := &Nodes{}
	for i := len(stat.Arrays) - 1; i >= 0; i-- { // mdadm's order, oldest first
		if e, ok := mapEntryOf(&stat.Arrays[i], home, cf, nodes, entries); ok {
			entries = append([]MapEntry{e}, entries...)
		}
	}
	return entries, nil
}

// mapEntryOf describes an array by its first member that can be read.
func mapEntryOf(a *sysmd.MdstatArray, home Home, cf *mdconf.Config, nodes *Nodes, others []MapEntry) (MapEntry, bool) {
	for _, m := range a.Members {
		path, err := device.NodeOf(sysfs.Host, m.Name)
		if err != nil {
			continue
		}
		member, err := memberAt(path)
		if err != nil {
			continue
		}
		return MapEntry{
			Name: a.Name, Metadata: member.Version.String(), UUID: MapUUIDOf(member),
			Path: mapPath(a.Name, member, home, cf, nodes, others),
		}, true
	}
	return MapEntry{}, false
}

// memberAt reads the newest superblock on the device at path.
func memberAt(path string) (*md.Member, error) {
	d, err := device.Open(path, block.ForReading)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return md.GuessSuper(d)
}

// mapPath returns the path of an array: its name in /dev/md, the name that the
// configuration gives it, or the name that it would get if it were assembled.
func mapPath(kernel string, m *md.Member, home Home, cf *mdconf.Config, nodes *Nodes, others []MapEntry) string {
	if path, err := device.NodeOf(sysfs.Host, kernel); err == nil {
		if major, minor, err := device.StatDevice(path); err == nil {
			if name := nodes.Name(major, minor, ""); strings.HasPrefix(name, NamesDir+"/") {
				return name
			}
		}
	}
	line, two := cf.Match(mdconf.Facts{UUID: m.UUID(), Name: m.SetName(), SuperMinor: m.SuperMinor()}, nil)
	if two == nil && line != nil && strings.HasPrefix(line.Device, "/") {
		return line.Device
	}
	trusted := home.Owns(m) || (Home{Host: "any"}).Owns(m) || home.Ignored && cf.NameIsFree(m.SetName())
	name := m.SetName()
	if name == "" {
		name = FormatFamily(m.Version)
	}
	if strings.Contains(name, ":") {
		if trusted && home.Host != "" {
			name = strings.TrimPrefix(name, home.Host+":")
		}
		trusted = true // the host's name in front keeps it distinct
	}
	for n := -1; ; n++ {
		path := NamesDir + "/" + name
		switch {
		case n >= 0:
			path += fmt.Sprintf("_%d", n)
		case !trusted:
			continue
		}
		if _, err := os.Lstat(path); err != nil && !pathTaken(others, path) {
			return path
		}
	}
}

func pathTaken(entries []MapEntry, path string) bool {
	for _, e := range entries {
		if e.Path == path {
			return true
		}
	}
	return false
}
