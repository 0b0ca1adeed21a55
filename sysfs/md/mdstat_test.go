package md

import (
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

// line builds the mdstat text of one array.
func parseOne(t *testing.T, text string) MdstatArray {
	t.Helper()
	m, err := ParseMdstat(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Arrays) != 1 {
		t.Fatalf("%d arrays in %q", len(m.Arrays), text)
	}
	return m.Arrays[0]
}

// TestMissing counts every slot that is not up, whatever its letter.
func TestMissing(t *testing.T) {
	for slots, want := range map[string]int{"": 0, "UU": 0, "U_": 1, "_UUUE": 2, "__": 2} {
		if got := (&MdstatArray{Slots: slots}).Missing(); got != want {
			t.Errorf("[%s]: %d, want %d", slots, got, want)
		}
	}
}

// Texts as the kernel's status functions would print them.
func TestMdstatForms(t *testing.T) {
	native := func(major, minor int) Metadata {
		return Metadata{Kind: MetadataNative, Major: major, Minor: minor}
	}
	for name, c := range map[string]struct {
		text string
		want MdstatArray
	}{
		"raid5 reshape": {
			"md0 : active raid5 loop2[2](F) loop1[1] loop3[5] loop4[4] loop0[0](F)\n" +
				"      1040384 blocks super 1.2 level 5, 512k chunk, algorithm 2 [5/3] [_UUU_]\n" +
				"      [>....................]  reshape =  1.1% (3072/260096) finish=1.3min speed=3072K/sec\n" +
				"      bitmap: 0/1 pages [0KB], 65536KB chunk\n\n",
			MdstatArray{
				Name: "md0", State: "active", Level: RAID5, Blocks: 1040384, Metadata: native(1, 2),
				Members: []MdstatMember{
					{Name: "loop2", Number: 2, Faulty: true},
					{Name: "loop1", Number: 1},
					{Name: "loop3", Number: 5},
					{Name: "loop4", Number: 4},
					{Name: "loop0", Number: 0, Faulty: true},
				},
				Geometry:  MdstatGeometry{Level: 5, ChunkKiB: 512, Algorithm: 2},
				RaidDisks: 5, Working: 3, Slots: "_UUU_",
				Sync:   &MdstatSync{Action: "reshape", PerMille: 11, Done: 3072, Total: 260096, FinishTenths: 13, SpeedKiB: 3072},
				Bitmap: &MdstatBitmap{PagesTotal: 1, Chunk: 65536 << 10},
			},
		},
		"inactive": {
			"md0 : inactive loop1[1] loop2[2](F) loop3[5](S) loop4[4]\n      780288 blocks super 1.2\n       \n",
			MdstatArray{
				Name: "md0", State: "inactive", Blocks: 780288, Metadata: native(1, 2),
				Members: []MdstatMember{
					{Name: "loop1", Number: 1},
					{Name: "loop2", Number: 2, Faulty: true},
					{Name: "loop3", Number: 5, Spare: true},
					{Name: "loop4", Number: 4},
				},
			},
		},
		"metadata 0.90 is not printed": {
			"md1 : active raid1 sdb1[1] sda1[0]\n      104320 blocks [2/2] [UU]\n      \n",
			MdstatArray{
				Name: "md1", State: "active", Level: RAID1, Blocks: 104320, Metadata: native(0, 90),
				Members:   []MdstatMember{{Name: "sdb1", Number: 1}, {Name: "sda1"}},
				RaidDisks: 2, Working: 2, Slots: "UU",
			},
		},
		"every mark of a member": {
			"md2 : active (read-only) raid1 c/d0p1[4](W)(R) b[3](J) a[2](W)(J)(F) e[12](S)\n      8 blocks super non-persistent [1/1] [U]\n      \tresync=PENDING\n      \n",
			MdstatArray{
				Name: "md2", State: "active", ReadOnly: true, Level: RAID1, Blocks: 8,
				Members: []MdstatMember{
					{Name: "c/d0p1", Number: 4, WriteMostly: true, Replacement: true},
					{Name: "b", Number: 3, Journal: true},
					{Name: "a", Number: 2, WriteMostly: true, Journal: true, Faulty: true},
					{Name: "e", Number: 12, Spare: true},
				},
				RaidDisks: 1, Working: 1, Slots: "U",
				Sync: &MdstatSync{Action: "resync", Pending: true},
			},
		},
		"raid10 in every form": {
			"md_home : active (auto-read-only) raid10 a[0]\n      64 blocks super 1.0 64K chunks 2 near-copies 2 offset-copies 2 devices per set [4/4] [UUUU]\n      \tresync=DELAYED\n      bitmap: 1/1 pages [4KB], 512B chunk, file: /var/lib/b\\040m\n\n",
			MdstatArray{
				Name: "md_home", State: "active", AutoReadOnly: true, Level: RAID10, Blocks: 64, Metadata: native(1, 0),
				Members:   []MdstatMember{{Name: "a"}},
				Geometry:  MdstatGeometry{ChunkKiB: 64, NearCopies: 2, OffsetCopies: 2, DevicesPerSet: 2},
				RaidDisks: 4, Working: 4, Slots: "UUUU",
				Sync:   &MdstatSync{Action: "resync", Delayed: true},
				Bitmap: &MdstatBitmap{PagesUsed: 1, PagesTotal: 1, UsedKiB: 4, Chunk: 512, File: "/var/lib/b m"},
			},
		},
		"raid10 far, full bar": {
			"md3 : active raid10 a[0]\n      64 blocks super 1.1 4K chunks 2 far-copies [2/1] [U_]\n      [====================>]  recovery =100.0% (32/32) finish=0.0min speed=-1K/sec\n      \n",
			MdstatArray{
				Name: "md3", State: "active", Level: RAID10, Blocks: 64, Metadata: native(1, 1),
				Members:   []MdstatMember{{Name: "a"}},
				Geometry:  MdstatGeometry{ChunkKiB: 4, FarCopies: 2},
				RaidDisks: 2, Working: 1, Slots: "U_",
				Sync: &MdstatSync{Action: "recovery", PerMille: 1000, Done: 32, Total: 32, SpeedKiB: -1},
			},
		},
		"raid0 in a container": {
			"md126 : active raid0 sda[1] sdb[0]\n      64 blocks super external:/md127/0 128k chunks\n      \n",
			MdstatArray{
				Name: "md126", State: "active", Level: RAID0, Blocks: 64,
				Metadata: Metadata{Kind: MetadataExternal, External: "/md127/0"},
				Members:  []MdstatMember{{Name: "sda", Number: 1}, {Name: "sdb"}},
				Geometry: MdstatGeometry{ChunkKiB: 128},
			},
		},
		"a container without members is all on one line": {
			"md127 : inactive super external:imsm\n       \n",
			MdstatArray{Name: "md127", State: "inactive", Metadata: Metadata{Kind: MetadataExternal, External: "imsm"}},
		},
		"linear": {
			"md4 : active linear sda[1] sdb[0]\n      64 blocks super 1.2 4k rounding\n      \n",
			MdstatArray{
				Name: "md4", State: "active", Level: Linear, Blocks: 64, Metadata: native(1, 2),
				Members:  []MdstatMember{{Name: "sda", Number: 1}, {Name: "sdb"}},
				Geometry: MdstatGeometry{RoundingKiB: 4},
			},
		},
		"faulty": {
			"md5 : active faulty sda[0]\n      64 blocks super non-persistent WriteTransient=2(3) ReadFixable=1(10) WriteAll nfaults=4\n      \n",
			MdstatArray{
				Name: "md5", State: "active", Level: Faulty, Blocks: 64,
				Members:  []MdstatMember{{Name: "sda"}},
				Geometry: MdstatGeometry{Faults: map[string]string{"WriteTransient": "2(3)", "ReadFixable": "1(10)", "WriteAll": "", "nfaults": "4"}},
			},
		},
		"another node resyncs": {
			"md6 : active raid1 sdb[1] sda[0]\n      64 blocks super 1.2 [2/2] [UU]\n      \tresync=REMOTE\n      bitmap: 0/1 pages [0KB], 65536KB chunk\n\n",
			MdstatArray{
				Name: "md6", State: "active", Level: RAID1, Blocks: 64, Metadata: native(1, 2),
				Members:   []MdstatMember{{Name: "sdb", Number: 1}, {Name: "sda"}},
				RaidDisks: 2, Working: 2, Slots: "UU",
				Sync:   &MdstatSync{Action: "resync", Remote: true},
				Bitmap: &MdstatBitmap{PagesTotal: 1, Chunk: 65536 << 10},
			},
		},
		"another node recovers": {
			"md6 : active raid1 sdb[1]\n      64 blocks super 1.2 [2/1] [_U]\n      \trecover=REMOTE\n      \n",
			MdstatArray{
				Name: "md6", State: "active", Level: RAID1, Blocks: 64, Metadata: native(1, 2),
				Members:   []MdstatMember{{Name: "sdb", Number: 1}},
				RaidDisks: 2, Working: 1, Slots: "_U",
				Sync: &MdstatSync{Action: "recover", Remote: true},
			},
		},
		"a vendor's flag and letter for a member with errors": {
			"md8 : active raid5 xe5[4](S)(E) xd5[3] xc5[2](E)(W) xb5[1] xa5[0](F)\n      64 blocks super 1.2 level 5, 64k chunk, algorithm 2 [5/4] [_UUUE]\n      \n",
			MdstatArray{
				Name: "md8", State: "active", Level: RAID5, Blocks: 64, Metadata: native(1, 2),
				Members: []MdstatMember{
					{Name: "xe5", Number: 4, Spare: true},
					{Name: "xd5", Number: 3},
					{Name: "xc5", Number: 2, WriteMostly: true},
					{Name: "xb5", Number: 1},
					{Name: "xa5", Faulty: true},
				},
				Geometry:  MdstatGeometry{Level: 5, ChunkKiB: 64, Algorithm: 2},
				RaidDisks: 5, Working: 4, Slots: "_UUUE",
				Unparsed: []string{"(E)", "(E)"},
			},
		},
		"what a later kernel may add is kept": {
			"md7 : active (frobnicated) raid7 sda[0](X) sdb[1]\n      64 blocks super 1.3 7d torus [2/2] [UU]\n      moon: full\n      bitmap: all of it\n      [=>...] dance = 1.0% (1/2) finish=1.0min speed=1K/sec\n      \thula=DELAYED\n",
			MdstatArray{
				Name: "md7", State: "active", Level: "raid7", Blocks: 64, Metadata: native(1, 3),
				Members:   []MdstatMember{{Name: "sda"}, {Name: "sdb", Number: 1}},
				RaidDisks: 2, Working: 2, Slots: "UU",
				Unparsed: []string{
					"(frobnicated)", "(X)", "7d torus", "moon: full", "bitmap: all of it",
					"[=>...] dance = 1.0% (1/2) finish=1.0min speed=1K/sec", "hula=DELAYED",
				},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := parseOne(t, c.text); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

func TestMdstatWhole(t *testing.T) {
	m, err := ParseMdstat(strings.NewReader("Personalities : [raid1] [raid6] [zipper] \n" +
		"      stray detail\nread_ahead 1024 sectors\n" +
		"md1 : active raid0 sda[0] sdb[1]\n      64 blocks 64k chunks\n      \n" +
		"md0 : inactive\n" +
		"unused devices: sdc sdd \n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(m.Personalities, " "); got != "raid1 raid6 zipper" {
		t.Errorf("personalities %q", got)
	}
	if got := strings.Join(m.Unused, " "); got != "sdc sdd" {
		t.Errorf("unused %q", got)
	}
	if got := strings.Join(m.Unparsed, "|"); got != "      stray detail|read_ahead 1024 sectors" {
		t.Errorf("unparsed %q", got)
	}
	if m.Array("md1") == nil || m.Array("md0") == nil || m.Array("md2") != nil || len(m.Arrays) != 2 {
		t.Errorf("arrays %+v", m.Arrays)
	}
	if a := m.Array("md1"); !a.Active() || a.Missing() != 0 {
		t.Errorf("%+v", a)
	}
	if _, err := ParseMdstat(iotest.ErrReader(iotest.ErrTimeout)); err != iotest.ErrTimeout {
		t.Errorf("reader's error: %v", err)
	}
}
