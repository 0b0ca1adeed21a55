package dmstats_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/internal/cli/dmsetup"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/internal/lab"
	"github.com/mdkit/mdkit/ioctl/dm"
)

// runStats runs a command line and returns exit code and standard output.
func runStats(line string) (code int, out string) {
	var stdout, stderr bytes.Buffer
	code = dmsetup.Main(context.Background(), statsWords(line), ui.IO{In: strings.NewReader(""), Out: &stdout, Err: &stderr})
	return code, stdout.String() + stderr.String()
}

// TestStatsOwn tests what the original does not have: documents and dry runs.
func TestStatsOwn(t *testing.T) {
	lab.Run(t, lab.Spec{Disks: []lab.Disk{{Size: 16 << 20}}, Modules: []string{"dm-mod", "dm-zero"}},
		lab.Case{Name: "json", Run: statsJSONCase},
		lab.Case{Name: "dry run", Run: statsDryRunCase},
		lab.Case{Name: "refused", Run: statsRefusedCase},
	)
}

func statsJSONCase(t *testing.T, g *lab.Guest) {
	newStatsWorld(t, g)
	statsDocument(t, "dmstats create --json --segments --alias pair one", `{"schema":"mdkit.dmsetup.stats/1","result":[`+
		`{"device":"one","action":"created","regions":[0],"areas":1},{"device":"one","action":"created","regions":[1],"areas":1},`+
		`{"device":"one","action":"grouped","regions":[0,1],"group":0,"alias":"pair"}]}`)
	statsDocument(t, "dmstats list --json -o stats_name,region_id,region_len,group_id one", `{"schema":"mdkit.dmsetup.stats/1","result":[`+
		`{"stats_name":"pair","region_id":0,"region_len":4194304,"group_id":0},{"stats_name":"pair","region_id":1,"region_len":2097152,"group_id":0},`+
		`{"stats_name":"pair","region_id":[0,1],"region_len":6291456,"group_id":0}]}`)
	statsDocument(t, "dmstats report --json -o obj_type,read_count,util --group", `{"schema":"mdkit.dmsetup.stats/1","result":[{"obj_type":"group","read_count":0,"util":0}]}`)
	statsDocument(t, "dmstats print --json --regionid 1 one", `{"schema":"mdkit.dmsetup.stats/1","result":[{"device":"one","region":1,"lines":"8192+4096 0 0 0 0 0 0 0 0 0 0 0 0 0\n"}]}`)
	statsDocument(t, "dmstats clear --json --allregions one", `{"schema":"mdkit.dmsetup.stats/1","result":[{"device":"one","action":"cleared","regions":[0,1]}]}`)
	statsDocument(t, "dmstats ungroup --json --groupid 0 one", `{"schema":"mdkit.dmsetup.stats/1","result":[{"device":"one","action":"ungrouped","regions":[],"group":0}]}`)
	statsDocument(t, "dmstats delete --json --allregions one", `{"schema":"mdkit.dmsetup.stats/1","result":[{"device":"one","action":"deleted","regions":[0,1]}]}`)
	statsDocument(t, "dmstats list --json one", `{"schema":"mdkit.dmsetup.stats/1","result":[]}`)
}

// statsDocument runs a command line that must print that document.
func statsDocument(t *testing.T, line, want string) {
	t.Helper()
	code, out := runStats(line)
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(out)); code != 0 || err != nil || compact.String() != want {
		t.Errorf("%s: exit %d, %v\n got %s\nwant %s", line, code, err, out, want)
	}
}

func statsDryRunCase(t *testing.T, g *lab.Guest) {
	w := newStatsWorld(t, g)
	before := w.regions(t)
	code, out := runStats("dmstats create --dry-run --segments --alias pair --areas 2 one")
	for _, message := range []string{"@stats_create 0+8192 /2 dmstats", "@stats_create 8192+4096 /2 dmstats", "@stats_set_aux 0 DMS_GROUP=pair:0-1#-"} {
		if !strings.Contains(out, message) {
			t.Errorf("the dry run does not show %s: %s", message, out)
		}
	}
	if code != 0 || w.regions(t) != before {
		t.Errorf("exit %d; the dry run has changed the regions to %s", code, w.regions(t))
	}
	if code, out := runStats("dmstats create one"); code != 0 {
		t.Fatal(out)
	}
	before = w.regions(t)
	for line, message := range map[string]string{
		"dmstats delete --dry-run --allregions one":        "@stats_delete 0",
		"dmstats clear --dry-run --regionid 0 one":         "@stats_clear 0",
		"dmstats print --dry-run --clear --regionid 0 one": "@stats_print_clear 0",
		"dmstats group --dry-run --regions 0 one":          "@stats_set_aux 0 DMS_GROUP=:0#-",
	} {
		code, out := runStats(line)
		if code != 0 || !strings.Contains(out, message) || w.regions(t) != before {
			t.Errorf("%s: exit %d, %s", line, code, out)
		}
	}
	w.reset(t)
	if _, _, err := w.ctl.Message(dm.ByName("one"), 0, "@stats_delete 0", dm.MessageOptions{}); err == nil {
		t.Error("a region is left")
	}
}

// statsRefusedCase has the kernel refuse messages, and looks for the reason below the
// original's line.
func statsRefusedCase(t *testing.T, g *lab.Guest) {
	newStatsWorld(t, g)
	for _, c := range [][2]string{
		{"dmstats print --regionid 7 one", "there is no region 7: dmstats list --allprograms"},
		{"dmstats print --regionid -3 one", "Invalid parameters for message @stats_print: "},
		{"dmsetup message one 0 @stats_create 5+0 1", "Invalid parameters for message @stats_create: a region of 0 sectors at 5 is empty"},
		{"dmstats create --areasize 1 --length 1P bare", "the counters for 0+1953125000000 in areas of 1 sectors take more memory than there is"},
		{"dmstats create nosuch", "failed: No such device or address\n"},
	} {
		if code, out := runStats(c[0]); code != 1 || !strings.Contains(out, c[1]) {
			t.Errorf("%s: exit %d, want %q in\n%s", c[0], code, c[1], out)
		}
	}
}
