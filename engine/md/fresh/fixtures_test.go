package fresh

import (
	"fmt"

	"github.com/mdkit/mdkit/engine/md"
)

// newArray returns the members of a sound 1.2 array of 64 MiB devices, one for
// each role. edit may change each superblock.
func newArray(level md.Level, layout int32, slots int, roles []md.Role, edit func(i int, s *md.Super1)) []*md.Member {
	members := make([]*md.Member, len(roles))
	for i := range roles {
		s := &md.Super1{
			Magic: md.SuperMagic, MajorVersion: 1, Level: level, Layout: layout, Size: 129024, ChunkSize: 1024,
			RaidDisks: uint32(slots), DataOffset: 2048, DataSize: 129024, SuperOffset: 8, BblogSize: 8, BblogOffset: 16,
			CTime: 1700000000, UTime: 1700000100, Events: 20, ResyncOffset: md.MaxSector,
			DevNumber: uint32(i), DevRoles: append([]md.Role(nil), roles...),
			SetUUID: md.UUID{0: 0xaa, 15: 1}, DeviceUUID: md.UUID{0: 0xdd, 15: byte(i)},
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
		members[i] = &md.Member{Name: fmt.Sprintf("disk%d", i), Size: 64 << 20, Version: md.V12, Offset: 4096, Super1: s}
	}
	return members
}

func roles(n int, more ...md.Role) []md.Role {
	var r []md.Role
	for i := range n {
		r = append(r, md.Role(i))
	}
	return append(r, more...)
}
