package array

import (
	"bytes"
	"strconv"

	"github.com/mdkit/mdkit/engine/md"
)

// infoOf reads from a superblock what deciding about the member needs.
func infoOf(m *md.Member) memberInfo {
	info := memberInfo{}
	if m.Super0 != nil {
		info = infoOf0(m)
	} else {
		info = infoOf1(m)
	}
	info.Damaged = m.Err != nil
	return info
}

func infoOf1(m *md.Member) memberInfo {
	s := m.Super1
	info := memberInfo{
		Device:        m.Name,
		Version:       m.Version,
		UUID:          s.SetUUID,
		Name:          name1(s),
		SuperMinor:    -1,
		Level:         s.Level,
		Layout:        s.Layout,
		RaidDisks:     int(s.RaidDisks),
		CTime:         int64(s.CTime & (1<<40 - 1)),
		Number:        int(s.DevNumber),
		Slot:          slotNone,
		Events:        s.Events,
		RecoveryStart: maxSector,
		Clean:         s.ResyncOffset == maxSector,
		NeedsJournal:  s.FeatureMap&md.FeatureJournal != 0,
		PPL:           s.FeatureMap&(md.FeaturePPL|md.FeatureMultiplePPLs) != 0,
	}
	role := md.RoleFaulty
	if int(s.DevNumber) < len(s.DevRoles) {
		role = md.Role(s.DevRoles[s.DevNumber])
	}
	switch role {
	case md.RoleSpare:
	case md.RoleFaulty:
		info.State.Faulty = true
	case md.RoleJournal:
		info.State.Journal = true
	default:
		info.State.Active, info.State.Sync = true, true
		info.Slot = int(role)
	}
	info.State.WriteMostly = s.DevFlags&md.DevWriteMostly != 0
	info.State.FailFast = s.DevFlags&md.DevFailFast != 0
	if s.FeatureMap&md.FeatureReplacement != 0 {
		info.State.Sync = false
		info.State.Replacement = true
	}
	if s.FeatureMap&md.FeatureRecoveryOffset != 0 {
		// All 64 bits: mdadm keeps only the low 32 (super1.c, getinfo_super1).
		info.RecoveryStart = s.RecoveryOffset
	}
	if s.FeatureMap&md.FeatureReshapeActive != 0 {
		info.Reshape = reshape{
			Active:    true,
			NoBackup:  s.FeatureMap&md.FeatureNewOffset != 0 && s.NewOffset != 0,
			Progress:  s.ReshapePosition,
			Delta:     int(s.DeltaDisks),
			NewLayout: s.NewLayout,
			NewChunk:  s.NewChunk,
		}
		if s.DeltaDisks < 0 {
			info.RaidDisks -= int(s.DeltaDisks)
		}
	}
	info.Alive = make([]bool, alive(info.RaidDisks))
	for _, r := range s.DevRoles {
		if int(r) < info.RaidDisks {
			info.Working++
			if int(r) < len(info.Alive) {
				info.Alive[r] = true
			}
		}
	}
	return info
}

// alive bounds a table by slot: a damaged raid_disks must not become memory.
func alive(raidDisks int) int { return min(max(raidDisks, 0), maxPlaces) }

// name1 is the array's name in a 1.x superblock.
func name1(s *md.Super1) string {
	name, _, _ := bytes.Cut(s.SetName[:], []byte{0})
	return string(name)
}

func infoOf0(m *md.Member) memberInfo {
	s := m.Super0
	d := &s.ThisDisk
	info := memberInfo{
		Device:        m.Name,
		Version:       m.Version,
		UUID:          s.UUID(),
		Name:          strconv.FormatUint(uint64(s.MDMinor), 10),
		SuperMinor:    int(s.MDMinor),
		Level:         s.Level,
		Layout:        s.Layout,
		RaidDisks:     int(s.RaidDisks),
		CTime:         int64(s.CTime),
		Number:        int(d.Number),
		Slot:          int(int32(d.RaidDisk)),
		Events:        s.Events,
		RecoveryStart: maxSector,
		Clean:         s.Clean(),
	}
	info.State = diskState{
		Faulty:      d.State&md.DiskFaulty != 0,
		Active:      d.State&md.DiskActive != 0,
		Sync:        d.State&md.DiskSync != 0,
		WriteMostly: d.State&md.DiskWriteMostly != 0,
		FailFast:    d.State&md.DiskFailFast != 0,
	}
	if s.Reshaping() {
		info.Reshape = reshape{
			Active:    true,
			Progress:  s.ReshapePosition,
			Delta:     int(s.DeltaDisks),
			NewLayout: s.NewLayout,
			NewChunk:  s.NewChunk / md.SectorSize,
		}
		if s.DeltaDisks < 0 {
			info.RaidDisks -= int(s.DeltaDisks)
		}
	}
	info.Alive = make([]bool, alive(info.RaidDisks))
	for i := range s.Disks {
		const full = md.DiskActive | md.DiskSync
		dd := &s.Disks[i]
		if dd.State&(full|md.DiskFaulty) != full || int(dd.RaidDisk) >= info.RaidDisks {
			continue
		}
		info.Working++
		if i < len(info.Alive) { // by number, which for members is the slot
			info.Alive[i] = true
		}
	}
	return info
}

// super is a superblock of either format that can be edited without touching
// the one it was copied from.
type super struct {
	v0 *md.Super0
	v1 *md.Super1
}

func copySuper(m *md.Member) super {
	if m.Super0 != nil {
		return super{v0: m.Super0.Clone()}
	}
	return super{v1: m.Super1.Clone()}
}

// setEvents raises the event count, which is what makes the kernel take a
// member that fell behind.
func (s super) setEvents(n uint64) {
	if s.v0 != nil {
		s.v0.Events = n
	} else {
		s.v1.Events = n
	}
}

// setRole records what the device with m's number is going to be, and reports
// whether that is news to the superblock. want is where it belongs: what it
// says of itself, unless it has no slot of the array.
func (s super) setRole(m *memberInfo, want diskState) (changed bool) {
	if s.v0 != nil {
		return s.setRole0(m, want)
	}
	role := md.RoleSpare
	switch {
	case want.Active:
		role = md.Role(m.Slot)
	case want.Journal:
		role = md.RoleJournal
	}
	if m.Number < len(s.v1.DevRoles) && s.v1.DevRoles[m.Number] != role {
		s.v1.DevRoles[m.Number] = role
		changed = true
	}
	return s.moveReshape(m, &s.v1.ReshapePosition, s.v1.FeatureMap&md.FeatureReshapeActive != 0) || changed
}

func (s super) setRole0(m *memberInfo, want diskState) (changed bool) {
	const keep = md.DiskWriteMostly | md.DiskFailFast
	state := diskState0(want)
	if m.Number < len(s.v0.Disks) {
		d := &s.v0.Disks[m.Number]
		have := d.State &^ keep
		if s.v0.MinorVersion >= 91 { // during a reshape not everything is marked in sync
			have |= md.DiskSync
		}
		if have != state {
			d.State = state | d.State&keep
			changed = true
		}
	}
	return s.moveReshape(m, &s.v0.ReshapePosition, s.v0.Reshaping()) || changed
}

func diskState0(s diskState) (bits md.DiskState) {
	for _, f := range []struct {
		set bool
		bit md.DiskState
	}{
		{s.Faulty, md.DiskFaulty},
		{s.Active, md.DiskActive},
		{s.Sync, md.DiskSync},
		{s.Replacement, md.DiskReplacement},
		{s.Journal, md.DiskJournal},
		{s.WriteMostly, md.DiskWriteMostly},
		{s.FailFast, md.DiskFailFast},
	} {
		if f.set {
			bits |= f.bit
		}
	}
	return bits
}

// moveReshape takes the more careful of two positions of a running reshape.
func (s super) moveReshape(m *memberInfo, pos *uint64, active bool) bool {
	if !active || !m.Reshape.Active {
		return false
	}
	back := m.Reshape.Delta < 0
	if !back && m.Reshape.Progress < *pos || back && m.Reshape.Progress > *pos {
		*pos = m.Reshape.Progress
		return true
	}
	return false
}

// setClean marks the array as in sync, and reports whether it was not. Only
// parity levels are touched: there a dirty array cannot start degraded.
func (s super) setClean() bool {
	if s.v0 != nil {
		if !s.v0.Level.Parity() || s.v0.Clean() {
			return false
		}
		s.v0.State |= md.Super0Clean
		return true
	}
	if !s.v1.Level.Parity() || s.v1.ResyncOffset == maxSector {
		return false
	}
	s.v1.ResyncOffset = maxSector
	return true
}

// bytes gives the superblock as it lies on disk.
func (s super) bytes() []byte {
	if s.v0 != nil {
		return s.v0.AppendTo(nil)
	}
	return s.v1.AppendTo(nil)
}
