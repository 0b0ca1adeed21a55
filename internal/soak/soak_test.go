package soak

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mdkit/mdkit/internal/coverage"
)

func TestReportNamesWhatFailed(t *testing.T) {
	bad := Done{Step: Step{"./p", "6.12", 7}, Commit: "abc", Minutes: 2}
	bad.Take(coverage.Results{"p TestA": coverage.Passed, "p TestB": coverage.Failed, "p TestC": coverage.Skipped})
	broken := Done{Step: Step{"./q", "7.2", 7}}
	broken.Take(nil)
	got := Report(time.Unix(0, 0), 5, []Done{bad, broken})
	for _, want := range []string{
		"1970-01-01", "| 6.12 | p | abc | 7 | 1 | 1 | 1 | 2.0 |", "- kernel 6.12, seed 7: `p TestB`",
		"- kernel 7.2, seed 7: ./q: no test ran", "2 of 5 steps",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("report lacks %q:\n%s", want, got)
		}
	}
	good := Done{Step: Step{"./p", "6.1", 7}, Passed: 1}
	if got := Report(time.Unix(0, 0), 1, []Done{good}); !strings.Contains(got, "Nothing.") || strings.Contains(got, "Unfinished") {
		t.Errorf("a clean soak does not say so:\n%s", got)
	}
}

func TestPlan(t *testing.T) {
	got := Plan([]string{"6.1", "7.2"}, []string{"a", "b"}, 5, 2)
	want := []Step{
		{"a", "6.1", 5},
		{"b", "6.1", 5},
		{"a", "7.2", 5},
		{"b", "7.2", 5},
		{"a", "6.1", 6},
		{"b", "6.1", 6},
		{"a", "7.2", 6},
		{"b", "7.2", 6},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
}

func TestTakeUpAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if list, err := Load(path); err != nil || list != nil {
		t.Fatalf("%v, %v", list, err)
	}
	passed := Done{Step: Step{"a", "6.1", 5}, Commit: "old", Passed: 3}
	failed := Done{Step: Step{"b", "6.1", 5}, Commit: "old", Failures: []string{"b TestX"}}
	for _, d := range []Done{passed, failed} {
		if err := Append(path, d); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"Package":"c`); err != nil { // killed while it wrote
		t.Fatal(err)
	}
	f.Close()
	list, err := Load(path)
	if err != nil || !reflect.DeepEqual(list, []Done{passed, failed}) {
		t.Fatalf("%v, %v", list, err)
	}
	for _, tc := range []struct {
		step   Step
		commit string
		keep   bool
		want   bool
	}{
		{passed.Step, "old", false, true},
		{failed.Step, "old", false, true},
		{passed.Step, "new", false, false},
		{passed.Step, "new", true, true},
		{failed.Step, "new", true, false},
		{Step{"a", "7.2", 5}, "old", true, false},
		{Step{"a", "6.1", 6}, "old", false, false},
	} {
		if _, ok := Find(list, tc.step, tc.commit, tc.keep); ok != tc.want {
			t.Errorf("Find(%v, %s, %v) = %v", tc.step, tc.commit, tc.keep, ok)
		}
	}
}
