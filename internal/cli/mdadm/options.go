package mdadm

import "github.com/mdkit/mdkit/internal/cli/getopt"

// The short option strings of mdadm's grammar. A letter's arity depends on the
// mode: -b is "brief" until a mode is known in which it means "bitmap", -a takes
// an argument (auto) in the modes that make or assemble arrays, and -r takes one
// (increment) in monitor mode. In mdadm 4.2 it takes one in every mode, so that
// "-r /dev/sdb" removes nothing and exits with 0; later versions have mended that.
const (
	shortAny     = "ABCDEFGIQhVXYWZ:vqbc:i:l:p:m:n:x:u:c:d:z:U:N:sarfRSow1tye:k"
	shortMonitor = "ABCDEFGIQhVXYWZ:vqbc:i:l:p:m:r:n:x:u:c:d:z:U:N:safRSow1tye:k"
	shortBitmap  = "ABCDEFGIQhVXYWZ:vqb:c:i:l:p:m:n:x:u:c:d:z:U:N:sarfRSow1tye:k:"
	shortAuto    = "ABCDEFGIQhVXYWZ:vqb:c:i:l:p:m:n:x:u:c:d:z:U:N:sa:rfRSow1tye:k:"
)

// Options that have no letter, or whose long form must be told apart from it.
const (
	optAssumeClean = 300 + iota
	optBitmapChunk
	optWriteBehind
	optReAdd
	optNoDegraded
	optSparc22
	optBackupFile
	optHomeHost
	optSymlinks
	optAutoDetect
	optWaitClean
	optDetailPlatform
	optKillSubarray
	optUpdateSubarray
	optPath
	optNoSharing
	optHelpOptions
	optBrief
	optNoDevices
	optManage
	optAdd
	optAddSpare
	optAddJournal
	optRemove
	optFail
	optReplace
	optWith
	optMisc
	optWait
	optConfig
	optChunk
	optWriteMostly
	optFailFast
	optNoFailFast
	optLayout
	optAuto
	optForce
	optSuperMinor
	optMail
	optProgram
	optIncrement
	optDaemonise
	optBitmap
	optRebuildMap
	optInvalidBackup
	optUdevRules
	optFreezeReshape
	optContinue
	optOffRoot
	optPrefer
	optZeroSuperblock
	optDataOffset
	optExamineBadBlocks
	optDump
	optRestore
	optAction
	optNodes
	optHomeCluster
	optClusterConfirm
	optWriteJournal
	optDryRun
	optJSON
	optBackupMetadata
	optRestoreMetadata
)

// longOptions lists mdadm's long options in mdadm's order, which shows in the
// list of possibilities for an ambiguous abbreviation. The last four are ours.
func longOptions() []getopt.Long {
	const (
		none     = getopt.NoArgument
		required = getopt.RequiredArgument
		optional = getopt.OptionalArgument
	)
	return []getopt.Long{
		{Name: "manage", Arity: none, Val: optManage},
		{Name: "misc", Arity: none, Val: optMisc},
		{Name: "assemble", Arity: none, Val: 'A'},
		{Name: "build", Arity: none, Val: 'B'},
		{Name: "create", Arity: none, Val: 'C'},
		{Name: "detail", Arity: none, Val: 'D'},
		{Name: "examine", Arity: none, Val: 'E'},
		{Name: "follow", Arity: none, Val: 'F'},
		{Name: "grow", Arity: none, Val: 'G'},
		{Name: "incremental", Arity: none, Val: 'I'},
		{Name: "zero-superblock", Arity: none, Val: optZeroSuperblock},
		{Name: "query", Arity: none, Val: 'Q'},
		{Name: "examine-bitmap", Arity: none, Val: 'X'},
		{Name: "auto-detect", Arity: none, Val: optAutoDetect},
		{Name: "detail-platform", Arity: none, Val: optDetailPlatform},
		{Name: "kill-subarray", Arity: required, Val: optKillSubarray},
		{Name: "update-subarray", Arity: required, Val: optUpdateSubarray},
		{Name: "udev-rules", Arity: optional, Val: optUdevRules},
		{Name: "offroot", Arity: none, Val: optOffRoot},
		{Name: "examine-badblocks", Arity: none, Val: optExamineBadBlocks},
		{Name: "dump", Arity: required, Val: optDump},
		{Name: "restore", Arity: required, Val: optRestore},
		{Name: "monitor", Arity: none, Val: 'F'},
		{Name: "help", Arity: none, Val: 'h'},
		{Name: "help-options", Arity: none, Val: optHelpOptions},
		{Name: "version", Arity: none, Val: 'V'},
		{Name: "verbose", Arity: none, Val: 'v'},
		{Name: "quiet", Arity: none, Val: 'q'},
		{Name: "chunk", Arity: required, Val: optChunk},
		{Name: "rounding", Arity: required, Val: optChunk},
		{Name: "level", Arity: required, Val: 'l'},
		{Name: "parity", Arity: required, Val: optLayout},
		{Name: "layout", Arity: required, Val: optLayout},
		{Name: "raid-disks", Arity: required, Val: 'n'},
		{Name: "raid-devices", Arity: required, Val: 'n'},
		{Name: "spare-disks", Arity: required, Val: 'x'},
		{Name: "spare-devices", Arity: required, Val: 'x'},
		{Name: "size", Arity: required, Val: 'z'},
		{Name: "auto", Arity: required, Val: optAuto},
		{Name: "assume-clean", Arity: none, Val: optAssumeClean},
		{Name: "metadata", Arity: required, Val: 'e'},
		{Name: "bitmap", Arity: required, Val: optBitmap},
		{Name: "bitmap-chunk", Arity: required, Val: optBitmapChunk},
		{Name: "write-behind", Arity: optional, Val: optWriteBehind},
		{Name: "write-mostly", Arity: none, Val: optWriteMostly},
		{Name: "failfast", Arity: none, Val: optFailFast},
		{Name: "nofailfast", Arity: none, Val: optNoFailFast},
		{Name: "re-add", Arity: none, Val: optReAdd},
		{Name: "homehost", Arity: required, Val: optHomeHost},
		{Name: "symlinks", Arity: required, Val: optSymlinks},
		{Name: "data-offset", Arity: required, Val: optDataOffset},
		{Name: "nodes", Arity: required, Val: optNodes},
		{Name: "home-cluster", Arity: required, Val: optHomeCluster},
		{Name: "write-journal", Arity: required, Val: optWriteJournal},
		{Name: "consistency-policy", Arity: required, Val: 'k'},
		{Name: "uuid", Arity: required, Val: 'u'},
		{Name: "super-minor", Arity: required, Val: optSuperMinor},
		{Name: "name", Arity: required, Val: 'N'},
		{Name: "config", Arity: required, Val: optConfig},
		{Name: "scan", Arity: none, Val: 's'},
		{Name: "force", Arity: none, Val: optForce},
		{Name: "update", Arity: required, Val: 'U'},
		{Name: "freeze-reshape", Arity: none, Val: optFreezeReshape},
		{Name: "add", Arity: none, Val: optAdd},
		{Name: "add-spare", Arity: none, Val: optAddSpare},
		{Name: "add-journal", Arity: none, Val: optAddJournal},
		{Name: "remove", Arity: none, Val: optRemove},
		{Name: "fail", Arity: none, Val: optFail},
		{Name: "set-faulty", Arity: none, Val: optFail},
		{Name: "replace", Arity: none, Val: optReplace},
		{Name: "with", Arity: none, Val: optWith},
		{Name: "run", Arity: none, Val: 'R'},
		{Name: "stop", Arity: none, Val: 'S'},
		{Name: "readonly", Arity: none, Val: 'o'},
		{Name: "readwrite", Arity: none, Val: 'w'},
		{Name: "no-degraded", Arity: none, Val: optNoDegraded},
		{Name: "wait", Arity: none, Val: optWait},
		{Name: "wait-clean", Arity: none, Val: optWaitClean},
		{Name: "action", Arity: required, Val: optAction},
		{Name: "cluster-confirm", Arity: none, Val: optClusterConfirm},
		{Name: "brief", Arity: none, Val: optBrief},
		{Name: "no-devices", Arity: none, Val: optNoDevices},
		{Name: "export", Arity: none, Val: 'Y'},
		{Name: "sparc2.2", Arity: none, Val: optSparc22},
		{Name: "test", Arity: none, Val: 't'},
		{Name: "prefer", Arity: required, Val: optPrefer},
		{Name: "mail", Arity: required, Val: optMail},
		{Name: "program", Arity: required, Val: optProgram},
		{Name: "alert", Arity: required, Val: optProgram},
		{Name: "increment", Arity: required, Val: optIncrement},
		{Name: "delay", Arity: required, Val: 'd'},
		{Name: "daemonise", Arity: none, Val: optDaemonise},
		{Name: "daemonize", Arity: none, Val: optDaemonise},
		{Name: "oneshot", Arity: none, Val: '1'},
		{Name: "pid-file", Arity: required, Val: 'i'},
		{Name: "syslog", Arity: none, Val: 'y'},
		{Name: "no-sharing", Arity: none, Val: optNoSharing},
		{Name: "backup-file", Arity: required, Val: optBackupFile},
		{Name: "invalid-backup", Arity: none, Val: optInvalidBackup},
		{Name: "array-size", Arity: required, Val: 'Z'},
		{Name: "continue", Arity: none, Val: optContinue},
		{Name: "rebuild-map", Arity: none, Val: optRebuildMap},
		{Name: "path", Arity: required, Val: optPath},
		{Name: "dry-run", Arity: none, Val: optDryRun, Exact: true},
		{Name: "json", Arity: none, Val: optJSON, Exact: true},
		{Name: "backup-metadata", Arity: required, Val: optBackupMetadata, Exact: true},
		{Name: "restore-metadata", Arity: required, Val: optRestoreMetadata, Exact: true},
	}
}
