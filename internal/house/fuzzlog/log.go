// Package fuzzlog records how long each fuzz test has run, and what it has found,
// in all runs so far: a text file that is committed, so that many short runs add
// up.
package fuzzlog

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Line is what is known of one fuzz test.
type Line struct {
	Target     string  // package in the module, ".", name of the test
	Executions int64   // in all runs
	Seconds    float64 // of all runs
	Findings   int64   // runs that ended with an input that fails
	Commit     string  // the tree of the last run; "-" if not known
}

// Add adds a run.
func (l *Line) Add(run Line) {
	l.Executions += run.Executions
	l.Seconds += run.Seconds
	l.Findings += run.Findings
	l.Commit = run.Commit
}

// Log is a line for each target, sorted by target.
type Log []Line

// head says what the columns are.
const head = "# target\texecutions\tseconds\tfindings\tcommit\n"

// Parse reads a log. If there are two lines for a target, as after a merge that
// kept both sides, the one with more executions counts: both include the runs
// from before the branches diverged, so a sum would count these twice.
func Parse(text string) (Log, error) {
	var l Log
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSuffix(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		parsed, err := parseLine(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		i, found := l.search(parsed.Target)
		switch {
		case !found:
			l = slices.Insert(l, i, parsed)
		case l[i].Executions < parsed.Executions:
			l[i] = parsed
		}
	}
	return l, nil
}

func parseLine(line string) (Line, error) {
	w := strings.Split(line, "\t")
	if len(w) != 5 || w[0] == "" || w[4] == "" {
		return Line{}, fmt.Errorf("%q has not the five columns of a fuzz log", line)
	}
	l := Line{Target: w[0], Commit: w[4]}
	var errs [3]error
	l.Executions, errs[0] = strconv.ParseInt(w[1], 10, 64)
	l.Seconds, errs[1] = strconv.ParseFloat(w[2], 64)
	l.Findings, errs[2] = strconv.ParseInt(w[3], 10, 64)
	if err := errors.Join(errs[:]...); err != nil {
		return Line{}, err
	}
	if l.Executions < 0 || !(l.Seconds >= 0 && l.Seconds <= 1e12) || l.Findings < 0 {
		return Line{}, fmt.Errorf("%q counts what cannot be", line)
	}
	return l, nil
}

func (l Log) search(target string) (int, bool) {
	return slices.BinarySearchFunc(l, target, func(a Line, t string) int { return cmp.Compare(a.Target, t) })
}

// Of returns the line of a target, with zero counts if there is none.
func (l Log) Of(target string) Line {
	if i, found := l.search(target); found {
		return l[i]
	}
	return Line{Target: target}
}

// Add adds a run to the line of its target.
func (l *Log) Add(run Line) {
	i, found := l.search(run.Target)
	if !found {
		*l = slices.Insert(*l, i, Line{Target: run.Target})
	}
	(*l)[i].Add(run)
}

// String is the log in the form of a file.
func (l Log) String() string {
	var b strings.Builder
	b.WriteString(head)
	for _, t := range l {
		fmt.Fprintf(&b, "%s\t%d\t%.1f\t%d\t%s\n", t.Target, t.Executions, t.Seconds, t.Findings, t.Commit)
	}
	return b.String()
}

// Read reads the log in a file. One that does not exist is empty.
func Read(path string) (Log, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	l, err := Parse(string(b))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return l, nil
}

// Record adds a run to the log in a file. The file is read again each time, so
// that concurrent runs do not lose each other's results, and is replaced by a new
// one, so that an interruption leaves either the old or the new file.
func Record(path string, run Line) (err error) {
	unlock, err := lock(path)
	if err != nil {
		return err
	}
	defer unlock()
	l, err := Read(path)
	if err != nil {
		return err
	}
	l.Add(run)
	f, err := os.CreateTemp(filepath.Dir(path), ".fuzzlog-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone by then, unless something failed
	_, err = f.WriteString(l.String())
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// Progress finds in the fuzzer's output how many inputs it has tried: the last
// line with a count, and the count.
func Progress(out string) (last string, executions int64) {
	for line := range strings.Lines(out) {
		_, after, ok := strings.Cut(strings.TrimSpace(line), "elapsed: ")
		_, count, counts := strings.Cut(after, "execs: ")
		if !ok || !counts {
			continue
		}
		count, _, _ = strings.Cut(count, " ")
		if n, err := strconv.ParseInt(count, 10, 64); err == nil {
			last, executions = after, n
		}
	}
	return last, executions
}

// Found reports whether a fuzz test's output tells of an input that fails, and
// not of a test that could not run.
func Found(out string) bool {
	return strings.Contains(out, "Failing input written to ") || strings.Contains(out, "failure while testing seed corpus entry")
}
