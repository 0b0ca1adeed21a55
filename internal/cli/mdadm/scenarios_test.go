package mdadm

// scenarios are the arrays on which reports are compared: every level, every
// metadata format, and the states that show something different in reports.
func scenarios() []scenario {
	const (
		create = "mdadm --create --run --quiet "
		slow   = "write /proc/sys/dev/raid/speed_limit_max 2"
		fast   = "write /proc/sys/dev/raid/speed_limit_max 200000"
		freeze = "write /sys/block/md0/md/sync_action frozen"
		idle   = "await /sys/block/md0/md/sync_action idle"
	)
	return []scenario{
		// Levels and formats.
		{"linear 1.2", []string{create + "md0 -l linear -n2 r0 r1"}},
		{"linear 0.90", []string{create + "md0 -e0.90 -l linear -n2 r0 r1"}},
		{"raid0 1.0", []string{create + "md0 -e1.0 -l0 -n3 -c64 r0 r1 r2"}},
		{"raid0 1.2", []string{create + "md0 -l0 -n2 r0 r1"}},
		{"raid1 1.1", []string{create + "md0 -e1.1 -l1 -n2 --assume-clean r0 r1"}},
		{"raid4 1.2", []string{create + "md0 -l4 -n3 --assume-clean -c128 r0 r1 r2"}},
		{"raid5 0.90 bitmap", []string{create + "md0 -e0.90 -l5 -n3 --assume-clean -b internal r0 r1 r2"}},
		{"raid5 right asymmetric 1.0 bitmap", []string{create + "md0 -e1.0 -l5 -p ra -n4 --assume-clean -b internal r0 r1 r2 r3"}},
		{"raid6 1.2", []string{create + "md0 -l6 -n4 -p ddf-N-continue --assume-clean r0 r1 r2 r3"}},
		{"raid10 near", []string{create + "md0 -l10 -n4 --assume-clean r0 r1 r2 r3"}},
		{"raid10 odd far", []string{create + "md0 -l10 -n3 -p f2 --assume-clean r0 r1 r2"}},
		{"raid10 offset 0.90", []string{create + "md0 -e0.90 -l10 -n4 -p o2 --assume-clean r0 r1 r2 r3"}},
		{"raid10 three copies", []string{create + "md0 -l10 -n6 -p n3 --assume-clean r0 r1 r2 r3 r4 r5"}},
		{"multipath", []string{create + "md0 -l mp -n2 r0 r1"}},
		{"faulty", []string{create + "md0 -l faulty -n1 --force r0"}},
		{"build raid1", []string{"mdadm --build md0 -l1 -n2 --quiet --assume-clean r0 r1"}},
		{"build linear", []string{"mdadm --build md0 -l linear -n2 --quiet r0 r1"}},

		// States of members.
		{"raid1 spare", []string{create + "md0 -l1 -n2 -x2 --assume-clean r0 r1 r2 r3"}},
		{"raid1 failed and spare", []string{create + "md0 -l1 -n3 --assume-clean r0 r1 r2", freeze, "mdadm md0 --quiet --add-spare r3", "mdadm md0 --quiet --fail r1"}},
		{"raid5 degraded", []string{create + "md0 -l5 -n3 --assume-clean r0 r1 missing"}},
		{"raid5 failed", []string{create + "md0 -l5 -n3 --assume-clean r0 r1 r2", "mdadm md0 --quiet --fail r0", "mdadm? md0 --quiet --fail r2"}},
		{"raid5 failed and removed", []string{create + "md0 -l5 -n3 --assume-clean -b internal r0 r1 r2", "mdadm md0 --quiet --fail r1 --remove r1"}},
		{"raid6 two failed 0.90", []string{create + "md0 -e0.90 -l6 -n4 -x1 --assume-clean r0 r1 r2 r3 r4", freeze, "mdadm md0 --quiet --fail r0", "mdadm md0 --quiet --fail r1"}},
		{"raid10 half", []string{create + "md0 -l10 -n4 --assume-clean r0 missing r2 missing"}},
		{"raid10 lost pair", []string{create + "md0 -l10 -n4 --assume-clean r0 r1 r2 r3", "mdadm md0 --quiet --fail r0", "mdadm? md0 --quiet --fail r1"}},
		{"raid1 write-mostly failfast", []string{create + "md0 -l1 -n3 -b internal --write-behind=300 --assume-clean r0 --failfast r1 --write-mostly r2"}},
		{"raid1 write-mostly 0.90", []string{create + "md0 -e0.90 -l1 -n2 --assume-clean r0 --write-mostly r1"}},
		{"raid5 journal", []string{create + "md0 -l5 -n3 --assume-clean --write-journal r3 r0 r1 r2"}},
		{"raid5 ppl", []string{create + "md0 -l5 -n3 --assume-clean -k ppl r0 r1 r2"}},
		{"raid5 ppl 1.0", []string{create + "md0 -e1.0 -l5 -n3 --assume-clean -k ppl r0 r1 r2"}},
		{"raid1 one device", []string{create + "md0 -l1 -n1 --force r0"}},

		// Syncs.
		{"raid5 recovering", []string{slow, create + "md0 -l5 -n3 r0 r1 r2", "await /sys/block/md0/md/sync_action recover"}},
		{"raid1 resyncing", []string{slow, create + "md0 -l1 -n2 r0 r1", "await /sys/block/md0/md/sync_action resync"}},
		{"raid6 resyncing 0.90", []string{slow, create + "md0 -e0.90 -l6 -n4 r0 r1 r2 r3", "await /sys/block/md0/md/sync_action resync"}},
		{"raid1 frozen recovery", []string{create + "md0 -l1 -n2 --assume-clean r0 missing", freeze, "mdadm md0 --quiet --add r1"}},
		{"raid1 replacement", []string{slow, create + "md0 -l1 -n2 -x1 --assume-clean r0 r1 r2", "mdadm md0 --quiet --replace r0", "await /sys/block/md0/md/sync_action recover"}},
		{"raid5 replaced", []string{fast, create + "md0 -l5 -n3 -x1 --assume-clean r0 r1 r2 r3", "mdadm md0 --quiet --replace r1 --with r3", idle}},
		{"raid1 pending", []string{slow, create + "md0 -l1 -n2 --readonly r0 r1"}},
		{"raid1 delayed", []string{slow, create + "md0 -l1 -n2 -z 16M r0 r1", create + "md1 -l1 -n2 md0 r2"}},
		{"raid5 check", []string{create + "md0 -l5 -n3 --assume-clean r0 r1 r2", slow, "write /sys/block/md0/md/sync_action check"}},
		{"raid5 reshape", []string{fast, create + "md0 -l5 -n3 --assume-clean r0 r1 r2", "mdadm md0 --quiet --add r3", "write /sys/block/md0/md/sync_max 2048", "mdadm? --grow md0 --quiet -n4", "mdadm? --wait-clean md0"}},
		{"raid5 chunk reshape", []string{fast, create + "md0 -l5 -n3 -c64 --assume-clean r0 r1 r2", slow, "mdadm? --grow md0 --quiet -c128"}},
		{"raid10 reshape", []string{fast, create + "md0 -l10 -n4 --assume-clean r0 r1 r2 r3", "mdadm md0 --quiet --add r4", slow, "mdadm? --grow md0 --quiet -n5"}},

		// Whole arrays.
		{"read-only", []string{create + "md0 -l1 -n2 --assume-clean r0 r1", "mdadm --readonly md0"}},
		{"raid0 read-only", []string{create + "md0 -l0 -n2 r0 r1", "mdadm --readonly md0"}},
		{"dirty", []string{create + "md0 -l1 -n2 --assume-clean r0 r1", "write /sys/block/md0/md/safe_mode_delay 0", "dirty md0"}},
		{"stopped", []string{create + "md0 -l5 -n3 --assume-clean r0 r1 r2", "mdadm --stop --quiet md0"}},
		{"inactive", []string{create + "md0 -l5 -n3 --assume-clean r0 r1 r2", "mdadm --stop --quiet md0", "mdadm? -I --quiet r0", "mdadm? -I --quiet r2"}},
		{"inactive 0.90", []string{create + "md0 -e0.90 -l5 -n3 --assume-clean r0 r1 r2", "mdadm --stop --quiet md0", "mdadm? -I --quiet r1"}},
		{"named local", []string{create + "/dev/md/home -N home -l1 -n2 --assume-clean r0 r1"}},
		{"named foreign", []string{create + "md0 -N root --homehost=elsewhere -l1 -n2 --assume-clean r0 r1"}},
		{"named with a blank", []string{create + "md7 -N any:a'b -l1 -n2 --assume-clean r0 r1"}},
		{"0.90 foreign", []string{create + "md3 -e0.90 --homehost=elsewhere -l1 -n2 --assume-clean r0 r1"}},
		{"two arrays", []string{
			create + "md0 -l1 -n2 -x1 --assume-clean r0 r1 r2", create + "md1 -e0.90 -l5 -n3 --assume-clean r3 r4 r5",
			create + "md5 -l0 -n2 md0 r6",
		}},
		{"without a map", []string{create + "/dev/md/home -N home -l1 -n2 --assume-clean r0 r1", "remove /run/mdadm/map"}},
		{"member of a map gone", []string{create + "md0 -l1 -n2 --assume-clean r0 r1", "map md0 1.2 1:2:3:4 /dev/md/gone"}},

		// Members that are not what they should be.
		{"checksum wrong", []string{create + "md0 -l5 -n3 --assume-clean r0 r1 r2", "mdadm --stop --quiet md0", "damage r0 4260 7"}},
		{"name damaged", []string{create + "md0 -l1 -n2 --assume-clean r0 r1", "mdadm --stop --quiet md0", "damage r0 4130 32", "damage r0 4131 34", "damage r0 4132 9"}},
		{"level damaged", []string{create + "md0 -l1 -n2 --assume-clean r0 r1", "mdadm --stop --quiet md0", "damage r0 4168 77"}},
		{"roles damaged", []string{create + "md0 -l1 -n2 --assume-clean r0 r1", "mdadm --stop --quiet md0", "damage r0 4354 0", "damage r1 4354 9"}},
		{"bitmap damaged", []string{create + "md0 -l1 -n2 -b internal --assume-clean r0 r1", "mdadm --stop --quiet md0", "damage r0 8192 0"}},
		{"bitmap foreign", []string{create + "md0 -l1 -n2 -b internal --assume-clean r0 r1", "mdadm --stop --quiet md0", "damage r0 8200 1"}},
		{"bitmap 0.90 damaged", []string{create + "md0 -e0.90 -l1 -n2 -b internal --assume-clean r0 r1", "mdadm --stop --quiet md0", "damage r0 50266112 0"}},
		{"bitmap version", []string{create + "md0 -l1 -n2 -b internal --assume-clean r0 r1", "mdadm --stop --quiet md0", "damage r0 8196 9"}},
		{"magic damaged", []string{create + "md0 -l1 -n2 --assume-clean r0 r1", "mdadm --stop --quiet md0", "damage r0 4096 0"}},
		{"place wrong", []string{create + "md0 -l1 -n2 --assume-clean r0 r1", "mdadm --stop --quiet md0", "damage r0 4240 1"}},
		{"two superblocks", []string{create + "md0 -e0.90 -l1 -n2 --assume-clean r0 r1", "mdadm --stop --quiet md0", "sleep", create + "md0 -e1.2 -l0 -n2 r0 r1"}},
		{"partition table", []string{"damage r0 510 85", "damage r0 511 170", "damage r0 450 131", "damage r0 455 8", "damage r0 459 16", "damage r1 510 85", "damage r1 511 170"}},
		{"bad blocks", []string{create + "md0 -l1 -n2 --assume-clean r0 r1", "write /sys/block/md0/md/dev-ram0/bad_blocks 5000 16", "write /sys/block/md0/md/dev-ram0/bad_blocks 9000 600", "dirty md0", "mdadm --stop --quiet md0"}},
		{"nothing", []string{"blank r0"}},
	}
}
