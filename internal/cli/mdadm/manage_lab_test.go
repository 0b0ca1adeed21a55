package mdadm

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/internal/lab"
	blockctl "github.com/mdkit/mdkit/ioctl/block"
)

// twin is a story that is run twice from the same start: once with Debian's mdadm,
// once with ours. Lines that begin with "mdadm" are compared: what they print, how
// they exit, and in what state they leave the kernel and the members. All others are
// steps as in scenario.
type twin struct {
	name  string
	setup []string
	lines []string
	// words compares only what is printed: ours undoes what a refused change has
	// written, and does not ask the kernel to fail the last member.
	words bool
}

// told is what is kept about one line.
type told struct {
	line  string
	said  outcome
	state string
}

func (tw twin) run(t *testing.T) {
	needPersonality(t, tw.name)
	tw.compare(t, func(args ...string) outcome { return peers(t, args...) })
}

// needPersonality skips a story that is called after a personality that the kernel does
// not have: these three are gone since Linux 6.8.
func needPersonality(t *testing.T, name string) {
	t.Helper()
	switch name {
	case "linear", "multipath", "faulty":
		if _, err := os.Stat("/sys/module/" + name); err != nil {
			t.Skipf("this kernel has no %s: %v", name, err)
		}
	}
}

// compare runs the story with mdadm, and with ours.
func (tw twin) compare(t *testing.T, mdadm func(args ...string) outcome) {
	want := tw.tell(t, mdadm)
	got := tw.tell(t, ours)
	for i := range want {
		if said, wanted := trim(got[i].said).String(), trim(want[i].said).String(); said != wanted {
			t.Errorf("%s:\n%s", want[i].line, lineDiff(wanted, said))
		}
		if !tw.words && got[i].state != want[i].state {
			t.Errorf("state after %s:\n%s", want[i].line, changes(want[i].state, got[i].state))
		}
	}
}

func (tw twin) tell(t *testing.T, mdadm func(args ...string) outcome) (story []told) {
	t.Helper()
	reset(t)
	defer reset(t)
	for _, step := range tw.setup {
		do(t, step)
		lab.ArraysIdle(t)
	}
	for _, line := range tw.lines {
		w := strings.Fields(line)
		if w[0] != "mdadm" {
			do(t, line)
			lab.ArraysIdle(t)
			continue
		}
		for i := range w {
			w[i] = devName(w[i])
		}
		said := mdadm(w[1:]...)
		lab.ArraysIdle(t)
		story = append(story, told{line: line, said: said, state: arrayState(t)})
	}
	return story
}

// changes shows the lines that are in only one of two states.
func changes(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	var b strings.Builder
	for _, l := range w {
		if !slices.Contains(g, l) {
			fmt.Fprintf(&b, "mdadm: %s\n", l)
		}
	}
	for _, l := range g {
		if !slices.Contains(w, l) {
			fmt.Fprintf(&b, "ours:  %s\n", l)
		}
	}
	if b.Len() == 0 {
		return lineDiff(want, got) // they are the same, in another order
	}
	return b.String()
}

// reset stops all arrays and blanks the places of superblocks.
func reset(t *testing.T) {
	t.Helper()
	for range 3 {
		for _, md := range arraysUp(t) {
			peers(t, "--stop", md)
		}
	}
	if left := arraysUp(t); len(left) > 0 {
		t.Fatalf("cannot stop %v", left)
	}
	const head, tail = 2 << 20, 256 << 10
	for i := range devs {
		f, err := os.OpenFile(fmt.Sprintf("/dev/ram%d", i), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.WriteAt(make([]byte, head), 0)
		_, err2 := f.WriteAt(make([]byte, tail), ramSize-tail)
		if err := errors.Join(err, err2, f.Sync(), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	os.Remove("/run/mdadm/map")
	os.RemoveAll("/dev/md")
}

// extras are the lines that ours adds to mdadm's: the kernel's reason, who
// holds a device, how much room there is.
var extras = regexp.MustCompile(`(?m)^       (kernel: |\S+ is held by |\S+ is mounted |.* --force fails it all the same|it is not a member|it is active in slot|it has room for|No such |Device or |open |write ).*\n`)

func trim(o outcome) outcome {
	o.err = extras.ReplaceAllString(o.err, "")
	return o
}

// arrayState describes all arrays and the metadata of their members, without what
// differs between two runs of the same story: times, uuids, and event counts.
func arrayState(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	stat, _ := os.ReadFile("/proc/mdstat")
	b.Write(stat)
	arrays, _ := filepath.Glob("/sys/block/md*/md")
	for _, dir := range arrays {
		for _, attr := range []string{"level", "raid_disks", "array_state", "degraded", "metadata_version", "component_size", "consistency_policy"} {
			describeAttr(&b, filepath.Join(dir, attr))
		}
		members, _ := filepath.Glob(dir + "/dev-*")
		for _, m := range members {
			for _, attr := range []string{"state", "slot", "offset", "size", "recovery_start", "bad_blocks"} {
				describeAttr(&b, filepath.Join(m, attr))
			}
		}
	}
	describeMembers(t, &b)
	describeNames(&b, string(stat))
	for _, path := range []string{"/dev/md0", "/dev/md1", "/dev/md", "/run/mdadm/map"} {
		_, err := os.Stat(path)
		fmt.Fprintf(&b, "%s exists: %v\n", path, err == nil)
	}
	return b.String()
}

// describeNames lists the names of the arrays in mdstat.
func describeNames(b *strings.Builder, stat string) {
	links, _ := filepath.Glob("/dev/md/*")
	for _, link := range links {
		to, _ := os.Readlink(link)
		fmt.Fprintf(b, "%s leads to %s\n", link, to)
	}
	text, _ := os.ReadFile("/run/mdadm/map")
	lines := strings.Split(string(text), "\n")
	slices.Sort(lines)
	for _, line := range lines {
		// mdadm leaves lines behind for arrays that did not start.
		if w := strings.Fields(line); len(w) == 4 && strings.Contains(stat, "\n"+w[0]+" : ") {
			fmt.Fprintf(b, "map: %s %s %s\n", w[0], w[1], w[3])
		}
	}
}

func describeAttr(b *strings.Builder, path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		return
	}
	s := strings.TrimSpace(string(text))
	fmt.Fprintf(b, "%s: %s\n", path, s)
}

func describeMembers(t *testing.T, b *strings.Builder) {
	t.Helper()
	var found []*md.Member
	var bitmaps []string
	for i := range devs {
		m, bitmap := readMember(t, fmt.Sprintf("/dev/ram%d", i))
		if m != nil {
			found = append(found, m)
			bitmaps = append(bitmaps, bitmap)
		}
	}
	top := make(map[md.UUID]uint64)
	for _, m := range found {
		top[m.UUID()] = max(top[m.UUID()], m.Events())
	}
	for i, m := range found {
		behind := top[m.UUID()] - m.Events()
		fmt.Fprintf(b, "%s: %s %s of %d, role %v, number %d, clean %v, resync %d, recovery %d, features %v, data %d+%d, used %d, events behind %v, broken %v\n",
			m.Name, m.Version, m.Level(), m.RaidDisks(), m.Role(), m.DevNumber(), m.Clean(), m.ResyncOffset(),
			m.RecoveryOffset(), m.Features(), m.DataOffset(), m.DataSize(), m.UsedSize(), behind > 1, m.Err != nil)
		if s := m.Super1; s != nil {
			roles := s.DevRoles
			for len(roles) > 0 && (roles[len(roles)-1] == md.RoleSpare || roles[len(roles)-1] == md.RoleFaulty) {
				roles = roles[:len(roles)-1]
			}
			fmt.Fprintf(b, "  roles %v, flags %v, bad blocks %d+%d, bitmap at %d, name %s\n",
				roles, s.DevFlags, s.BblogOffset, s.BblogSize, s.BitmapOffset, s.Name())
		}
		if s := m.Super0; s != nil {
			fmt.Fprintf(b, "  state %#x, disks %d active %d working %d failed %d spare %d\n",
				s.State, s.NrDisks, s.ActiveDisks, s.WorkingDisks, s.FailedDisks, s.SpareDisks)
			for _, d := range s.Disks {
				if d.Major != 0 || d.Minor != 0 || d.State != 0 {
					fmt.Fprintf(b, "  disk %d: %d:%d slot %d state %#x\n", d.Number, d.Major, d.Minor, int32(d.RaidDisk), d.State)
				}
			}
		}
		b.WriteString(bitmaps[i])
	}
}

func readMember(t *testing.T, path string) (*md.Member, string) {
	t.Helper()
	do(t, "flush "+path)
	f, err := block.OpenFile(path, block.ForReading)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := md.ReadMember(f)
	if err != nil {
		return nil, ""
	}
	bitmap, err := m.ReadBitmap(f)
	if bitmap == nil {
		return m, ""
	}
	count, countErr := bitmap.Count(f)
	return m, fmt.Sprintf("  bitmap version %d, chunk %d, sync size %d, dirty %v, %v %v\n",
		bitmap.Version, bitmap.ChunkSize, bitmap.SyncSize, count, err, countErr)
}

// TestManageLikeMdadm lets Debian's mdadm and ours do the same things to the same
// arrays.
func TestManageLikeMdadm(t *testing.T) {
	runTwins(t, manageTwins())
}

// TestAssembleLikeMdadm does the same for assembling arrays and wiping their
// members.
func TestAssembleLikeMdadm(t *testing.T) {
	runTwins(t, assembleTwins())
}

func runTwins(t *testing.T, twins []twin) { runSomeTwins(t, 3, twins) }

// runSomeTwins runs some of the stories, see lab.Sample.
func runSomeTwins(t *testing.T, some int, twins []twin) {
	t.Helper()
	var cases []lab.Case
	for _, tw := range twins {
		cases = append(cases, lab.Case{Name: tw.name, Run: func(t *testing.T, _ *lab.Guest) { tw.run(t) }})
	}
	runSome(t, some, cases)
}

// runSome runs some of the cases, see lab.Sample.
func runSome(t *testing.T, some int, cases []lab.Case) {
	t.Helper()
	runSomeWith(t, some, cases, nil)
}

// runSomeWith is runSome with further files for the guest.
func runSomeWith(t *testing.T, some int, cases []lab.Case, files map[string]string) {
	t.Helper()
	beside(t)
	all := maps.Clone(lab.Peer(t, "mdadm").Files)
	maps.Copy(all, files)
	cases = lab.Sample(t, cases, some)
	setup := lab.Case{Name: "setup", Run: func(t *testing.T, _ *lab.Guest) {
		do(t, "hostname labhost")
		do(t, "write /proc/sys/dev/raid/speed_limit_min 2000000")
		do(t, "write /proc/sys/dev/raid/speed_limit_max 2000000")
	}}
	lab.Run(t, lab.Spec{
		Modules: []string{
			"linear", "raid0", "raid1", "raid10", "raid456", "multipath", "faulty",
			fmt.Sprintf("brd rd_nr=%d rd_size=%d", devs, ramSize>>10),
		},
		Files:  all,
		Memory: 1 << 30,
	}, append([]lab.Case{setup}, cases...)...)
}

func assembleTwins() []twin {
	const create = "mdadm --create --run --quiet --assume-clean md0 "
	const stop = "mdadm? --stop md0"
	raid5 := []string{create + "-l5 -n3 r0 r1 r2", stop}
	raid1 := []string{create + "-l1 -n2 r0 r1", stop}
	degraded := []string{create + "-l5 -n4 r0 r1 r2 r3", "mdadm md0 --fail r0", stop}
	failed := []string{
		create + "-l5 -n4 r0 r1 r2 r3", "mdadm md0 --fail r0", "fill md0",
		"await /sys/block/md0/md/array_state clean", "mdadm? md0 --fail r2", "mdadm --stop md0",
	}
	return []twin{
		{name: "assemble", setup: raid5, lines: []string{
			"mdadm --assemble md0 r0 r1 r2", stop, "mdadm -A md0 r2 r0 r1", stop, "mdadm -A -v md0 r1 r2 r0",
			"mdadm -A md0 r0 r1 r2", "mdadm -A md1 r0 r1 r2", stop, "mdadm -A -q md0 r0 r1 r2", stop,
			"mdadm -A /dev/md/data r0 r1 r2", "mdadm? --stop /dev/md/data", "mdadm -A --readonly md0 r0 r1 r2", stop,
			"mdadm -A md0 -e1.2 r0 r1 r2", stop, "mdadm -A md0 -e1 r0 r1 r2", stop, "mdadm -A md0 -e1.1 r0 r1 r2",
			"mdadm -A md0 -e0.9 r0 r1 r2", "mdadm -A md0 -e01.2 r0 r1 r2", stop,
			"mdadm -A md0 -e0.90 r0 r1 r2",
		}},
		{name: "missing member", setup: raid5, lines: []string{
			"mdadm -A md0 r0 r1", "mdadm -A -v md0 r0 r2", "mdadm -A --run md0 r0 r1", stop, "mdadm -A md0 r0 r1", stop,
			"mdadm -A md0 r0", "mdadm -A --run md0 r0", "mdadm -A --force md0 r0", "mdadm -A --no-degraded md0 r0 r1",
			"mdadm -A md0 r2 r1 r0", stop,
		}},
		{name: "failed member", setup: degraded, lines: []string{
			"mdadm -A md0 r0 r1 r2 r3", stop, "mdadm -A -v md0 r3 r2 r1 r0", stop, "mdadm -A --force md0 r0 r1 r2 r3", stop,
			"mdadm -A md0 r1 r2 r3", stop, "mdadm -A md0 r0 r1 r2", "mdadm -A -v --force md0 r0 r1 r2", stop,
		}},
		{name: "two failed members", setup: failed, lines: []string{
			"mdadm -A md0 r0 r1 r2 r3", "mdadm -A --force -v md0 r0 r1 r2 r3", stop, "mdadm -A md0 r0 r1 r2 r3", stop,
		}},
		{name: "raid1", setup: append(slices.Clone(raid1), "mdadm -A md0 --run r0", stop), lines: []string{
			"mdadm -A md0 r0 r1", stop, "mdadm -A md0 r1", stop, "mdadm -A md0 r0 r1", stop, "mdadm -A -f md0 r1 r0", stop,
		}},
		{name: "split brain", setup: append(slices.Clone(raid1), "mdadm -A md0 --run r0", stop, "mdadm -A md0 --run r1", stop), lines: []string{
			"mdadm -A md0 r0 r1", stop, "mdadm -A md0 r1 r0", stop,
		}},
		{name: "identity", setup: append(slices.Clone(raid5), "mdadm --create --run --quiet --assume-clean md1 -l1 -n2 --uuid=11111111:22222222:33333333:44444444 --name=other r3 r4", "mdadm? --stop md1"), lines: []string{
			"mdadm -A md0 r0 r1 r2 r3 r4", "mdadm -A md0 --uuid=11111111:22222222:33333333:44444444 r0 r1 r2 r3 r4", stop,
			"mdadm -A md0 --name=other r0 r3 r4", stop, "mdadm -A md0 --name=0 r0 r1 r2 r3 r4 r5", stop,
			"mdadm -A md0 --name=nothing r0 r1 r2", "mdadm -A md0 --uuid=0:1 r0", "mdadm -A md0 --super-minor=0 r0 r1 r2",
			"mdadm -A md0 --homehost=else --name=0 r0 r1 r2", "mdadm -A md0 --name=labhost:0 r0 r1 r2", stop,
		}},
		{name: "super minor", setup: []string{create + "-e0.90 -l1 -n2 r0 r1", stop}, lines: []string{
			"mdadm -A md0 --super-minor=0 r0 r1", stop, "mdadm -A md0 --super-minor=5 r0 r1", "mdadm -A md0 --super-minor=dev r0 r1",
			"mdadm -A md5 r0 r1", "mdadm? --stop md5", "mdadm -A md0 r0", stop, "mdadm -A md0 r0 r1", stop,
		}},
		{name: "wrong input", setup: raid5, lines: []string{
			"mdadm -A md0 r0 /dev/nothing", "mdadm -A md0 /dev r0", "mdadm -A md0 r0 r1 r5", "mdadm -A md0 /dev/null r0",
			"mdadm -A md0", "mdadm -A /dev/null r0 r1 r2", "mdadm -A r9 r0 r1 r2", "mdadm -A /dev/mdx r0 r1 r2",
			"mdadm -A md0 r0 r0 r1 r2", stop, "mdadm -A md0 r0 r1 r2", "mdadm -A md1 r0 r1 r2", stop,
		}},
		{name: "spares", setup: []string{create + "-l5 -n3 -x2 r0 r1 r2 r3 r4", stop}, lines: []string{
			"mdadm -A md0 r4 r3 r2 r1 r0", stop, "mdadm -A md0 r0 r1 r3", stop, "mdadm -A -v md0 r0 r1 r2 r4", stop,
		}},
		{name: "raid6", setup: []string{create + "-e1.0 -l6 -n5 r0 r1 r2 r3 r4", "mdadm md0 --fail r0 r1", "mdadm? md0 --fail r2", stop}, lines: []string{
			"mdadm -A md0 r0 r1 r2 r3 r4", "mdadm -A --force md0 r0 r1 r2 r3 r4", stop,
		}},
		{name: "raid10", setup: []string{create + "-l10 -n4 r0 r1 r2 r3", "mdadm md0 --fail r0", "mdadm? md0 --fail r1", stop}, lines: []string{
			"mdadm -A md0 r0 r1 r2 r3", "mdadm -A --force md0 r0 r1 r2 r3", stop,
		}},
		{name: "raid0", setup: []string{create + "-l0 -n2 r0 r1", stop}, lines: []string{
			"mdadm -A md0 r0", "mdadm -A --force md0 r0", "mdadm -A --run md0 r0", "mdadm -A md0 r0 r1", stop,
		}},
		{name: "multipath", setup: []string{create + "-lmultipath -n2 r0 r1", stop}, lines: []string{
			"mdadm -A md0 r0 r1", stop, "mdadm -A md0 r1", stop,
		}},
		{name: "replacement", setup: []string{create + "-l5 -n3 r0 r1 r2", "mdadm md0 --add r3", "mdadm md0 --replace r1 --with r3", stop}, lines: []string{
			"mdadm -A md0 r0 r1 r2 r3", stop, "mdadm -A md0 r0 r2 r3", stop,
		}},
		{name: "journal", setup: []string{"mdadm --create --run --quiet md0 -l5 -n3 --write-journal r3 r0 r1 r2", stop}, lines: []string{
			"mdadm -A md0 r0 r1 r2", "mdadm -A --force md0 r0 r1 r2", stop, "mdadm -A -v md0 r0 r1 r2 r3", stop,
		}},
		{name: "bad superblock", setup: append(slices.Clone(raid5), "damage r1 4200 7"), lines: []string{
			"mdadm -A md0 r0 r1 r2", stop, "mdadm -A --run md0 r0 r1 r2", stop,
		}},
		{name: "zero superblock", setup: raid5, lines: []string{
			"mdadm --zero-superblock r0", "mdadm --zero-superblock r0", "mdadm --zero-superblock r1 r2", "mdadm --zero-superblock /dev/nothing",
			"mdadm --zero-superblock /dev", "mdadm --zero-superblock -e1.2 r0", "mdadm --zero-superblock -e0.90 r0",
			"mdadm --zero-superblock -e1 r0", "mdadm --zero-superblock --force -e1.1 r0", "mdadm -q --zero-superblock r0",
		}},
		{name: "zero several superblocks", setup: []string{
			create + "-e1.0 -l1 -n2 r0 r1", stop, create + "-e0.90 -l1 -n2 r2 r3", stop, create + "-e1.1 -l1 -n2 r4 r5",
		}, lines: []string{
			"mdadm --zero-superblock r0 r2", "mdadm --zero-superblock r4", "mdadm --zero-superblock -e1.0 r1",
			"mdadm --zero-superblock -e0.9 r2", "mdadm --zero-superblock -e0 r3",
		}},
	}
}

func manageTwins() []twin {
	const create = "mdadm --create --run --quiet --assume-clean md0 "
	raid5 := []string{create + "-l5 -n3 r0 r1 r2"}
	raid6 := []string{create + "-l6 -n4 -e0.90 r0 r1 r2 r3"}
	raid1 := []string{create + "-l1 -n2 --bitmap=internal r0 r1"}
	raid10 := []string{create + "-l10 -n4 r0 r1 r2 r3"}
	return []twin{
		{name: "fail remove add", setup: raid5, lines: []string{
			"mdadm md0 --fail r1", "mdadm md0 --remove r1", "mdadm md0 --add r1",
			"mdadm md0 -f r2 --remove r2 -a r2", "mdadm --manage md0 -q --add r3", "mdadm md0 -v -a r4",
		}},
		{name: "bitmap re-add", setup: raid1, lines: []string{
			"mdadm md0 --fail r1 --remove r1", "mdadm md0 --re-add r1",
			"mdadm md0 --fail ram1", "mdadm md0 --remove failed", "mdadm md0 --add r1",
			"mdadm md0 --fail r1", "mdadm md0 --re-add r1",
			"mdadm md0 --fail r1", "mdadm md0 --re-add faulty",
			"mdadm md0 --fail r1 --remove r1", "mdadm md0 --re-add missing",
		}},
		{name: "re-add without bitmap", setup: raid5, lines: []string{
			"mdadm md0 --fail r1 --remove r1", "mdadm md0 --re-add r1", "mdadm md0 -v --re-add missing",
			"mdadm md0 --add-spare r1", "mdadm md0 --re-add r4",
		}},
		{name: "superblock 0.90", setup: raid6, lines: []string{
			"mdadm md0 --add r4 r5", "mdadm md0 --fail r0", "mdadm md0 --remove faulty", "mdadm md0 --remove r5",
			"mdadm md0 --fail r1 --remove r1 --add r1", "mdadm md0 --add r0",
		}},
		{name: "superblock 1.0", setup: []string{create + "-l5 -n3 -e1.0 --bitmap=internal r0 r1 r2"}, lines: []string{
			"mdadm md0 --add r3", "mdadm md0 --fail r0", "mdadm md0 --remove faulty", "mdadm md0 --add r0",
			"mdadm md0 --fail r1 --remove r1", "blank r1", "mdadm md0 --add r1",
		}},
		{name: "superblock 1.1", setup: []string{create + "-l1 -n3 -e1.1 r0 r1 r2"}, lines: []string{
			"mdadm md0 --fail r1 --remove r1", "blank r1", "mdadm md0 --add --write-mostly r1 --failfast r3",
			"mdadm md0 --fail r1 --remove r1 --re-add --readwrite r1",
		}},
		{name: "flags", setup: raid1, lines: []string{
			"mdadm md0 --fail r1 --remove r1", "mdadm md0 --write-mostly --re-add r1",
			"mdadm md0 --fail r1 --remove r1", "mdadm md0 --re-add -w r1",
			"mdadm md0 --failfast --add r3",
		}},
		{name: "replace", setup: append(slices.Clone(raid5), "mdadm md0 --add r3 r4"), lines: []string{
			"mdadm md0 --replace r1 --with r4", "mdadm md0 --remove faulty", "mdadm md0 --replace r0",
			"mdadm md0 --replace r5", "mdadm md0 --with r4", "mdadm md0 --replace r2 --with r3",
			"mdadm md0 --replace r2 --with r5", "mdadm md0 --replace ram2",
		}},
		{name: "replace spare", setup: append(slices.Clone(raid5), "mdadm md0 --add r3"), lines: []string{
			"mdadm md0 --replace r3", "mdadm md0 --replace r2 --with r1",
		}},
		{name: "words", setup: raid10, lines: []string{
			"mdadm md0 --fail set-A", "mdadm md0 --remove set-A", "mdadm md0 --remove failed",
			"mdadm md0 --fail set-C", "mdadm md0 --add failed", "mdadm md0 --add detached",
			"mdadm md0 --fail detached", "mdadm md0 --remove detached", "mdadm md0 --add missing",
			"mdadm md0 --fail ram9", "mdadm md0 --add ram0", "mdadm md0 --fail faulty", "mdadm md0 --add set-A",
			"mdadm md0 --add r0 r2", "mdadm md0 --fail 1:1 --remove 1:1", "mdadm md0 --fail 1:99", "mdadm md0 --remove 1:99",
		}},
		{name: "confirm without a slot", setup: raid1, lines: []string{"mdadm md0 --cluster-confirm r3", "mdadm md0 --cluster-confirm x:r3"}},
		{name: "set not meaningful", setup: raid1, lines: []string{"mdadm md0 --fail set-A", "mdadm md0 --replace set-A"}},
		{name: "last member", words: true, setup: raid1, lines: []string{
			"mdadm md0 --fail r0", "mdadm md0 --fail r1", "mdadm md0 --test --fail r1", "mdadm md0 --fail ram1",
			"mdadm md0 --fail 1:1", "mdadm md0 --remove r1",
		}},
		{name: "test", setup: raid5, lines: []string{
			"mdadm md0 --test --remove failed", "mdadm md0 --test --fail r1", "mdadm md0 --test --remove failed",
			"mdadm md0 --test --remove failed", "mdadm md0 --test --re-add missing",
		}},
		{name: "wrong devices", setup: raid5, lines: []string{
			"mdadm md0 --add /dev/nothing", "mdadm md0 --add /dev", "mdadm md0 --add /proc/mdstat", "mdadm md0 --add /dev/null",
			"mdadm md0 --add r0", "mdadm md0 --fail /dev/nothing", "mdadm md0 --remove /dev", "mdadm md0 --remove r0",
			"mdadm md0 --remove r5", "mdadm md0 --fail r5", "mdadm md0 --re-add /dev/nothing", "mdadm md0 --replace /dev/nothing",
			"mdadm md5 --add r5", "mdadm r0 --add r5", "mdadm /dev/nothing --add r5",
			"mdadm /dev/null --add r5", "mdadm md0 --fail nothing",
		}},
		{name: "too small", setup: []string{create + "-l1 -n2 -e1.2 --size=30000 r0 r1", "mdadm --create --run --quiet md1 -l0 -n2 --size=10000 r2 r3"}, lines: []string{
			"mdadm md0 --add --force md1", "mdadm md0 --add r2", "mdadm md0 --re-add md1",
		}},
		{name: "no redundancy", words: true, setup: []string{create + "-l0 -n2 r0 r1"}, lines: []string{
			"mdadm md0 --add r2", "mdadm md0 --remove r0", "mdadm md0 --fail r5",
		}},
		{name: "linear", words: true, setup: []string{create + "-llinear -n2 r0 r1"}, lines: []string{"mdadm md0 --add r2", "mdadm md0 --remove r0"}},
		{name: "multipath", setup: []string{create + "-lmultipath -n2 r0 r1"}, lines: []string{
			"mdadm md0 --fail r0", "mdadm md0 --remove r0", "mdadm md0 --add r0", "mdadm md0 --fail r1",
		}},
		{name: "faulty", words: true, setup: []string{"mdadm --create --run --quiet md0 -lfaulty --force -n1 r0"}, lines: []string{"mdadm md0 --fail r0", "mdadm md0 --add r1"}},
		{name: "no metadata", setup: []string{"mdadm --build --quiet md0 -l1 -n2 --assume-clean r0 r1"}, lines: []string{
			"mdadm md0 --fail r1", "mdadm md0 --remove r1", "mdadm md0 --add r1", "mdadm md0 --add r2",
			"mdadm md0 --fail r0 --remove r0", "mdadm md0 --add r0",
		}},
		{name: "journal", setup: []string{"mdadm --create --run --quiet md0 -l5 -n3 --write-journal r3 r0 r1 r2"}, lines: []string{
			"mdadm md0 --fail r0 --remove r0 --add r0", "mdadm md0 --add r4", "mdadm md0 --fail r3", "mdadm md0 --remove r3",
		}},
		{name: "ppl", setup: []string{create + "-l5 -n3 --consistency-policy=ppl r0 r1 r2"}, lines: []string{
			"mdadm md0 --fail r0 --remove r0", "blank r0", "mdadm md0 --add r0", "mdadm md0 --add r3",
		}},
		{name: "readonly", words: true, setup: append(slices.Clone(raid5), "mdadm --readonly md0"), lines: []string{
			"mdadm md0 --add r3", "mdadm md0 --fail r0", "mdadm md0 --re-add r4",
		}},
		{name: "foreign members", setup: append(slices.Clone(raid5), "mdadm --create --run --quiet md1 -l1 -n2 r3 r4"), lines: []string{
			"mdadm md0 --add r3", "mdadm? --stop md1", "mdadm md0 --add --force r3", "mdadm md0 --re-add r4", "mdadm md0 --add --force r4",
		}},
	}
}

func names(list []twin) (out []string) {
	for _, tw := range list {
		out = append(out, tw.name)
	}
	slices.Sort(out)
	return out
}

// TestTwinNames checks that names are unique within a test: lab cases are looked up
// by name.
func TestTwinNames(t *testing.T) {
	for _, twins := range [][]twin{manageTwins(), assembleTwins(), growTwins()} {
		list := names(twins)
		if len(slices.Compact(slices.Clone(list))) != len(list) {
			t.Errorf("a name is used twice in %v", list)
		}
	}
}

// flush drops the cache of a device: md writes past it.
func flush(t *testing.T, path string) {
	t.Helper()
	f, err := blockctl.Open(path, os.O_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := blockctl.FlushBuffers(f); err != nil {
		t.Fatal(err)
	}
}

// fill writes to an array from its start, so that missing members become stale.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(bytes.Repeat([]byte("mdkit"), 1<<18))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
}
