package md

import (
	"bytes"
	"strconv"
)

// InfoOf reads from a superblock what deciding about the member needs.
func InfoOf(m *Member) Info {
	info := Info{}
	if m.Super0 != nil {
		info = infoOf0(m)
	} else {
		info = infoOf1(m)
	}
	info.Damaged = m.Err != nil
	return info
}

func infoOf1(m *Member) Info {
	s := m.Super1
	info := Info{
		Device:        m.Name,
		Version:       m.Version,
		UUID:          s.SetUUID,
		Name:          Name1(s),
		SuperMinor:    -1,
		Level:         s.Level,
		Layout:        s.Layout,
		RaidDisks:     int(s.RaidDisks),
		CTime:         int64(s.CTime & (1<<40 - 1)),
		Number:        int(s.DevNumber),
		Slot:          SlotNone,
		Events:        s.Events,
		RecoveryStart: MaxSector,
		Clean:         s.ResyncOffset == MaxSector,
		NeedsJournal:  s.FeatureMap&FeatureJournal != 0,
		PPL:           s.FeatureMap&(FeaturePPL|FeatureMultiplePPLs) != 0,
	}
	role := RoleFaulty
	if int(s.DevNumber) < len(s.DevRoles) {
		role = Role(s.DevRoles[s.DevNumber])
	}
	switch role {
	case RoleSpare:
	case RoleFaulty:
		info.State.Faulty = true
	case RoleJournal:
		info.State.Journal = true
	default:
		info.State.Active, info.State.Sync = true, true
		info.Slot = int(role)
	}
	info.State.WriteMostly = s.DevFlags&DevWriteMostly != 0
	info.State.FailFast = s.DevFlags&DevFailFast != 0
	if s.FeatureMap&FeatureReplacement != 0 {
		info.State.Sync = false
		info.State.Replacement = true
	}
	if s.FeatureMap&FeatureRecoveryOffset != 0 {
		// All 64 bits: mdadm keeps only the low 32 (super1.c, getinfo_super1).
		info.RecoveryStart = s.RecoveryOffset
	}
	if s.FeatureMap&FeatureReshapeActive != 0 {
		info.Reshape = ReshapeInfo{
			Active:    true,
			NoBackup:  s.FeatureMap&FeatureNewOffset != 0 && s.NewOffset != 0,
			Progress:  s.ReshapePosition,
			Delta:     int(s.DeltaDisks),
			NewLayout: s.NewLayout,
			NewChunk:  s.NewChunk,
		}
		if s.DeltaDisks < 0 {
			info.RaidDisks -= int(s.DeltaDisks)
		}
	}
	info.Alive = make([]bool, Alive(info.RaidDisks))
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

// Alive bounds a table by slot: a damaged raid_disks must not become memory.
func Alive(raidDisks int) int { return min(max(raidDisks, 0), MaxPlaces) }

// Name1 is the array's name in a 1.x superblock.
func Name1(s *Super1) string {
	name, _, _ := bytes.Cut(s.SetName[:], []byte{0})
	return string(name)
}

func infoOf0(m *Member) Info {
	s := m.Super0
	d := &s.ThisDisk
	info := Info{
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
		RecoveryStart: MaxSector,
		Clean:         s.Clean(),
	}
	info.State = DeviceState{
		Faulty:      d.State&DiskFaulty != 0,
		Active:      d.State&DiskActive != 0,
		Sync:        d.State&DiskSync != 0,
		WriteMostly: d.State&DiskWriteMostly != 0,
		FailFast:    d.State&DiskFailFast != 0,
	}
	if s.Reshaping() {
		info.Reshape = ReshapeInfo{
			Active:    true,
			Progress:  s.ReshapePosition,
			Delta:     int(s.DeltaDisks),
			NewLayout: s.NewLayout,
			NewChunk:  s.NewChunk / SectorSize,
		}
		if s.DeltaDisks < 0 {
			info.RaidDisks -= int(s.DeltaDisks)
		}
	}
	info.Alive = make([]bool, Alive(info.RaidDisks))
	for i := range s.Disks {
		const full = DiskActive | DiskSync
		dd := &s.Disks[i]
		if dd.State&(full|DiskFaulty) != full || int(dd.RaidDisk) >= info.RaidDisks {
			continue
		}
		info.Working++
		if i < len(info.Alive) { // by number, which for members is the slot
			info.Alive[i] = true
		}
	}
	return info
}

// SuperEdit is a superblock of either format that can be edited without touching
// the one it was copied from.
type SuperEdit struct {
	V0 *Super0
	V1 *Super1
}

// EditSuper copies the superblock of m.
func EditSuper(m *Member) SuperEdit {
	if m.Super0 != nil {
		return SuperEdit{V0: m.Super0.Clone()}
	}
	return SuperEdit{V1: m.Super1.Clone()}
}

// SetEvents raises the event count, which is what makes the kernel take a
// member that fell behind.
func (s SuperEdit) SetEvents(n uint64) {
	if s.V0 != nil {
		s.V0.Events = n
	} else {
		s.V1.Events = n
	}
}

// SetRole records what the device with m's number is going to be, and reports
// whether that is news to the superblock. want is where it belongs: what it
// says of itself, unless it has no slot of the array.
func (s SuperEdit) SetRole(m *Info, want DeviceState) (changed bool) {
	if s.V0 != nil {
		return s.setRole0(m, want)
	}
	role := RoleSpare
	switch {
	case want.Active:
		role = Role(m.Slot)
	case want.Journal:
		role = RoleJournal
	}
	if m.Number < len(s.V1.DevRoles) && s.V1.DevRoles[m.Number] != role {
		s.V1.DevRoles[m.Number] = role
		changed = true
	}
	return s.moveReshape(m, &s.V1.ReshapePosition, s.V1.FeatureMap&FeatureReshapeActive != 0) || changed
}

func (s SuperEdit) setRole0(m *Info, want DeviceState) (changed bool) {
	const keep = DiskWriteMostly | DiskFailFast
	state := DiskBits0(want)
	if m.Number < len(s.V0.Disks) {
		d := &s.V0.Disks[m.Number]
		have := d.State &^ keep
		if s.V0.MinorVersion >= 91 { // during a reshape not everything is marked in sync
			have |= DiskSync
		}
		if have != state {
			d.State = state | d.State&keep
			changed = true
		}
	}
	return s.moveReshape(m, &s.V0.ReshapePosition, s.V0.Reshaping()) || changed
}

// DiskBits0 is the state of a device as 0.90 writes it (md_p.h, MD_DISK_*).
func DiskBits0(s DeviceState) (bits DiskState) {
	for _, f := range []struct {
		set bool
		bit DiskState
	}{
		{s.Faulty, DiskFaulty},
		{s.Active, DiskActive},
		{s.Sync, DiskSync},
		{s.Replacement, DiskReplacement},
		{s.Journal, DiskJournal},
		{s.WriteMostly, DiskWriteMostly},
		{s.FailFast, DiskFailFast},
	} {
		if f.set {
			bits |= f.bit
		}
	}
	return bits
}

// moveReshape takes the more careful of two positions of a running reshape.
func (s SuperEdit) moveReshape(m *Info, pos *uint64, active bool) bool {
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

// SetClean marks the array as in sync, and reports whether it was not. Only
// parity levels are touched: there a dirty array cannot start degraded.
func (s SuperEdit) SetClean() bool {
	if s.V0 != nil {
		if !s.V0.Level.Parity() || s.V0.Clean() {
			return false
		}
		s.V0.State |= Super0Clean
		return true
	}
	if !s.V1.Level.Parity() || s.V1.ResyncOffset == MaxSector {
		return false
	}
	s.V1.ResyncOffset = MaxSector
	return true
}

// Bytes gives the superblock as it lies on disk.
func (s SuperEdit) Bytes() []byte {
	if s.V0 != nil {
		return s.V0.AppendTo(nil)
	}
	return s.V1.AppendTo(nil)
}

// SetPosition records how far the reshape has come.
func (s SuperEdit) SetPosition(position uint64) {
	if s.V0 != nil {
		s.V0.ReshapePosition = position
	} else {
		s.V1.ReshapePosition = position
	}
}
