package mdadm

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	blockctl "github.com/mdkit/mdkit/ioctl/block"

	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/internal/lab"
)

// failing is a line that cannot be carried out, each for a reason of its own. The
// machine has no raid456.
type failing struct {
	name   string
	line   string
	answer string
	code   int
	says   []string
	before func(t *testing.T)
	after  func(t *testing.T)
}

func failings() []failing {
	luks := func(t *testing.T) {
		t.Helper()
		f, err := os.OpenFile("/dev/ram1", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteAt([]byte("LUKS\xba\xbe\x00\x01"), 0); err != nil {
			t.Fatal(err)
		}
	}
	setReadOnly := func(ro bool) func(t *testing.T) {
		return func(t *testing.T) {
			t.Helper()
			f, err := os.Open("/dev/ram1")
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if err := blockctl.SetReadOnly(f, ro); err != nil {
				t.Fatal(err)
			}
		}
	}
	busy := func(t *testing.T) {
		t.Helper()
		if o := peers(t, "-C", "/dev/md5", "-l1", "-n1", "-f", "-R", "/dev/ram2"); o.code != 0 {
			t.Fatal(o)
		}
	}
	free := func(t *testing.T) {
		t.Helper()
		peers(t, "--stop", "/dev/md5")
	}
	return []failing{
		{
			name: "no personality", line: "-l5 -n3 -R", code: 1,
			says: []string{"RUN_ARRAY failed: Invalid argument", "kernel: md: personality for level 5 is not loaded!", "everything is as it was before"},
		},
		{
			name: "no personality, 0.90", line: "-l6 -n4 -R -e0.90", code: 1,
			says: []string{"RUN_ARRAY failed: Invalid argument", "kernel: md: personality for level 6"},
		},
		{
			name: "chunk", line: "-l10 -n2 -c 48 -R", code: 1,
			says: []string{"RUN_ARRAY failed: Invalid argument", "Problem may be that chunk size is not a power of 2", "kernel: md/raid10:"},
		},
		{
			name: "read-only start", line: "-l4 -n3 -o -R", code: 1,
			says: []string{"Failed to start array: Invalid argument", "kernel: "},
		},
		{
			name: "read-only member", line: "-l1 -n3 -R", code: 1, before: setReadOnly(true), after: setReadOnly(false),
			says: []string{"/dev/ram1", "everything is as it was before"},
		},
		{
			name: "busy member", line: "-l1 -n3 -R", code: 1, before: busy, after: free,
			says: []string{"super1.x cannot open /dev/ram2: Device or resource busy", "held by md5", "create aborted"},
		},
		{
			name: "no", line: "-l1 -n2", answer: "n\n", code: 1,
			says: []string{"appears to be part of a raid array", "Continue creating array? ", "create aborted."},
		},
		{
			name: "no answer", line: "-l1 -n2 -e 1.0", code: 1,
			says: []string{"Continue creating array? mdadm: create aborted."},
		},
		{
			name: "luks", line: "-l1 -n2 -e 1.0", answer: "what\nn\n", code: 1, before: luks,
			says: []string{"mdadm: /dev/ram1 appears to contain crypto_LUKS", "array? Continue creating array? (y/n) "},
		},
		{name: "dry run", line: "-l1 -n2 --dry-run"},
		{name: "dry run in JSON", line: "-l5 -n3 -x1 --dry-run --json"},
	}
}

// TestFailedCreateLeavesMembersAlone checks that, whatever goes wrong, the devices
// are as they were, byte for byte, and no half-made array is left.
func TestFailedCreateLeavesMembersAlone(t *testing.T) {
	beside(t)
	mdadm := lab.Peer(t, "mdadm")
	cases := []lab.Case{{Name: "setup", Run: func(t *testing.T, _ *lab.Guest) {
		do(t, "hostname labhost")
		fillDisks(t)
	}}}
	for _, f := range lab.Sample(t, failings(), 8) {
		cases = append(cases, lab.Case{Name: f.name, Run: func(t *testing.T, _ *lab.Guest) { f.try(t) }})
	}
	cases = append(cases, lab.Case{Name: "cancelled", Run: func(t *testing.T, _ *lab.Guest) { cancelled(t) }})
	cases = append(cases, lab.Case{Name: "partitions", Run: func(t *testing.T, _ *lab.Guest) { partitions(t) }})
	lab.Run(t, lab.Spec{
		Modules: []string{"raid1", "raid10", "brd rd_nr=4 rd_size=16384"},
		Files:   mdadm.Files,
		Disks:   []lab.Disk{{Size: 32 << 20}, {Size: 32 << 20}},
	}, cases...)
}

// partitions checks that the kernel forgets the partitions of a device that becomes
// a member, and finds them again if the create fails.
func partitions(t *testing.T) {
	f, err := os.OpenFile("/dev/ubda", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	mbr := make([]byte, 512)
	mbr[450] = 0x83
	binary.LittleEndian.PutUint32(mbr[454:], 2048)
	binary.LittleEndian.PutUint32(mbr[458:], 4096)
	mbr[510], mbr[511] = 0x55, 0xaa
	if _, err := f.WriteAt(mbr, 0); err != nil {
		t.Fatal(err)
	}
	if err := blockctl.RereadPartitions(f); err != nil {
		t.Fatal(err)
	}
	there := func() bool {
		_, err := os.Stat("/sys/block/ubda/ubda1")
		return err == nil
	}
	if !there() {
		t.Fatal("no partition to begin with")
	}
	create := []string{"-C", "/dev/md9", "-n2", "-R", "-e1.0"}
	if o := ours(append(create, "-l5", "/dev/ubda", "/dev/ubdb")...); o.code != 1 || !there() {
		t.Errorf("partition there: %v after a failed create: %v", there(), o)
	}
	o := ours(append(create, "-l1", "/dev/ubda", "/dev/ubdb")...)
	if o.code != 0 || there() {
		t.Errorf("partition there: %v after a create: %v", there(), o)
	}
	if !strings.Contains(o.err, "partition table exists on /dev/ubda") {
		t.Errorf("says nothing of the partitions: %v", o)
	}
	peers(t, "--stop", "/dev/md9")
}

// fillDisks fills the disks with a pattern, and puts members of old arrays on the
// first two, one inside the other.
func fillDisks(t *testing.T) {
	t.Helper()
	pattern := bytes.Repeat([]byte("anything but zeroes, "), 16<<20/21+1)[:16<<20]
	for i := range 4 {
		f, err := os.OpenFile(fmt.Sprintf("/dev/ram%d", i), os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(pattern); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	for _, e := range []string{"1.2", "0.90"} {
		o := peers(t, "-C", "/dev/md9", "-e", e, "-l1", "-n2", "--assume-clean", "-R", "/dev/ram0", "/dev/ram1")
		if o.code != 0 {
			t.Fatal(o)
		}
		peers(t, "--stop", "/dev/md9")
	}
}

func hashes(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for i := range 4 {
		f, err := os.Open(fmt.Sprintf("/dev/ram%d", i))
		if err != nil {
			t.Fatal(err)
		}
		h := sha256.New()
		if _, err := io.Copy(h, f); err != nil {
			t.Fatal(err)
		}
		f.Close()
		fmt.Fprintf(&b, "ram%d %x\n", i, h.Sum(nil))
	}
	return b.String()
}

func (f failing) args() []string {
	args := append([]string{"--create", "/dev/md9"}, strings.Fields(f.line)...)
	return append(args, devicesOf(f.line)...)
}

func (f failing) try(t *testing.T) {
	if f.before != nil {
		f.before(t)
	}
	before := hashes(t)
	o := answered(f.answer, f.args()...)
	if f.after != nil {
		defer f.after(t)
	}
	if o.code != f.code {
		t.Errorf("exit %d, want %d", o.code, f.code)
	}
	for _, s := range f.says {
		if !strings.Contains(o.err, s) {
			t.Errorf("does not say %q:\n%s", s, o.err)
		}
	}
	if now := hashes(t); now != before {
		t.Errorf("devices changed:\n%s", lineDiff(before, now))
	}
	settle(t)
	if _, err := os.Stat("/sys/block/md9"); err == nil {
		t.Error("md9 is still there")
	}
	if b, err := os.ReadFile("/run/mdadm/map"); err == nil && strings.Contains(string(b), "md9 ") {
		t.Errorf("the map has it: %s", b)
	}
	switch {
	case strings.Contains(f.line, "--json"):
		var doc planDoc
		err := json.Unmarshal([]byte(o.out), &doc)
		if err != nil || doc.Schema != "mdkit.create/1" || len(doc.Steps) == 0 || o.err != "" {
			t.Errorf("%v: %v", err, o)
		}
	case strings.Contains(f.line, "--dry-run"):
		for _, s := range []string{
			"\nwrite /dev/ram0: wipe superblock 0.90, 4096 bytes at ", "\nwrite /dev/ram0: superblock 1.2, 512 bytes at 4096\n",
			"\nioctl /dev/md9: ADD_NEW_DISK (/dev/ram1)\n", "\nioctl /dev/md9: RUN_ARRAY\n",
		} {
			if !strings.Contains(o.out, s) {
				t.Errorf("the plan lacks %q:\n%s", s, o.out)
			}
		}
	}
}

// cancelled runs out of time before anything has been done.
func cancelled(t *testing.T) {
	before := hashes(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	args := append([]string{"mdadm"}, failing{line: "-l1 -n2 -R"}.args()...)
	if code := Main(ctx, args, ui.IO{In: strings.NewReader(""), Out: &out, Err: &errs}); code != 1 {
		t.Errorf("exit %d", code)
	}
	if !strings.Contains(errs.String(), "context canceled") {
		t.Errorf("says %s", &errs)
	}
	if hashes(t) != before {
		t.Error("devices changed")
	}
}
