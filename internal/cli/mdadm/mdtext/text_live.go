package mdtext

import "github.com/mdkit/mdkit/manage/note"

// liveText are mdadm's sentences for the notes of package live.
var liveText = map[note.ID]string{
	"live.cannot-find-sysfs":            "Cannot find %s in sysfs!!",
	"live.cannot-get-exclusive-access":  "Cannot get exclusive access to %s:%s",
	"live.couldnt-open":                 "Couldn't open %s: %s",
	"live.count-not-set-action":         "Count not set action for %s to %s: %s",
	"live.does-not-appear-be-active":    "%s does not appear to be active.",
	"live.does-not-appear-be-md-device": "%s does not appear to be an md device",
	"live.error-opening":                "error opening %s: %s",
	"live.failed-set":                   "failed to set %s for %s: %s",
	"live.failed-start-array":           "failed to start array %s: %s",
	"live.failed-stop-array":            "failed to stop array %s: %s",
	"live.kernel":                       "kernel: %s",
	"live.no-md-array":                  "%s is no an md array",
	"live.started-array":                "started array %s",
	"live.stopped":                      "stopped %s",
	"live.no-sysfs":                     "sysfs not availabile for %s",
	"live.cannot-get-array-info":        "Cannot get array info for %s",
	"live.unsupported-array":            "unsupport array - version %d.%d",
	"live.perhaps-in-use":               "Perhaps a running process, mounted filesystem or active volume group?",
}
