package mdadm

import "testing"

// TestIncrementalLikeMdadm gives devices to Debian's mdadm and to ours one by one,
// and takes them away again.
func TestIncrementalLikeMdadm(t *testing.T) {
	runSomeTwins(t, 1, incrementalTwins())
}

func incrementalTwins() []twin {
	const (
		create = "mdadm --create --run --quiet --assume-clean "
		stop   = "tidy"
		conf   = " -c " + labConf
		only   = "DEVICE /dev/ram*"
		raid5  = create + "md0 -l5 -n3 -N data -u" + otherUUID + " r0 r1 r2"
		raid1  = create + "md0 -l1 -n2 -N home -u" + twinUUID + " r0 r1"
	)
	each := func(option string, devices ...string) (lines []string) {
		for _, d := range devices {
			lines = append(lines, "mdadm -I "+option+" "+d+conf)
		}
		return append(lines, stop)
	}
	join := func(lists ...[]string) (all []string) {
		for _, l := range lists {
			all = append(all, l...)
		}
		return all
	}
	return []twin{
		{name: "one by one", setup: []string{raid5, stop, "conf " + only}, lines: join(
			each("", "r0", "r1", "r2"), each("-q", "r2", "r1", "r0"), each("--export", "r1", "r0", "r2"), each("-v", "r0", "r2", "r1"),
			each("-R", "r0", "r1", "r2"), each("--run --export", "r0", "r1", "r2"), each("-e1.2", "r0", "r1"), each("-e1", "r0"), each("-e0.90", "r0"),
			each("-e1.1 -v", "r0"), each("", "r0", "r0", "r1", "r1"), each("--homehost=other", "r0", "r1", "r2"), each("--homehost=<ignore>", "r0", "r1", "r2"),
			each("--homehost=other --export", "r0", "r1", "r2"), each("--offroot", "r0 /dev/disk/none", "r1", "r2"),
		)},
		{name: "one by one, by configuration", setup: []string{raid1, stop}, lines: join(
			[]string{"conf " + only + " | ARRAY /dev/md/a uuid=" + twinUUID}, each("", "r0", "r1"), each("--export", "r0", "r1"),
			[]string{"conf " + only + " | ARRAY /dev/md5 uuid=" + twinUUID}, each("", "r0", "r1"),
			[]string{"conf " + only + " | ARRAY b uuid=" + twinUUID}, each("", "r0", "r1"),
			[]string{"conf " + only + " | ARRAY uuid=" + twinUUID}, each("", "r0", "r1"),
			[]string{"conf " + only + " | ARRAY <ignore> uuid=" + twinUUID}, each("", "r0"),
			[]string{"conf " + only + " | ARRAY /dev/md/a uuid=" + twinUUID + " | ARRAY /dev/md/b name=labhost:home"}, each("", "r0"), each("-v", "r0"),
			[]string{"conf " + only + " | ARRAY uuid=" + twinUUID + " | ARRAY name=labhost:home"}, each("", "r0"),
			[]string{"conf " + only + " | ARRAY /dev/md/a uuid=" + otherUUID + " | ARRAY /dev/md/b name=x"}, each("-vv", "r0", "r1"),
			[]string{"conf " + only + " | AUTO -all"}, each("", "r0"), each("-v", "r0"),
			[]string{"conf " + only + " | AUTO homehost -all"}, each("", "r0", "r1"), each("--homehost=x", "r0"),
			[]string{"conf " + only + " | POLICY auto=no"}, each("", "r0"),
			[]string{"conf DEVICE /dev/none*"}, each("", "r0"), []string{"conf DEVICE partitions"}, each("", "r0", "r1"),
			[]string{"conf " + only + " | CREATE names=yes"}, each("", "r0", "r1"),
		)},
		{name: "one by one, degraded", setup: []string{
			create + "md0 -l5 -n4 -N data r0 r1 r2 r3", "mdadm md0 --fail r3", stop, "conf " + only,
		}, lines: join(each("", "r0", "r1", "r2"), each("", "r0", "r1", "r2", "r3"), each("", "r3", "r0", "r1", "r2"), each("-R", "r0", "r1", "r2", "r3"))},
		{name: "one by one, incomplete", setup: []string{raid5, stop, "conf " + only}, lines: []string{
			"mdadm -I r0" + conf, "mdadm -I r1" + conf, "mdadm -I -R --scan" + conf, "mdadm -I r2" + conf, "mdadm -I -R r2" + conf, stop,
			"mdadm -I r0" + conf, "mdadm -IRs" + conf, stop, "mdadm -I r0" + conf, "mdadm -I r1" + conf, "mdadm --run /dev/md/data", "mdadm -IRs -q" + conf, stop,
			"mdadm -I r0" + conf, "mdadm -A --scan" + conf, stop, "mdadm -I r1" + conf, "mdadm -A --scan -v" + conf, stop,
			"mdadm -I r1" + conf, "mdadm -A md0 r0 r2" + conf, stop, "mdadm -I r0" + conf, "mdadm -I r1" + conf, "mdadm -A /dev/md/data r2" + conf, stop,
		}},
		{name: "one by one, other kinds", setup: []string{
			create + "md0 -l0 -n2 -N zero r0 r1", create + "md1 -e0.90 -l1 -n2 r2 r3", create + "md2 -l1 -n2 -x1 -N home --homehost=far r4 r5 r6", stop, "conf " + only,
		}, lines: join(
			each("", "r0", "r1"), each("", "r2", "r3"), each("", "r6", "r4", "r5"), each("", "r4", "r5", "r6"), each("--export", "r2", "r3"), each("--export", "r4", "r5", "r6"),
			each("", "r0", "r2", "r4", "r1", "r3", "r5", "r6"),
		)},
		{name: "nothing to take", setup: []string{raid1, stop, "conf " + only}, lines: []string{
			"mdadm -I r7" + conf, "mdadm -I -q r7" + conf, "mdadm -I /dev/none" + conf, "mdadm -I /dev/null" + conf, "mdadm -I" + conf, "mdadm -I -s" + conf,
			"mdadm -I -s r0" + conf, "mdadm -I -R -s r0" + conf, "mdadm -I -R -s -f" + conf, "mdadm -I -f ram0 ram1" + conf, "mdadm -If ram0" + conf, "mdadm -If /dev/disk/none" + conf,
			"mdadm -If -q ram0" + conf, "mdadm -I -R -s" + conf, "mdadm -I --no-degraded r7" + conf, "mdadm -I --rebuild-map" + conf,
		}},
		{name: "devices that go", setup: []string{create + "md0 -l5 -n3 -N data r0 r1 r2"}, lines: []string{
			"mdadm -If ram0", "mdadm -If ram0", "mdadm -If ram1 --path pci-1", stop,
		}},
		{name: "mirrors that go", setup: []string{create + "md0 -l1 -n3 -N data r0 r1 r2"}, lines: []string{
			"mdadm -I --fail ram0 --path pci-0", "mdadm -I --remove ram1", "mdadm -If ram2", stop,
		}},
		{name: "spares that go", setup: []string{create + "md0 -l1 -n2 -x1 r0 r1 r2", create + "md1 -l0 -n2 r3 r4"}, lines: []string{
			"mdadm -If ram2", "mdadm -If ram3", stop,
		}},
		{name: "map anew", setup: []string{
			raid1, create + "/dev/md/named -l1 -n2 -N named r2 r3", create + "md3 -e0.90 -l1 -n2 r4 r5", create + "md4 -l1 -n2 -N far --homehost=far r6 r7",
		}, lines: []string{
			"remove /run/mdadm/map", "mdadm -I --rebuild-map", "mdadm -I --rebuild-map --homehost=<ignore>",
			"conf ARRAY /dev/md/conf uuid=" + twinUUID, "mdadm -I --rebuild-map" + conf, stop,
		}},
		{name: "blank spare", setup: []string{create + "md0 -l1 -n2 -N data r0 r1", "blank r3", "conf " + only + " | POLICY domain=a action=spare"}, lines: []string{
			"mdadm -I r3" + conf, "mdadm -I -v r4" + conf, stop,
		}},
		{name: "no spare", setup: []string{create + "md0 -l1 -n2 -N data r0 r1", "blank r3", "damage r4 0 1"}, lines: []string{
			"conf " + only + " | POLICY action=spare", "mdadm -I r3" + conf, "conf " + only + " | POLICY domain=a", "mdadm -I r3" + conf,
			"conf " + only + " | POLICY domain=a action=spare metadata=0.90", "mdadm -I r3" + conf,
			"conf " + only + " | POLICY domain=a action=spare", "mdadm -I -vv r4" + conf, stop,
		}},
		{name: "re-add by policy", setup: []string{
			create + "md0 -l1 -n2 -b internal -N data r0 r1", "mdadm md0 --fail r1 --remove r1", "fill md0",
		}, lines: []string{
			"conf " + only, "mdadm -I r1" + conf, "conf " + only + " | POLICY action=re-add", "mdadm -I r1" + conf, stop,
		}},
	}
}
