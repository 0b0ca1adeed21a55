package array

import (
	"fmt"

	"github.com/mdkit/mdkit/sysfs"
	sysblock "github.com/mdkit/mdkit/sysfs/block"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// begun is an array that is set up but does not run.
type begun struct {
	entry MapEntry
	stat  *sysmd.MdstatArray
}

// alreadyThere looks for the array in the map. It refuses one that runs, and
// gives one that --incremental has begun.
func (a *assembler) alreadyThere() (*begun, error) {
	if a.Update.word() == "uuid" {
		return nil, nil // its uuid is going to be another
	}
	uuid := mapUUID(a.found[0].member)
	stat, err := sysmd.ReadMdstat(a.fs)
	if err != nil {
		return nil, nil // without md there is no array
	}
	entries, err := a.arrays.Read()
	if err != nil {
		return nil, nil
	}
	for _, e := range entries {
		there := stat.Array(e.Name)
		if e.UUID != uuid || there == nil {
			continue
		}
		if !there.Active() {
			return &begun{e, there}, nil
		}
		a.Report.say(Always, "Found some drive for an array that is already active: %s", e.Path)
		a.Report.say(Always, "giving up.")
		return nil, &Said{fmt.Errorf("the array is %s already: %w", e.Path, ErrArrayExists)}
	}
	return nil, nil
}

// merge takes in the members of an array that has been begun, before all
// others.
func (a *assembler) merge(b *begun) error {
	if a.Array != b.entry.Path {
		a.Report.say(Always, "Merging with already-assembled %s", b.entry.Path)
	} else {
		a.Report.say(Chatty, "Merging with already-assembled %s", b.entry.Path)
	}
	v := a.found[0].member.Version
	var members []*contender
	for _, m := range b.stat.Members {
		path, err := nodeOf(a.fs, m.Name)
		if err != nil {
			continue // without a name there is no way to it
		}
		c, bad := probeDevice(path, &v, false)
		if bad != nil {
			return a.Report.fail(ErrNotStarted, "cannot re-read metadata from %s - aborting", path)
		}
		c.included = true
		members = append(members, c)
	}
	a.found = append(members, a.found...)
	a.merges = true
	a.node = begunNode(a.fs, b.entry.Name, b.entry.Path, a.Report)
	return nil
}

// nodeOf gives a path for a device by the kernel's name.
func nodeOf(fs sysfs.FS, name string) (string, error) {
	dev, err := sysblock.Open(fs, name)
	if err != nil {
		return "", err
	}
	num, err := dev.Num()
	if err != nil {
		return "", err
	}
	return devicePath(num.Major, num.Minor, name), nil
}
