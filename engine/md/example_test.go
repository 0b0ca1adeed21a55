package md_test

import (
	"fmt"
	"log"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
)

// mirror makes the members of a two-disk RAID1 in memory.
func mirror() []*block.Memory {
	disks := make([]*block.Memory, 2)
	for i := range disks {
		disks[i] = block.NewMemory(fmt.Sprintf("disk%d", i), 64<<20)
		s := &md.Super1{
			Magic: md.SuperMagic, MajorVersion: 1, SetUUID: md.UUID{0xca, 0xfe}, DeviceUUID: md.UUID{byte(i + 1)},
			Level: md.LevelRAID1, Size: 126976, RaidDisks: 2, DataOffset: 2048, DataSize: 129024, SuperOffset: 8,
			CTime: 1700000000, UTime: 1700000000, Events: 17, ResyncOffset: md.MaxSector,
			DevNumber: uint32(i), DevRoles: []md.Role{0, 1},
		}
		s.SetNameString("host:mirror")
		off, _ := md.V12.SuperOffset(disks[i].Size())
		if _, err := disks[i].WriteAt(s.AppendTo(nil), off); err != nil {
			log.Fatal(err)
		}
	}
	return disks
}

func ExampleParseSuper1() {
	raw := make([]byte, md.Super1Size)
	if err := block.ReadFull(mirror()[0], raw, 4096); err != nil {
		log.Fatal(err)
	}
	s, err := md.ParseSuper1(raw)
	fmt.Println(s.Name(), s.Level, s.RaidDisks, err)

	raw[200]++ // the event count
	_, err = md.ParseSuper1(raw)
	fmt.Println(err)

	raw[9] = 0x80
	_, err = md.ParseSuper1(raw)
	fmt.Println(err)
	// Output:
	// host:mirror raid1 2 <nil>
	// md1: check: sb_csum at 0xd8: bad checksum: got 0x5b286bfc, want 0x5b286bfd
	// md1: check: feature_map at 0x8: unsupported: got unknown bits 0x8000 in 0x8000 (0x8000)
}

func ExampleReadMember() {
	disk := mirror()[1]
	m, err := md.ReadMember(disk)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Version, m.UUID(), m.Role(), "clean:", m.Clean(), "sectors:", m.ArraySize())
	for f := range md.Check(disk, m) {
		fmt.Println(f)
	}

	_, err = md.ReadMember(block.NewMemory("blank", 1<<20))
	fmt.Println(err)
	// Output:
	// 1.2 cafe0000:00000000:00000000:00000000 slot 1 clean: true sectors: 126976
	// blank: no md superblock
}

func ExampleAssess() {
	var members []*md.Member
	for _, disk := range mirror() {
		m, err := md.ReadMember(disk)
		if err != nil {
			log.Fatal(err)
		}
		members = append(members, m)
	}
	members[0].Super1.Events = 12 // it was away for a while

	a := md.Assess(members, md.Strict)
	for _, v := range a.Verdicts {
		fmt.Println(v)
	}
	fmt.Println("missing:", a.Missing(), "start:", a.Startable())
	// Output:
	// disk0: out: is stale: event count 12, disk1 has 17 [md.member.stale]
	// disk1: in: slot 1 [md.member.in]
	// missing: [0] start: <nil>
}
