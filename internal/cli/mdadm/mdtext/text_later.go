package mdtext

import "github.com/mdkit/mdkit/manage/note"

// later is how a version after 4.2 says something that it says otherwise.
type later struct {
	text    string // "" for the words of 4.2
	out     bool   // on standard output: mdadm's pr_info
	verbose bool   // with -v only
}

// laterText are the sentences of mdadm 4.6 that 4.2 says otherwise.
var laterText = map[note.ID]later{
	"assemble.started":                          {out: true},
	"live.stopped":                              {out: true},
	"create.array-started":                      {out: true},
	"create.defaulting-version-metadata":        {out: true},
	"create.appears-contain-ext2fs-file-system": {out: true},
	"create.size-k-mtime":                       {out: true},
	"incremental.does-not-appear-be-component-any-array": {
		verbose: true,
	},
	"incremental.incremental-removal-requires-kernel-device-name-not-file": {
		text: `Cannot remove "%s", devnode path or kernel device name is allowed.`,
	},
	"member.set-faulty":                                           {verbose: true},
	"member.set-device-faulty-failed":                             {text: "set device faulty failed for %s: %s"},
	"member.only-meaningful-with-r-or-f":                          {text: "%s only meaningful with -r, -f or -I, not -%c"},
	"reshape.cannot-set-device-size-of-raid0":                     {text: "Component size change is not supported for RAID0%.0[1]s"},
	"reshape.performing-resync-recovery-and-cannot-be-taken-over": {text: "%s is performing resync/recovery and cannot be taken over"},
	"member.array-needs-it":                                       {text: "Cannot remove %[1]s from %[2]s, array will be failed."},
}
