package md

// SuperEdit is a copy of a superblock of either format that can be edited without
// touching the original.
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

// SetEvents sets the event count. A higher one makes the kernel accept a member
// that fell behind.
func (s SuperEdit) SetEvents(n uint64) {
	if s.V0 != nil {
		s.V0.Events = n
	} else {
		s.V1.Events = n
	}
}

// SetRole records what the device with m's number is going to be, and reports
// whether the superblock changed. want is what the device says about itself,
// unless it has no slot of the array.
func (s SuperEdit) SetRole(m *Member, want DeviceState) (changed bool) {
	if s.V0 != nil {
		return s.setRole0(m, want)
	}
	role := RoleSpare
	switch {
	case want.Active:
		role = Role(m.Slot())
	case want.Journal:
		role = RoleJournal
	}
	if n := uint64(m.DevNumber()); n < uint64(len(s.V1.DevRoles)) && s.V1.DevRoles[n] != role {
		s.V1.DevRoles[n] = role
		changed = true
	}
	return s.moveReshape(m, &s.V1.ReshapePosition, s.V1.FeatureMap&FeatureReshapeActive != 0) || changed
}

func (s SuperEdit) setRole0(m *Member, want DeviceState) (changed bool) {
	const keep = DiskWriteMostly | DiskFailFast
	state := DiskBits0(want)
	if n := uint64(m.DevNumber()); n < uint64(len(s.V0.Disks)) {
		d := &s.V0.Disks[n]
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

// DiskBits0 is the state of a device as 0.90 stores it (md_p.h, MD_DISK_*).
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

// moveReshape takes the safer of two positions of a running reshape: the one that
// is less far along.
func (s SuperEdit) moveReshape(m *Member, pos *uint64, active bool) bool {
	r := m.Reshape()
	if !active || r == nil {
		return false
	}
	back := r.Delta < 0
	if !back && r.Position < *pos || back && r.Position > *pos {
		*pos = r.Position
		return true
	}
	return false
}

// SetClean marks the array as in sync, and reports whether it was not before. It
// touches only parity levels, because only those cannot start dirty and degraded.
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

// Bytes returns the superblock as it is on disk.
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
