package md

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// newArray returns the members of a sound 1.2 array of 64 MiB devices, one for
// each role. edit may change each superblock.
func newArray(level Level, layout int32, slots int, roles []Role, edit func(i int, s *Super1)) []*Member {
	members := make([]*Member, len(roles))
	for i := range roles {
		s := &Super1{
			Magic: SuperMagic, MajorVersion: 1, Level: level, Layout: layout, Size: 129024, ChunkSize: 1024,
			RaidDisks: uint32(slots), DataOffset: 2048, DataSize: 129024, SuperOffset: 8, BblogSize: 8, BblogOffset: 16,
			CTime: 1700000000, UTime: 1700000100, Events: 20, ResyncOffset: MaxSector,
			DevNumber: uint32(i), DevRoles: append([]Role(nil), roles...),
			SetUUID: UUID{0: 0xaa, 15: 1}, DeviceUUID: UUID{0: 0xdd, 15: byte(i)},
		}
		if level <= 0 {
			s.Size = 0
		}
		s.SetNameString("host:0")
		if edit != nil {
			edit(i, s)
		}
		s.MaxDev = uint32(len(s.DevRoles))
		s.SBCsum = s.Checksum()
		members[i] = &Member{Name: fmt.Sprintf("disk%d", i), Size: 64 << 20, Version: V12, Offset: 4096, Super1: s}
	}
	return members
}

func roles(n int, more ...Role) []Role {
	var r []Role
	for i := range n {
		r = append(r, Role(i))
	}
	return append(r, more...)
}

func TestAssess(t *testing.T) {
	const left = LayoutLeftSymmetric
	for _, c := range []struct {
		name    string
		members []*Member
		out     map[int]string // index to rule; all others must be in
		start   error
	}{
		{"raid5", newArray(LevelRAID5, left, 4, roles(4, RoleSpare), nil), nil, nil},
		{"one behind", newArray(LevelRAID5, left, 4, roles(4), func(i int, s *Super1) {
			if i == 1 {
				s.Events = 19
			}
		}), nil, nil},
		{"stale", newArray(LevelRAID5, left, 4, roles(4), func(i int, s *Super1) {
			if i == 1 {
				s.Events = 18
			}
		}), map[int]string{1: "md.member.stale"}, nil},
		{"dirty and stale", newArray(LevelRAID5, left, 4, roles(4), func(i int, s *Super1) {
			if i == 1 {
				s.Events = 18
			}
			s.ResyncOffset = 0
		}), map[int]string{1: "md.member.stale"}, ErrDirtyDegraded},
		{"dirty", newArray(LevelRAID5, left, 4, roles(4), func(_ int, s *Super1) { s.ResyncOffset = 0 }), nil, nil},
		{"two stale", newArray(LevelRAID5, left, 4, roles(4), func(i int, s *Super1) {
			if i < 2 {
				s.Events = 3
			}
		}), map[int]string{0: "md.member.stale", 1: "md.member.stale"}, ErrNotEnough},
		{"two stale of raid6", newArray(LevelRAID6, left, 4, roles(4), func(i int, s *Super1) {
			if i < 2 {
				s.Events = 3
			}
		}), map[int]string{0: "md.member.stale", 1: "md.member.stale"}, nil},
		{"failed by the freshest", newArray(LevelRAID1, 0, 2, roles(2), func(i int, s *Super1) {
			if i == 0 {
				s.Events = 19
			} else {
				s.DevRoles[0] = RoleFaulty
			}
		}), map[int]string{0: "md.member.faulty"}, nil},
		{"split", newArray(LevelRAID1, 0, 2, roles(2), func(i int, s *Super1) {
			s.DevRoles[1-i] = RoleFaulty
			s.Events += uint64(i)
		}), map[int]string{0: "md.member.split"}, nil},
		{"cut while a new member was written first", newArray(LevelRAID1, 0, 3, roles(3), func(i int, s *Super1) {
			s.DevRoles[2] = RoleSpare
			if i == 2 {
				s.Events = 21
				s.DevRoles[2] = 2
				s.FeatureMap |= FeatureRecoveryOffset
			}
		}), map[int]string{2: "md.member.ahead"}, nil},
		{"new member two updates ahead", newArray(LevelRAID1, 0, 3, roles(3), func(i int, s *Super1) {
			if i == 2 {
				s.Events = 22
				s.FeatureMap |= FeatureRecoveryOffset
			}
		}), map[int]string{0: "md.member.stale", 1: "md.member.stale"}, ErrNotEnough},
		{"dirty without Q", newArray(LevelRAID6, LayoutLeftSymmetric6, 4, roles(4), func(i int, s *Super1) {
			s.ResyncOffset = 0
			if i == 3 {
				s.FeatureMap |= FeatureRecoveryOffset
			}
		}), nil, nil},
		{"dirty without data", newArray(LevelRAID6, LayoutLeftSymmetric6, 4, roles(4), func(i int, s *Super1) {
			s.ResyncOffset = 0
			if i == 2 {
				s.FeatureMap |= FeatureRecoveryOffset
			}
		}), nil, ErrDirtyDegraded},
		{"foreign", newArray(LevelRAID1, 0, 3, roles(3), func(i int, s *Super1) {
			if i == 2 {
				s.SetUUID[3] = 9
			}
		}), map[int]string{2: "md.member.foreign"}, nil},
		{"other chunk", newArray(LevelRAID5, left, 4, roles(4), func(i int, s *Super1) {
			if i == 2 {
				s.ChunkSize = 128
			}
		}), map[int]string{2: "md.member.geometry"}, nil},
		{"other creation", newArray(LevelRAID5, left, 4, roles(4), func(i int, s *Super1) {
			if i == 2 {
				s.CTime--
			}
		}), map[int]string{2: "md.member.ctime"}, nil},
		{"two of a slot", newArray(LevelRAID5, left, 3, []Role{0, 1, 2, 2}, nil), map[int]string{3: "md.member.duplicate"}, nil},
		{"replacement", newArray(LevelRAID5, left, 3, []Role{0, 1, 2, 2}, func(i int, s *Super1) {
			if i == 3 {
				s.FeatureMap |= FeatureReplacement | FeatureRecoveryOffset
				s.RecoveryOffset = 128
			}
		}), nil, nil},
		{"rebuilding", newArray(LevelRAID5, left, 3, roles(3), func(i int, s *Super1) {
			if i == 1 {
				s.FeatureMap |= FeatureRecoveryOffset
				s.RecoveryOffset = 4096
			}
		}), nil, nil},
		{"rebuilding raid0 cannot be", newArray(LevelRAID0, 1, 3, roles(3), func(i int, s *Super1) {
			s.FeatureMap |= FeatureRAID0Layout
			if i == 1 {
				s.FeatureMap |= FeatureRecoveryOffset
			}
		}), nil, ErrNotEnough},
		{"replacement ahead", newArray(LevelRAID1, 0, 2, []Role{0, 1, 1}, func(i int, s *Super1) {
			if i == 2 {
				s.Events = 21
				s.FeatureMap |= FeatureReplacement
			}
		}), map[int]string{2: "md.member.ahead"}, nil},
		{"journal", newArray(LevelRAID5, left, 3, roles(3, RoleJournal), func(_ int, s *Super1) {
			s.FeatureMap |= FeatureJournal
			s.ResyncOffset = 0
		}), nil, nil},
		{"journal stale", newArray(LevelRAID5, left, 3, roles(3, RoleJournal), func(i int, s *Super1) {
			s.FeatureMap |= FeatureJournal
			if i == 3 {
				s.Events = 2
			}
		}), map[int]string{3: "md.member.stale"}, ErrNoJournal},
		{"small", newArray(LevelRAID1, 0, 2, roles(2), func(i int, s *Super1) {
			if i == 1 {
				s.DataSize = 1 << 30
			}
		}), map[int]string{1: "md1.data_size"}, nil},
		{
			"spares only", newArray(LevelRAID1, 0, 2, []Role{RoleSpare, RoleSpare}, nil),
			map[int]string{0: "md.member.no_active", 1: "md.member.no_active"},
			ErrNotEnough,
		},
		{"raid10 halves", newArray(LevelRAID10, 0x102, 4, roles(4), func(i int, s *Super1) {
			if i < 2 {
				s.Events = 2
			}
		}), map[int]string{0: "md.member.stale", 1: "md.member.stale"}, ErrNotEnough},
	} {
		a := Assess(c.members, Strict)
		for i, v := range a.Verdicts {
			want, out := c.out[i]
			if v.In == out {
				t.Errorf("%s: %v, want out: %v", c.name, v, out)
			}
			if out && v.Rule != want {
				t.Errorf("%s: %v, want rule %q", c.name, v, want)
			}
			if strings.TrimSpace(v.Why) == "" || v.Rule == "" {
				t.Errorf("%s: no reason in %+v", c.name, v)
			}
		}
		if err := a.Startable(); !errors.Is(err, c.start) || (err == nil) != (c.start == nil) {
			t.Errorf("%s: Startable gives %v, want %v", c.name, err, c.start)
		}
	}
}
