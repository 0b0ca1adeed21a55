package coverage

import (
	"bytes"
	"strings"
	"testing"
)

const stream = `{"Action":"run","Package":"github.com/mdkit/mdkit/engine/md","Test":"TestA"}
{"Action":"pass","Package":"github.com/mdkit/mdkit/engine/md","Test":"TestA"}
{"Action":"output","Package":"github.com/mdkit/mdkit/engine/md","Test":"TestB/x","Output":"    b_test.go:1: reason\n"}
{"Action":"output","Package":"github.com/mdkit/mdkit/engine/md","Test":"TestB/x","Output":"--- SKIP: TestB/x (0.00s)\n"}
{"Action":"skip","Package":"github.com/mdkit/mdkit/engine/md","Test":"TestB/x"}
{"Action":"output","Package":"github.com/mdkit/mdkit/engine/md","Test":"TestC","Output":"    c_test.go:1: boom\n"}
{"Action":"fail","Package":"github.com/mdkit/mdkit/engine/md","Test":"TestC"}
{"Action":"fail","Package":"github.com/mdkit/mdkit/engine/md"}
`

func readStream(t *testing.T, text string) (*Run, string) {
	t.Helper()
	var out bytes.Buffer
	run := NewRun(&out)
	if err := run.Read(strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	run.Summary()
	return run, out.String()
}

func TestRunShowsFailuresAndSkips(t *testing.T) {
	run, out := readStream(t, stream)
	if !run.Failed {
		t.Error("a failed test does not fail the run")
	}
	for _, want := range []string{"boom", "FAIL engine/md", "skip 1 tests: reason: engine/md TestB/x", "1 passed, 1 failed, 1 skipped"} {
		if !strings.Contains(out, want) {
			t.Errorf("output lacks %q:\n%s", want, out)
		}
	}
}

// TestRunShowsWhatHung has a package that runs out of time before its test ends.
func TestRunShowsWhatHung(t *testing.T) {
	run, out := readStream(t, `{"Action":"run","Package":"github.com/mdkit/mdkit/engine/nbd","Test":"TestHangs"}
{"Action":"output","Package":"github.com/mdkit/mdkit/engine/nbd","Test":"TestHangs","Output":"panic: test timed out\n"}
{"Action":"fail","Package":"github.com/mdkit/mdkit/engine/nbd"}
`)
	for _, want := range []string{"panic: test timed out", "failed: engine/nbd TestHangs", "0 passed, 1 failed"} {
		if !run.Failed || !strings.Contains(out, want) {
			t.Errorf("output lacks %q:\n%s", want, out)
		}
	}
}

func TestBrokenBuildFailsTheRun(t *testing.T) {
	run, out := readStream(t, `{"ImportPath":"x","Action":"build-output","Output":"x.go:1: syntax\n"}
{"ImportPath":"x","Action":"build-fail"}
`)
	if !run.Failed || !strings.Contains(out, "syntax") {
		t.Errorf("failed=%v, output:\n%s", run.Failed, out)
	}
}

func TestCellNeedsEveryProof(t *testing.T) {
	run, _ := readStream(t, stream)
	for _, c := range []struct {
		patterns []string
		want     string
	}{
		{nil, ""},
		{[]string{"engine/md TestA"}, "yes"},
		{[]string{"engine/md Test?"}, ""},
		{[]string{"engine/md TestA", "engine/md TestB/x"}, ""},
		{[]string{"part:engine/md TestA"}, "*part*"},
		{[]string{"engine/md TestNone"}, ""},
	} {
		if got := cell(c.patterns, run.Results); got != c.want {
			t.Errorf("%q: got %q, want %q", c.patterns, got, c.want)
		}
	}
}

func TestProofsAreParsed(t *testing.T) {
	rows, err := parse("[md]\na.c a.h: what\n  drive p TestX\n")
	if err != nil || len(rows) != 1 || rows[0].Proofs[Drive][0] != "p TestX" {
		t.Fatalf("rows %+v, err %v", rows, err)
	}
	for _, bad := range []string{"nonsense\n", "  drive p T\n", "a.c: x\n  fly p T\n"} {
		if _, err := parse(bad); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

// TestPageNamesKernels checks that the page has the kernels' releases, and that a
// page that differs in nothing else is up to date.
func TestPageNamesKernels(t *testing.T) {
	run, _ := readStream(t, `{"Action":"output","Package":"p","Test":"TestA","Output":"    machine.go:76: lab: booted Linux 9.9.1 (newest, uml)\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"    machine.go:76: lab: booted Linux 6.1.176 (oldest, uml)\n"}
{"Action":"output","Package":"p","Test":"TestB","Output":"    machine.go:76: lab: booted Linux 9.9.1 (newest, uml)\n"}
`)
	rows, err := Rows()
	if err != nil {
		t.Fatal(err)
	}
	page := Render(rows, run.Results, run.Machines())
	if want := "The kernels of that run: Linux 6.1.176 (oldest, uml), 9.9.1 (newest, uml).\n\n\n## md\n"; !strings.Contains(page, want) {
		t.Errorf("the page lacks %q:\n%s", want, page)
	}
	none := Render(rows, run.Results, nil)
	if strings.Contains(none, "kernels of that run") || !SameProofs(page, none) || !SameProofs(none, page) {
		t.Error("pages that differ in their kernels only differ")
	}
	if SameProofs(page, none+"x") {
		t.Error("pages that differ do not")
	}
}
