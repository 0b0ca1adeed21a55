package dm

import "fmt"

// Command is a request of the device mapper by number (dm-ioctl.h, enum after
// DM_IOCTL).
type Command uint32

// Commands, in the kernel's order.
const (
	CmdVersion          Command = iota // DM_VERSION
	CmdRemoveAll                       // DM_REMOVE_ALL
	CmdListDevices                     // DM_LIST_DEVICES
	CmdDevCreate                       // DM_DEV_CREATE
	CmdDevRemove                       // DM_DEV_REMOVE
	CmdDevRename                       // DM_DEV_RENAME
	CmdDevSuspend                      // DM_DEV_SUSPEND, which resumes as well
	CmdDevStatus                       // DM_DEV_STATUS
	CmdDevWait                         // DM_DEV_WAIT
	CmdTableLoad                       // DM_TABLE_LOAD
	CmdTableClear                      // DM_TABLE_CLEAR
	CmdTableDeps                       // DM_TABLE_DEPS
	CmdTableStatus                     // DM_TABLE_STATUS
	CmdListVersions                    // DM_LIST_VERSIONS
	CmdTargetMsg                       // DM_TARGET_MSG
	CmdDevSetGeometry                  // DM_DEV_SET_GEOMETRY
	CmdDevArmPoll                      // DM_DEV_ARM_POLL
	CmdGetTargetVersion                // DM_GET_TARGET_VERSION
	CmdMpathProbePaths                 // DM_MPATH_PROBE_PATHS, sent to a multipath device and not to the control device

	numCommands = iota
)

type commandInfo struct {
	name  string
	minor uint32 // interface version 4.minor that introduced it
}

var commands = [numCommands]commandInfo{
	CmdVersion:          {"DM_VERSION", 0},
	CmdRemoveAll:        {"DM_REMOVE_ALL", 0},
	CmdListDevices:      {"DM_LIST_DEVICES", 0},
	CmdDevCreate:        {"DM_DEV_CREATE", 0},
	CmdDevRemove:        {"DM_DEV_REMOVE", 0},
	CmdDevRename:        {"DM_DEV_RENAME", 0},
	CmdDevSuspend:       {"DM_DEV_SUSPEND", 0},
	CmdDevStatus:        {"DM_DEV_STATUS", 0},
	CmdDevWait:          {"DM_DEV_WAIT", 0},
	CmdTableLoad:        {"DM_TABLE_LOAD", 0},
	CmdTableClear:       {"DM_TABLE_CLEAR", 0},
	CmdTableDeps:        {"DM_TABLE_DEPS", 0},
	CmdTableStatus:      {"DM_TABLE_STATUS", 0},
	CmdListVersions:     {"DM_LIST_VERSIONS", 1},
	CmdTargetMsg:        {"DM_TARGET_MSG", 2},
	CmdDevSetGeometry:   {"DM_DEV_SET_GEOMETRY", 6},
	CmdDevArmPoll:       {"DM_DEV_ARM_POLL", 36},
	CmdGetTargetVersion: {"DM_GET_TARGET_VERSION", 41},
	CmdMpathProbePaths:  {"DM_MPATH_PROBE_PATHS", 50},
}

// String returns the kernel's name of the command, "DM_DEV_CREATE".
func (c Command) String() string {
	if c < numCommands {
		return commands[c].name
	}
	return fmt.Sprintf("DM command %d", uint32(c))
}

// Since returns the minor number of the interface version that introduced the
// command: 36 means 4.36.
func (c Command) Since() uint32 {
	if c < numCommands {
		return commands[c].minor
	}
	return 0
}

// Flags is the flag word of a request or a reply (dm-ioctl.h).
type Flags uint32

// Bits of [Flags]. Methods set those that a request needs according to their
// options; replies carry them in [Info].
const (
	FlagReadOnly        Flags = 1 << 0  // the table is read-only
	FlagSuspend         Flags = 1 << 1  // asked for, or the device is suspended
	FlagExists          Flags = 1 << 2  // never set by the kernel
	FlagPersistentDev   Flags = 1 << 3  // Create: the number given is to be used
	FlagStatusTable     Flags = 1 << 4  // TableStatus: tables instead of states
	FlagActivePresent   Flags = 1 << 5  // there is a live table
	FlagInactivePresent Flags = 1 << 6  // there is a table in the inactive slot
	FlagBufferFull      Flags = 1 << 8  // the reply did not fit
	FlagSkipBDGet       Flags = 1 << 9  // do not count openers; ignored since Linux 2.6.28
	FlagSkipLockFS      Flags = 1 << 10 // Suspend: do not freeze the filesystem
	FlagNoFlush         Flags = 1 << 11 // Suspend: queue I/O instead of finishing it; TableStatus: do not commit metadata first
	FlagQueryInactive   Flags = 1 << 12 // queries look at the inactive slot
	FlagUeventGenerated Flags = 1 << 13 // a uevent went out, and with it the cookie
	FlagUUID            Flags = 1 << 14 // Rename sets the UUID; List returns UUIDs
	FlagSecureData      Flags = 1 << 15 // the kernel wipes its copy of the request
	FlagDataOut         Flags = 1 << 16 // there is a reply to the message
	FlagDeferredRemove  Flags = 1 << 17 // remove when the last opener closes it
	FlagInternalSuspend Flags = 1 << 18 // suspended by the kernel itself
	FlagIMAMeasurement  Flags = 1 << 19 // TableStatus: what would be reported to IMA
)

var flagNames = []string{
	0: "readonly", 1: "suspend", 2: "exists", 3: "persistent_dev", 4: "status_table", 5: "active_present",
	6: "inactive_present", 8: "buffer_full", 9: "skip_bdget", 10: "skip_lockfs", 11: "noflush",
	12: "query_inactive_table", 13: "uevent_generated", 14: "uuid", 15: "secure_data", 16: "data_out",
	17: "deferred_remove", 18: "internal_suspend", 19: "ima_measurement",
}

// String returns the names of the bits, joined by "|", in the kernel's spelling
// without the prefix DM_ and the suffix _FLAG.
func (f Flags) String() string {
	s := ""
	for bit := range 32 {
		if f&(1<<bit) == 0 {
			continue
		}
		if s != "" {
			s += "|"
		}
		if bit < len(flagNames) && flagNames[bit] != "" {
			s += flagNames[bit]
		} else {
			s += fmt.Sprintf("bit%d", bit)
		}
	}
	return s
}
