package fuzzlog

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// TestRecord adds up runs in a file that does not exist at first.
func TestRecord(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fuzz.tsv")
	for _, run := range []Line{
		{"engine/md.FuzzPPL", 100, 1.5, 0, "aaaa"},
		{"engine/md.FuzzBitmap", 7, 0.25, 1, "bbbb"},
		{"engine/md.FuzzPPL", 900, 2, 0, "cccc"},
	} {
		if err := Record(path, run); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const want = head +
		"engine/md.FuzzBitmap\t7\t0.2\t1\tbbbb\n" +
		"engine/md.FuzzPPL\t1000\t3.5\t0\tcccc\n"
	if string(b) != want {
		t.Errorf("got\n%swant\n%s", b, want)
	}
	if names, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); len(names) != 1 {
		t.Errorf("left behind: %v", names)
	}
	if l, err := Read(path); err != nil || l.Of("engine/md.FuzzPPL").Executions != 1000 || l.Of("none").Seconds != 0 {
		t.Errorf("%v, %v", l, err)
	}
}

// TestRecordTogether checks that nothing is lost when several runs share a log.
func TestRecordTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fuzz.tsv")
	var wg sync.WaitGroup
	for _, target := range []string{"b", "a", "c", "a"} {
		wg.Go(func() {
			for range 20 {
				if err := Record(path, Line{target, 1, 1, 0, "-"}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	l, err := Read(path)
	if err != nil || !slices.Equal(l, Log{{"a", 40, 40, 0, "-"}, {"b", 20, 20, 0, "-"}, {"c", 20, 20, 0, "-"}}) {
		t.Errorf("%v, %v", l, err)
	}
}

// TestRecordKeeps checks that a log that cannot be parsed is not overwritten.
func TestRecordKeeps(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fuzz.tsv")
	const conflict = "<<<<<<< ours\na\t1\t1\t0\t-\n"
	if err := os.WriteFile(path, []byte(conflict), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Record(path, Line{Target: "a", Commit: "-"}); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Error(err)
	}
	if b, _ := os.ReadFile(path); string(b) != conflict {
		t.Errorf("%q", b)
	}
}

// TestParse parses a log that was merged by keeping the lines of both sides.
func TestParse(t *testing.T) {
	l, err := Parse(head + "b\t5\t1.0\t0\tx\na\t10\t2.0\t1\tx\na\t30\t4.0\t1\ty\n\na\t20\t9.0\t1\tz\n" + head)
	if err != nil || !slices.Equal(l, Log{{"a", 30, 4, 1, "y"}, {"b", 5, 1, 0, "x"}}) {
		t.Errorf("%v, %v", l, err)
	}
	if again, err := Parse(l.String()); err != nil || !slices.Equal(again, l) {
		t.Errorf("%v, %v", again, err)
	}
	for _, bad := range []string{"a", "a\t1\t1\t0", "a\t1\t1\t0\t", "a\t-1\t1\t0\t-", "a\t1\tNaN\t0\t-", "a\t1\t+Inf\t0\t-", "a\t1\t1\t-1\t-", "a\tx\t1\t0\t-"} {
		if l, err := Parse(bad); err == nil {
			t.Errorf("%q: %v", bad, l)
		}
	}
}

// TestCommitted checks that the log of this tree has the form that tools write.
func TestCommitted(t *testing.T) {
	const path = "../../../docs/fuzz.tsv"
	l, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || len(l) == 0 || strings.Count(string(b), "\n") < len(l)+1 {
		t.Errorf("%d lines, %v", len(l), err)
	}
}

func TestProgress(t *testing.T) {
	const out = `fuzz: elapsed: 0s, gathering baseline coverage: 0/37 completed
fuzz: elapsed: 0s, gathering baseline coverage: 37/37 completed, now fuzzing with 2 workers
fuzz: elapsed: 3s, execs: 9000 (3000/sec), new interesting: 2 (total: 39)
fuzz: elapsed: 8s, execs: 31325 (4946/sec), new interesting: 25 (total: 37)
PASS
`
	if last, n := Progress(out); n != 31325 || last != "8s, execs: 31325 (4946/sec), new interesting: 25 (total: 37)" {
		t.Errorf("%q, %d", last, n)
	}
	if last, n := Progress("fuzz: elapsed: 0s, gathering baseline coverage: 0/37 completed\nFAIL\n"); n != 0 || last != "" {
		t.Errorf("%q, %d", last, n)
	}
}

func TestFound(t *testing.T) {
	for out, want := range map[string]bool{
		"--- FAIL: FuzzX (0.1s)\n    Failing input written to testdata/fuzz/FuzzX/1\n": true,
		"failure while testing seed corpus entry: FuzzX/seed#0\n":                      true,
		"fork/exec: no such file\nFAIL\n":                                              false,
	} {
		if Found(out) != want {
			t.Errorf("%q: not %v", out, want)
		}
	}
}
