package dmstats_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/internal/cli/dmsetup"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/internal/lab"
	"github.com/mdkit/mdkit/ioctl/dm"
)

// statsStory is a list of command lines, each beginning with the name of the program.
// "io NAME" reads and writes a little.
type statsStory []string

// statsStories are run by Debian's dmstats and by ours on devices in the same state: one
// has two targets, two has one, bare has no table.
func statsStories() []statsStory {
	s := []statsStory{
		{
			"dmstats", "dmstats help", "dmstats --help", "dmstats -h", "dmstats --version", "dmstats version",
			"dmsetup stats", "dmsetup stats help", "dmstats help -c", "dmstats nonsense", "dmstats report --help",
			"dmstats --help -c",
		},
		{
			"dmstats list", "dmstats report", "dmstats list one", "dmstats report one", "dmstats list nosuch",
			"dmstats report nosuch", "dmstats print one", "dmstats clear one", "dmstats delete one",
			"dmstats group one", "dmstats ungroup one", "dmstats create", "dmstats delete --regionid 0",
			"dmstats group --regions 0", "dmstats ungroup --groupid 0", "dmstats update_filemap",
			"dmstats create --filemap",
		},
		{
			"dmstats create one", "dmstats list one", "dmstats list", "dmstats report",
			"dmstats print --regionid 0 one", "dmstats print --allregions one", "dmstats clear --regionid 0 one",
			"dmstats clear --allregions one", "dmstats clear --regionid 5 one", "dmstats delete --regionid 7 one",
			"dmstats delete --regionid 0 one", "dmstats delete --regionid 0 one", "dmstats list one",
		},
		{
			"dmstats create --alldevices", "dmstats list", "dmstats report",
			"dmstats report -o +region_start,region_len", "dmstats delete --allregions --alldevices",
			"dmstats list", "dmstats delete --allregions --alldevices",
		},
		{
			"dmstats create --alldevices --areas 4", "dmstats list -v", "dmstats report", "dmstats report --raw",
			"dmstats list --area", "dmstats list --region", "dmstats list --group", "dmstats report --area",
			"dmstats report --region", "dmstats report --group", "dmstats list --area --region --group one",
			"dmstats list -v --group",
		},
		{
			"dmstats create --areasize 100 one", "dmstats create --areasize 1m one",
			"dmstats create --areasize 10b two", "dmstats create --areasize 0 two",
			"dmstats create --areasize x two", "dmstats create --areas 0 two", "dmstats create --areas -3 two",
			"dmstats create --areas x two", "dmstats create --areas 3 --areasize 5 two",
			"dmstats create --areasize 7x two", "dmstats create --areasize 1.5k two", "dmstats list -v",
			"dmstats list -v --units s", "dmstats list -v --units b", "dmstats list -v --units k",
			"dmstats list -v --units M --nosuffix",
		},
		{
			"dmstats create --start 10 --length 20 one", "dmstats create --start 1k --length 4k one",
			"dmstats create --start 10 one", "dmstats create --length 10 one",
			"dmstats create --start 99999999 --length 1 one", "dmstats create --start x one",
			"dmstats create --length '' one", "dmstats create --start -1 --length 2 one",
			"dmstats list -v --units s one",
			"dmstats list --units s -o region_start,region_len,area_start,area_len,area_offset --area one",
		},
		{
			"dmstats create --segments one", "dmstats list one", "dmstats report one",
			"dmstats create --segments one --alias pair", "dmstats create --segments two --alias solo",
			"dmstats create --segments one --nogroup", "dmstats create --segments one --nogroup --alias x",
			"dmstats list", "dmstats list -v", "dmstats report --group", "dmstats delete --regionid 0 one",
			"dmstats list one", "dmstats delete --groupid 2 one", "dmstats list one",
			"dmstats delete --allregions one", "dmstats list one",
		},
		{
			"dmstats create --segments bare", "dmstats create bare", "dmstats list bare", "dmstats report bare",
			"dmstats create --areas 2 --length 8 bare", "dmstats list -v bare", "dmstats delete --allregions bare",
		},
		{
			"dmstats create --bounds 10ms,20ms,30ms one", "dmstats create --bounds 100us,1s two",
			"dmstats create --bounds 1,2,3 two", "dmstats create --bounds 5s,1s two",
			"dmstats create --bounds x two", "dmstats create --bounds ,1 two", "dmstats create --bounds 1,,2 two",
			"dmstats create --bounds '' two", "dmstats create --bounds 1m two", "dmstats create --bounds 1xs two",
			"dmstats create --bounds 10ms --precise two", "dmstats list --histogram",
			"dmstats list --histogram -v", "dmstats list -o +hist_bounds,hist_ranges,hist_bins,precise",
			"dmstats report --histogram", "dmstats report --histogram --relative",
			"dmstats report -o hist_count,hist_count_bounds,hist_count_ranges",
			"dmstats report -o hist_percent,hist_percent_bounds,hist_percent_ranges",
			"dmstats report --noheadings -o hist_count_bounds,hist_percent_ranges",
			"dmstats report --notimesuffix -o hist_count_bounds,hist_count_ranges",
			"dmstats list --notimesuffix --noheadings -o hist_bounds,hist_ranges",
		},
		{
			"dmstats create --precise one", "dmstats create --precise --userdata mine two",
			"dmstats list -o +precise", "dmstats print --allregions one", "dmstats report -o +precise",
		},
		{
			"dmstats create --programid mine one", "dmstats create one", "dmstats list one",
			"dmstats list --programid mine one", "dmstats list --allprograms one",
			"dmstats list --programid '' one", "dmstats report --programid mine one",
			"dmstats report --allprograms one", "dmstats list --allprograms --programid x one",
			"dmstats delete --programid mine --allregions one", "dmstats list --allprograms one",
			"dmstats create --programid '' one", "dmstats create --programid '' --force one",
			"dmstats create --programid '' --force --userdata u one", "dmstats list --allprograms one",
			"dmstats delete --allprograms --allregions one", "dmstats list --allprograms one",
			"dmstats print --regionid 0 one", "dmstats clear --regionid 0 one",
		},
		{
			"dmstats create --userdata hello one", "dmstats create --userdata 'two words' one",
			"dmstats create --userdata -x one", "dmstats list -o +user_data one",
			"dmstats group --regions 0 --alias al one", "dmstats list -o +user_data one",
			"dmstats ungroup --groupid 0 one", "dmstats list -o +user_data one",
		},
		{
			"dmstats create --areas 2 one", "dmstats create --start 10 --length 5 one",
			"dmstats create --start 20 --length 5 one", "dmstats create --start 22 --length 5 one",
			"dmstats group --regions 1,2 --alias two one", "dmstats list one", "dmstats report one",
			"dmstats group --regions 0-3 one", "dmstats group --regions 2 one", "dmstats group --regions 9 one",
			"dmstats group --regions x one", "dmstats group --regions '' one", "dmstats group --regions 0, one",
			"dmstats list -v one", "dmstats group --regions 3 one", "dmstats ungroup --groupid 0 one",
			"dmstats ungroup --groupid 2 one", "dmstats ungroup --groupid 77 one",
			"dmstats group --regions 0,3 --alias over one", "dmstats list one", "dmstats delete --groupid 0 one",
			"dmstats delete --groupid 0 one", "dmstats delete --groupid 50 one", "dmstats list one",
		},
		{
			"dmstats create --length 8 one", "dmstats create --start 8 --length 8 --precise one",
			"dmstats create --start 16 --length 8 --bounds 1ms one",
			"dmstats create --start 24 --length 8 --bounds 2ms one", "dmstats group --regions 0,1 one",
			"dmstats group --regions 2,3 one", "dmstats create --start 32 --length 8 --bounds 1ms one",
			"dmstats group --regions 2,4 --alias h one", "dmstats list --histogram one",
			"dmstats report --histogram --group one", "dmstats report --group -o hist_count,hist_bins one",
		},
		{
			"dmstats create one two", "dmstats list one two", "dmstats list two one",
			"dmstats delete --allregions one two", "dmstats create nosuch", "dmstats create one nosuch two",
			"dmstats list one nosuch", "dmstats list", "dmstats group --regions 0 nosuch",
			"dmstats ungroup --groupid 0 nosuch", "dmstats delete --regionid 0 nosuch",
			"dmstats delete --allregions nosuch", "dmstats clear --allregions nosuch",
			"dmstats print --allregions nosuch", "dmstats print --regionid 0 nosuch",
		},
		{
			"dmstats create -u UU-1", "dmstats list -u UU-1", "dmstats group --regions 0 -u UU-1",
			"dmstats ungroup --groupid 0 -u UU-1", "dmstats delete --regionid 0 -u UU-1",
			"dmstats create -u nosuch", "dmstats list -u nosuch", "dmstats create -j MAJ -m 1",
			"dmstats list -j MAJ -m 1", "dmstats print --regionid 0 -j MAJ -m 1", "dmstats report -j MAJ -m 1",
			"dmstats delete --allregions -j MAJ -m 1", "dmstats list -j MAJ", "dmstats create -j MAJ -m 99",
		},
		{
			"dmstats create --alldevices --areas 2", "dmstats list -o all", "dmstats list -o region_all",
			"dmstats list -o stats_all one", "dmstats report -o region_all", "dmstats list -o id,start",
			"dmstats list -o name,obj_type", "dmstats list -o nosuch", "dmstats report -o id",
			"dmstats report -o all --noheadings --separator ;", "dmstats list -o +name,uuid,major,minor,attr",
			"dmstats list -O -stats_name,region_id", "dmstats list --nameprefixes",
			"dmstats list --nameprefixes --unquoted --noheadings", "dmstats list --rows",
			"dmstats report --rows --noheadings", "dmstats list --unbuffered", "dmstats list --noheadings",
			"dmstats list -S region_id=0", "dmstats list -S 'stats_name=one && area_count>1'",
			"dmstats list -S 'region_len>1m'", "dmstats list -S 'region_len=8192s'",
			"dmstats list -S 'program_id=~dm'", "dmstats list -S help", "dmstats list -S nosuch=1",
			"dmstats list -S obj_type=area -v", "dmstats list -o help", "dmstats list -c",
			"dmstats report -o +selected -S stats_name=one",
		},
		{
			"dmstats list --units x", "dmstats list --units h one", "dmstats report --count -1",
			"dmstats report --interval 0", "dmstats list --allregions --regionid 0",
			"dmstats create --allregions one", "dmstats create --allprograms one",
			"dmstats delete --regionid 0 --groupid 0 one", "dmstats create --nosuchoption one",
			"dmstats list --filemap", "dmstats create --follow x --nomonitor one",
		},
		{
			"dmstats create one", "io one",
			"dmstats report -o stats_name,read_count,read_sector_count,write_count,write_sector_count one",
			"dmstats report --raw -o stats_name,read_count,read_sector_count,write_count,write_sector_count one",
			"io one",
			"dmstats report -o read_size_per_sec,write_size_per_sec,avg_request_size,reads_per_sec,writes_per_sec,throughput,interval,interval_ns one",
		},
		{
			"dmstats create --segments --alias seg one", "dmstats create --areas 2 --bounds 1000s one", "io one",
			"dmstats report -o stats_name,obj_type,read_count,read_sector_count,write_count,write_sector_count one",
			"io one", "dmstats report --histogram -o obj_type,hist_count,hist_percent one", "io one",
			"dmstats report --count 1 --noheadings -o read_count,write_count one",
			"dmstats report --units k -o read_size_per_sec,write_size_per_sec one",
		},
		{"dmstats create one", "dmstats report --count 2 one", "dmstats list --count 2 --rows"},
		{
			"dmstats create --filemap nosuchfile", "dmstats create --filemap",
			"dmstats create --filemap --areas 2 /etc", "dmstats create --filemap --start 2 /etc",
			"dmstats create --filemap --segments /etc", "dmstats create --filemap --userdata x /etc",
			"dmstats create --filemap -u x /etc", "dmstats create --filemap --alldevices /etc",
			"dmstats create --filemap --nomonitor /proc/version", "dmstats create --filemap --nomonitor /dev",
			"dmstats create --filemap --nomonitor --bounds x /proc/version", "dmstats update_filemap /etc",
			"dmstats update_filemap --groupid 0 nosuch",
			"dmstats create --filemap --nomonitor --nogroup --alias x /proc/version",
		},
		{
			"dmstats create one", "dmstats create one", "message one @stats_set_aux 1 DMS_GROUP=x:1,5,9#-",
			"dmstats list one", "message one @stats_set_aux 1 DMS_GROUP=noend", "dmstats list one",
			"message one @stats_set_aux 1 DMS_GROUP=x:2#-", "dmstats list one",
			"message one @stats_set_aux 1 DMS_GROUP=x:zz#-", "dmstats list one",
			"message one @stats_set_aux 1 DMS_GROUP=:1#user", "dmstats list -o +user_data one",
			"dmstats delete --regionid 1 one",
		},
		{
			"fs one", "dmstats create --filemap --nomonitor /tmp/fs/a", "dmstats list one",
			"dmstats update_filemap --nomonitor --groupid 0 /tmp/fs/a", "dmstats list -v one",
			"dmstats create --filemap --nomonitor --nogroup /tmp/fs/b",
			"dmstats create --filemap --nomonitor --alias other --bounds 1ms --precise /tmp/fs/b",
			"dmstats list --histogram one", "dmstats create --filemap --nomonitor /tmp/fs/empty",
			"dmstats create --filemap --nomonitor /tmp/fs/link",
			"dmstats update_filemap --nomonitor --groupid 77 /tmp/fs/a",
			"dmstats update_filemap --groupid 0 --follow x /tmp/fs/a",
			"dmstats create --filemap --nomonitor --programid p /tmp/fs/a", "dmstats list --allprograms one",
			"dmstats create --filemap --nomonitor --nogroup --alias x /tmp/fs/a", "dmstats delete --groupid 0 one",
			"dmstats update_filemap --nomonitor /tmp/fs/a",
		},
		{
			"dmsetup stats create one", "dmsetup stats list one", "dmsetup stats report one",
			"dmsetup stats delete --allregions one", "dmsetup stats nosuch",
			"dmsetup stats create --programid '' one",
		},
	}
	return s
}

// randomStatsStory returns a random story.
func randomStatsStory(rng *rand.Rand) statsStory {
	pick := func(list ...string) string { return list[rng.IntN(len(list))] }
	device := func() string { return pick("one", "two", "one", "bare", "") }
	id := func() string { return strconv.Itoa(rng.IntN(5)) }
	var s statsStory
	for range 4 + rng.IntN(10) {
		switch rng.IntN(9) {
		case 0, 1, 2:
			s = append(s, "dmstats create "+pick("", "", "--areas 3", "--areasize 64", "--segments", "--start 8 --length 64", "--length 4k --areas 2", "--precise")+" "+
				pick("", "", "--bounds 1ms,5ms", "--bounds 10us", "--programid p", "--alias a", "--nogroup")+" "+pick("one", "two", "one two", "bare"))
		case 3:
			s = append(s, "dmstats delete "+pick("--regionid "+id(), "--groupid "+id(), "--allregions", "--allregions --allprograms")+" "+device())
		case 4:
			s = append(s, "dmstats group --regions "+pick(id(), id()+","+id(), "0-"+id(), id()+"-"+id())+" "+pick("", "--alias g")+" "+device())
		case 5:
			s = append(s, "dmstats ungroup --groupid "+id()+" "+device())
		case 6:
			s = append(s, "dmstats list "+pick("", "-v", "--histogram", "--area", "--group", "--region", "--allprograms", "-o +user_data,precise,hist_bins", "--noheadings", "--rows")+" "+device())
		case 7:
			s = append(s, "dmstats report "+pick("", "--raw", "--histogram", "--histogram --relative", "--area", "--group", "--region")+" "+pick("", "--units s", "--units k", "--noheadings")+" "+device())
		case 8:
			s = append(s, "dmstats "+pick("print", "clear", "print --clear")+" "+pick("--allregions", "--regionid "+id())+" "+device())
		}
	}
	return s
}

// TestStatsTwins allows no difference between Debian's dmstats and ours.
func TestStatsTwins(t *testing.T) {
	stories := statsStories()
	told, random := 5, 2
	if lab.Soak() {
		told, random = len(stories), 40
	}
	rng := lab.Rand(t)
	var cases []lab.Case
	for _, i := range rng.Perm(len(stories))[:told] {
		s := stories[i]
		cases = append(cases, lab.Case{Name: fmt.Sprintf("story-%02d", i), Run: func(t *testing.T, g *lab.Guest) { s.tell(t, g) }})
	}
	for i := range random {
		s := randomStatsStory(rng)
		cases = append(cases, lab.Case{Name: fmt.Sprintf("random-%03d", i), Run: func(t *testing.T, g *lab.Guest) { s.tell(t, g) }})
	}
	files := maps.Clone(lab.Peer(t, "dmsetup").Files)
	maps.Copy(files, lab.Peer(t, "e2fsprogs").Files)
	lab.Run(t, lab.Spec{
		Files:   files,
		Disks:   []lab.Disk{{Size: 16 << 20}},
		Modules: []string{"dm-mod", "dm-zero", "ext4"},
	}, cases...)
}

// statsWorld are the devices of a story.
type statsWorld struct {
	ctl   *dm.Control
	major uint32
}

// newStatsWorld makes the devices, and removes them when the test is over.
func newStatsWorld(t *testing.T, g *lab.Guest) *statsWorld {
	t.Helper()
	ctl, err := dm.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ctl.Close() })
	w := &statsWorld{ctl: ctl}
	for i, d := range []struct {
		name, uuid string
		table      []dm.Target
	}{
		{"one", "UU-1", []dm.Target{{Start: 0, Length: 8192, Type: "linear", Params: g.Disks[0] + " 0"}, {Start: 8192, Length: 4096, Type: "linear", Params: g.Disks[0] + " 16384"}}},
		{"two", "", []dm.Target{{Start: 0, Length: 1000, Type: "zero"}}},
		{"bare", "", nil},
	} {
		info, err := ctl.Create(d.name, dm.CreateOptions{UUID: d.uuid, Persistent: true, Number: dm.Number{Minor: uint32(i)}})
		if err != nil {
			t.Fatal(err)
		}
		w.major = info.Number.Major
		t.Cleanup(func() {
			if _, err := ctl.Remove(dm.ByName(d.name), dm.RemoveOptions{}); err != nil {
				t.Error(err)
			}
		})
		if d.table == nil {
			continue
		}
		if _, err := ctl.Load(dm.ByName(d.name), d.table, dm.LoadOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, err := ctl.Resume(dm.ByName(d.name), dm.ResumeOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// regions returns what the kernel knows about all devices' regions.
func (w *statsWorld) regions(t *testing.T) string {
	t.Helper()
	all := ""
	for _, name := range []string{"one", "two", "bare"} {
		text, _, err := w.ctl.Message(dm.ByName(name), 0, "@stats_list", dm.MessageOptions{})
		if err != nil {
			t.Fatal(err)
		}
		all += name + "\n" + text
	}
	return all
}

// reset removes all regions.
func (w *statsWorld) reset(t *testing.T) {
	t.Helper()
	for _, name := range []string{"one", "two", "bare"} {
		text, _, err := w.ctl.Message(dm.ByName(name), 0, "@stats_list", dm.MessageOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(text) {
			id, _, _ := strings.Cut(line, ":")
			if _, _, err := w.ctl.Message(dm.ByName(name), 0, "@stats_delete "+id, dm.MessageOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// tell runs the story twice, and compares the results line by line.
func (s statsStory) tell(t *testing.T, g *lab.Guest) {
	w := newStatsWorld(t, g)
	w.reset(t)
	var want, got []string
	for _, line := range s {
		want = append(want, w.line(t, line, statsPeer))
	}
	w.reset(t)
	for _, line := range s {
		got = append(got, w.line(t, line, statsOurs))
	}
	w.reset(t)
	for i, line := range s {
		if want[i] != got[i] {
			t.Errorf("%s\n--- want\n%s\n--- got\n%s", line, want[i], got[i])
		}
	}
}

// line runs one line of a story.
func (w *statsWorld) line(t *testing.T, line string, run func(*testing.T, []string) string) string {
	t.Helper()
	words := statsWords(strings.ReplaceAll(line, "MAJ", fmt.Sprint(w.major)))
	switch words[0] {
	case "io":
		w.io(t, words[1])
		return ""
	case "fs":
		w.fileSystem(t, words[1])
		return ""
	case "message":
		if _, _, err := w.ctl.Message(dm.ByName(words[1]), 0, strings.Join(words[2:], " "), dm.MessageOptions{}); err != nil {
			t.Fatal(err)
		}
		return ""
	}
	return settleStats(run(t, words)) + "--- kernel\n" + w.regions(t)
}

// io writes and reads a few blocks of the device one by direct I/O: the same requests
// every time.
func (w *statsWorld) io(t *testing.T, name string) {
	t.Helper()
	info, err := w.ctl.Status(dm.ByName(name), dm.StatusOptions{})
	if err != nil {
		t.Fatal(err)
	}
	f := openNumber(t, info.Number)
	defer f.Close()
	for i := range 4 {
		if _, err := f.WriteAt(alignedBlock(), int64(i)*1<<20); err != nil {
			t.Fatal(err)
		}
		if _, err := f.ReadAt(alignedBlock(), int64(i)*1<<20); err != nil {
			t.Fatal(err)
		}
	}
}

// statsWords splits a line as a shell does, but knows only single quotes.
func statsWords(line string) []string {
	var words []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			words = append(words, part)
			continue
		}
		words = append(words, strings.Fields(part)...)
	}
	return words
}

func statsPeer(t *testing.T, words []string) string {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return fmt.Sprintf("exit %d\n--- stdout\n%s--- stderr\n%s", cmd.ProcessState.ExitCode(), out.String(), errs.String())
}

// reasons are the lines that ours adds after a refused request.
var reasons = regexp.MustCompile(`(?m)(^device-mapper: .* failed: .*\n)(  .*\n)+`)

func statsOurs(t *testing.T, words []string) string {
	t.Helper()
	var out, errs bytes.Buffer
	code := dmsetup.Main(context.Background(), words, ui.IO{In: strings.NewReader(""), Out: &out, Err: &errs})
	return fmt.Sprintf("exit %d\n--- stdout\n%s--- stderr\n%s", code, out.String(), reasons.ReplaceAllString(errs.String(), "$1"))
}

// leaks is what libdevmapper prints after some refused commands because of a memory
// leak.
var leaks = regexp.MustCompile(`You have a memory leak .*\n( \[0x.*\n)+Internal error: Unreleased memory pool\(s\) found\.\n`)

// missed is what both print about an interval that a slow machine has missed.
var missed = regexp.MustCompile(`WARNING: Try increasing --interval .*\n`)

// settleStats removes what does not belong to the answers.
func settleStats(text string) string {
	return missed.ReplaceAllString(leaks.ReplaceAllString(text, ""), "")
}
