// Package finding holds what verification has to say about a device. Findings
// are not errors: a check goes on after the first problem and yields one
// Finding for each, with a rule id that stays the same between releases.
package finding

import (
	"fmt"
	"iter"
	"strings"
)

// Severity says what a finding means for the data.
type Severity uint8

// Severities, from harmless to fatal.
const (
	// Info is worth knowing and needs no action.
	Info Severity = iota
	// Warning is unusual or wasteful; data and redundancy are not at risk.
	Warning
	// Error is damage or disagreement that should be repaired.
	Error
	// Fatal means the structure cannot be used at all.
	Fatal
)

// String returns the word used in text and JSON.
func (s Severity) String() string {
	switch s {
	case Info:
		return "info"
	case Warning:
		return "warning"
	case Error:
		return "error"
	case Fatal:
		return "fatal"
	}
	return fmt.Sprintf("severity(%d)", uint8(s))
}

// MarshalText returns the same word to encoders.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Finding is one thing that verification found.
type Finding struct {
	Rule     string   `json:"rule"`             // stable id: format and rule, such as "md1.checksum"
	Severity Severity `json:"severity"`         // how bad it is
	Device   string   `json:"device"`           // path or name; empty for a whole array
	Field    string   `json:"field,omitempty"`  // the field, as the format names it
	Off      int64    `json:"offset"`           // bytes from the start of Device; -1 where it does not apply
	Len      int64    `json:"length,omitempty"` // bytes; 0 where it does not apply
	Message  string   `json:"message"`          // one line for people
}

// String returns one line: severity, device, place, message, rule.
func (f Finding) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: ", f.Severity)
	if f.Device != "" {
		fmt.Fprintf(&b, "%s: ", f.Device)
	}
	if f.Off >= 0 {
		fmt.Fprintf(&b, "at %#x: ", f.Off)
	}
	fmt.Fprintf(&b, "%s [%s]", f.Message, f.Rule)
	return b.String()
}

// Worst consumes findings and returns the highest severity among them, and how
// many there were of each.
func Worst(findings iter.Seq[Finding]) (worst Severity, count map[Severity]int) {
	count = make(map[Severity]int)
	for f := range findings {
		worst = max(worst, f.Severity)
		count[f.Severity]++
	}
	return worst, count
}
