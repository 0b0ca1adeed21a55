package watch

import (
	"fmt"
	"strings"
	"time"
)

// Names of events. A rebuild that has passed a step of its progress is called
// by the percentage, as "Rebuild40".
const (
	DeviceDisappeared = "DeviceDisappeared" // the array is gone, or has no redundancy to watch
	RebuildStarted    = "RebuildStarted"    // resync, recovery, reshape or check has begun
	RebuildFinished   = "RebuildFinished"   // or was aborted
	Fail              = "Fail"              // a member in sync has failed or is gone
	FailSpare         = "FailSpare"         // a spare has failed
	SpareActive       = "SpareActive"       // a spare has been rebuilt and is in sync
	NewArray          = "NewArray"          // an array has come
	DegradedArray     = "DegradedArray"     // an array lacks members when it is first seen
	MoveSpare         = "MoveSpare"         // a spare was moved to an array that needed it
	SparesMissing     = "SparesMissing"     // an array has fewer spares than configured
	TestMessage       = "TestMessage"       // a test was asked for
)

// Event is something that happened to an array.
type Event struct {
	Time  time.Time
	Name  string // one of the constants, or "Rebuild40"
	Array string // path of the array's device
	// Kernel is the kernel's name of the array, "" while it is not known.
	Kernel string
	// Component is the path of the member that the event is about, or its
	// number as "8:1"; of MoveSpare the array that the spare came from. It is
	// empty for events about the whole array.
	Component string
	// Extra says more: "Wrong-Level", or how many mismatches were found.
	Extra string
	// State is how the array was found at that time.
	State State
}

// State is how an array stands. Counts are of members.
type State struct {
	Level     string // kernel's word, "" if unknown
	RaidDisks int    // slots
	Active    int    // in sync
	Working   int    // not failed
	Failed    int    // slots without a member in sync or a spare for it
	Spare     int
	Slots     string // as mdstat shows them: U in sync, _ not
	Action    string // "resync", "recovery", "reshape", "check", "" for none
	Percent   int    // done of Action; meaningful with Action only
}

// Detail is what mdadm hands on beside event and array: the component, or the
// extra information with a blank before it, or nothing.
func (e Event) Detail() string {
	if e.Component == "" && e.Extra != "" {
		return " " + e.Extra
	}
	return e.Component
}

// Severity of events.
const (
	Critical = "critical" // data or redundancy are at stake
	Warning  = "warning"
	Info     = "info"
)

// Severity says how much an event matters: Critical, Warning or Info.
func (e Event) Severity() string {
	switch e.Name {
	case Fail, FailSpare, DegradedArray, DeviceDisappeared:
		return Critical
	case SpareActive, NewArray, MoveSpare, TestMessage:
		return Info
	}
	return Warning
}

// Mailed says whether mdadm sends mail about the event.
func (e Event) Mailed() bool {
	switch e.Name {
	case Fail, FailSpare, TestMessage, SparesMissing, DegradedArray:
		return true
	}
	return false
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
