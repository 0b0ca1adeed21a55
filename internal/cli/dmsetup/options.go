package dmsetup

import "github.com/mdkit/mdkit/internal/cli/getopt"

// option is one option of the command line, short or long.
type option int

// The options of dmsetup and dmstats 1.02.185 in the order in which they are
// documented, and behind them those that only this face has.
const (
	optReadOnly option = iota + 256
	optAlias
	optAllDevices
	optAllPrograms
	optAllRegions
	optArea
	optAreas
	optAreaSize
	optBounds
	optChecks
	optClear
	optColumns
	optConcise
	optCount
	optDeferred
	optSelect
	optExec
	optFileMap
	optFollow
	optForce
	optForeground
	optGID
	optGroup
	optGroupID
	optHelp
	optHistogram
	optInactive
	optInterval
	optLength
	optMangleName
	optMajor
	optMinor
	optMode
	optNamePrefixes
	optNoGroup
	optNoFlush
	optNoHeadings
	optNoLockFS
	optNoOpenCount
	optNoSuffix
	optNoTable
	optNoTimeSuffix
	optUdevCookie
	optNoMonitor
	optNoUdevRules
	optNoUdevSync
	optOptions
	optPrecise
	optProgramID
	optRaw
	optReadAhead
	optRegion
	optRegions
	optRegionID
	optRelative
	optRetry
	optRows
	optSegments
	optSeparator
	optSetUUID
	optShowKeys
	optSort
	optStart
	optTable
	optTarget
	optTree
	optUID
	optUnits
	optUUID
	optUnbuffered
	optUnquoted
	optUserData
	optVerbose
	optVerifyUdev
	optVersion
	optYes
	optAddNodeOnResume
	optAddNodeOnCreate

	optJSON
	optDryRun
	optExitCodes
	optUdevTimeout
)

// shortOptions is getopt's string of letters; letterOf says what they mean.
const shortOptions = "cCfG:hj:m:M:no:O:rS:u:U:vy"

// letters are the short options.
func letterOf(c int) option {
	switch c {
	case 'c', 'C':
		return optColumns
	case 'f':
		return optForce
	case 'G':
		return optGID
	case 'h':
		return optHelp
	case 'j':
		return optMajor
	case 'm':
		return optMinor
	case 'M':
		return optMode
	case 'n':
		return optNoTable
	case 'o':
		return optOptions
	case 'O':
		return optSort
	case 'r':
		return optReadOnly
	case 'S':
		return optSelect
	case 'u':
		return optUUID
	case 'U':
		return optUID
	case 'v':
		return optVerbose
	case 'y':
		return optYes
	}
	return option(c)
}

// longOptions are the long options in the order of the original, which is the
// order in which getopt lists the candidates for an ambiguous abbreviation. Our
// own are never abbreviated, so that every abbreviation keeps its meaning.
func longOptions() []getopt.Long {
	flag := func(name string, o option) getopt.Long { return getopt.Long{Name: name, Val: int(o)} }
	arg := func(name string, o option) getopt.Long {
		return getopt.Long{Name: name, Val: int(o), Arity: getopt.RequiredArgument}
	}
	return []getopt.Long{
		flag("readonly", optReadOnly),
		arg("alias", optAlias),
		flag("alldevices", optAllDevices),
		flag("allprograms", optAllPrograms),
		flag("allregions", optAllRegions),
		flag("area", optArea),
		arg("areas", optAreas),
		arg("areasize", optAreaSize),
		arg("bounds", optBounds),
		flag("checks", optChecks),
		flag("clear", optClear),
		flag("columns", optColumns),
		flag("concise", optConcise),
		arg("count", optCount),
		flag("deferred", optDeferred),
		arg("select", optSelect),
		arg("exec", optExec),
		flag("filemap", optFileMap),
		arg("follow", optFollow),
		flag("force", optForce),
		flag("foreground", optForeground),
		arg("gid", optGID),
		flag("group", optGroup),
		arg("groupid", optGroupID),
		flag("help", optHelp),
		flag("histogram", optHistogram),
		flag("inactive", optInactive),
		arg("interval", optInterval),
		arg("length", optLength),
		arg("manglename", optMangleName),
		arg("major", optMajor),
		arg("minor", optMinor),
		arg("mode", optMode),
		flag("nameprefixes", optNamePrefixes),
		flag("nogroup", optNoGroup),
		flag("noflush", optNoFlush),
		flag("noheadings", optNoHeadings),
		flag("nolockfs", optNoLockFS),
		flag("noopencount", optNoOpenCount),
		flag("nosuffix", optNoSuffix),
		flag("notable", optNoTable),
		flag("notimesuffix", optNoTimeSuffix),
		arg("udevcookie", optUdevCookie),
		flag("nomonitor", optNoMonitor),
		flag("noudevrules", optNoUdevRules),
		flag("noudevsync", optNoUdevSync),
		arg("options", optOptions),
		flag("precise", optPrecise),
		arg("programid", optProgramID),
		flag("raw", optRaw),
		arg("readahead", optReadAhead),
		flag("region", optRegion),
		arg("regions", optRegions),
		arg("regionid", optRegionID),
		flag("relative", optRelative),
		flag("retry", optRetry),
		flag("rows", optRows),
		flag("segments", optSegments),
		arg("separator", optSeparator),
		flag("setuuid", optSetUUID),
		flag("showkeys", optShowKeys),
		arg("sort", optSort),
		arg("start", optStart),
		arg("table", optTable),
		arg("target", optTarget),
		flag("tree", optTree),
		arg("uid", optUID),
		arg("units", optUnits),
		arg("uuid", optUUID),
		flag("unbuffered", optUnbuffered),
		flag("unquoted", optUnquoted),
		arg("userdata", optUserData),
		arg("verbose", optVerbose), // the original asks for an argument and drops it
		flag("verifyudev", optVerifyUdev),
		flag("version", optVersion),
		flag("yes", optYes),
		flag("addnodeonresume", optAddNodeOnResume),
		flag("addnodeoncreate", optAddNodeOnCreate),

		{Name: "json", Val: int(optJSON), Exact: true},
		{Name: "dry-run", Val: int(optDryRun), Exact: true},
		{Name: "exit-codes", Val: int(optExitCodes), Exact: true},
		{Name: "udev-timeout", Val: int(optUdevTimeout), Arity: getopt.RequiredArgument, Exact: true},
	}
}
