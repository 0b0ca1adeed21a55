package mdadm

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/internal/lab"
	"github.com/mdkit/mdkit/internal/lab/fixture"
	"github.com/mdkit/mdkit/manage/array/node"
	"github.com/mdkit/mdkit/manage/array/report"
)

// capture rewrites testdata/reports from a lab machine: members and arrays in many
// states, with what Debian's mdadm prints about them.
var capture = flag.Bool("capture", false, "write testdata/reports anew")

const corpusDir = "testdata/reports"

// corpusMember lists the options of the reports that are kept for a member,
// corpusArray those for an array.
func corpusMember() []string {
	return []string{"-E", "-Eb", "-Ebv", "-EY", "-X", "-Xb", "--examine-badblocks", "-E -e 1.2", "-E -e 0.90"}
}

func corpusArray() []string {
	return []string{"-D", "-Db", "-Dbv", "-DY", "-D --no-devices", "-Dt"}
}

// keepMember takes a member's metadata into the corpus.
func keepMember(t *testing.T, g *lab.Guest, s scenario, dev string) {
	d, err := block.OpenFile(dev, block.Direct)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	img := &fixture.Image{Size: d.Size(), Note: noteOf(g, s), Said: map[string]string{"device": dev + "\n"}}
	for _, end := range []int64{0, d.Size() - 128<<10} {
		if err := img.Add(d, end, 128<<10); err != nil {
			t.Fatal(err)
		}
	}
	for _, opts := range corpusMember() {
		args := append(strings.Fields(opts), "--homehost=labhost", dev)
		img.Said[opts] = peers(t, args...).String()
	}
	g.Publish(fmt.Sprintf("member-%s-%s", fileName(s.name), filepath.Base(dev)), img.Text())
}

// keepArray takes what is known about an array into the corpus: as our own code
// gathers it from the kernel, and as mdadm reports it.
func keepArray(t *testing.T, g *lab.Guest, s scenario, dev string) {
	r := report.NewReports()
	before, err := r.Detail(dev)
	if err != nil {
		t.Fatal(err)
	}
	img := &fixture.Image{Note: noteOf(g, s), Said: map[string]string{}}
	for _, opts := range corpusArray() {
		img.Said[opts] = peers(t, append(strings.Fields(opts), "--homehost=labhost", dev)...).String()
	}
	after, err := r.Detail(dev)
	if err != nil {
		t.Fatal(err)
	}
	super := after.Super // kept by itself
	before.Super = nil
	after.Super = nil
	a, _ := json.Marshal(before)
	b, _ := json.MarshalIndent(after, "", " ")
	if c, _ := json.Marshal(after); !bytes.Equal(a, c) {
		t.Logf("%s: %s moved on meanwhile, not kept", s.name, dev)
		return
	}
	img.Said["facts"] = string(b) + "\n"
	if super != nil {
		img.Said["device"] = super.Name + "\n"
		d, err := block.OpenFile(super.Name, block.Direct)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		img.Size = d.Size()
		for _, end := range []int64{0, d.Size() - 128<<10} {
			if err := img.Add(d, end, 128<<10); err != nil {
				t.Fatal(err)
			}
		}
	}
	g.Publish(fmt.Sprintf("array-%s-%s", fileName(s.name), filepath.Base(dev)), img.Text())
}

func noteOf(g *lab.Guest, s scenario) string {
	return fmt.Sprintf("mdadm 4.2 on Linux %s: %s", g.Release, strings.Join(s.steps, "; "))
}

func fileName(s string) string { return strings.ReplaceAll(s, " ", "-") }

// kept reports whether a scenario is in the corpus, which has one for each thing
// that reports can show.
func kept(name string) bool {
	return slices.Contains([]string{
		"linear 1.2", "raid0 1.0", "raid1 1.1", "raid5 0.90 bitmap", "raid6 1.2", "raid10 near", "build raid1",
		"raid1 failed and spare", "raid5 failed and removed", "raid1 write-mostly failfast", "raid5 journal", "raid5 ppl",
		"raid1 replacement", "raid5 reshape", "dirty", "inactive", "named foreign", "raid10 odd far", "raid1 pending",
		"checksum wrong", "roles damaged", "bitmap damaged", "two superblocks", "partition table", "bad blocks", "nothing",
	}, name)
}

// captureCorpus boots a machine, sets the scenarios up and keeps the first
// member of each, and its arrays.
func captureCorpus(t *testing.T) {
	cases := []lab.Case{{Name: "setup", Run: func(t *testing.T, _ *lab.Guest) { do(t, "hostname labhost") }}}
	names := []string{"setup"}
	for _, s := range scenarios() {
		if !kept(s.name) {
			continue
		}
		names = append(names, s.name)
		cases = append(cases, lab.Case{Name: s.name, Run: func(t *testing.T, g *lab.Guest) {
			t.Cleanup(func() { clear(t) })
			for _, step := range s.steps {
				do(t, step)
			}
			keepMember(t, g, s, s.members()[0])
			for _, a := range arraysUp(t) {
				keepArray(t, g, s, a)
			}
		}})
	}
	set := lab.Cases(t, cases...)
	m := set.Start(t, reportSpec(t), names...)
	if err := os.MkdirAll(corpusDir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range m.Wait().Published {
		if err := os.WriteFile(filepath.Join(corpusDir, name+".txtar"), text, 0o644); err != nil {
			t.Error(err)
		}
	}
}

// TestCorpus compares our text with what Debian's mdadm printed in the lab. It runs
// on systems without a lab, too.
func TestCorpus(t *testing.T) {
	if *capture || lab.InGuest() {
		captureCorpus(t)
	}
	t.Setenv("TZ", "UTC")
	files, err := filepath.Glob(filepath.Join(corpusDir, "*.txtar"))
	if err != nil || len(files) < 40 {
		t.Fatalf("only %d files in %s, %v", len(files), corpusDir, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		t.Run(name, func(t *testing.T) {
			img, err := fixture.Read(file)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(name, "array-") {
				checkArray(t, img)
			} else {
				checkMember(t, img)
			}
		})
	}
}

// checkMember lets our mdadm report on a file with the member's metadata. The lab's
// devices do not exist here, so their path is put back into the text, and the names
// in the table of a 0.90 superblock are left out.
func checkMember(t *testing.T, img *fixture.Image) {
	path := filepath.Join(t.TempDir(), "member")
	if err := img.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	checkMemberJSON(t, path, img.Said["-E"])
	dev := strings.TrimSpace(img.Said["device"])
	for _, opts := range corpusMember() {
		args := append(strings.Fields(opts), "--homehost=labhost", "-c", "none", path)
		got := ours(args...)
		if os.Geteuid() != 0 && !strings.HasPrefix(opts, "-E") && !strings.HasPrefix(opts, "--examine ") {
			// Ours must refuse like mdadm; the corpus was made by root.
			if got.code != 1 || got.err != "mdadm: must be super-user to perform this action\n" {
				t.Errorf("mdadm %s, asked by an ordinary user: %v", opts, got)
			}
			continue
		}
		got.out, got.err = strings.ReplaceAll(got.out, path, dev), strings.ReplaceAll(got.err, path, dev)
		want := img.Said[opts]
		if text := got.String(); withoutNodes(text) != withoutNodes(want) && !noBitmapHere(opts, want, got) {
			t.Errorf("mdadm %s:\n%s", opts, lineDiff(withoutNodes(want), withoutNodes(text)))
		}
	}
}

// checkMemberJSON checks that the JSON document has what mdadm's text says.
func checkMemberJSON(t *testing.T, path, text string) {
	var doc struct {
		Devices []struct {
			Events uint64
			Array  struct {
				UUID    string
				Devices int `json:"raid_devices"`
			}
			Checksum string
			Correct  bool   `json:"checksum_correct"`
			Slots    string `json:"slot_state"`
		}
	}
	got := ours("-E", "--json", "-c", "none", path)
	if err := json.Unmarshal([]byte(got.out), &doc); err != nil || len(doc.Devices) != 1 {
		t.Fatalf("%v in %v", err, got)
	}
	if !strings.Contains(text, " : a92b4efc\n") {
		return // not a member
	}
	d := doc.Devices[0]
	for _, line := range []string{
		fmt.Sprintf("         Events : %d\n", d.Events),
		"UUID : " + d.Array.UUID,
		fmt.Sprintf("   Raid Devices : %d\n", d.Array.Devices),
		fmt.Sprintf(" Checksum : %s", strings.TrimLeft(d.Checksum, "0")),
	} {
		if !strings.Contains(text, line) {
			t.Errorf("the document says %q, mdadm %s", line, text)
		}
	}
	if correct := strings.Contains(text, " - correct\n"); correct != d.Correct {
		t.Errorf("checksum_correct is %v", d.Correct)
	}
	if _, state, ok := strings.Cut(text, "Array State : "); ok && !strings.HasPrefix(state, d.Slots+" ") {
		t.Errorf("slot_state is %q, mdadm says %q", d.Slots, state)
	}
}

// noBitmapHere is saysClearly for a report in the corpus.
func noBitmapHere(opts, want string, got outcome) bool {
	bogus := strings.Contains(want, "invalid bitmap magic") || strings.Contains(want, "failed to read superblock of bitmap file")
	return strings.HasPrefix(opts, "-X") && bogus && got.code == 1 && got.out == "" && strings.Count(got.err, "\n") == 1
}

// withoutNodes drops the names at the ends of the table of a 0.90 superblock.
func withoutNodes(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if at := strings.LastIndex(line, "   /dev/"); at > 0 {
			line = line[:at] + "\n"
		}
		b.WriteString(line)
	}
	return b.String()
}

// checkArray lets our mdadm report from the facts that came from the kernel.
func checkArray(t *testing.T, img *fixture.Image) {
	d := new(report.Detail)
	if err := json.Unmarshal([]byte(img.Said["facts"]), d); err != nil {
		t.Fatal(err)
	}
	if img.Size > 0 {
		dev, err := img.Device(strings.TrimSpace(img.Said["device"]))
		if err != nil {
			t.Fatal(err)
		}
		if d.Super, err = report.ExamineMember(dev); err != nil {
			t.Fatal(err)
		}
	}
	names := make(map[[2]uint32]string)
	for i := range uint32(devs) {
		names[[2]uint32{1, i}] = fmt.Sprintf("/dev/ram%d", i)
		names[[2]uint32{9, i}] = fmt.Sprintf("/dev/md%d", i)
	}
	for _, opts := range corpusArray() {
		var out, errs bytes.Buffer
		std := ui.IO{In: strings.NewReader(""), Out: &out, Err: &errs}
		cmd, err := parse(append([]string{"mdadm"}, append(strings.Fields(opts), d.Path)...), std)
		if err != nil {
			t.Fatal(err)
		}
		reports := report.NewReports()
		reports.Nodes = node.NodesOf(names)
		r := &detailer{cmd: cmd, std: std, w: bufio.NewWriter(&out), homeHost: "labhost", brief: cmd.Brief, reports: reports}
		code := r.report(d)
		r.w.Flush()
		got := outcome{code, out.String(), errs.String()}
		if text, want := got.String(), img.Said[opts]; text != want {
			t.Errorf("mdadm %s:\n%s", opts, lineDiff(want, text))
		}
	}
}
