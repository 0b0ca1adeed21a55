package mdadm

import (
	"testing"
)

// TestGrowLikeMdadm lets Debian's mdadm and ours change the shape of the same
// arrays.
func TestGrowLikeMdadm(t *testing.T) {
	runTwins(t, growTwins())
}

func growTwins() []twin {
	const create = "mdadm --create --run --quiet --assume-clean md0 "
	return []twin{
		{name: "size", setup: []string{create + "-l1 -n2 --size=20000 r0 r1"}, lines: []string{
			"mdadm --grow md0 --size=30000", "mdadm --grow md0 -z 30000", "mdadm --grow md0 --size=max", "mdadm -G md0 -z max",
			"mdadm --grow md0 --size=10M", "mdadm --grow md0 --size=900M", "mdadm --grow -q md0 --size=12M", "mdadm --grow md0 --size=20M --assume-clean",
			"mdadm --grow md0 --size=20M -n3", "mdadm --grow md0",
		}},
		{name: "size of raid5", setup: []string{create + "-l5 -n3 -c64 --size=20M r0 r1 r2"}, lines: []string{
			"mdadm --grow md0 --size=30M", "mdadm --grow md0 --size=32", "mdadm --grow md0 --size=30000", "mdadm --grow md0 --size=max", "mdadm --grow md0 --size=16M",
		}},
		{name: "size with a bitmap", setup: []string{create + "-l1 -n2 -b internal --size=20000 r0 r1"}, lines: []string{
			"mdadm --grow md0 --size=30000", "mdadm --grow md0 --size=max",
		}},
		{name: "size 0.90", setup: []string{create + "-l1 -n2 -e0.90 --size=20000 r0 r1"}, lines: []string{
			"mdadm --grow md0 --size=30000", "mdadm --grow md0 --size=max",
		}},
		{name: "size of raid0", setup: []string{create + "-l0 -n2 r0 r1"}, lines: []string{
			"mdadm --grow md0 --size=30000", "mdadm --grow md0 --size=max", "mdadm --grow md0 -b internal", "mdadm --grow md0 -k ppl",
		}},
		{name: "array size", setup: []string{create + "-l5 -n3 -c64 r0 r1 r2"}, lines: []string{
			"mdadm --grow md0 --array-size=50M", "mdadm --grow md0 -Z 10G", "mdadm --grow md0 -Z max", "mdadm --grow md0 -Z 20M -n4", "mdadm --grow md0 -Z 20M --size=30M",
		}},
		{name: "raid1 devices", setup: []string{create + "-l1 -n2 r0 r1"}, lines: []string{
			"mdadm --grow md0 -n3", "mdadm --grow md0 -n3 --force", "mdadm md0 --add r2", "mdadm --grow md0 -n2", "mdadm --grow md0 -n4 --add r3 r4",
			"mdadm --grow md0 -n4", "mdadm --grow md0 -n1", "mdadm --grow md0 -n1 --force", "mdadm --grow md0 --raid-devices=5000",
			"mdadm --grow md0 -n5 -q -a r5",
		}},
		{name: "raid1 fewer", setup: []string{create + "-l1 -n3 r0 r1 r2"}, lines: []string{
			"mdadm --grow md0 -n2", "mdadm md0 --fail r2", "mdadm md0 --remove r2", "mdadm --grow md0 -n2", "mdadm --grow md0 -c 64", "mdadm --grow md0 -p ls",
			"mdadm --grow md0 -l6", "mdadm --grow md0 -l4",
		}},
		{name: "bitmap", setup: []string{create + "-l1 -n2 r0 r1"}, lines: []string{
			"mdadm --grow md0 -b none", "mdadm --grow md0 -b internal", "mdadm --grow md0 -b internal", "mdadm --grow md0 --bitmap=none",
			"mdadm --grow md0 -b internal --bitmap-chunk=4K --delay=9", "mdadm --grow md0 -b none", "mdadm --grow md0 -b internal --bitmap-chunk=1M --write-behind=200",
			"mdadm --grow md0 -b none -n3", "mdadm --grow md0 -k ppl",
		}},
		{name: "bitmap 0.90", setup: []string{create + "-l5 -n3 -e0.90 r0 r1 r2"}, lines: []string{
			"mdadm --grow md0 -b internal", "mdadm --grow md0 --bitmap=none", "mdadm --grow md0 -b internal --bitmap-chunk=64K",
		}},
		{name: "bitmap 1.0", setup: []string{create + "-l10 -n4 -e1.0 r0 r1 r2 r3"}, lines: []string{
			"mdadm --grow md0 -b internal", "mdadm --grow md0 --bitmap=none", "mdadm --grow md0 -b internal --bitmap-chunk=64K",
		}},
		{name: "bitmap 1.1 degraded", setup: []string{create + "-l6 -n4 -e1.1 r0 r1 missing r3"}, lines: []string{
			"mdadm --grow md0 -b internal", "mdadm --grow md0 --bitmap=none", "mdadm md0 --add r5", "mdadm --grow md0 -b internal",
		}},
		{name: "policy", setup: []string{create + "-l5 -n3 r0 r1 r2"}, lines: []string{
			"mdadm --grow md0 -k resync", "mdadm --grow md0 -k ppl", "mdadm --grow md0 -k ppl", "mdadm --grow md0 -b internal",
			"mdadm --grow md0 --consistency-policy=resync", "mdadm --grow md0 -k journal", "mdadm --grow md0 -k bitmap", "mdadm --grow md0 -b internal",
			"mdadm --grow md0 -k ppl", "mdadm --grow md0 -k resync",
		}},
		{name: "policy 1.0", setup: []string{create + "-l5 -n3 -e1.0 r0 r1 r2"}, lines: []string{"mdadm --grow md0 -k ppl"}},
		{name: "policy 0.90", setup: []string{create + "-l5 -n3 -e0.90 r0 r1 r2"}, lines: []string{"mdadm --grow md0 -k ppl"}},
		{name: "policy of raid6", setup: []string{create + "-l6 -n4 r0 r1 r2 r3"}, lines: []string{"mdadm --grow md0 -k ppl"}},
		{name: "linear", setup: []string{create + "-llinear -n2 r0 r1"}, lines: []string{
			"mdadm --grow md0 --add r2", "mdadm --grow md0 -n4", "mdadm --grow md0 -l0", "mdadm --grow md0 --add /dev/nothing",
			"mdadm --grow md0 -a r0", "mdadm --grow md0 -a r3 r4", "mdadm --grow md0 -a r5 --size=20M",
		}},
		{name: "linear 0.90", setup: []string{create + "-llinear -n2 -e0.90 r0 r1"}, lines: []string{"mdadm --grow md0 --add r2"}},
		{name: "linear 1.0", setup: []string{create + "-llinear -n2 -e1.0 r0 r1"}, lines: []string{"mdadm --grow md0 --add r2"}},
		{name: "add to raid1", setup: []string{create + "-l1 -n2 r0 r1"}, lines: []string{"mdadm --grow md0 --add r2"}},
		{name: "faulty", setup: []string{"mdadm --create --run --quiet md0 -lfaulty --force -n1 r0"}, lines: []string{
			"mdadm --grow md0 -p rt100", "mdadm --grow md0 --layout=none", "mdadm --grow md0 -p flush", "mdadm --grow md0 -n2 -p wt",
			"mdadm --grow md0 -c 64",
		}},
		{name: "raid5 to raid1", setup: []string{create + "-l5 -n2 -c64 r0 r1"}, lines: []string{
			"mdadm --grow md0 -l1", "mdadm --grow md0 -l5", "mdadm --grow md0 -l1 -n3", "mdadm --grow md0 -l0 -n1",
		}},
		{name: "raid1 to raid0", words: true, setup: []string{create + "-l1 -n2 r0 r1"}, lines: []string{"mdadm --grow md0 -l0"}},
		{name: "raid1 to raid0 bitmap", words: true, setup: []string{create + "-l1 -n2 -b internal r0 r1"}, lines: []string{"mdadm --grow md0 -l0"}},
		{name: "raid10 to raid0", words: true, setup: []string{create + "-l10 -n4 r0 r1 r2 r3"}, lines: []string{
			"mdadm --grow md0 -l5", "mdadm --grow md0 -l0 -n3", "mdadm --grow md0 -l0", "mdadm --grow md0 -l10 --add r4 r5",
		}},
		{name: "raid0 to raid4", setup: []string{create + "-l0 -n2 -c64 r0 r1"}, lines: []string{
			"mdadm --grow md0 -l1", "mdadm --grow md0 -l4", "mdadm --grow md0 -l0", "mdadm --grow md0 -l4 --add r2",
		}},
		{name: "raid0 to raid5", setup: []string{create + "-l0 -n2 -c64 r0 r1"}, lines: []string{
			"mdadm --grow md0 -l5 -p parity-last --add r2", "mdadm --grow md0 -l0",
		}},
		{name: "raid5 to raid6", setup: []string{create + "-l5 -n3 -c64 r0 r1 r2"}, lines: []string{
			"mdadm --grow md0 -l6", "mdadm --grow md0 -l6 -p preserve --add r3", "mdadm --grow md0 -n5 --add r4", "mdadm --grow md0 -l5",
		}},
		{name: "refused", setup: []string{create + "-l5 -n3 -c64 r0 r1 r2"}, lines: []string{
			"mdadm --grow md0 -l6 -c 128", "mdadm --grow md0 -n4", "mdadm --grow md0 -n2", "mdadm --grow md0 -c 100", "mdadm --grow md0 -p nonsense",
			"mdadm --grow md0 -p normalise", "mdadm --grow md0 -p preserve", "mdadm --grow md0 -l10", "mdadm --grow md0 -l1", "mdadm --grow md5 -n4",
			"mdadm --grow r0 -n4", "mdadm --grow /dev/nothing -n4", "mdadm --grow md0 --add r3 --size=max", "mdadm --grow md0 -n3 -l5", "mdadm --grow md0 -p left-symmetric -c64",
			"mdadm --grow md0 -c 8192",
		}},
	}
}
