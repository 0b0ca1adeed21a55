package mdadm

import (
	"fmt"
	"slices"
	"time"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/partition"
	"github.com/mdkit/mdkit/internal/cli/mdadm/examine"
	"github.com/mdkit/mdkit/internal/cli/mdadm/mdtext"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/manage/array/node"
	"github.com/mdkit/mdkit/manage/array/report"
)

// printDocument prints the one document of a command and returns its part of the
// exit code.
func printDocument(std ui.IO, doc any) int {
	if err := std.JSON(doc); err != nil {
		fmt.Fprintf(std.Err, "mdadm: %v\n", err)
		return 1
	}
	return 0
}

// examineDocument is what --examine --json prints. In all documents sizes and
// places are in bytes, times in RFC 3339, and what does not apply is left out.
type examineDocument struct {
	ui.Document
	Devices []examinedDevice `json:"devices"`
}

// examinedDevice is one device of the document. It has Error, or Partitions, or the
// rest.
type examinedDevice struct {
	Device   string `json:"device"`
	Size     int64  `json:"size"` // -1 if it could not be opened
	Error    string `json:"error,omitempty"`
	Metadata string `json:"metadata,omitempty"` // "0.90", "1.0", "1.1", "1.2", "mbr"

	Partitions []partitionJSON `json:"partitions,omitempty"`
	*memberJSON
}

type partitionJSON struct {
	Number int    `json:"number"` // from 0
	Type   int    `json:"type"`
	Start  int64  `json:"start"`
	Size   int64  `json:"size"`
	Hex    string `json:"type_hex"`
}

type memberJSON struct {
	SuperOffset      int64        `json:"superblock_offset"`
	Problem          string       `json:"problem,omitempty"` // why the kernel would not load it
	FeatureMap       uint32       `json:"feature_map"`
	Features         []string     `json:"features"`
	Checksum         string       `json:"checksum"`
	ChecksumExpected string       `json:"checksum_expected"`
	ChecksumCorrect  bool         `json:"checksum_correct"`
	State            string       `json:"state"` // "clean" or "active"
	Events           uint64       `json:"events"`
	UpdateTime       time.Time    `json:"update_time"`
	ResyncOffset     *int64       `json:"resync_offset,omitempty"`
	Array            arrayJSON    `json:"array"`
	Self             selfJSON     `json:"member"`
	Bitmap           *bitmapJSON  `json:"bitmap,omitempty"`
	BitmapLost       string       `json:"bitmap_lost,omitempty"`
	PPL              *areaJSON    `json:"ppl,omitempty"`
	BadBlockLog      *bblogJSON   `json:"bad_block_log,omitempty"`
	Reshape          *reshapeJSON `json:"reshape,omitempty"`
	// SlotState has a letter for each slot: A active, R being replaced, '.'
	// missing, '?' held by too many devices.
	SlotState       string     `json:"slot_state"`
	RolesConsistent bool       `json:"roles_consistent"`
	Roles           []roleJSON `json:"roles"`
	Table           []diskJSON `json:"disks,omitempty"`  // 0.90
	Counts          *countJSON `json:"counts,omitempty"` // 0.90
}

type arrayJSON struct {
	UUID         string    `json:"uuid"`
	Name         string    `json:"name"`
	Local        bool      `json:"local"` // made on this host
	Cluster      string    `json:"cluster,omitempty"`
	Created      time.Time `json:"created"`
	Level        string    `json:"level"`
	LevelNumber  int32     `json:"level_number"`
	Layout       string    `json:"layout,omitempty"`
	LayoutNumber int32     `json:"layout_number"`
	RaidDevices  int       `json:"raid_devices"`
	ChunkSize    int64     `json:"chunk_size"`
	Size         *int64    `json:"size,omitempty"` // if one member can tell
	UsedSize     int64     `json:"used_size"`      // of each member
	Minor        *uint32   `json:"preferred_minor,omitempty"`
}

type selfJSON struct {
	UUID            string `json:"uuid,omitempty"`
	Number          uint32 `json:"number"`
	Role            string `json:"role"` // "active", "replacement", "spare", "faulty", "journal"
	Slot            *int   `json:"slot,omitempty"`
	DataOffset      int64  `json:"data_offset"`
	NewDataOffset   *int64 `json:"new_data_offset,omitempty"`
	DataSize        int64  `json:"data_size"`
	RecoveryOffset  *int64 `json:"recovery_offset,omitempty"`
	JournalTail     *int64 `json:"journal_tail,omitempty"`
	UnusedBefore    *int64 `json:"unused_before,omitempty"`
	UnusedAfter     *int64 `json:"unused_after,omitempty"`
	Truncated       int64  `json:"truncated"` // bytes of data behind the end of the device
	SharedWith      *int   `json:"shared_with_partition,omitempty"`
	WriteMostly     bool   `json:"write_mostly"`
	FailFast        bool   `json:"failfast"`
	CorrectedErrors uint32 `json:"corrected_read_errors"`
	LogicalBlock    uint32 `json:"logical_block_size,omitempty"`
}

type areaJSON struct {
	Offset int64 `json:"offset"` // from the start of the device
	Size   int64 `json:"size"`
}

type bblogJSON struct {
	areaJSON
	Entries  int  `json:"entries"`
	Block    int  `json:"block_size"`
	NotEmpty bool `json:"bad_blocks_present"`
}

type reshapeJSON struct {
	Position     int64  `json:"position"` // of the array
	DeltaDevices int    `json:"delta_devices"`
	Backwards    bool   `json:"backwards"`
	Level        string `json:"new_level"`
	Layout       string `json:"new_layout,omitempty"`
	LayoutNumber int32  `json:"new_layout_number"`
	ChunkSize    int64  `json:"new_chunk_size"`
}

type roleJSON struct {
	Number int    `json:"number"`
	Role   string `json:"role"` // "active", "faulty", "journal"; spares are left out
	Slot   *int   `json:"slot,omitempty"`
}

type diskJSON struct {
	Number int      `json:"number"`
	Major  uint32   `json:"major"`
	Minor  uint32   `json:"minor"`
	Slot   int32    `json:"slot"`
	State  []string `json:"state"`
	Device string   `json:"device,omitempty"`
}

type countJSON struct {
	Total   uint32 `json:"total"`
	Active  uint32 `json:"active"`
	Working uint32 `json:"working"`
	Failed  uint32 `json:"failed"`
	Spare   uint32 `json:"spare"`
}

func (e *examiner) printJSON() int {
	doc := examineDocument{Document: ui.Schema("examine"), Devices: e.docs}
	if doc.Devices == nil {
		doc.Devices = []examinedDevice{}
	}
	return printDocument(e.std, doc)
}

// bytesOf turns sectors into bytes. If they are too many, it returns the largest
// number there is.
func bytesOf(sectors uint64) int64 {
	if sectors > 1<<63/md.SectorSize-1 {
		return 1<<63 - 1
	}
	return int64(sectors) * md.SectorSize
}

func ptr[T any](v T) *T { return &v }

func partitionDocument(d *block.File, table *partition.MBR) examinedDevice {
	doc := examinedDevice{Device: d.Name(), Size: d.Size(), Metadata: "mbr"}
	for i, p := range table.Partitions {
		if p.Sectors != 0 {
			doc.Partitions = append(doc.Partitions, partitionJSON{
				Number: i, Type: int(p.Type), Hex: fmt.Sprintf("%02x", p.Type),
				Start: bytesOf(uint64(p.First)), Size: bytesOf(uint64(p.Sectors)),
			})
		}
	}
	return doc
}

// document describes one member.
func (e *examiner) document(name string, x *report.Examined) examinedDevice {
	m := &memberJSON{
		SuperOffset:      x.Offset,
		FeatureMap:       uint32(x.Features()),
		Features:         append([]string{}, x.Features().Names()...),
		ChecksumExpected: fmt.Sprintf("%08x", x.Checksum),
		State:            mdtext.CleanWord(x.Clean()),
		Events:           x.Events(),
		UpdateTime:       x.UTime(),
		Array:            e.arrayDocument(x),
		Self:             selfDocument(x),
		Reshape:          reshapeDocument(x.Member),
	}
	if x.Err != nil {
		m.Problem = x.Err.Error()
	}
	if r := x.ResyncOffset(); r != md.MaxSector {
		m.ResyncOffset = ptr(bytesOf(r))
	}
	if x.Bitmap != nil {
		m.Bitmap = bitmapDocument(x.Bitmap)
	}
	if x.BitmapLost != nil {
		m.BitmapLost = x.BitmapLost.Error()
	}
	if x.Super0 != nil {
		m.fill0(x.Super0, &e.nodes)
	} else {
		m.fill1(x)
	}
	m.ChecksumCorrect = m.Checksum == m.ChecksumExpected
	return examinedDevice{Device: name, Size: x.Size, Metadata: x.Version.String(), memberJSON: m}
}

func (e *examiner) arrayDocument(x *report.Examined) arrayJSON {
	a := arrayJSON{
		UUID: x.UUID().String(), Name: x.SetName(), Created: x.CTime(), Cluster: x.ClusterName(),
		Level: x.Level().String(), LevelNumber: int32(x.Level()), LayoutNumber: x.Layout(),
		RaidDevices: x.RaidDisks(), ChunkSize: bytesOf(uint64(x.ChunkSectors())), UsedSize: bytesOf(x.UsedSize()),
	}
	a.Layout, _ = md.LayoutName(x.Level(), x.Layout())
	if n := x.ArraySize(); n > 0 {
		a.Size = ptr(bytesOf(n))
	}
	if s := x.Super0; s != nil {
		a.Local = examine.LocalTo0(s, e.homeHost) != ""
		a.Minor = ptr(s.MDMinor)
	} else {
		a.Local = examine.LocalTo1(x.Super1, e.homeHost) != ""
	}
	return a
}

func selfDocument(x *report.Examined) selfJSON {
	d := selfJSON{
		Number: x.DevNumber(), DataOffset: bytesOf(x.DataOffset()), DataSize: bytesOf(x.DataSize()),
		Truncated: bytesOf(x.Truncated()),
	}
	d.Role, d.Slot = roleText(x.Role(), x.Replacement())
	if x.Shared != nil {
		d.SharedWith = ptr(x.Shared.Number)
	}
	if x.Super0 != nil {
		st := x.Super0.ThisDisk.State
		d.WriteMostly, d.FailFast = st&md.DiskWriteMostly != 0, st&md.DiskFailFast != 0
		return d
	}
	s := x.Super1
	d.UUID = s.DeviceUUID.String()
	d.WriteMostly, d.FailFast = s.DevFlags&md.DevWriteMostly != 0, s.DevFlags&md.DevFailFast != 0
	d.CorrectedErrors, d.LogicalBlock = s.CntCorrectedRead, s.LogicalBlockSize
	if s.FeatureMap&md.FeatureNewOffset != 0 {
		d.NewDataOffset = ptr(bytesOf(s.DataOffset + uint64(int64(s.NewOffset))))
	}
	switch {
	case s.Role() == md.RoleJournal:
		d.JournalTail = ptr(bytesOf(s.JournalTail()))
	case s.FeatureMap&md.FeatureRecoveryOffset != 0:
		d.RecoveryOffset = ptr(bytesOf(s.RecoveryOffset))
	}
	if x.SpaceKnown() {
		d.UnusedBefore = ptr(int64(x.SpaceBefore) * md.SectorSize)
		d.UnusedAfter = ptr(int64(x.SpaceAfter) * md.SectorSize)
	}
	return d
}

// roleText is a role as JSON shows it: a word, and the slot if there is one.
func roleText(r md.Role, replacement bool) (word string, slot *int) {
	n, ok := r.Slot()
	switch {
	case ok && replacement:
		return "replacement", &n
	case ok:
		return "active", &n
	case r == md.RoleFaulty:
		return "faulty", nil
	case r == md.RoleJournal:
		return "journal", nil
	}
	return "spare", nil
}

func reshapeDocument(m *md.Member) *reshapeJSON {
	r := m.Reshape()
	if r == nil {
		return nil
	}
	d := &reshapeJSON{
		Position: bytesOf(r.Position), DeltaDevices: r.Delta, Backwards: r.Backwards,
		Level: r.Level.String(), LayoutNumber: r.Layout, ChunkSize: bytesOf(uint64(r.Chunk)),
	}
	d.Layout, _ = md.LayoutName(r.Level, r.Layout)
	return d
}

func (m *memberJSON) fill1(x *report.Examined) {
	s := x.Super1
	m.Checksum = fmt.Sprintf("%08x", s.SBCsum)
	if offset, size := s.PPL(); s.HasPPL() && x.Bitmap == nil {
		m.PPL = &areaJSON{x.Offset + int64(offset)*md.SectorSize, int64(size) * md.SectorSize}
	}
	if off, length, ok := x.BadBlockLog(); ok {
		m.BadBlockLog = &bblogJSON{
			areaJSON: areaJSON{off, length}, Entries: int(length / 8),
			Block: md.SectorSize << min(s.BblogShift, 21), NotEmpty: s.FeatureMap&md.FeatureBadBlocks != 0,
		}
	}
	m.SlotState, m.RolesConsistent = examine.SlotState1(s)
	m.Roles = []roleJSON{}
	for i, r := range s.DevRoles {
		if r == md.RoleSpare {
			continue
		}
		word, slot := roleText(r, false)
		m.Roles = append(m.Roles, roleJSON{Number: i, Role: word, Slot: slot})
	}
}

func (m *memberJSON) fill0(s *md.Super0, nodes *node.Nodes) {
	m.Checksum = fmt.Sprintf("%08x", s.SBCsum)
	m.Counts = &countJSON{s.NrDisks, s.ActiveDisks, s.WorkingDisks, s.FailedDisks, s.SpareDisks}
	letters := slices.Repeat([]byte{'.'}, int(min(s.RaidDisks, md.Super0Disks)))
	m.Roles = []roleJSON{}
	m.RolesConsistent = true
	for i := range s.Disks {
		d := &s.Disks[i]
		if d.Major == 0 && d.Minor == 0 {
			continue
		}
		m.Table = append(m.Table, diskJSON{
			Number: int(d.Number), Major: d.Major, Minor: d.Minor, Slot: int32(d.RaidDisk),
			State: diskWords(d.State), Device: nodes.Name(d.Major, d.Minor, ""),
		})
		if d.State&md.DiskSync == 0 || int(d.RaidDisk) >= len(letters) {
			continue
		}
		if letters[d.RaidDisk] != '.' {
			letters[d.RaidDisk], m.RolesConsistent = '?', false
			continue
		}
		letters[d.RaidDisk] = 'A'
		m.Roles = append(m.Roles, roleJSON{Number: i, Role: "active", Slot: ptr(int(d.RaidDisk))})
	}
	m.SlotState = string(letters)
}

// diskWords are the state bits of a disk descriptor as words; without any it is a
// spare.
func diskWords(st md.DiskState) []string {
	words := []string{}
	for _, w := range []struct {
		bit  md.DiskState
		word string
	}{
		{md.DiskFaulty, "faulty"},
		{md.DiskActive, "active"},
		{md.DiskSync, "sync"},
		{md.DiskRemoved, "removed"},
		{md.DiskWriteMostly, "write_mostly"},
		{md.DiskFailFast, "failfast"},
		{md.DiskJournal, "journal"},
	} {
		if st&w.bit != 0 {
			words = append(words, w.word)
		}
	}
	if len(words) == 0 {
		words = append(words, "spare")
	}
	return words
}
