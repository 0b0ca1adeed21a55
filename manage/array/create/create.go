// Package create plans new arrays: to create one on devices (PlanCreate), or to build
// one that has no metadata (PlanBuild). If a plan fails, every device is left as it was.
package create

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/fresh"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/sysfs"
)

// Missing is the word that stands for a device that is to be added later.
const Missing = "missing"

// CreateRequest asks for a new array. Fields that are not set get mdadm's defaults.
type CreateRequest struct {
	Device   string // "/dev/md0", "/dev/md/home", "home"
	Name     string // kept in 1.x metadata; by default taken from Device
	HomeHost string // the host the array belongs to; empty for none
	UUID     *md.UUID

	Version    *md.Version // nil for 1.2
	Level      md.Level
	Layout     *int32
	Chunk      int    // KiB, 0 for the default; for linear the rounding unit
	Size       uint64 // KiB to use on each device, 0 for as much as possible
	RaidDisks  int
	SpareDisks int
	Members    []CreateMember
	DataOffset *uint64 // sectors; nil for the default

	Bitmap      string // "internal", "clustered", "none", or "" for mdadm's choice by size
	BitmapChunk uint64 // bytes, 0 for the default
	Delay       uint32 // seconds between updates of the bitmap
	WriteBehind uint32
	Nodes       uint32 // of the cluster that shares the array: a clustered bitmap has a copy for each
	Cluster     string // the cluster's name
	Resync      bool   // the consistency policy is resync: by default no bitmap
	PPL         bool   // the consistency policy is ppl

	AssumeClean bool
	Force       bool // take the devices as listed: do not make a spare of the last
	Run         bool // ask no questions
	ReadOnly    bool
	Verbose     int

	FS      sysfs.FS
	Report  note.Reporter
	Confirm func() bool // asks whether to go on in spite of what was reported; nil means no
	Now     time.Time   // creation time of the array; zero for the current time
	Random  io.Reader   // source of uuids; nil for the system's
}

// CreateMember is a device of a new array.
type CreateMember struct {
	Path        string  // or Missing
	DataOffset  *uint64 // sectors; nil for the array's
	Journal     bool
	WriteMostly bool
	FailFast    bool
}

func (m CreateMember) missing() bool { return strings.EqualFold(m.Path, Missing) }

// Failures of planning. They have been reported in full.
var (
	// ErrDevice marks a device that cannot be opened or is not a block device; mdadm
	// exits with 2 for it and with 1 for all other failures.
	ErrDevice = errors.New("a device cannot be used")
	// ErrRefused marks a request that makes no sense or was withdrawn.
	ErrRefused = errors.New("not created")
)

// never is the loudness of what mdadm does not print.
const never note.Loudness = 1 << 30

// creator plans a creation, in the order of mdadm's Create.c.
type creator struct {
	CreateRequest

	version   md.Version
	versioned bool // version has been decided
	defaulted bool // version was chosen by default
	layout    int32
	ownLayout bool // a layout was asked for
	chunk     int  // KiB; unsetChunk until a format gives its default
	ownChunk  bool
	size      uint64 // KiB

	dataOffset uint64 // of the array, taken from its first device
	blocks     blocks
	devices    []createDevice

	active, working, missingDisks int
	firstMissing, secondMissing   int
	insert                        int // index of the device that becomes a spare, see insertSpare

	min, max         uint64 // KiB
	minName, maxName string
	warned, failed   bool
	bootNote         bool
}

// createDevice is a member that has been examined.
type createDevice struct {
	CreateMember
	bytes        uint64
	major, minor uint32
	start, free  uint64         // where data begins, and how much there is room for, in sectors
	stale        []fresh.Extent // writes that wipe its superblocks
	partitions   []int          // numbers of the partitions that the kernel knows
}

const unsetChunk = -1

// refuse reports why the array is not created.
func (c *creator) refuse(id note.ID, args ...any) error {
	return c.Report.Fail(fmt.Errorf("%w: %s", ErrRefused, id), id, args...)
}

// PlanCreate decides everything about a new array and returns the plan that makes it. It
// reads the devices and writes nothing. Its messages go to req.Report.
func PlanCreate(req CreateRequest) (*Creation, error) {
	if req.Random == nil {
		req.Random = rand.Reader
	}
	if req.Now.IsZero() {
		req.Now = time.Now()
	}
	c := &creator{CreateRequest: req, dataOffset: fresh.DefaultDataOffset}
	far := len(req.Members) * 2 // after all devices
	c.firstMissing, c.secondMissing, c.insert = far, far, far
	for _, step := range []func() error{
		c.checkShape, c.chooseGeometry, c.examineAll, c.settleSize, c.fitBlocks, c.settleLayout, c.chooseBitmap, c.confirm, c.insertSpare,
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return c.plan()
}

// checkShape refuses what would be wrong with any devices.
func (c *creator) checkShape() error {
	listed, spares, journals := len(c.Members), c.SpareDisks, 0
	for _, m := range c.Members {
		if m.Journal {
			journals++
		}
	}
	wanted := c.RaidDisks + spares + journals
	switch {
	case c.Level == md.LevelRAID6 && c.RaidDisks < 4:
		return c.refuse("create.at-least-4-raid-devices-needed-for-level")
	case c.Level == md.LevelRAID6 && c.RaidDisks > 256:
		return c.refuse("create.no-more-than-256-raid-devices-supported")
	case c.Level >= 4 && c.RaidDisks < 2:
		return c.refuse("create.at-least-2-raid-devices-needed-for-level", c.Level)
	case c.Level <= 0 && spares > 0:
		return c.refuse("create.this-level-does-not-support-spare-devices")
	case listed > wanted:
		return c.refuse("create.you-have-listed-more-devices-than-are-array", listed, c.RaidDisks+spares)
	case listed < wanted:
		return c.refuse("create.you-havent-given-enough-devices-real-or-missing")
	case c.Bitmap != "" && c.Level <= 0:
		return c.refuse("create.bitmaps-not-meaningful-with-level", c.Level)
	case c.Bitmap == clustered:
		return c.checkClustered()
	}
	return nil
}

// clustered is the word for a bitmap with a copy for each node.
const clustered = "clustered"

// checkClustered refuses what nodes cannot share.
func (c *creator) checkClustered() error {
	switch {
	case c.Nodes <= 1:
		return c.refuse("create.at-least-2-nodes-needed")
	case c.Cluster == "":
		return c.refuse("create.no-cluster-name")
	case c.Version != nil && *c.Version != md.V12:
		// The copies of 1.0 would reach into the superblock, those of 0.90 have no place.
		return c.refuse("create.clustered-only-1-2", *c.Version)
	}
	return nil
}

// sharedEvenly refuses members that are read less than others: each node would choose for
// itself.
func (c *creator) sharedEvenly() error {
	for _, m := range c.Members {
		if m.WriteMostly && c.Bitmap == clustered {
			return c.refuse("create.no-write-mostly-with-clustered-bitmap", m.Path)
		}
	}
	return nil
}

// defaultLayout takes the level's default and reports it.
func (c *creator) defaultLayout(l note.Loudness) {
	c.layout = fresh.DefaultLayout(c.Level)
	switch c.Level {
	case md.LevelRAID5, md.LevelRAID6, md.LevelRAID10:
		word, _ := md.LayoutName(c.Level, c.layout)
		c.Report.Say(l, "create.layout-defaults", word)
	case md.LevelFaulty:
		c.Report.Say(l, "create.layout-defaults-clear")
	}
}

// chooseGeometry decides what can be decided without looking at a device.
func (c *creator) chooseGeometry() error {
	if c.ownLayout = c.Layout != nil; c.ownLayout {
		c.layout = *c.Layout
	} else {
		c.defaultLayout(note.Chatty)
	}
	if c.Level == md.LevelRAID10 {
		if need := int(c.layout&255) * int(c.layout>>8&255); need > c.RaidDisks {
			return c.refuse("create.that-layout-requires-at-least-devices", need)
		}
	}
	c.chunk, c.ownChunk = c.Chunk, true
	switch {
	case c.Level.Striped() && c.chunk == 0:
		c.chunk, c.ownChunk = unsetChunk, false
	case c.Level.Striped(), c.Level == md.LevelLinear:
	case c.chunk != 0:
		return c.refuse("create.specifying-chunk-size-forbidden-for-this-level")
	}
	c.size = c.Size
	if c.chunk > 0 && !c.roundSize() {
		return &note.Reported{Err: ErrRefused}
	}
	if c.Version != nil {
		c.version, c.versioned = *c.Version, true
		if !c.allowed(note.Normal) || !c.settleChunk() {
			return &note.Reported{Err: ErrRefused}
		}
	}
	return nil
}

// roundSize rounds the size down to whole chunks.
func (c *creator) roundSize() bool {
	if c.size == 0 {
		return true
	}
	if c.size &^= uint64(c.chunk) - 1; c.size == 0 {
		c.Report.Say(note.Always, "create.size-cannot-be-smaller-than-chunk")
		return false
	}
	return true
}

// settleChunk reports a default chunk once the format has determined it.
func (c *creator) settleChunk() bool {
	if c.chunk <= 0 || c.ownChunk {
		return true
	}
	c.ownChunk = true
	c.Report.Say(note.Chatty, "create.chunk-size-defaults-k", c.chunk)
	return c.roundSize()
}

// allowed checks the request against the format (validate_geometry of super0.c and
// super1.c without a device) and fills in the chunk.
func (c *creator) allowed(l note.Loudness) bool {
	if c.version == md.V090 && !c.allowed0(l) {
		return false
	}
	if c.chunk == unsetChunk {
		c.chunk = fresh.DefaultChunk / 2
	}
	if c.version == md.V090 && c.Level == md.LevelRAID0 && c.ownLayout && c.layout != md.LayoutRAID0Unspecified {
		c.Report.Say(l, "create.0-90-metadata-does-not-support-layouts")
		return false
	}
	return true
}

// limit0 is the size of the largest device that 0.90 supports, in sectors.
const limit0 = 4 << 40 / md.SectorSize

func (c *creator) allowed0(l note.Loudness) bool {
	switch {
	case c.RaidDisks > md.Super0Disks:
		c.Report.Say(l, "create.0-90-metadata-supports-at-most-devices-per", md.Super0Disks)
		return false
	case c.size*2 >= limit0:
		c.Report.Say(l, "create.0-90-metadata-supports-at-most-4-terabytes")
		return false
	}
	return true
}

// settleSize takes the size of the smallest device if no size was given.
func (c *creator) settleSize() error {
	switch {
	case c.missingDisks == len(c.Members):
		return c.refuse("create.subdevs-cant-be-all-missing")
	case c.RaidDisks+c.SpareDisks > c.maxDevices():
		name := "1.x"
		if c.version == md.V090 {
			name = "0.90"
		}
		return c.refuse("create.too-many-devices-metadata-only-supports", name, c.maxDevices())
	case c.failed:
		return c.refuse("create.create-aborted")
	}
	if c.size == 0 {
		if c.minName == "" {
			return c.refuse("create.no-size-and-no-drives-given-aborting-create")
		}
		if c.Level > 0 || c.Level == md.LevelMultipath || c.Level == md.LevelFaulty {
			c.size = c.min
			if !c.allowed(never) {
				return c.refuse("create.devices-too-large-for-raid-level", c.Level)
			}
			if c.Level == md.LevelRAID1 {
				c.size &^= 63 // a multiple of 64 KiB, for chunks in a later reshape
			}
			c.size -= c.size % c.blocks.kib()
			c.Report.Say(note.Chatty, "create.size-set-k", c.size)
		}
	}
	return nil
}

// settleLayout leaves the layout of a raid0 with metadata 0.90 open, which has no place
// for one. That is safe if all devices are of one size, so that all layouts are the same;
// else it has to be asked for. mdadm 4.2 refuses all of them.
func (c *creator) settleLayout() error {
	if c.version != md.V090 || c.Level != md.LevelRAID0 || c.ownLayout {
		return nil
	}
	c.layout = md.LayoutRAID0Unspecified
	if c.min/uint64(c.chunk) != c.max/uint64(c.chunk) {
		return c.refuse("create.need-explicit-layout-dangerous")
	}
	return nil
}

func (c *creator) maxDevices() int {
	if c.version == md.V090 {
		return md.Super0Disks
	}
	return md.Super1MaxDevs
}

// bitmapFrom is the size of a device, in KiB, above which an array gets a bitmap by
// default.
const bitmapFrom = 100 << 20

// chooseBitmap adds a bitmap if mdadm would.
func (c *creator) chooseBitmap() error {
	journal := false
	for _, m := range c.Members {
		journal = journal || m.Journal
	}
	if c.Bitmap == "" && c.Level >= 1 && !journal && !c.Resync && !c.PPL &&
		(c.WriteBehind > 0 || c.size > bitmapFrom) {
		c.Report.Say(note.Chatty, "create.automatically-enabling-write-intent-bitmap-on-large-array")
		c.Bitmap = "internal"
	}
	if c.Bitmap == "none" {
		c.Bitmap = ""
	}
	if c.PPL && c.version == md.V090 {
		return c.refuse("create.0-90-metadata-does-not-support-ppl")
	}
	return nil
}

// confirm asks for confirmation if anything looked odd.
func (c *creator) confirm() error {
	if c.Level > 0 && (c.max-c.size)*100 > c.max {
		c.odd("create.largest-drive-exceeds-size-k-by-more", c.maxName, c.size)
	}
	switch {
	case !c.warned:
		return nil
	case c.Run:
		c.Report.Say(note.Chatty, "create.creation-continuing-despite-oddities-due-run")
		return nil
	case c.Confirm != nil && c.Confirm():
		return nil
	}
	return c.refuse("create.create-aborted-2")
}

// odd reports something that has to be confirmed. With --run and --quiet it is not
// reported.
func (c *creator) odd(id note.ID, args ...any) {
	c.warned = true
	if !c.Run || c.Verbose >= 0 {
		c.Report.Say(note.Always, id, args...)
	}
}

// insertSpare makes one active device a spare: in a new raid4 or raid5, where rebuilding
// it is faster than resyncing all, and in a raid6 with one device missing, which could
// not start otherwise.
func (c *creator) insertSpare() error {
	takeOut := func(slot int) {
		c.insert = slot
		c.SpareDisks++
		c.active--
		c.missingDisks++
	}
	if !c.AssumeClean && !c.Force {
		complete := c.firstMissing >= c.RaidDisks
		switch {
		case complete && (c.Level == md.LevelRAID4 || c.Level == md.LevelRAID5):
			takeOut(c.RaidDisks - 1)
		case !complete && c.secondMissing >= c.RaidDisks && c.Level == md.LevelRAID6:
			slot := c.RaidDisks - 1
			if slot == c.firstMissing {
				slot--
			}
			takeOut(slot)
		}
	}
	if c.Level <= 0 && c.firstMissing < len(c.Members)*2 {
		return c.refuse("create.this-level-does-not-support-missing-devices")
	}
	return nil
}

// clean reports whether the array starts without a resync.
func (c *creator) clean() bool {
	switch {
	case c.AssumeClean, c.Level <= 0:
		return true
	case c.Level == md.LevelRAID4, c.Level == md.LevelRAID5:
		return c.insert < c.RaidDisks || c.firstMissing < c.RaidDisks
	case c.Level == md.LevelRAID6:
		return c.insert < c.RaidDisks || c.secondMissing < c.RaidDisks
	}
	return false
}

// newUUID reads sixteen random bytes.
func (c *creator) newUUID() (u md.UUID, err error) {
	if _, err := io.ReadFull(c.Random, u[:]); err != nil {
		return u, fmt.Errorf("draw a uuid: %w", err)
	}
	return u, nil
}

func (c *creator) newSeq() (uint64, error) {
	var b [4]byte
	if _, err := io.ReadFull(c.Random, b[:]); err != nil {
		return 0, fmt.Errorf("draw a sequence number: %w", err)
	}
	return uint64(binary.NativeEndian.Uint32(b[:])), nil
}
