package mdadm

import "github.com/mdkit/mdkit/internal/cli/mdadm/mdtext"

// Mode is one of mdadm's modes of operation; the zero value means none yet.
type Mode int

// Modes, in the order mdadm(8) explains them.
const (
	NoMode Mode = iota
	Assemble
	Build
	Create
	Manage
	Misc
	Monitor
	Grow
	Incremental
	AutoDetect
)

// String gives the word mdadm's messages use.
func (m Mode) String() string {
	return [...]string{
		"none", "assemble", "build", "create", "manage", "misc",
		"monitor", "grow", "incremental", "auto-detect",
	}[m]
}

// Op is what is to be done with a device: the action in force when it was named.
type Op int

// Ops of manage mode, of misc mode, and of the journal device of a create.
const (
	NoOp Op = iota
	Add
	AddSpare
	AddJournal
	ReAdd
	Remove
	Fail
	ClusterConfirm
	Replace
	With
	WriteJournal // create: the device named with --write-journal

	Query
	Detail
	Examine
	ExamineBitmap
	ExamineBadBlocks
	ZeroSuperblock
	Run
	Stop
	ReadOnly
	ReadWrite
	Wait
	WaitClean
	DetailPlatform
	KillSubarray
	UpdateSubarray
	UdevRules
	Dump
	Restore
	SetAction
)

// Flag is a per-device setting that was set, cleared, or left alone.
type Flag int8

// The values of a Flag.
const (
	FlagUnset Flag = iota
	FlagSet
	FlagClear
)

// Device is a word of the command line that names a device, with the settings
// in force at that point.
type Device struct {
	Name        string
	Op          Op
	WriteMostly Flag
	FailFast    Flag
}

// Unset is the value of a numeric option that was not given, where zero or a
// negative number would mean something (UnSet in mdadm).
const Unset = 0xfffe

// Special sizes of the fields measured in sectors or KiB.
const (
	SizeMax        = -1 // --size=max, --array-size=max
	OffsetVariable = -2 // --data-offset=variable: every device is NAME:OFFSET
)

// Command is a parsed command line.
type Command struct {
	Mode    Mode
	Op      Op       // the action in force at the end of the line
	Devices []Device // in order; in modes that want one, the array comes first

	Verbose   int // -v counts up, -q counts down
	Brief     bool
	Export    int // how often --export was given
	NoDevices bool
	Prefer    string // "/WORD/" of --prefer
	Sparc     bool   // --sparc2.2
	Test      bool
	Scan      bool
	Force     bool
	DryRun    bool // print the plan, change nothing
	JSON      bool // one JSON document instead of text

	RunStop  int // 1 --run, -1 --stop or --no-degraded
	ReadOnly bool
	Update   string
	Config   string
	Action   string // argument of --action
	Subarray string // argument of --kill-subarray or --update-subarray

	HomeHost       string
	AnyHomeHost    bool // --homehost=<ignore>
	HomeCluster    string
	Nodes          int
	UUID           string // as given, already known to have 32 digits
	Name           string
	SuperMinor     int // Unset if not given; -2 for "dev"
	BackupFile     string
	InvalidBackup  bool
	FreezeReshape  bool
	DumpDirectory  string
	nameless       string // an option whose file, address or program has no name
	UdevFile       string
	Symlinks       string
	Auto           int // as mdadm encodes --auto; 0 if not given
	RebuildMap     bool
	IncrementPath  string
	GrowContinue   bool
	ArraySize      int64  // sectors, SizeMax or 0
	BitmapFileOpen string // --assemble --bitmap=FILE

	BackupMetadata  string // folder of --backup-metadata
	RestoreMetadata string // file of --restore-metadata

	Shape    Shape
	Watching Watching

	compat mdtext.Compat // whose words to use: MDADM_COMPAT

	args []string // the whole line as it was given
}

// Shape is the wanted geometry.
type Shape struct {
	Metadata     string  // the identifier as given, "" if none
	Level        int     // Unset, or the kernel's number
	Layout       int     // Unset, or the kernel's number
	LayoutWord   *string // grow: the layout as given
	Chunk        int     // KiB, 0 if not given
	Size         int64   // KiB for each device, SizeMax or 0
	RaidDisks    int
	SpareDisks   int
	JournalDisks int
	DataOffset   int64 // sectors; Unset if not given, or OffsetVariable
	Bitmap       string
	BitmapChunk  int64 // bytes, Unset if not given
	WriteBehind  int
	Delay        int // seconds, 0 if not given
	AssumeClean  bool
	Policy       Policy
}

// Watching is what only --monitor uses.
type Watching struct {
	Mail      string
	Program   string
	PIDFile   string
	Increment int // percent
	Daemonise bool
	Oneshot   bool
	Syslog    bool
	NoSharing bool
}

// Policy is a consistency policy (enum consistency_policy of the kernel's
// sysfs attribute of that name).
type Policy int

// The policies, in mdadm's order; PolicyUnknown means not given.
const (
	PolicyUnknown Policy = iota
	PolicyNone
	PolicyResync
	PolicyBitmap
	PolicyJournal
	PolicyPPL
)

// String gives mdadm's word.
func (p Policy) String() string {
	return [...]string{"unknown", "none", "resync", "bitmap", "journal", "ppl"}[p]
}
