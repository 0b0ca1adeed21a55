package mdadm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/internal/lab"
)

func miscStories() map[string]story {
	const quick = "? -C md9 -l1 -n2 --assume-clean --run -q r0 r1"
	return map[string]story{
		"nothing to wait for": {
			quick, "--wait md9", "-W md9 md9", "--wait r0", "--wait /nowhere", "--wait /dev/null", "--wait /tmp",
			"--wait-clean md9", "--wait-clean --scan", "--wait-clean -v r0", "--wait-clean /nowhere", "--wait-clean -v /tmp", "-W",
		},
		"action": {
			quick, "--action=frozen md9", "--action check md9", "--action=idle md9", "--action=idle r0", "--action=idle /nowhere",
			"--action=idle /tmp", "--action=sweep md9", "--action=idle --action=check md9", "--action=idle md9 r0",
		},
		"subarray": {
			quick, "--kill-subarray=0 md9", "--kill-subarray=0 r2", "--kill-subarray=0 /nowhere", "--kill-subarray=0 -q md9",
			"--update-subarray=0 md9", "--update-subarray=0 -U name --name=x md9", "--update-subarray=0 -U name --name=x r2 /tmp",
		},
		"platform": {
			"--detail-platform", "--detail-platform -v", "--detail-platform -e 1.2", "--detail-platform -e imsm -v", "--detail-platform -e 0.90 -v --scan",
			"--detail-platform -e ddf -v", "--detail-platform --export", "--detail-platform -v 0000:00:1f.2",
		},
		"dump": {
			quick, "-S md9", "--dump=/run/dump r0", "--dump=/run/dump r0", "--dump=/run/dump -q r1", "--dump=/run/dump r2", "--dump=/nowhere r0 r1",
			"--dump=/run/dump -e1.2 r0", "--dump=/run/dump -e0.90 r0", "--dump=/run/dump /nowhere",
			"? --zero-superblock r0 r1", "--restore=/run/dump r0 r1", "-A md9 r0 r1", "-S md9", "--restore=/run/dump/ram0 r0",
			"--restore=/run/dump/ram0 r0 r1", "--restore=/nowhere r0", "--restore=/run/dump r2", "--restore=/run/dump /dev/ubda",
			"--restore=/sbin/mdadm r0", "--restore=/run/dump /nowhere",
		},
		"dump of old": {
			"? -C md9 -e0.90 -l5 -n3 -b internal --assume-clean --run -q r0 r1 r2", "-S md9", "--dump=/run/dump r0 r1 r2",
			"? --zero-superblock r0 r1 r2", "--restore=/run/dump r0 r1 r2", "-A md9 r0 r1 r2", "-S md9",
		},
		"dump with bitmap": {
			"? -C md9 -e1.0 -l1 -n2 -b internal --assume-clean --run -q r0 r1", "-S md9", "--dump=/run/dump r0 r1",
			"? --zero-superblock r0 r1", "--restore=/run/dump r0 r1", "-A md9 r0 r1", "-S md9",
		},
		"rules": {
			"--udev-rules -c /run/policy.conf", "--udev-rules=/run/rules -c /run/policy.conf", "--udev-rules=/nowhere/rules -c /run/policy.conf -q",
			"--udev-rules -c none",
		},
	}
}

const policyConf = `POLICY path=pci-1* action=spare-same-slot
POLICY path=pci-2* type=disk action=force-spare domain=a
POLICY path=pci-2* action=spare-same-slot
PART-POLICY path=pci-3* action=force-spare
POLICY path=pci-4* action=spare
POLICY path=pci-5* action=include
POLICY domain=b action=force-spare
POLICY path=pci-6* path=pci-7* action=spare action=force-spare type=part
AUTO +1.x -all
`

// TestMiscLikeMdadm runs a sample of stories about what misc mode does besides
// reporting.
func TestMiscLikeMdadm(t *testing.T) {
	beside(t)
	cases := []lab.Case{{Name: "setup", Run: func(t *testing.T, _ *lab.Guest) {
		do(t, "hostname labhost")
		if err := os.WriteFile("/run/policy.conf", []byte(policyConf), 0o644); err != nil {
			t.Fatal(err)
		}
	}}}
	all := miscStories()
	for _, name := range lab.Sample(t, slices.Sorted(maps.Keys(all)), 4) {
		s := all[name]
		cases = append(cases, lab.Case{Name: name, Run: func(t *testing.T, _ *lab.Guest) { s.tell(t) }})
	}
	cases = append(cases, lab.Case{Name: "waiting", Run: func(t *testing.T, _ *lab.Guest) { waiting(t) }})
	lab.Run(t, lab.Spec{
		Modules: []string{"raid1", "raid456", fmt.Sprintf("brd rd_nr=%d rd_size=%d", devs, ramSize>>10)},
		Disks:   []lab.Disk{{Size: tiny}, {Size: tiny}},
		Files:   lab.Peer(t, "mdadm").Files,
		Memory:  1 << 30,
	}, cases...)
}

// waiting lets --wait wait for a check that is first held up and then released.
func waiting(t *testing.T) {
	reset(t)
	defer reset(t)
	do(t, quickCreate+"md9 -l1 -n2 r0 r1")
	do(t, "write /sys/block/md9/md/sync_max 2048")
	do(t, "write /sys/block/md9/md/sync_action check")
	// Until md's thread has begun the check, there is nothing to wait for.
	until(t, "the start of the check", func() bool {
		return strings.HasPrefix(readText(t, "/sys/block/md9/md/sync_completed"), "2048 / ")
	})
	var out, errs bytes.Buffer
	code := make(chan int)
	go func() {
		code <- Main(t.Context(), []string{"mdadm", "--wait", "--json", "/dev/md9"}, ui.IO{In: strings.NewReader(""), Out: &out, Err: &errs})
	}()
	select {
	case c := <-code:
		t.Fatalf("it has not waited: exit %d, %s%s", c, &out, &errs)
	case <-time.After(500 * time.Millisecond): // it must wait, however long
	}
	do(t, "write /sys/block/md9/md/sync_max max")
	if c := <-code; c != 0 || errs.Len() > 0 {
		t.Errorf("exit %d, %s", c, &errs)
	}
	var lines []waitLine
	for line := range strings.Lines(out.String()) {
		var l waitLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		lines = append(lines, l)
	}
	if len(lines) < 2 {
		t.Fatalf("%d lines: %s", len(lines), &out)
	}
	first, last := lines[0], lines[len(lines)-1]
	if first.Schema != "mdkit.wait/1" || first.Action != "check" || first.State != "running" ||
		first.Name != "md9" || first.Done || first.Total <= 0 {
		t.Errorf("first: %+v", first)
	}
	if !last.Done || !last.Waited || last.Action != "" {
		t.Errorf("last: %+v", last)
	}
}
