package assemble

import (
	"fmt"

	"github.com/mdkit/mdkit/manage/array/device"
	"github.com/mdkit/mdkit/manage/array/node"
	"github.com/mdkit/mdkit/manage/note"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// begun is an array that is set up but not running.
type begun struct {
	entry node.MapEntry
	stat  *sysmd.MdstatArray
}

// alreadyThere looks the array up in the map. It refuses an array that runs, and returns
// one that --incremental has begun.
func (a *assembler) alreadyThere() (*begun, error) {
	if a.Update.word() == "uuid" {
		return nil, nil // its uuid is about to change
	}
	uuid := node.MapUUIDOf(a.found[0].Member)
	stat, err := sysmd.ReadMdstat(a.fs)
	if err != nil {
		return nil, nil // without the md driver there are no arrays
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
		a.Report.Say(note.Always, "assemble.found-some-drive-for-array-that-already-active", e.Path)
		a.Report.Say(note.Always, "assemble.giving-up")
		return nil, &note.Reported{Err: fmt.Errorf("the array is %s already: %w", e.Path, node.ErrArrayExists)}
	}
	return nil, nil
}

// merge adds the members of an array that has been begun, ahead of all others.
func (a *assembler) merge(b *begun) error {
	if a.Array != b.entry.Path {
		a.Report.Say(note.Always, "assemble.merging-with-already-assembled", b.entry.Path)
	} else {
		a.Report.Say(note.Chatty, "assemble.merging-with-already-assembled", b.entry.Path)
	}
	v := a.found[0].Member.Version
	var members []*FoundMember
	for _, m := range b.stat.Members {
		path, err := device.NodeOf(a.fs, m.Name)
		if err != nil {
			continue // without a name it cannot be opened
		}
		c, bad := ProbeDevice(path, &v, false)
		if bad != nil {
			return a.Report.Fail(ErrNotStarted, "assemble.cannot-re-read-metadata-from-aborting", path)
		}
		c.Included = true
		members = append(members, c)
	}
	a.found = append(members, a.found...)
	a.merges = true
	a.node = node.BegunNode(a.fs, b.entry.Name, b.entry.Path, a.Report)
	return nil
}
