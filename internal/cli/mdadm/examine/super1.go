package examine

import (
	"fmt"
	"strings"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/internal/cli/mdadm/mdtext"
	"github.com/mdkit/mdkit/manage/array/report"
)

// text1 prints a 1.x superblock as --examine does (super1.c,
// examine_super1). Labels, blanks and empty lines are mdadm's: scripts cut
// columns out of them.
func text1(w mdtext.Writer, x *report.Examined, homeHost string, compat mdtext.Compat) {
	s := x.Super1
	fmt.Fprintf(w, "          Magic : %08x\n", s.Magic)
	fmt.Fprintf(w, "        Version : %s\n", version1(s))
	fmt.Fprintf(w, "    Feature Map : 0x%x\n", uint32(s.FeatureMap))
	fmt.Fprintf(w, "     Array UUID : %s\n", s.SetUUID)
	fmt.Fprintf(w, "           Name : %s%s\n", s.Name(), LocalTo1(s, homeHost))
	if x.ClusterNodes() > 0 {
		fmt.Fprintf(w, "   Cluster Name : %-64s\n", x.ClusterName())
	}
	fmt.Fprintf(w, "  Creation Time : %s\n", mdtext.Ctime(seconds1(s.CTime)))
	fmt.Fprintf(w, "     Raid Level : %s\n", mdtext.LevelWord(s.Level))
	fmt.Fprintf(w, "   Raid Devices : %d\n\n", int32(s.RaidDisks))
	sizes1(w, s)
	after, truncated := compat.SpaceAfter(x.SpaceAfter)
	if x.SpaceKnown() {
		fmt.Fprintf(w, "   Unused Space : before=%d sectors, after=%s\n", x.SpaceBefore, after)
	}
	fmt.Fprintf(w, "          State : %s%s\n", mdtext.CleanWord(s.Clean()), truncated)
	fmt.Fprintf(w, "    Device UUID : %s\n\n", s.DeviceUUID)
	switch {
	case s.FeatureMap&md.FeatureBitmapOffset != 0:
		fmt.Fprintf(w, "Internal Bitmap : %d sectors from superblock\n", s.BitmapOffset)
	case s.HasPPL():
		offset, size := s.PPL()
		fmt.Fprintf(w, "            PPL : %d sectors at offset %d sectors from superblock\n", size, offset)
	}
	if s.FeatureMap&md.FeatureReshapeActive != 0 {
		reshape1(w, s)
	}
	if s.DevFlags != 0 {
		w.WriteString("          Flags :")
		if s.DevFlags&md.DevWriteMostly != 0 {
			w.WriteString(" write-mostly")
		}
		if s.DevFlags&md.DevFailFast != 0 {
			w.WriteString(" failfast")
		}
		w.WriteByte('\n')
	}
	fmt.Fprintf(w, "    Update Time : %s\n", mdtext.Ctime(seconds1(s.UTime)))
	if s.BblogSize != 0 && s.BblogOffset != 0 {
		fmt.Fprintf(w, "  Bad Block Log : %d entries available at offset %d sectors",
			int(s.BblogSize)*512/8, s.BblogOffset)
		if s.FeatureMap&md.FeatureBadBlocks != 0 {
			w.WriteString(" - bad blocks present.")
		}
		w.WriteByte('\n')
	}
	mdtext.ChecksumText(w, s.SBCsum, x.Checksum)
	fmt.Fprintf(w, "         Events : %d\n\n", s.Events)
	geometry(w, s.Level, s.Layout, s.ChunkSize/2, s.FeatureMap&md.FeatureRAID0Layout != 0)
	roles1(w, s)
}

// version1 is the version according to the superblock's own field for its place,
// which is how mdadm tells the three apart when it prints them.
func version1(s *md.Super1) string {
	switch {
	case s.SuperOffset <= 4:
		return "1.1"
	case s.SuperOffset <= 8:
		return "1.2"
	}
	return "1.0"
}

// LocalTo1 is mdadm's remark after names that begin with this host's name.
func LocalTo1(s *md.Super1, homeHost string) string {
	if homeHost != "" && len(homeHost) < len(s.SetName) && strings.HasPrefix(s.Name(), homeHost+":") {
		return "  (local to host " + homeHost + ")"
	}
	return ""
}

// seconds1 takes the seconds out of a 1.x time field (md_p.h,
// MD_SUPERBLOCK_1_TIME_SEC_MASK).
func seconds1(v uint64) int64 { return int64(v & (1<<40 - 1)) }

// arraySize1 is the size of the array in bytes, if one member can tell it: ok is
// false for levels at which it cannot. The arithmetic wraps as in C, so that
// nonsense in a superblock prints as mdadm prints it.
func arraySize1(s *md.Super1) (bytes int64, ok bool) {
	disks := dataDisks(s.Level, int32(s.RaidDisks))
	if disks == 0 {
		return 0, false
	}
	copies := layoutCopies(s.Level, s.Layout)
	if copies == 0 {
		return 0, false
	}
	return int64(s.Size<<9) * int64(disks) / int64(copies), true
}

// dataDisks is how many members' worth of data an array holds before its
// copies are counted; 0 for levels at which a member does not know the size.
func dataDisks(level md.Level, raidDisks int32) int32 {
	switch level {
	case md.LevelRAID1:
		return 1
	case md.LevelRAID4, md.LevelRAID5:
		return raidDisks - 1
	case md.LevelRAID6:
		return raidDisks - 2
	case md.LevelRAID10:
		return raidDisks
	}
	return 0
}

// layoutCopies is how many copies of each chunk a raid10 keeps; 1 for other levels,
// and 0 for a layout that makes no sense.
func layoutCopies(level md.Level, layout int32) int32 {
	if level != md.LevelRAID10 {
		return 1
	}
	return (layout & 0xff) * (layout >> 8 & 0xff)
}

func sizes1(w mdtext.Writer, s *md.Super1) {
	fmt.Fprintf(w, " Avail Dev Size : %d sectors%s\n", s.DataSize, mdtext.HumanSize(int64(s.DataSize<<9)))
	// The level is unsigned to mdadm here: linear counts as above 0.
	if s.Level != md.LevelRAID0 {
		if size, ok := arraySize1(s); ok {
			fmt.Fprintf(w, "     Array Size : %d KiB%s\n", uint64(size>>10), mdtext.HumanSize(size))
		}
		if s.Size != s.DataSize {
			fmt.Fprintf(w, "  Used Dev Size : %d sectors%s\n", s.Size, mdtext.HumanSize(int64(s.Size<<9)))
		}
	}
	if s.DataOffset != 0 {
		fmt.Fprintf(w, "    Data Offset : %d sectors\n", s.DataOffset)
	}
	if s.NewOffset != 0 && s.FeatureMap&md.FeatureNewOffset != 0 {
		fmt.Fprintf(w, "     New Offset : %d sectors\n", s.DataOffset+uint64(int64(s.NewOffset)))
	}
	fmt.Fprintf(w, "   Super Offset : %d sectors\n", s.SuperOffset)
	if s.FeatureMap&md.FeatureRecoveryOffset != 0 {
		fmt.Fprintf(w, "Recovery Offset : %d sectors\n", s.RecoveryOffset)
	}
}

func reshape1(w mdtext.Writer, s *md.Super1) {
	reshape(w, reshapeText{
		position: s.ReshapePosition, delta: s.DeltaDisks, disks: int32(s.RaidDisks),
		level: s.Level, newLevel: s.NewLevel, layout: s.Layout, newLayout: s.NewLayout,
		raid10: mdtext.Raid10Layout(s.NewLayout), newChunk: fmt.Sprintf("%dK", s.NewChunk/2), sameChunk: s.NewChunk == s.ChunkSize,
	})
}

// reshapeText is what --examine says about a reshape, whatever the format.
type reshapeText struct {
	position          uint64 // in sectors of the array
	delta, disks      int32
	level, newLevel   md.Level
	layout, newLayout int32
	raid10            string // the new layout, if it is one of raid10
	newChunk          string // the formats differ in its unit
	sameChunk         bool
}

func reshape(w mdtext.Writer, r reshapeText) {
	fmt.Fprintf(w, "  Reshape pos'n : %d%s\n", r.position/2, mdtext.HumanSize(int64(r.position<<9)))
	if r.delta != 0 {
		fmt.Fprintf(w, "  Delta Devices : %d (%d->%d)\n", r.delta, r.disks-r.delta, r.disks)
	}
	if r.newLevel != r.level {
		fmt.Fprintf(w, "      New Level : %s\n", mdtext.LevelWord(r.newLevel))
	}
	if r.newLayout != r.layout {
		switch r.level {
		case md.LevelRAID5, md.LevelRAID6:
			fmt.Fprintf(w, "     New Layout : %s\n", mdtext.LayoutWord(r.level, r.newLayout))
		case md.LevelRAID10:
			fmt.Fprintf(w, "     New Layout :%s\n", r.raid10)
		}
	}
	if !r.sameChunk {
		fmt.Fprintf(w, "  New Chunksize : %s\n", r.newChunk)
	}
	w.WriteByte('\n')
}

// geometry prints the lines of layout and chunk size, followed by an empty
// line even if there are none.
func geometry(w mdtext.Writer, level md.Level, layout int32, chunkKiB uint32, raid0Layout bool) {
	switch level {
	case md.LevelRAID0:
		if raid0Layout {
			fmt.Fprintf(w, "         Layout : %s\n", mdtext.LayoutWord(level, layout))
		}
	case md.LevelRAID5, md.LevelRAID6:
		fmt.Fprintf(w, "         Layout : %s\n", mdtext.LayoutWord(level, layout))
	case md.LevelRAID10:
		fmt.Fprintf(w, "         Layout :%s\n", mdtext.Raid10Layout(layout))
	}
	switch level {
	case md.LevelRAID0, md.LevelRAID4, md.LevelRAID5, md.LevelRAID6, md.LevelRAID10:
		fmt.Fprintf(w, "     Chunk Size : %dK\n", chunkKiB)
	case md.LevelLinear:
		fmt.Fprintf(w, "       Rounding : %dK\n", chunkKiB)
	}
	w.WriteByte('\n')
}

// roles1 prints the role of the device, and which slots are filled according
// to its role table.
func roles1(w mdtext.Writer, s *md.Super1) {
	w.WriteString("   Device Role : ")
	switch role := s.Role(); {
	case role == md.RoleSpare || role == md.RoleFaulty:
		w.WriteString("spare\n")
	case role == md.RoleJournal:
		w.WriteString("Journal\n")
	case s.FeatureMap&md.FeatureReplacement != 0:
		fmt.Fprintf(w, "Replacement device %d\n", uint16(role))
	default:
		fmt.Fprintf(w, "Active device %d\n", uint16(role))
	}
	state, consistent := SlotState1(s)
	fmt.Fprintf(w, "   Array State : %s ('A' == active, '.' == missing, 'R' == replacing)\n", state)
	if consistent {
		return
	}
	w.WriteString("WARNING Array state is inconsistent - each number should appear only once\n")
	for d, role := range s.DevRoles {
		if role >= md.RoleFaulty {
			fmt.Fprintf(w, " %d:-", d)
		} else {
			fmt.Fprintf(w, " %d:%d", d, uint16(role))
		}
	}
	w.WriteByte('\n')
}

// maxSlots bounds the letters of an array state: no superblock has room for more
// devices, so a higher count is damage, not geometry.
const maxSlots = md.Super1MaxDevs

// SlotState1 returns one letter for each slot: A for one device in it, R for two,
// '.' for none. It is inconsistent if a slot holds more, or if a device has a slot
// that the array does not have.
func SlotState1(s *md.Super1) (state string, consistent bool) {
	consistent = true
	slots := uint64(s.RaidDisks)
	if s.FeatureMap&md.FeatureReshapeActive != 0 && s.DeltaDisks < 0 {
		slots += uint64(-int64(s.DeltaDisks))
	}
	count := make([]int, min(slots, maxSlots))
	for _, role := range s.DevRoles {
		if int(role) < len(count) {
			count[role]++
		}
		if role <= md.RoleMax && uint64(role) > slots {
			consistent = false
		}
	}
	letters := make([]byte, len(count))
	for i, n := range count {
		switch {
		case n == 2 && s.Level != md.LevelRAID0:
			letters[i] = 'R'
		case n == 1:
			letters[i] = 'A'
		case n == 0:
			letters[i] = '.'
		default:
			letters[i] = '?'
			consistent = false
		}
	}
	return string(letters), consistent
}
