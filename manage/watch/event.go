package watch

import (
	"fmt"
	"strings"
	"time"
)

// Names of events. The event of a rebuild that has reached a step of its progress is
// named after the percentage, as "Rebuild40".
const (
	DeviceDisappeared = "DeviceDisappeared" // the array is gone, or has no redundancy to watch
	RebuildStarted    = "RebuildStarted"    // resync, recovery, reshape or check has begun
	RebuildFinished   = "RebuildFinished"   // or was aborted
	Fail              = "Fail"              // a member in sync has failed or is gone
	FailSpare         = "FailSpare"         // a spare has failed
	SpareActive       = "SpareActive"       // a spare has been rebuilt and is in sync
	NewArray          = "NewArray"          // an array has appeared
	DegradedArray     = "DegradedArray"     // an array was missing members when first seen
	MoveSpare         = "MoveSpare"         // a spare was moved to an array that needed it
	SparesMissing     = "SparesMissing"     // an array has fewer spares than configured
	TestMessage       = "TestMessage"       // a test was asked for
)

// Event is something that happened to an array.
type Event struct {
	Time  time.Time
	Name  string // one of the constants, or "Rebuild40"
	Array string // path of the array's node
	// Kernel is the kernel's name for the array, "" if it is not known.
	Kernel string
	// Component is the path of the member that the event is about, or its number
	// as "8:1"; for MoveSpare it is the array that the spare came from. It is
	// empty for events about the whole array.
	Component string
	// Extra says more: "Wrong-Level", or how many mismatches were found.
	Extra string
	// State is the array's state at that time.
	State State
}

// State is the state of an array. Its counts are numbers of members.
type State struct {
	Level     string // kernel's word, "" if unknown
	RaidDisks int    // slots
	Active    int    // in sync
	Working   int    // not failed
	Failed    int    // slots with neither a member in sync nor a spare for it
	Spare     int
	Slots     string // as mdstat shows them: U in sync, _ not
	Action    string // "resync", "recovery", "reshape", "check", "" for none
	Percent   int    // progress of Action; meaningful only with Action
}

// Detail is what mdadm passes on besides event and array: the component, or the
// extra information with a blank before it, or nothing.
func (e Event) Detail() string {
	if e.Component == "" && e.Extra != "" {
		return " " + e.Extra
	}
	return e.Component
}

// WrongLevel is what an event adds when an array has got a level that is not watched.
const WrongLevel = "Wrong-Level"

// The severities of events.
const (
	Critical = "critical" // data or redundancy is at risk
	Warning  = "warning"
	Info     = "info"
)

// Severity says how serious an event is: Critical, Warning or Info.
func (e Event) Severity() string {
	switch e.Name {
	case Fail, FailSpare, DegradedArray, DeviceDisappeared:
		return Critical
	case SpareActive, NewArray, MoveSpare, TestMessage:
		return Info
	}
	return Warning
}

// Mailed reports whether mdadm sends mail about the event.
func (e Event) Mailed() bool {
	switch e.Name {
	case Fail, FailSpare, TestMessage, SparesMissing, DegradedArray:
		return true
	}
	return false
}

// Message is the event in one sentence, as mdadm says it since 4.3.
func (e Event) Message() string {
	text := fmt.Sprintf("%s event detected on md device %s", e.Name, e.Array)
	switch detail := e.laterDetail(); {
	case detail != "":
		text += ", component device " + detail
	case e.Extra != "":
		text += ": " + e.Extra
	}
	return text
}

// laterDetail is the detail that later mdadm hands on: a level without redundancy has
// become a remark in the sentence alone.
func (e Event) laterDetail() string {
	if e.Extra == WrongLevel {
		return e.Component
	}
	return e.Detail()
}

// String is the event in one sentence, as mdadm logs it.
func (e Event) String() string {
	text := fmt.Sprintf("%s event detected on md device %s", e.Name, e.Array)
	switch detail := e.Detail(); {
	case strings.HasPrefix(detail, " "):
		text += ": " + detail
	case detail != "":
		text += ", component device " + detail
	}
	return text
}
