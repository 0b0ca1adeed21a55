package soak

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/internal/coverage"
)

var labSteps = []Step{{"./p", "", "oldest"}, {"./p", "", "newest"}, {"./q", "TestA", "newest"}, {"./q", Rest, "newest"}}

// now is a state in which nothing has been run.
func now() State {
	return State{
		Inputs:   map[string]string{"./p": "11", "./q": "22"},
		Releases: map[string]string{"oldest": "6.1.9", "newest": "9.9.1"},
	}
}

// passed is a run that counts in that state.
func passed(s Step, seed uint64) Done {
	st := now()
	return Done{Step: s, Release: st.Releases[s.Kernel], Seed: seed, Inputs: st.Inputs[s.Package], Date: "2026-11-30", Minutes: 2, Passed: 3}
}

func TestReportNamesWhatFailed(t *testing.T) {
	bad := passed(labSteps[1], 7)
	bad.Passed = 0
	bad.Take(coverage.Results{"p TestA": coverage.Passed, "p TestB": coverage.Failed, "p TestC": coverage.Skipped})
	broken := passed(labSteps[3], 7)
	broken.Passed = 0
	broken.Take(nil)
	moved := passed(labSteps[0], 7)
	moved.Release = "6.1.8"
	changed := passed(labSteps[2], 7)
	changed.Inputs = "21"
	st := now()
	st.Log = []Done{bad, broken, moved, changed}
	got := Report("2026-12-01", labSteps, st)
	for _, want := range []string{
		"as of 2026-12-01. ", "| newest (9.9.1) | p | 1 of 1 | 1 | 1 | 1 | 1 | 2.0 | 2026-11-30 |", "- kernel newest (9.9.1), seed 7: `p TestB`\n",
		"- kernel newest (9.9.1), seed 7: q rest: no test ran", "2 of 4 steps", "Nothing that counts: p (oldest).",
		"- p on oldest (6.1.8), 1 steps, the last on 2026-11-30: the kernel is another now",
		"- q on newest (9.9.1), 1 steps, the last on 2026-11-30: what it depends on has changed",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("report lacks %q:\n%s", want, got)
		}
	}
	st.Log = append(st.Log, passed(bad.Step, 7))
	if got := Report("2026-12-01", labSteps, st); !strings.Contains(got, "`p TestB`; passed when it was run again on 2026-11-30") {
		t.Errorf("a failure is forgotten:\n%s", got)
	}
	st.Log = nil
	for _, s := range labSteps {
		st.Log = append(st.Log, passed(s, 7))
	}
	got = Report("2026-12-01", labSteps, st)
	if !strings.Contains(got, "All 4 steps count.") || !strings.Contains(got, "Nothing.\n") || !strings.Contains(got, "None.\n") {
		t.Errorf("a clean soak does not say so:\n%s", got)
	}
}

func TestPlan(t *testing.T) {
	split := map[string][]string{"./q": {"TestA", "TestB"}}
	got := Plan([]string{"oldest", "newest"}, []string{"./p", "./q"}, split)
	want := []Step{
		{"./p", "", "oldest"},
		{"./q", "TestA", "oldest"},
		{"./q", "TestB", "oldest"},
		{"./q", Rest, "oldest"},
		{"./p", "", "newest"},
		{"./q", "TestA", "newest"},
		{"./q", "TestB", "newest"},
		{"./q", Rest, "newest"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
	for i, want := range []string{"[]", "[-run=^TestA$]", "[-run=^TestB$]", "[-skip=^(TestA|TestB)$]"} {
		if sel := got[i].Selection(split); strings.Join(sel, " ") != strings.Trim(want, "[]") {
			t.Errorf("%s: %v", got[i], sel)
		}
	}
}

// TestLogOfACutOffRun has one run killed while it writes, and another continue.
func TestLogOfACutOffRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if list, err := Load(path); err != nil || list != nil {
		t.Fatalf("%v, %v", list, err)
	}
	want := []Done{passed(labSteps[0], 5), {Step: labSteps[2], Failures: []string{"q TestA"}}}
	for _, d := range want {
		if err := Append(path, d); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"Package":"c`); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if list, err := Load(path); err != nil || !reflect.DeepEqual(list, want) {
		t.Fatalf("%v, %v", list, err)
	}
	want = append(want, passed(labSteps[1], 5))
	if err := Append(path, want[2]); err != nil {
		t.Fatal(err)
	}
	if list, err := Load(path); err != nil || !reflect.DeepEqual(list, want) {
		t.Errorf("after going on: %v, %v", list, err)
	}
}

func TestWhatCounts(t *testing.T) {
	s := labSteps[1]
	with := func(change func(*Done)) Done {
		d := passed(s, 5)
		change(&d)
		return d
	}
	for _, tc := range []struct {
		name  string
		log   []Done
		n     int
		retry bool
		want  []uint64 // seeds that are left, from 8 on
	}{
		{"nothing", nil, 1, false, []uint64{8}},
		{"a pass with any seed, of any commit", []Done{with(func(d *Done) { d.Commit = "other" })}, 1, false, nil},
		{"one of two", []Done{passed(s, 8)}, 2, false, []uint64{9}},
		{"other sources", []Done{with(func(d *Done) { d.Inputs = "12" })}, 1, false, []uint64{8}},
		{"another release", []Done{with(func(d *Done) { d.Release = "9.9.0" })}, 1, false, []uint64{8}},
		{"another machine's release", []Done{with(func(d *Done) { d.Machines = []string{"9.9.1 (newest, uml)", "6.1.8 (oldest, uml)"} })}, 1, false, []uint64{8}},
		{"the same machines", []Done{with(func(d *Done) { d.Machines = []string{"6.1.9 (oldest, uml)", "6.1.0-40-amd64 (oldest, qemu)"} })}, 1, false, nil},
		{"another step", []Done{passed(labSteps[0], 5)}, 1, false, []uint64{8}},
		{"a failure stands", []Done{with(func(d *Done) { d.Broken = "x" })}, 1, false, nil},
		{"a failure again", []Done{with(func(d *Done) { d.Broken = "x" })}, 1, true, []uint64{5}},
		{"a failure that passed again", []Done{with(func(d *Done) { d.Broken = "x" }), passed(s, 5)}, 1, true, nil},
	} {
		st := now()
		st.Log = tc.log
		if got := st.Seeds(s, 8, tc.n, tc.retry); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}

func TestGroups(t *testing.T) {
	for pkg, want := range map[string]string{
		"./engine/md": "engine", "./engine/dm": "dm", "./engine/dm/stats": "dm", "./ioctl/md": "md", "./engine/recover": "formats",
		"./ebpf/x": "trace", "./dlm": "cluster", "./enginery": "", "./cmd/mdkit": "",
	} {
		if got := Group(pkg); got != want {
			t.Errorf("%s is of group %q, want %q", pkg, got, want)
		}
	}
	if CheckGroup("md") != nil || CheckGroup("") != nil || CheckGroup("mdx") == nil {
		t.Error("names of groups")
	}
}

// TestEveryLabPackageHasAGroup checks that `make soak GROUP=...` misses no package.
func TestEveryLabPackageHasAGroup(t *testing.T) {
	found := 0
	err := filepath.WalkDir("../..", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if strings.Contains(string(text), "{ lab"+".Main(") {
			found++
			if pkg := filepath.ToSlash(filepath.Dir(strings.TrimPrefix(path, "../../"))); Group(pkg) == "" {
				t.Errorf("%s is of no group", pkg)
			}
		}
		return err
	})
	if err != nil || found < 10 {
		t.Errorf("%d packages, %v", found, err)
	}
}
