package incremental

import (
	"bytes"
	"context"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/manage/array/device"
	"github.com/mdkit/mdkit/manage/array/member"
	"github.com/mdkit/mdkit/manage/array/node"
	"github.com/mdkit/mdkit/manage/mdconf"
	"github.com/mdkit/mdkit/manage/note"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// spare adds a device without metadata as a spare to an array of its domains, where the
// policy allows that: a blank device (action=spare), or any that is in the place of a
// removed disk (spare-same-slot). Of several arrays, the one that lacks most members
// gets it (Incremental.c, try_spare).
func (i *incremental) spare(ctx context.Context, d *device.Device) {
	i.result.Code = 1
	format := ""
	if i.Version != nil {
		format = node.FormatFamily(*i.Version)
	}
	if len(i.policies.Domains("")) == 0 || !i.policies.Allows(format, mdconf.ActionSpare) {
		return
	}
	metadata, uuid, known := slotOf(node.PathsOf(d.Major, d.Minor))
	bare := isBare(d)
	if !bare && (!known || !i.policies.Allows(format, mdconf.ActionSpareSameSlot)) {
		i.Report.Say(note.VeryChatty, "incremental.not-bare-so-not-considering-as-spare", i.Device)
		return
	}
	s := &spareSeeker{incremental: i, d: d, bare: bare, size: d.Size()}
	if known {
		s.metadata, s.uuid = metadata, &uuid
	}
	if found := s.seek(); found != nil {
		s.give(ctx, found)
	}
}

// isBare reports whether the first and the last 4 KiB of a device consist of a single
// byte value, one found on a blank or a wiped disk.
func isBare(d block.Device) bool {
	const end = 4096
	if d.Size() < end {
		return false
	}
	b := make([]byte, end)
	for _, off := range []int64{0, d.Size() - end} {
		if block.ReadFull(d, b, off) != nil || b[0] != 0 && b[0] != 0x5a && b[0] != 0xff ||
			bytes.Count(b, b[:1]) != len(b) {
			return false
		}
	}
	return true
}

// spareSeeker looks for the array to give a spare to.
type spareSeeker struct {
	*incremental
	d        *device.Device
	size     int64
	bare     bool
	metadata string        // of the array that had a disk in this place
	uuid     *node.MapUUID // of that array; nil if there is none
}

// seek returns the best array, or nil.
func (s *spareSeeker) seek() *node.MapEntry {
	entries, _ := s.arrays.Read()
	var best *node.MapEntry
	most := -1
	for n := range entries {
		e := &entries[n]
		missing, mine, ok := s.suits(e)
		switch {
		case !ok:
		case mine && missing > 0:
			return e
		case missing > most:
			best, most = e, missing
		}
	}
	return best
}

// suits reports whether the array can take the device, how many members it lacks, and
// whether one of them was in this place.
func (s *spareSeeker) suits(e *node.MapEntry) (missing int, mine, ok bool) {
	v, err := md.ParseVersion(e.Metadata)
	if err != nil || s.Version != nil && v != *s.Version {
		s.Report.Say(note.VeryChatty, "incremental.not-adding-as-metadata-type-doesnt-match", s.Device, e.Path)
		return 0, false, false
	}
	format := node.FormatFamily(v)
	if !s.policies.Allows(format, mdconf.ActionSpare) || !s.bare && !s.policies.Allows(format, mdconf.ActionSpareSameSlot) {
		return 0, false, false
	}
	a, err := sysmd.Open(s.fs, e.Name)
	if err != nil {
		return 0, false, false
	}
	degraded, _ := a.Degraded() // levels without redundancy do not have this attribute
	size, err := a.ComponentSize()
	if err != nil || !s.holds(a, v, size) {
		s.Report.Say(note.VeryChatty, "incremental.not-adding-as-it-too-small", s.Device, e.Path)
		return 0, false, false
	}
	missing = int(degraded)
	if s.uuid != nil && s.policies.Allows(format, mdconf.ActionSpareSameSlot) {
		if *s.uuid == e.UUID && s.metadata == e.Metadata && missing > 0 {
			return missing, true, true
		}
		if !s.bare {
			return 0, false, false
		}
	}
	if mdconf.InDomains(s.domainsOf(a, format), s.policies.Domains(format)) != 1 {
		s.Report.Say(note.VeryChatty, "incremental.not-adding-as-it-not-compatible-domain", s.Device, e.Path)
		return 0, false, false
	}
	return missing, false, true
}

// holds reports whether the device is large enough for a member of that many KiB.
func (s *spareSeeker) holds(a *sysmd.Array, v md.Version, kib uint64) bool {
	need := int64(kib) * 1024
	if v == md.V090 || v == md.V10 {
		off, ok := v.SuperOffset(s.size)
		return ok && need <= off
	}
	members, err := a.Members()
	if err != nil || len(members) == 0 {
		return false
	}
	offset, err := members[0].Offset()
	return err == nil && need+int64(offset)*md.SectorSize <= s.size
}

// domainsOf lists the domains of all members of the array.
func (s *spareSeeker) domainsOf(a *sysmd.Array, format string) (all []string) {
	stat, _ := sysmd.ReadMdstat(s.fs)
	there := stat.Array(a.Name())
	if there == nil {
		return nil
	}
	for _, m := range there.Members {
		path, err := device.NodeOf(s.fs, m.Name)
		if err != nil {
			continue
		}
		if major, minor, err := device.StatDevice(path); err == nil {
			all = append(all, node.PoliciesOf(s.Conf, major, minor).Domains(format)...)
		}
	}
	return all
}

// give adds the device to the array.
func (s *spareSeeker) give(ctx context.Context, e *node.MapEntry) {
	path, err := device.NodeOf(s.fs, e.Name)
	if err != nil {
		return
	}
	version, _ := md.ParseVersion(e.Metadata) // suits has parsed it before
	done, err := member.Manage(ctx, member.ManageRequest{
		Array: path, Devices: []member.Subdev{{Name: s.Device, Verb: member.VerbAdd}}, DryRun: s.DryRun,
		Overwrite: s.policies.Allows(node.FormatFamily(version), mdconf.ActionForceSpare), BackupDir: s.BackupDir,
		Report: urgent(s.Report),
	})
	if done != nil {
		s.result.Steps = done.Steps
	}
	s.result.Array, s.result.Kernel = e.Path, e.Name
	if err != nil {
		s.Report.Say(note.Chatty, "incremental.failed-add-as-spare", s.Device, e.Name)
		return
	}
	s.result.Code = 0
	s.Report.Say(note.Chatty, "incremental.added-as-spare", s.Device, e.Name)
}
