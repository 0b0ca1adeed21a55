package probe

import "sync"

// formats is the signature table, built on first use: most commands never
// probe. Linux MD, ZFS and the MBR need more than a magic at a fixed place and
// have functions of their own.
var formats = sync.OnceValue(makeFormats)

func makeFormats() []format {
	// The offsets at which LUKS2 may keep its second header, in bytes (LUKS2
	// on-disk format 1.1.1, section 2.1).
	luks2Places := start(0x4000, 0x8000, 0x10000, 0x20000, 0x40000, 0x80000, 0x100000, 0x200000, 0x400000)
	return []format{
		// External RAID metadata that md assembles with mdmon's help.
		{typ: "ddf_raid_member", class: RAID, places: sectorsFromEnd(1, 257), magic: []string{"\xde\x11\xde\x11"}, size: 512, minSize: 0x30000, examine: ddf},
		{typ: "isw_raid_member", class: RAID, places: []place{{off: 1024, fromEnd: true}, {off: 8192, fromEnd: true, align: 4096}}, magic: []string{"Intel Raid ISM Cfg Sig. "}, size: 264, minSize: 0x10000, examine: isw},

		// RAID of disk controllers that Linux runs through dm tables.
		{typ: "lsi_mega_raid_member", class: RAID, places: sectorsFromEnd(1), magic: []string{"$XIDE$"}, size: 512, minSize: 0x10000},
		{typ: "via_raid_member", class: RAID, places: sectorsFromEnd(1), magic: []string{"\x55\xaa"}, size: 51, minSize: 0x10000, examine: via},
		{typ: "silicon_medley_raid_member", class: RAID, places: sectorsFromEnd(1), magic: []string{"\x00\x00\x00\x2f"}, off: 0x60, size: 512, minSize: 0x10000, examine: silicon},
		{typ: "nvidia_raid_member", class: RAID, places: sectorsFromEnd(2), magic: []string{"NVIDIA  "}, size: 120, minSize: 0x10000, examine: nvidia},
		{typ: "adaptec_raid_member", class: RAID, places: sectorsFromEnd(1), magic: []string{"\x37\xfc\x4d\x1e"}, size: 512, minSize: 0x10000, examine: adaptec},
		{typ: "jmicron_raid_member", class: RAID, places: sectorsFromEnd(1), magic: []string{"JM"}, size: 128, minSize: 0x10000, examine: jmicron},
		{typ: "promise_fasttrack_raid_member", class: RAID, places: sectorsFromEnd(63, 255, 256, 16, 399, 591, 675, 735, 911, 974, 991, 951, 3087), magic: []string{"Promise Technology, Inc."}, size: 512, minSize: 0x40000},
		{typ: "hpt45x_raid_member", class: RAID, places: sectorsFromEnd(11), magic: []string{"\xf3\x16\x78\x5a", "\xfd\x16\x78\x5a"}, size: 512, minSize: 0x10000},
		{typ: "hpt37x_raid_member", class: RAID, places: start(4608), magic: []string{"\xf0\x16\x78\x5a", "\xfd\x16\x78\x5a"}, off: 32, size: 512},
		{typ: "drbd", class: RAID, places: []place{{off: 4096, fromEnd: true, align: 1}}, magic: []string{"\x83\x74\x02\x6b", "\x83\x74\x02\x6c", "\x83\x74\x02\x6d"}, off: 60, size: 4096},

		{typ: "bcache", class: BCache, places: start(4096), magic: []string{bcacheMagic}, off: 24, size: 4096, minSize: 8192, examine: bcache},

		{typ: "LVM2_member", class: LVM, places: start(0, 512, 1024, 1536), magic: []string{"LABELONE"}, size: 512, examine: lvm2},
		{typ: "LVM1_member", class: LVM, places: start(0), magic: []string{"HM"}, size: 512, examine: lvm1},

		{typ: "crypto_LUKS", class: Crypto, places: start(0), magic: []string{"LUKS\xba\xbe"}, size: 4096, examine: luks},
		{typ: "crypto_LUKS", class: Crypto, places: luks2Places, magic: []string{"SKUL\xba\xbe"}, size: 4096, examine: luks},
		{typ: "DM_verity_hash", class: Crypto, places: start(0), magic: []string{"verity\x00\x00"}, size: 512, examine: verity},
		{typ: "DM_integrity", class: Crypto, places: start(0), magic: []string{"integrt\x00"}, size: 512, examine: integrity},
		{typ: "BitLocker", class: Crypto, places: start(0), magic: []string{"-FVE-FS-", "MSWIN4.1"}, off: 3, size: 512, examine: bitlocker},

		{typ: "dm-thin", class: DM, places: start(0), magic: []string{"\xba\x52\x9c\x01\x00\x00\x00\x00"}, off: 32, size: 4096, examine: thin},
		{typ: "dm-cache", class: DM, places: start(0), magic: []string{"\x03\xc4\x18\x00\x00\x00\x00\x00"}, off: 32, size: 4096, examine: cache},
		{typ: "dm-era", class: DM, places: start(0), magic: []string{"\x7b\x07\xc1\x7e\x00\x00\x00\x00"}, off: 32, size: 4096, examine: era},
		{typ: "dm-clone", class: DM, places: start(0), magic: []string{"\x64\x7f\xf2\x8a\x00\x00\x00\x00"}, off: 32, size: 4096, examine: clone},
		{typ: "dm-writecache", class: DM, places: start(0), magic: []string{"\x21\x93\x48\x23"}, size: 64, examine: writecache},
		{typ: "dm-log-writes", class: DM, places: start(0), magic: []string{"\x72\x68\x73\x77\x66\x73\x6a\x00"}, size: 28, examine: logWrites},
		{typ: "dm-zoned", class: DM, places: start(0), magic: []string{"DBZD"}, size: 4096, examine: zoned},
		{typ: "dm-raid", class: DM, places: start(0), magic: []string{"DmRd"}, size: 512, examine: dmRaid},
		{typ: "dm-mirror-log", class: DM, places: start(0), magic: []string{"rRiM"}, size: 512, examine: mirrorLog},
		{typ: "DM_snapshot_cow", class: DM, places: start(0), magic: []string{"SnAp"}, size: 16, examine: snapshot},
		{typ: "vdo", class: DM, places: start(0), magic: []string{"dmvdo001"}, size: 512, examine: vdo},
		{typ: "stratis", class: DM, places: start(512, 9*512), magic: []string{"!Stra0tis\x86\xff\x02^\x41rh"}, off: 4, size: 512, minSize: 8192, examine: stratis},
		{typ: "ceph_bluestore", class: DM, places: start(0), magic: []string{"bluestore block device"}, size: 4096},

		{typ: "swap", class: Swap, places: start(0), magic: []string{"SWAPSPACE2"}, off: 4096 - 10, size: 4096, examine: swap},
		{typ: "swap", class: Swap, places: start(0), magic: []string{"SWAPSPACE2"}, off: 8192 - 10, size: 8192, examine: swap},
		{typ: "swap", class: Swap, places: start(0), magic: []string{"SWAPSPACE2"}, off: 16384 - 10, size: 16384, examine: swap},
		{typ: "swap", class: Swap, places: start(0), magic: []string{"SWAPSPACE2"}, off: 65536 - 10, size: 65536, examine: swap},
		{typ: "swap", class: Swap, places: start(0), magic: []string{"SWAP-SPACE"}, off: 4096 - 10, size: 4096, examine: swap0},
		{typ: "swap", class: Swap, places: start(0), magic: []string{"SWAPSPACE2"}, off: 32768 - 10, size: 32768, examine: swap},
		{typ: "swsuspend", class: Swap, places: start(0), magic: suspendMagics(), off: 4096 - 10, size: 4096, examine: suspended},
		{typ: "swsuspend", class: Swap, places: start(0), magic: suspendMagics(), off: 8192 - 10, size: 8192, examine: suspended},
		{typ: "swsuspend", class: Swap, places: start(0), magic: suspendMagics(), off: 16384 - 10, size: 16384, examine: suspended},
		{typ: "swsuspend", class: Swap, places: start(0), magic: suspendMagics(), off: 32768 - 10, size: 32768, examine: suspended},
		{typ: "swsuspend", class: Swap, places: start(0), magic: suspendMagics(), off: 65536 - 10, size: 65536, examine: suspended},
		{typ: "swsuspend", class: Swap, places: start(0), magic: []string{tuxOnIceMagic}, size: 4096, examine: tuxOnIce},

		{typ: "ext", class: Filesystem, places: start(1024), magic: []string{"\x53\xef"}, off: 56, size: 1024, examine: ext},
		{typ: "xfs", class: Filesystem, places: start(0), magic: []string{"XFSB"}, size: 512, examine: xfs},
		{typ: "xfs_external_log", class: Filesystem, places: start(0), magic: []string{"\xfe\xed\xba\xbe"}, size: 512, examine: xfsLog},
		{typ: "btrfs", class: Filesystem, places: start(0x10000, 0x4000000), magic: []string{"_BHRfS_M"}, off: 64, size: 4096, examine: btrfs},
		{typ: "bcachefs", class: Filesystem, places: start(4096), magic: []string{bcachefsMagic, bcacheMagic}, off: 24, size: 4096, examine: bcachefs},
		{typ: "f2fs", class: Filesystem, places: start(1024), magic: []string{"\x10\x20\xf5\xf2"}, size: 3072, examine: f2fs},
		{typ: "vfat", class: Filesystem, places: start(0), magic: []string{"\x55\xaa"}, off: 510, size: 512, examine: vfat},
		{typ: "exfat", class: Filesystem, places: start(0), magic: []string{"EXFAT   "}, off: 3, size: 512, examine: exfat},
		{typ: "ntfs", class: Filesystem, places: start(0), magic: []string{"NTFS    "}, off: 3, size: 512, examine: ntfs},
		{typ: "ReFS", class: Filesystem, places: start(0), magic: []string{"\x00\x00\x00ReFS\x00"}, size: 512},
		{typ: "reiserfs", class: Filesystem, places: start(0x10000, 0x2000), magic: []string{"ReIsErFs", "ReIsEr2Fs", "ReIsEr3Fs"}, off: 52, size: 116, examine: reiserfs},
		{typ: "reiser4", class: Filesystem, places: start(0x10000), magic: []string{"ReIsEr4"}, size: 512},
		{typ: "jfs", class: Filesystem, places: start(0x8000), magic: []string{"JFS1"}, size: 168, examine: jfs},
		{typ: "nilfs2", class: Filesystem, places: start(1024), magic: []string{"\x34\x34"}, off: 6, size: 1024, examine: nilfs},
		{typ: "gfs2", class: Filesystem, places: start(0x10000), magic: []string{"\x01\x16\x19\x70"}, size: 512, examine: gfs2},
		{typ: "ocfs2", class: Filesystem, places: start(1024, 2048, 4096, 8192), magic: []string{"OCFSV2"}, size: 512},
		{typ: "erofs", class: Filesystem, places: start(1024), magic: []string{"\xe2\xe1\xf5\xe0"}, size: 128, examine: erofs},
		{typ: "squashfs", class: Filesystem, places: start(0), magic: []string{"hsqs", "sqsh"}, size: 96, examine: squash},
		{typ: "cramfs", class: Filesystem, places: start(0), magic: []string{"\x45\x3d\xcd\x28", "\x28\xcd\x3d\x45"}, size: 64},
		{typ: "iso9660", class: Filesystem, places: start(0x8000), magic: []string{"CD001"}, off: 1, size: 2048, examine: iso9660},
		{typ: "hfsplus", class: Filesystem, places: start(1024), magic: []string{"H+", "HX"}, size: 512, examine: hfsplus},
		{typ: "hfs", class: Filesystem, places: start(1024), magic: []string{"BD"}, size: 512, examine: hfs},
		{typ: "apfs", class: Filesystem, places: start(0), magic: []string{"NXSB"}, off: 32, size: 4096, examine: apfs},
		{typ: "ufs", class: Filesystem, places: start(0x2000, 0x10000, 0), magic: []string{"\x54\x19\x01\x00", "\x00\x01\x19\x54", "\x19\x01\x54\x19", "\x19\x54\x01\x19"}, off: 1372, size: 1376},
		{typ: "romfs", class: Filesystem, places: start(0), magic: []string{"-rom1fs-"}, size: 16},
		{typ: "ubi", class: Filesystem, places: start(0), magic: []string{"UBI#"}, size: 64},
		{typ: "ubifs", class: Filesystem, places: start(0), magic: []string{"\x31\x18\x10\x06"}, size: 24},
		{typ: "vxfs", class: Filesystem, places: start(1024, 8192), magic: []string{"\xf5\xfc\x01\xa5", "\xa5\x01\xfc\xf5"}, size: 512},
		{typ: "zonefs", class: Filesystem, places: start(0), magic: []string{"SFOZ"}, size: 4096},
		{typ: "bfs", class: Filesystem, places: start(0), magic: []string{"\xce\xfa\xad\x1b"}, size: 512},
		{typ: "befs", class: Filesystem, places: start(0, 512), magic: []string{"BFS1", "1SFB"}, off: 32, size: 164, examine: befs},
		{typ: "hpfs", class: Filesystem, places: start(0x2000), magic: []string{"\x49\xe8\x95\xf9"}, size: 512, examine: hpfs},
		{typ: "minix", class: Filesystem, places: start(1024), magic: []string{"\x7f\x13", "\x8f\x13", "\x13\x7f", "\x13\x8f", "\x68\x24", "\x78\x24", "\x24\x68", "\x24\x78"}, off: 16, size: 64, examine: minix},
		{typ: "minix", class: Filesystem, places: start(1024), magic: []string{"\x5a\x4d", "\x4d\x5a"}, off: 24, size: 64, examine: minix3},
		{typ: "mpool", class: Filesystem, places: start(0), magic: []string{"mpoolDev"}, size: 66, examine: mpool},
		{typ: "nss", class: Filesystem, places: start(4096), magic: []string{"SPB5"}, size: 512, examine: nss},
		{typ: "scoutfs", class: Filesystem, places: start(0x10000), magic: []string{"\x8b\x42\x3c\x10"}, off: 4, size: 4096, minSize: 0x20000, examine: scoutfs},
		{typ: "exfs", class: Filesystem, places: start(0), magic: []string{"EXFS"}, size: 512, examine: exfs},
		{typ: "ocfs", class: Filesystem, places: start(0x2000), magic: []string{"OracleCFS"}, size: 512},
		{typ: "oracleasm", class: Filesystem, places: start(0), magic: []string{"ORCLDISK"}, off: 32, size: 512, examine: oracleASM},
		{typ: "xenix", class: Filesystem, places: start(1024), magic: []string{"\x2b\x55\x44", "\x44\x55\x2b"}, off: 1016, size: 1024, examine: xenix},
		{typ: "sysv", class: Filesystem, places: start(512, 9*1024+512, 15*1024+512, 18*1024+512), magic: []string{"\x20\x7e\x18\xfd", "\xfd\x18\x7e\x20"}, off: 504, size: 512, examine: sysv},
		{typ: "drbdmanage_control_volume", class: LVM, places: start(0), magic: []string{"$DRBDmgr=q"}, size: 44, minSize: 0x10000, examine: drbdmanage},
		{typ: "drbdproxy_datalog", class: LVM, places: start(0), magic: []string{"DRBDdlh*"}, size: 40, minSize: 0x4000, examine: drbdProxy},
		{typ: "cs_fvault2", class: Crypto, places: start(0), magic: []string{"CS"}, off: 88, size: 512, examine: coreStorage},
		{typ: "VMFS_volume_member", class: LVM, places: start(0x100000), magic: []string{"\x0d\xd0\x01\xc0"}, size: 512},
		{typ: "VMFS", class: Filesystem, places: start(0x200000), magic: []string{"\x5e\xf1\xab\x2f"}, size: 512},

		{typ: "gpt", class: PartitionTable, places: append(start(512, 4096), place{off: 512, fromEnd: true}, place{off: 4096, fromEnd: true, align: 4096}), magic: []string{"EFI PART"}, size: 92, examine: gpt},
		{typ: "dasd", class: PartitionTable, places: start(1024, 2048, 4096, 8192), magic: []string{"\xe5\xd6\xd3\xf1"}, off: 4, size: 84},             // VOL1
		{typ: "dasd", class: PartitionTable, places: start(1024, 2048, 4096, 8192), magic: []string{"\xd3\xd5\xe7\xf1", "\xc3\xd4\xe2\xf1"}, size: 84}, // LNX1, CMS1
		{typ: "mac", class: PartitionTable, places: start(512), magic: []string{"PM\x00\x00", "TS"}, size: 512},
		{typ: "sgi", class: PartitionTable, places: start(0), magic: []string{"\x0b\xe5\xa9\x41"}, size: 512, examine: sgi},
		{typ: "sun", class: PartitionTable, places: start(0), magic: []string{"\xda\xbe"}, off: 508, size: 512, examine: sun},
		{typ: "bsd", class: PartitionTable, places: start(512, 64, 4096), magic: []string{"\x57\x45\x56\x82"}, size: 148, examine: bsd},
	}
}

// suspendMagics are what hibernation writes over swap's own magic.
func suspendMagics() []string { return []string{"S1SUSPEND", "S2SUSPEND", "ULSUSPEND", "LINHIB0001"} }
