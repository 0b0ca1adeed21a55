package lab

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"sync"
)

// The guest's channel carries what the test binary prints, unchanged, and our own
// notes in between. A note is a line of its own: mark, JSON, newline. mark begins
// with the byte that -test.v=test2json puts before its own lines, which nothing
// else prints.
const (
	verdictMark = "\x16"
	noteMark    = "\x16@lab "
)

// note is one message between guest and host, in either direction.
type note struct {
	Kind string `json:"k"`
	Name string `json:"n,omitempty"` // full test name, key, ...
	Text string `json:"t,omitempty"`
	Data []byte `json:"d,omitempty"`
}

// Kinds of notes.
const (
	noteUp      = "up"      // init is done; Text is uname -r
	noteCase    = "case"    // case Name ended; Text is its status
	notePublish = "publish" // Guest.Publish
	noteCover   = "cover"   // file Name of the coverage folder
	noteExit    = "exit"    // the test process ended as Text says
	noteFatal   = "fatal"   // init failed; Text says where
	noteTell    = "tell"    // host to guest: Machine.Tell
)

// encode returns the note as it goes over the channel.
func (n note) encode() []byte {
	b, err := json.Marshal(n)
	if err != nil {
		panic(err) // strings and bytes only: cannot happen
	}
	return append(append([]byte(noteMark), b...), '\n')
}

// Status is how a case or one of its subtests ended.
type Status string

// The statuses. Unfinished means that the machine ended before the case did,
// NotRun that it ended before the case began.
const (
	Pass       Status = "PASS"
	Fail       Status = "FAIL"
	Skip       Status = "SKIP"
	Unfinished Status = "UNFINISHED"
	NotRun     Status = "NOT RUN"
)

// testLog is what is known of one test in the guest.
type testLog struct {
	name   string
	status Status // "" while unknown
	out    bytes.Buffer
}

// stream takes the bytes of the channel apart.
type stream struct {
	onNote func(note)

	mu    sync.Mutex
	rest  []byte     // an unfinished line
	tests []*testLog // in order of their start
	cur   *testLog   // the test that output belongs to
	loose testLog    // output that belongs to no test
}

var (
	updateLine  = regexp.MustCompile(`^=== (?:RUN  |CONT |NAME |PAUSE) +(.*)$`)
	verdictLine = regexp.MustCompile(`^ *--- (PASS|FAIL|SKIP): (.*) \([0-9.]+s\)$`)
)

// Write takes the next bytes. Notes are handed over as their line ends.
func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	var notes []note
	s.rest = append(s.rest, p...)
	for {
		line, rest, ok := bytes.Cut(s.rest, []byte("\n"))
		if !ok {
			break
		}
		if n, ok := s.line(string(line)); ok {
			notes = append(notes, n)
		}
		s.rest = rest
	}
	s.rest = bytes.Clone(s.rest)
	s.mu.Unlock()
	for _, n := range notes {
		s.onNote(n)
	}
	return len(p), nil
}

// line takes one line, and returns the note that it carries, if any.
func (s *stream) line(text string) (note, bool) {
	before, after, marked := strings.Cut(text, verdictMark)
	if !marked {
		s.output(text)
		return note{}, false
	}
	if before != "" {
		s.output(before) // a print without newline, then a mark
	}
	if js, ok := strings.CutPrefix(after, noteMark[1:]); ok {
		var n note
		if json.Unmarshal([]byte(js), &n) != nil {
			s.output(text)
			return note{}, false
		}
		if n.Kind == noteCase {
			s.test(n.Name).status = Status(n.Text)
		}
		return n, true
	}
	after = strings.ReplaceAll(after, verdictMark, "")
	if m := updateLine.FindStringSubmatch(after); m != nil {
		s.cur = nil
		if m[1] != "" {
			s.cur = s.test(m[1])
		}
	} else if m := verdictLine.FindStringSubmatch(after); m != nil {
		s.test(m[2]).status = Status(m[1])
	} else {
		s.output(after)
	}
	return note{}, false
}

func (s *stream) output(line string) {
	dst := &s.loose
	if s.cur != nil {
		dst = s.cur
	}
	dst.out.WriteString(line)
	dst.out.WriteByte('\n')
}

// test finds the record of a test, or creates it.
func (s *stream) test(name string) *testLog {
	for _, t := range s.tests {
		if t.name == name {
			return t
		}
	}
	t := &testLog{name: name}
	s.tests = append(s.tests, t)
	return t
}

// flush ends an unfinished last line: nothing more comes from the machine.
func (s *stream) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.rest) > 0 {
		s.line(string(s.rest))
		s.rest = nil
	}
}

// looseText is what was printed outside any test.
func (s *stream) looseText() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loose.out.String()
}

// snapshot returns the case of that name and the tests below it, as results.
// Cases that have begun and have no status are unfinished.
func (s *stream) snapshot(name string) CaseResult {
	s.mu.Lock()
	defer s.mu.Unlock()
	root := CaseResult{Name: name, Status: NotRun}
	for _, t := range s.tests {
		r := CaseResult{Name: t.name, Status: t.status, Log: t.out.String()}
		if r.Status == "" {
			r.Status = Unfinished
		}
		switch {
		case t.name == name:
			r.Sub, root = root.Sub, r
		case strings.HasPrefix(t.name, name+"/"):
			root.add(r)
		}
	}
	return root
}

// add adds a subtest below the tests that its name says.
func (r *CaseResult) add(sub CaseResult) {
	for i := range r.Sub {
		if strings.HasPrefix(sub.Name, r.Sub[i].Name+"/") {
			r.Sub[i].add(sub)
			return
		}
	}
	r.Sub = append(r.Sub, sub)
}
