package mdadm

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/internal/lab"
	blockctl "github.com/mdkit/mdkit/ioctl/block"
)

// twin is a story told twice from the same start: once by Debian's mdadm, once
// by ours. Lines that begin with "mdadm" are the ones compared, by what they
// print, how they exit, and in which state they leave the kernel and the
// members; all others are steps as scenario knows them.
type twin struct {
	name  string
	setup []string
	lines []string
}

// told is what is kept of one line.
type told struct {
	line  string
	said  outcome
	state string
}

func (tw twin) run(t *testing.T) {
	want := tw.tell(t, func(args ...string) outcome { return peers(t, args...) })
	got := tw.tell(t, ours)
	for i := range want {
		if said, wanted := trim(got[i].said).String(), trim(want[i].said).String(); said != wanted {
			t.Errorf("%s:\n%s", want[i].line, lineDiff(wanted, said))
		}
		if got[i].state != want[i].state {
			t.Errorf("state after %s:\n%s", want[i].line, lineDiff(want[i].state, got[i].state))
		}
	}
}

func (tw twin) tell(t *testing.T, mdadm func(args ...string) outcome) (story []told) {
	t.Helper()
	defer clear(t)
	for _, step := range tw.setup {
		do(t, step)
		idle(t)
	}
	for _, line := range tw.lines {
		w := strings.Fields(line)
		if w[0] != "mdadm" {
			do(t, line)
			idle(t)
			continue
		}
		for i := range w {
			w[i] = devName(w[i])
		}
		said := mdadm(w[1:]...)
		idle(t)
		story = append(story, told{line: line, said: said, state: arrayState(t)})
	}
	return story
}

// extras are the lines that ours adds to mdadm's: the kernel's reason, who
// holds a device, how much room there is.
var extras = regexp.MustCompile(`(?m)^       (kernel: |\S+ is held by |\S+ is mounted |.* --force fails it all the same|it is not a member|it is active in slot|it has room for|No such |Device or |Is a dir|Text file|write |.*opened).*\n`)

func trim(o outcome) outcome {
	o.err = extras.ReplaceAllString(o.err, "")
	return o
}

// idle waits until nothing is being recovered.
func idle(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		busy := ""
		actions, _ := filepath.Glob("/sys/block/md*/md/sync_action")
		for _, path := range actions {
			b, _ := os.ReadFile(path)
			if s := strings.TrimSpace(string(b)); s != "idle" && s != "" {
				busy = path + " is " + s
			}
		}
		stat, _ := os.ReadFile("/proc/mdstat")
		if busy == "" && regexp.MustCompile(`resync|recovery|reshape|check`).Match(stat) &&
			!strings.Contains(string(stat), "PENDING") {
			busy = string(stat)
		}
		if busy == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still busy: %s", busy)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// arrayState describes all arrays and what the members say, without what differs
// between two runs of the same story: times, uuids, and how far the event
// counts have come.
func arrayState(t *testing.T) string {
	t.Helper()
	time.Sleep(300 * time.Millisecond) // superblocks are written a little later
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
	for _, path := range []string{"/dev/md0", "/dev/md1", "/dev/md", "/run/mdadm/map"} {
		_, err := os.Stat(path)
		fmt.Fprintf(&b, "%s exists: %v\n", path, err == nil)
	}
	return b.String()
}

func describeAttr(b *strings.Builder, path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		return
	}
	s := strings.TrimSpace(string(text))
	if strings.HasSuffix(path, "array_state") && (s == "active" || s == "active-idle") {
		s = "clean" // a moment later it is
	}
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
		fmt.Fprintf(b, "%s: %s %s of %d, role %v, number %d, clean %v, resync %d, recovery %d, features %v, data %d+%d, used %d, events behind %v, err %v\n",
			m.Name, m.Version, m.Level(), m.RaidDisks(), m.Role(), m.DevNumber(), m.Clean(), m.ResyncOffset(),
			m.RecoveryOffset(), m.Features(), m.DataOffset(), m.DataSize(), m.UsedSize(), behind > 1, m.Err)
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

// TestManageLikeMdadm lets Debian's mdadm and ours do the same to the same
// arrays.
func TestManageLikeMdadm(t *testing.T) {
	runTwins(t, manageTwins())
}

func runTwins(t *testing.T, twins []twin) {
	t.Helper()
	mdadm := lab.Peer(t, "mdadm")
	cases := []lab.Case{{Name: "setup", Run: func(t *testing.T, _ *lab.Guest) { do(t, "hostname labhost") }}}
	for _, tw := range twins {
		cases = append(cases, lab.Case{Name: tw.name, Run: func(t *testing.T, _ *lab.Guest) { tw.run(t) }})
	}
	lab.Run(t, lab.Spec{
		Modules: []string{
			"linear", "raid0", "raid1", "raid10", "raid456", "multipath", "faulty",
			fmt.Sprintf("brd rd_nr=%d rd_size=%d", devs, ramSize>>10),
		},
		Files:   mdadm.Files,
		Memory:  1 << 30,
		Timeout: 10 * time.Minute,
	}, cases...)
}

func manageTwins() []twin {
	const create = "mdadm --create --run --quiet --assume-clean md0 "
	raid5 := []string{create + "-l5 -n3 r0 r1 r2"}
	raid6 := []string{create + "-l6 -n4 -e0.90 r0 r1 r2 r3"}
	raid1 := []string{create + "-l1 -n2 --bitmap=internal r0 r1"}
	raid10 := []string{create + "-l10 -n4 r0 r1 r2 r3"}
	return []twin{
		{"fail remove add", raid5, []string{
			"mdadm md0 --fail r1", "mdadm md0 --remove r1", "mdadm md0 --add r1",
			"mdadm md0 -f r2 -r r2 -a r2", "mdadm --manage md0 -q --add r3", "mdadm md0 -v -a r4",
		}},
		{"bitmap re-add", raid1, []string{
			"mdadm md0 --fail r1 --remove r1", "mdadm md0 --re-add r1",
			"mdadm md0 --fail ram1", "mdadm md0 --remove failed", "mdadm md0 --add r1",
			"mdadm md0 --fail r1", "mdadm md0 --re-add r1",
			"mdadm md0 --fail r1", "mdadm md0 --re-add faulty",
			"mdadm md0 --fail r1 --remove r1", "mdadm md0 --re-add missing",
		}},
		{"re-add without bitmap", raid5, []string{
			"mdadm md0 --fail r1 --remove r1", "mdadm md0 --re-add r1", "mdadm md0 -v --re-add missing",
			"mdadm md0 --add-spare r1", "mdadm md0 --re-add r4",
		}},
		{"superblock 0.90", raid6, []string{
			"mdadm md0 --add r4 r5", "mdadm md0 --fail r0", "mdadm md0 --remove faulty", "mdadm md0 --remove r5",
			"mdadm md0 --fail r1 --remove r1 --add r1", "mdadm md0 --add r0",
		}},
		{"superblock 1.0", []string{create + "-l5 -n3 -e1.0 --bitmap=internal r0 r1 r2"}, []string{
			"mdadm md0 --add r3", "mdadm md0 --fail r0", "mdadm md0 --remove faulty", "mdadm md0 --add r0",
			"mdadm md0 --fail r1 --remove r1", "blank r1", "mdadm md0 --add r1",
		}},
		{"superblock 1.1", []string{create + "-l1 -n3 -e1.1 r0 r1 r2"}, []string{
			"mdadm md0 --fail r1 --remove r1", "blank r1", "mdadm md0 --add --write-mostly r1 --failfast r3",
			"mdadm md0 --fail r1 --remove r1 --re-add --readwrite r1",
		}},
		{"flags", raid1, []string{
			"mdadm md0 --fail r1 --remove r1", "mdadm md0 --write-mostly --re-add r1",
			"mdadm md0 --fail r1 --remove r1", "mdadm md0 --re-add -w r1",
			"mdadm md0 --add-spare --write-mostly r2", "mdadm md0 --failfast --add r3",
		}},
		{"replace", append(slices.Clone(raid5), "mdadm md0 --add r3 r4"), []string{
			"mdadm md0 --replace r1 --with r4", "mdadm md0 --remove faulty", "mdadm md0 --replace r0",
			"mdadm md0 --replace r5", "mdadm md0 --with r4", "mdadm md0 --replace r2 --with r3",
			"mdadm md0 --replace r2 --with r5", "mdadm md0 --replace ram2",
		}},
		{"replace spare", append(slices.Clone(raid5), "mdadm md0 --add r3"), []string{
			"mdadm md0 --replace r3", "mdadm md0 --replace r2 --with r1",
		}},
		{"words", raid10, []string{
			"mdadm md0 --fail set-A", "mdadm md0 --remove set-A", "mdadm md0 --remove failed",
			"mdadm md0 --fail set-C", "mdadm md0 --add failed", "mdadm md0 --add detached",
			"mdadm md0 --fail detached", "mdadm md0 --remove detached", "mdadm md0 --add missing",
			"mdadm md0 --fail ram9", "mdadm md0 --add ram0", "mdadm md0 --fail faulty", "mdadm md0 --add set-A",
			"mdadm md0 --add r0 r2", "mdadm md0 --fail 1:1 --remove 1:1", "mdadm md0 --fail 1:99", "mdadm md0 --remove 1:99",
		}},
		{"set not meaningful", raid1, []string{"mdadm md0 --fail set-A", "mdadm md0 --replace set-A"}},
		{"last member", raid1, []string{
			"mdadm md0 --fail r0", "mdadm md0 --fail r1", "mdadm md0 --test --fail r1", "mdadm md0 --fail ram1",
			"mdadm md0 --fail 1:1", "mdadm md0 --remove r1",
		}},
		{"test", raid5, []string{
			"mdadm md0 --test --remove failed", "mdadm md0 --test --fail r1", "mdadm md0 --test --remove failed",
			"mdadm md0 --test --remove failed", "mdadm md0 --test --re-add missing",
		}},
		{"wrong devices", raid5, []string{
			"mdadm md0 --add /dev/nothing", "mdadm md0 --add /dev", "mdadm md0 --add /proc/mdstat", "mdadm md0 --add /dev/null",
			"mdadm md0 --add r0", "mdadm md0 --fail /dev/nothing", "mdadm md0 --remove /dev", "mdadm md0 --remove r0",
			"mdadm md0 --remove r5", "mdadm md0 --fail r5", "mdadm md0 --re-add /dev/nothing", "mdadm md0 --replace /dev/nothing",
			"mdadm md5 --add r5", "mdadm r0 --add r5", "mdadm /dev/nothing --add r5",
			"mdadm /dev/null --add r5", "mdadm md0 --fail nothing",
		}},
		{"too small", []string{create + "-l1 -n2 -e1.2 --size=30000 r0 r1", "mdadm --create --run --quiet md1 -l0 -n2 --size=10000 r2 r3"}, []string{
			"mdadm md0 --add md1", "mdadm md0 --add r2", "mdadm md0 --re-add md1",
		}},
		{"no redundancy", []string{create + "-l0 -n2 r0 r1"}, []string{
			"mdadm md0 --add r2", "mdadm md0 --remove r0", "mdadm md0 --fail r5",
		}},
		{"linear", []string{create + "-llinear -n2 r0 r1"}, []string{"mdadm md0 --add r2", "mdadm md0 --remove r0"}},
		{"multipath", []string{create + "-lmultipath -n2 r0 r1"}, []string{
			"mdadm md0 --fail r0", "mdadm md0 --remove r0", "mdadm md0 --add r0", "mdadm md0 --fail r1",
		}},
		{"faulty", []string{"mdadm --create --run --quiet md0 -lfaulty --force -n1 r0"}, []string{"mdadm md0 --fail r0", "mdadm md0 --add r1"}},
		{"no metadata", []string{"mdadm --build --quiet md0 -l1 -n2 --assume-clean r0 r1"}, []string{
			"mdadm md0 --fail r1", "mdadm md0 --remove r1", "mdadm md0 --re-add r1", "mdadm md0 --add r2",
			"mdadm md0 --fail r0 --remove r0", "mdadm md0 --add r0",
		}},
		{"journal", []string{"mdadm --create --run --quiet md0 -l5 -n3 --write-journal r3 r0 r1 r2"}, []string{
			"mdadm md0 --fail r0 --remove r0 --add r0", "mdadm md0 --add r4", "mdadm md0 --fail r3", "mdadm md0 --remove r3",
		}},
		{"ppl", []string{create + "-l5 -n3 --consistency-policy=ppl r0 r1 r2"}, []string{
			"mdadm md0 --fail r0 --remove r0", "blank r0", "mdadm md0 --add r0", "mdadm md0 --add r3",
		}},
		{"readonly", append(slices.Clone(raid5), "mdadm --readonly md0"), []string{
			"mdadm md0 --add r3", "mdadm md0 --fail r0", "mdadm md0 --re-add r4",
		}},
		{"foreign members", append(slices.Clone(raid5), "mdadm --create --run --quiet md1 -l1 -n2 r3 r4"), []string{
			"mdadm md0 --add r3", "mdadm --stop md1", "mdadm md0 --add r3", "mdadm md0 --re-add r4", "mdadm md0 --add r4",
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

// TestTwinNames keeps names apart: lab cases are looked up by them.
func TestTwinNames(t *testing.T) {
	list := names(manageTwins())
	if len(slices.Compact(slices.Clone(list))) != len(list) {
		t.Errorf("a name is used twice in %v", list)
	}
}

// flush drops what is cached of a device: md writes past the cache.
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
