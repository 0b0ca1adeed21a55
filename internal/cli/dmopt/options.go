package dmopt

import "github.com/mdkit/mdkit/internal/cli/getopt"

// Option is one option of the command line, in its short or long form.
type Option int

// The options of dmsetup and dmstats 1.02.185 in the order in which they are documented,
// and after them those that only mdkit has.
const (
	ReadOnly Option = iota + 256
	Alias
	AllDevices
	AllPrograms
	AllRegions
	Area
	Areas
	AreaSize
	Bounds
	Checks
	Clear
	Columns
	Concise
	Count
	Deferred
	Select
	Exec
	FileMap
	Follow
	Force
	Foreground
	GID
	Group
	GroupID
	Help
	Histogram
	Inactive
	Interval
	Length
	MangleName
	Major
	Minor
	Mode
	NamePrefixes
	NoGroup
	NoFlush
	NoHeadings
	NoLockFS
	NoOpenCount
	NoSuffix
	NoTable
	NoTimeSuffix
	UdevCookie
	NoMonitor
	NoUdevRules
	NoUdevSync
	Options
	Precise
	ProgramID
	Raw
	ReadAhead
	Region
	Regions
	RegionID
	Relative
	Retry
	Rows
	Segments
	Separator
	SetUUID
	ShowKeys
	Sort
	Start
	Table
	Target
	Tree
	UID
	Units
	UUID
	Unbuffered
	Unquoted
	UserData
	Verbose
	VerifyUdev
	Version
	Yes
	AddNodeOnResume
	AddNodeOnCreate

	JSON
	DryRun
	ExitCodes
	UdevTimeout
	Timeout
)

// shortOptions is getopt's string of letters; letterOf says what they mean.
const shortOptions = "cCfG:hj:m:M:no:O:rS:u:U:vy"

// letterOf returns the option for a letter.
func letterOf(c int) Option {
	switch c {
	case 'c', 'C':
		return Columns
	case 'f':
		return Force
	case 'G':
		return GID
	case 'h':
		return Help
	case 'j':
		return Major
	case 'm':
		return Minor
	case 'M':
		return Mode
	case 'n':
		return NoTable
	case 'o':
		return Options
	case 'O':
		return Sort
	case 'r':
		return ReadOnly
	case 'S':
		return Select
	case 'u':
		return UUID
	case 'U':
		return UID
	case 'v':
		return Verbose
	case 'y':
		return Yes
	}
	return Option(c)
}

// LongOptions returns the long options in the order of the original, in which getopt
// lists the candidates for an ambiguous abbreviation. Options that only mdkit has cannot
// be abbreviated, so that every abbreviation keeps its meaning.
func LongOptions() []getopt.Long {
	flag := func(name string, o Option) getopt.Long { return getopt.Long{Name: name, Val: int(o)} }
	arg := func(name string, o Option) getopt.Long {
		return getopt.Long{Name: name, Val: int(o), Arity: getopt.RequiredArgument}
	}
	return []getopt.Long{
		flag("readonly", ReadOnly),
		arg("alias", Alias),
		flag("alldevices", AllDevices),
		flag("allprograms", AllPrograms),
		flag("allregions", AllRegions),
		flag("area", Area),
		arg("areas", Areas),
		arg("areasize", AreaSize),
		arg("bounds", Bounds),
		flag("checks", Checks),
		flag("clear", Clear),
		flag("columns", Columns),
		flag("concise", Concise),
		arg("count", Count),
		flag("deferred", Deferred),
		arg("select", Select),
		arg("exec", Exec),
		flag("filemap", FileMap),
		arg("follow", Follow),
		flag("force", Force),
		flag("foreground", Foreground),
		arg("gid", GID),
		flag("group", Group),
		arg("groupid", GroupID),
		flag("help", Help),
		flag("histogram", Histogram),
		flag("inactive", Inactive),
		arg("interval", Interval),
		arg("length", Length),
		arg("manglename", MangleName),
		arg("major", Major),
		arg("minor", Minor),
		arg("mode", Mode),
		flag("nameprefixes", NamePrefixes),
		flag("nogroup", NoGroup),
		flag("noflush", NoFlush),
		flag("noheadings", NoHeadings),
		flag("nolockfs", NoLockFS),
		flag("noopencount", NoOpenCount),
		flag("nosuffix", NoSuffix),
		flag("notable", NoTable),
		flag("notimesuffix", NoTimeSuffix),
		arg("udevcookie", UdevCookie),
		flag("nomonitor", NoMonitor),
		flag("noudevrules", NoUdevRules),
		flag("noudevsync", NoUdevSync),
		arg("options", Options),
		flag("precise", Precise),
		arg("programid", ProgramID),
		flag("raw", Raw),
		arg("readahead", ReadAhead),
		flag("region", Region),
		arg("regions", Regions),
		arg("regionid", RegionID),
		flag("relative", Relative),
		flag("retry", Retry),
		flag("rows", Rows),
		flag("segments", Segments),
		arg("separator", Separator),
		flag("setuuid", SetUUID),
		flag("showkeys", ShowKeys),
		arg("sort", Sort),
		arg("start", Start),
		arg("table", Table),
		arg("target", Target),
		flag("tree", Tree),
		arg("uid", UID),
		arg("units", Units),
		arg("uuid", UUID),
		flag("unbuffered", Unbuffered),
		flag("unquoted", Unquoted),
		arg("userdata", UserData),
		arg("verbose", Verbose), // the original requires an argument and ignores it
		flag("verifyudev", VerifyUdev),
		flag("version", Version),
		flag("yes", Yes),
		flag("addnodeonresume", AddNodeOnResume),
		flag("addnodeoncreate", AddNodeOnCreate),

		{Name: "json", Val: int(JSON), Exact: true},
		{Name: "dry-run", Val: int(DryRun), Exact: true},
		{Name: "exit-codes", Val: int(ExitCodes), Exact: true},
		{Name: "udev-timeout", Val: int(UdevTimeout), Arity: getopt.RequiredArgument, Exact: true},
		{Name: "timeout", Val: int(Timeout), Arity: getopt.RequiredArgument, Exact: true},
	}
}
