package native

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/probe"
)

// candidate is a path on the command line that should be a member of an array.
type candidate struct {
	path   string
	dev    *block.File // nil if it could not be opened
	member *md.Member  // nil if it carries no md superblock, or could not be read
	err    error       // why there is no member
}

// openCandidates opens every path for reading. The caller must close them.
func openCandidates(paths []string) []candidate {
	list := make([]candidate, len(paths))
	for i, path := range paths {
		c := &list[i]
		c.path = path
		if c.dev, c.err = block.OpenFile(path, block.ForReading); c.err != nil {
			continue
		}
		if c.member, c.err = md.ReadMember(c.dev); errors.Is(c.err, md.ErrNoSuper) {
			c.err = explainForeign(c.dev, c.err)
		}
		if c.err == nil {
			c.refuseShared()
		}
	}
	return list
}

// refuseShared takes no disk for a member whose superblock is that of a partition.
func (c *candidate) refuseShared() {
	p, err := c.member.SharedWith(c.dev)
	switch {
	case err != nil:
		c.member, c.err = nil, err
	case p != nil:
		c.member, c.err = nil, fmt.Errorf("%s: the superblock at its end is that of partition %d, %d bytes from byte %d: give that partition",
			c.path, p.Number, p.Size, p.Start)
	}
}

func closeCandidates(list []candidate) {
	for _, c := range list {
		if c.dev != nil {
			// Nothing was written, so closing cannot lose anything.
			_ = c.dev.Close()
		}
	}
}

// explainForeign adds to the error that a device is not a member what it is instead.
func explainForeign(d block.Device, err error) error {
	found, probeErr := probe.Probe(d)
	if probeErr != nil || len(found) == 0 {
		return err
	}
	return fmt.Errorf("%w; it carries %s", err, found[0])
}

// membersOf lists the members among the candidates.
func membersOf(list []candidate) []*md.Member {
	var members []*md.Member
	for _, c := range list {
		if c.member != nil {
			members = append(members, c.member)
		}
	}
	return members
}

// memberInfo describes one candidate in JSON documents.
type memberInfo struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"` // bytes of the device; -1 if it could not be opened
	In     bool   `json:"in"`
	Role   string `json:"role,omitempty"` // "slot 2", "spare", "faulty", "journal"
	Events uint64 `json:"events"`
	Rule   string `json:"rule,omitempty"` // why it is in or out; empty for what is not a member
	Why    string `json:"why"`
}

// describe says what the assembly decided about a candidate.
func describe(c candidate, a *md.Assembly) memberInfo {
	info := memberInfo{Path: c.path, Size: -1}
	if c.dev != nil {
		info.Size = c.dev.Size()
	}
	if c.member == nil {
		info.Why = c.err.Error()
		return info
	}
	i := slices.IndexFunc(a.Verdicts, func(v md.Verdict) bool { return v.Member == c.member })
	v := a.Verdicts[i]
	info.In, info.Role, info.Events, info.Rule, info.Why = v.In, v.Role.String(), c.member.Events(), v.Rule, v.Why
	if v.Replacement {
		info.Role += ", replacement"
	}
	return info
}

// arrayInfo describes an array in JSON documents.
type arrayInfo struct {
	UUID     md.UUID    `json:"uuid"`
	Name     string     `json:"name,omitempty"`
	Metadata md.Version `json:"metadata"`
	Level    md.Level   `json:"level"`
	Layout   string     `json:"layout,omitempty"`
	Slots    int        `json:"slots"`
	Chunk    int64      `json:"chunk"` // bytes; 0 if the level has none
	Size     int64      `json:"size"`  // bytes
	Events   uint64     `json:"events"`
	Clean    bool       `json:"clean"`
	Missing  []int      `json:"missing"`          // slots without a usable member
	Start    bool       `json:"startable"`        // enough members to start without force
	Reason   string     `json:"reason,omitempty"` // why not
}

// infoOf describes the array of an assembly, or nil if there is none.
func infoOf(a *md.Assembly) *arrayInfo {
	f := a.Freshest
	if f == nil {
		return nil
	}
	layout, _ := md.LayoutName(f.Level(), f.Layout())
	info := &arrayInfo{
		UUID: a.UUID, Metadata: f.Version, Level: f.Level(), Layout: layout,
		Slots: len(a.Slots), Chunk: int64(f.ChunkSectors()) * md.SectorSize, Size: int64(f.ArraySize()) * md.SectorSize,
		Events: f.Events(), Clean: f.Clean(), Missing: append([]int{}, a.Missing()...), Start: true,
	}
	if f.Super1 != nil {
		info.Name = f.SetName()
	}
	if err := a.Startable(); err != nil {
		info.Start, info.Reason = false, err.Error()
	}
	return info
}
