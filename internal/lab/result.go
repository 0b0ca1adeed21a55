package lab

import (
	"fmt"
	"io"
	"maps"
	"strings"
	"testing"
)

// CaseResult is how one case, or a subtest of it, ended in the guest.
type CaseResult struct {
	Name   string       // full test name
	Status Status       // what became of it
	Log    string       // what it printed and logged
	Sub    []CaseResult // its subtests, in order
}

// Result is what a machine left behind.
type Result struct {
	// Err is nil if the machine ran its cases, passed or failed, and switched
	// itself off, or if Kill ended it. Otherwise it says what ended the machine: a
	// kernel panic, a time limit, a failed boot.
	Err error
	// Killed is true after Kill.
	Killed bool
	// Release is the guest's uname -r, "" if it never came up.
	Release string
	// Cases are the results in the order the cases were asked for.
	Cases []CaseResult
	// Published is what the cases handed over with Guest.Publish.
	Published map[string][]byte
	// Console is the last part of what the kernel printed.
	Console []string
	// Loose is what was printed outside any case: mostly the trace of a panic.
	Loose string
}

// Case returns the result of the case with that (short) name.
func (r *Result) Case(name string) (CaseResult, bool) {
	for _, c := range r.Cases {
		if strings.HasSuffix(c.Name, "/"+rewrite(name)) {
			return c, true
		}
	}
	return CaseResult{}, false
}

// consoleTail is the end of the console for a failure message.
func (r *Result) consoleTail() string {
	var b strings.Builder
	if r.Loose != "" {
		fmt.Fprintf(&b, "--- printed outside the cases:\n%s", r.Loose)
	}
	fmt.Fprintf(&b, "--- end of the console:\n%s\n", strings.Join(r.Console, "\n"))
	return b.String()
}

// mirror makes t end as the case with that full name did.
func (r *Result) mirror(t *testing.T, name string) {
	t.Helper()
	for _, c := range r.Cases {
		if c.Name == name {
			c.mirror(t)
			return
		}
	}
	t.Errorf("lab: no result for %s", name)
}

func (c CaseResult) mirror(t *testing.T) {
	t.Helper()
	for line := range strings.Lines(c.Log) {
		// Output indents, as the guest's testing package did already.
		io.WriteString(t.Output(), strings.TrimPrefix(line, "    ")) //nolint:errcheck // it cannot fail
	}
	for _, sub := range c.Sub {
		t.Run(strings.TrimPrefix(sub.Name, c.Name+"/"), sub.mirror)
	}
	switch c.Status {
	case Pass:
	case Skip:
		t.SkipNow()
	case Fail:
		t.Fail()
	default:
		t.Errorf("lab: %s: the machine ended before the case did", c.Status)
	}
}

// failures lists the cases that did not pass, down to the subtests that say why.
func (r *Result) failures() []CaseResult {
	var bad []CaseResult
	var walk func(cs []CaseResult)
	walk = func(cs []CaseResult) {
		for _, c := range cs {
			if c.Status == Fail || (!r.Killed && (c.Status == Unfinished || c.Status == NotRun)) {
				bad = append(bad, c)
				walk(c.Sub)
			}
		}
	}
	walk(r.Cases)
	return bad
}

// clonePublished returns a copy that the machine no longer touches.
func clonePublished(m map[string][]byte) map[string][]byte { return maps.Clone(m) }
