package mdtext

import "github.com/mdkit/mdkit/manage/note"

// nodeText are mdadm's sentences for the notes of package node.
var nodeText = map[note.ID]string{
	"node.already-use":                                       "%s is already in use.",
	"node.exists-but-looks-wrong-please-fix":                 "%s exists but looks wrong, please fix",
	"node.exists-ignoring":                                   "%s exists - ignoring",
	"node.fail-create-when-using-fallback-creation-via-node": "Fail to create %s when using %s, fallback to creation via node",
	"node.failed-create":                                     "failed to create %s",
	"node.failed-create-2":                                   "failed to create %s: %s",
	"node.invalid-name-for-md-device":                        "%s is an invalid name for an md device.",
	"node.invalid-name-for-md-device-empty":                  "%s is an invalid name for an md device (empty!).",
	"node.invalid-name-for-md-device-try-dev-md":             "%s is an invalid name for an md device.  Try /dev/md/%s",
	"node.no-avail-md-devices-aborting":                      "No avail md devices - aborting",
	"node.timeout-waiting":                                   "timeout waiting for %s",
	"node.unexpected-failure-opening":                        "unexpected failure opening %s",
}
