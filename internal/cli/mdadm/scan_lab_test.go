package mdadm

import "testing"

// TestScanLikeMdadm lets Debian's mdadm and ours find arrays: by configuration, by
// identity, and by scanning.
func TestScanLikeMdadm(t *testing.T) {
	runSomeTwins(t, 1, scanTwins())
}

// TestUpdateLikeMdadm does the same for --update.
func TestUpdateLikeMdadm(t *testing.T) {
	runSomeTwins(t, 1, updateTwins())
}

const (
	twinUUID  = "11111111:22222222:33333333:44444444"
	otherUUID = "55555555:66666666:77777777:88888888"
)

func scanTwins() []twin {
	const (
		create = "mdadm --create --run --quiet --assume-clean "
		raid1  = create + "md0 -l1 -n2 -u" + twinUUID + " "
		raid5  = create + "md1 -l5 -n3 -u" + otherUUID + " "
		stop   = "tidy"
		scan   = "mdadm -A --scan -c " + labConf
		only   = "DEVICE /dev/ram*"
	)
	two := []string{raid1 + "-N home r0 r1", raid5 + "-N data r2 r3 r4", stop}
	return []twin{
		{name: "scan by lines", setup: two, lines: []string{
			"conf " + only + " | ARRAY /dev/md/home uuid=" + twinUUID + " | ARRAY /dev/md7 uuid=" + otherUUID,
			scan, scan, stop, scan + " -v", stop, scan + " -q", stop, scan + " --readonly", stop,
			"conf " + only + " | ARRAY uuid=" + twinUUID + " | ARRAY <ignore> uuid=" + otherUUID, scan, stop,
			"conf " + only + " | ARRAY /dev/md/x uuid=" + twinUUID + " level=raid5", scan, scan + " -v", stop,
			"conf " + only + " | ARRAY /dev/md/x uuid=" + twinUUID + " num-devices=3", scan, stop,
			"conf " + only + " | ARRAY md3 name=labhost:home", scan, stop,
			"conf " + only + " | ARRAY md3 name=home", scan, stop,
			"conf " + only + " | ARRAY md3 name=other:home", scan, stop,
			"conf " + only + " | ARRAY /dev/md/home devices=/dev/ram0,/dev/ram1", scan, stop,
			"conf " + only + " | ARRAY /dev/md/home devices=/dev/ram[23456]", scan, stop,
			"conf " + only + " | ARRAY /dev/md/home container=/dev/md127 member=0", scan, scan + " -v", stop,
			"conf " + only + " | ARRAY /dev/md0 uuid=" + twinUUID + " metadata=1.2", scan, stop,
			"conf " + only + " | ARRAY /dev/md0 uuid=" + twinUUID + " metadata=0.90", scan, scan + " -v", stop,
		}},
		{name: "scan by twos", setup: two, lines: []string{
			"conf " + only + " | ARRAY /dev/md0 uuid=" + twinUUID + " | ARRAY /dev/md0 uuid=" + otherUUID, scan,
			"conf " + only + " | ARRAY /dev/md0 name=a | ARRAY /dev/md0 name=b", scan,
			"conf DEVICE /dev/none* | ARRAY /dev/md0 name=a", scan,
			"conf DEVICE /dev/none*", scan,
			"conf DEVICE /dev/ram[!01]", scan, stop,
			"conf DEVICE /dev/ram[[:digit:]]", scan, stop,
			"conf DEVICE /dev/ram[^[:alpha:]234]", scan, stop,
			"conf " + only + " | ARRAY /dev/md0 devices=/dev/ram[!2-9]", scan, stop,
			"conf " + only + " | ARRAY /dev/md0 uuid=" + twinUUID + " | ARRAY /dev/md9 uuid=1:2:3:4", scan, stop,
			"conf " + only + " | ARRAY /dev/md9 uuid=1:2:3:4", scan,
			"conf " + only + " | ARRAY /dev/md9 uuid=00000001:00000002:00000003:00000004", scan, scan + " --no-degraded", scan + " -v",
		}},
		{name: "scan without lines", setup: two, lines: []string{
			"conf " + only, scan, scan, stop, scan + " -v", stop, scan + " --homehost=other", stop,
			scan + " --homehost=<none>", scan + " --homehost=<ignore>", stop, scan + " --homehost=any", stop,
			"conf " + only + " | HOMEHOST other", scan, stop, "conf " + only + " | HOMEHOST <ignore>", scan, stop,
			"conf " + only + " | HOMEHOST <none>", scan, stop,
			"conf " + only + " | AUTO -all", scan, scan + " -v", "conf " + only + " | AUTO +1.x -all", scan, stop,
			"conf " + only + " | AUTO homehost -all", scan, stop, scan + " --homehost=other", stop,
			"conf " + only + " | AUTO -1.2 +all", scan, "conf " + only + " | POLICY auto=no", scan, stop,
			"conf " + only + " | ARRAY <ignore> uuid=" + twinUUID, scan, scan + " -v", stop,
			"conf DEVICE partitions", scan, stop, "mdadm -A --scan -c partitions", stop, "mdadm -As -c none", stop,
		}},
		{name: "scan foreign names", setup: []string{
			raid1 + "-N home --homehost=elsewhere r0 r1", raid5 + "-e0.90 r2 r3 r4",
			create + "md2 -l0 -n2 -N any:both r5 r6", create + "md3 -l1 -n2 -N home r7 r8", stop,
		}, lines: []string{
			"conf " + only, scan, scan + " -v", stop, "conf " + only + " | HOMEHOST <ignore>", scan, stop,
			"conf " + only + " | HOMEHOST <ignore> | ARRAY home uuid=1:1:1:1 | ARRAY /dev/md/home uuid=00000001:00000001:00000001:00000001", scan, stop,
			"conf " + only + " | CREATE names=yes", scan, stop, "conf " + only + " | CREATE mode=0600 group=0 owner=0", scan, stop,
		}},
		{name: "scan incomplete", setup: []string{
			raid1 + "-N home r0 r1", raid5 + "-N data r2 r3 r4", stop, "blank r1", "blank r2",
		}, lines: []string{
			"conf " + only, scan + " --no-degraded", stop, scan, stop, scan + " --run", stop,
			"conf " + only + " | ARRAY /dev/md/home uuid=" + twinUUID + " | ARRAY /dev/md/data uuid=" + otherUUID, scan + " --no-degraded", scan, stop, scan, stop,
		}},
		// mdadm leaves behind the names of arrays that it could not start.
		{name: "scan too few", words: true, setup: []string{raid5 + "-N data r2 r3 r4", stop, "blank r2", "blank r3"}, lines: []string{
			"conf " + only, scan, stop, scan + " --run", stop, scan + " --force", stop, scan + " --no-degraded", stop,
		}},
		{name: "scan stacked", setup: []string{
			create + "md0 -l1 -n2 -N low r0 r1", create + "md1 -l1 -n2 -N high md0 r2", stop,
		}, lines: []string{
			"conf DEVICE partitions", scan, stop,
			"conf DEVICE partitions | ARRAY /dev/md/high name=labhost:high | ARRAY /dev/md/low name=labhost:low", scan, stop,
		}},
		{name: "by configuration", setup: two, lines: []string{
			"conf " + only + " | ARRAY /dev/md/home uuid=" + twinUUID + " | ARRAY /dev/md7 name=labhost:data | MAILADDR root",
			"mdadm -A md7 -c " + labConf, "mdadm -A /dev/md/home -c " + labConf, stop, "mdadm -A md9 -c " + labConf,
			"mdadm -A --scan md7 /dev/md/home -c " + labConf, stop, "mdadm -A --scan md7 md9 -c " + labConf, stop,
			"mdadm -A -v md7 -c " + labConf, stop, "mdadm -A md5 -u" + twinUUID + " -c " + labConf, stop,
			"mdadm -A md5 -Nhome -c " + labConf, stop, "mdadm -A md5 -m3 -c " + labConf, "mdadm -A md5 -u1:2:3:4 -c " + labConf,
			"mdadm -A md5 -u00000001:00000002:00000003:00000004 -c " + labConf, "mdadm -A md5 -Nhome -v -c " + labConf, stop,
			"mdadm -A md5 --no-degraded -c " + labConf, "mdadm -A --scan --update=name -c " + labConf,
			"mdadm -A --scan md7 md9 --update=name -c " + labConf, "mdadm -A --scan --backup-file=x -c " + labConf,
		}},
		{name: "by minor", setup: []string{
			create + "md5 -e0.90 -l1 -n2 r0 r1", create + "md6 -e0.90 -l1 -n2 r2 r3", stop,
		}, lines: []string{
			"conf " + only + " | ARRAY /dev/md/five super-minor=5", scan, stop,
			"mdadm -A md6 -mdev -c " + labConf, "mdadm -A md3 -m6 -c " + labConf, stop, "mdadm -A md3 -m5 r0 r1 r2 r3 -c " + labConf, stop,
		}},
		{name: "complaints about the configuration", setup: two, lines: []string{
			"conf IN x | ARRAY | ARRAY /dev/md0 | ARRAY /dev/sda name=x | ARRAY md0 md1 name=y | ARRAY md0 what=1 name=z uuid=3",
			"mdadm -Ds -c " + labConf,
			"conf DEVICE sda | CREATE owner= group= mode=rw metadata=7 what | POLICY what=1 action | SYSFS a=b | SYSFS name=md0 uuid=1 x=y | AUTO what +1.7 -all",
			"mdadm -Ds -c " + labConf,
			"conf ARRAY a uuid=" + twinUUID + " uuid=" + otherUUID + " name=x name=y super-minor=1 super-minor=2 super-minor=x devices=a devices=b spare-group=a spare-group=b bitmap=a bitmap=b metadata=7 auto=yes",
			"mdadm -Ds -c " + labConf,
			"conf # nothing |   | 'ARRAY' \"<ignore>\" name='a b' # more |    uuid=" + twinUUID + " | SYSFS uuid=0:0:0:0 | SYSFS name=/dev/md/a name=/dev/md/b x=",
			"mdadm -Ds -c " + labConf,
			"conf POLICY path=x domain=y type=disk metadata=1.2 action=spare auto=yes | PART-POLICY domain=x | HOMECLUSTER a | MONITORDELAY x | PROGRAM /bin/x | MAILFROM a b",
			"mdadm -Ds -c " + labConf,
		}},
		{name: "attributes", setup: two, lines: []string{
			"conf " + only + " | ARRAY /dev/md/data uuid=" + otherUUID + " | SYSFS name=/dev/md/data stripe_cache_size=512 what=1 ../../ro=1 sync_speed_min=x",
			scan, "await /sys/block/md127/md/stripe_cache_size 512", stop,
		}},
	}
}

func updateTwins() []twin {
	const create = "mdadm --create --run --quiet --assume-clean "
	const stop = "tidy"
	update := func(words string, members string) []string {
		return []string{"mdadm -A md0 --update=" + words + " " + members, stop}
	}
	var twins []twin
	add := func(name string, setup string, lines ...[]string) {
		tw := twin{name: "update " + name, setup: []string{setup, stop}}
		for _, l := range lines {
			tw.lines = append(tw.lines, l...)
		}
		twins = append(twins, tw)
	}
	add("names", create+"md0 -l1 -n2 -N home r0 r1",
		update("name", "r0 r1"), update("name -N other", "r0 r1"), update("name -N a:b", "r0 r1"), update("homehost --homehost=x", "r0 r1"),
		update("homehost", "r0 r1"), update("homehost --homehost=<none>", "r0 r1"), update("uuid -u"+twinUUID, "r0 r1"),
		update("uuid", "r0 r1"), update("super-minor", "r0 r1"), update("summaries", "r0 r1"), update("sparc2.2", "r0 r1"),
		update("metadata", "r0 r1"), update("bitmap", "r0 r1"), update("layout-original", "r0 r1"), update("revert-reshape", "r0 r1"),
		update("byteorder", "r0 r1"), update("nodes --nodes=3 --home-cluster=c", "r0 r1"))
	add("uuid with a bitmap", create+"md0 -l1 -n2 -b internal r0 r1", update("uuid -u"+twinUUID, "r0 r1"), update("uuid", "r0 r1"))
	// How far a sync has come when it is looked at does not depend on the program.
	twins = append(twins, twin{name: "update resync", words: true, setup: []string{create + "md0 -l1 -n2 r0 r1", create + "md1 -e0.90 -l5 -n3 r2 r3 r4", stop}, lines: []string{
		"mdadm -A md0 --update=resync r0 r1", "mdadm -A md1 --update=resync r2 r3 r4", stop,
	}})
	// Ours writes nothing if the array then does not start.
	twins = append(twins, twin{name: "update in vain", words: true, setup: []string{create + "md0 -l5 -n3 r0 r1 missing", stop}, lines: []string{
		"mdadm -A md0 --update=name -N y r0", stop,
	}})
	add("logs", create+"md0 -l5 -n3 r0 r1 r2",
		update("no-bbl", "r0 r1 r2"), update("bbl", "r0 r1 r2"), update("force-no-bbl", "r0 r1 r2"), update("ppl", "r0 r1 r2"),
		update("bbl", "r0 r1 r2"), update("no-ppl", "r0 r1 r2"), update("ppl", "r0 r1 r2"), update("no-bbl", "r0 r1 r2"))
	add("logs 1.0", create+"md0 -e1.0 -l5 -n3 r0 r1 r2",
		update("no-bbl", "r0 r1 r2"), update("bbl", "r0 r1 r2"), update("ppl", "r0 r1 r2"), update("devicesize", "r0 r1 r2"))
	add("bitmap", create+"md0 -l5 -n3 -b internal r0 r1 r2",
		update("no-bbl", "r0 r1 r2"), update("bbl", "r0 r1 r2"), update("ppl", "r0 r1 r2"), update("no-bitmap", "r0 r1 r2"), update("ppl", "r0 r1 r2"))
	add("bitmap 1.0", create+"md0 -e1.0 -l1 -n2 -b internal r0 r1",
		update("no-bbl", "r0 r1"), update("bbl", "r0 r1"), update("no-bitmap", "r0 r1"))
	add("size", create+"md0 -l5 -n3 -z 20000 r0 r1 r2", update("devicesize", "r0 r1 r2"))
	add("raid0", create+"md0 -l0 -n2 r0 r1",
		update("layout-alternate", "r0 r1"), update("layout-original", "r0 r1"), update("layout-unspecified", "r0 r1"))
	add("0.90", create+"md0 -e0.90 -l5 -n3 r0 r1 r2",
		update("super-minor", "r0 r1 r2"), update("summaries", "r0 r1 r2"), update("uuid -u"+twinUUID, "r0 r1 r2"), update("uuid", "r0 r1 r2"),
		update("homehost", "r0 r1 r2"), update("homehost --homehost=x", "r0 r1 r2"), update("name -N x", "r0 r1 r2"), update("bbl", "r0 r1 r2"),
		update("devicesize", "r0 r1 r2"), update("byteorder", "r0 r1 r2"), update("revert-reshape", "r0 r1 r2"),
		update("metadata", "r0 r1 r2"), update("super-minor", "r0 r1 r2"))
	add("0.90 swapped", create+"md0 -e0.90 -l5 -n3 r0 r1 r2", []string{"swap r0 r1 r2", "mdadm -A md0 r0 r1 r2", stop},
		update("byteorder", "r0 r1 r2"), []string{"mdadm -E -e 0.swap r0 r3", "mdadm -A md0 r0 r1 r2", stop},
		[]string{"swap r0"}, update("byteorder", "r0 r1 r2"))
	add("0.90 swapped, with a spare", create+"md0 -e0.90 -l1 -n2 -b internal -x1 r0 r1 r2", []string{"swap r0 r1 r2"},
		update("byteorder", "r1 r2"), []string{"mdadm -A md0 r0 r1 r2", stop})
	add("0.90 with a bitmap", create+"md0 -e0.90 -l1 -n2 -b internal r0 r1",
		update("metadata", "r0 r1"), update("uuid -u"+twinUUID, "r0 r1"), update("no-bitmap", "r0 r1"), update("metadata", "r0 r1"))
	add("0.90 linear", create+"md0 -e0.90 -l linear -n2 r0 r1", update("metadata", "r0 r1"))
	add("degraded", create+"md0 -l5 -n3 r0 r1 missing", update("name -N x", "r0 r1"), update("uuid", "r1 r0 -v"))
	return twins
}
