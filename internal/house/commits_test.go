package house

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// subjectsSince is the last commit whose subject, and that of those before it,
// may have any form.
const subjectsSince = "fccbc7c404aadca9aafaf0a44a3f24ca7dcd1196"

// subjectForm is "area: what": packages by their last words or paths, then what
// the commit does, in the imperative.
var subjectForm = regexp.MustCompile(`^[a-z][a-z0-9/_.-]*(, [a-z][a-z0-9/_.-]*)*: [A-Z][^\n]*[^\s.]$`)

const subjectMost = 80 // characters

// TestSubjects checks the form of the subjects of commits since subjectsSince. In
// a shallow clone it checks those that are there.
func TestSubjects(t *testing.T) {
	top, err := git("rev-parse", "--show-toplevel")
	if err != nil {
		t.Skipf("SKIPPED: no git history to check: %v", err)
	}
	if here, err := filepath.Abs(root); err != nil || !samePath(top, here) {
		t.Skipf("SKIPPED: the history there is, is not this module's: it is that of %s", top)
	}
	commits := "HEAD"
	switch shallow, err := git("rev-parse", "--is-shallow-repository"); {
	case knows(subjectsSince):
		commits = subjectsSince + "..HEAD"
	case err != nil || shallow != "true":
		t.Skipf("SKIPPED: the history has no commit %s to count from", subjectsSince)
	}
	subjects, err := git("log", "--no-merges", "--format=%h %s", commits)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(subjects) {
		hash, subject, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if problem := subjectProblem(subject); problem != "" {
			t.Errorf("%s %q: %s", hash, subject, problem)
		}
	}
}

func git(args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = root
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), err
}

// knows reports whether a commit is HEAD or one of its ancestors.
func knows(commit string) bool {
	_, err := git("merge-base", "--is-ancestor", commit, "HEAD")
	return err == nil
}

func samePath(a, b string) bool {
	a, errA := filepath.EvalSymlinks(a)
	b, errB := filepath.EvalSymlinks(b)
	return errA == nil && errB == nil && a == b
}

// subjectProblem says what is wrong with a subject, or "".
func subjectProblem(subject string) string {
	switch {
	case !subjectForm.MatchString(subject):
		return `want "area: What it does", without a full stop (docs/contributing.md)`
	case len([]rune(subject)) > subjectMost:
		return "too long; the body has room"
	}
	return ""
}

// TestSubjectForm tries the form on subjects that fit it and some that do not.
func TestSubjectForm(t *testing.T) {
	for subject, ok := range map[string]bool{
		"md: Keep the counts of damaged metadata within the device": true,
		"sysfs/md: Give plans the settings they are going to write": true,
		"mapper, plan: Begin doc comments with the name":            true,
		"soak: Count a pass":  true,
		"soak: Count a pass.": false,
		"soak: count a pass":  false,
		"Soak: Count a pass":  false,
		"Count a pass":        false,
		"soak : Count a pass": false,
		"soak:Count a pass":   false,
		"soak: ":              false,
		"":                    false,
		"soak: " + strings.Repeat("So much ", 12) + "of it": false,
	} {
		if got := subjectProblem(subject) == ""; got != ok {
			t.Errorf("%q: %v; want %v", subject, got, ok)
		}
	}
}
