package examine

import (
	"crypto/sha1"
	"encoding/binary"
	"fmt"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/internal/cli/mdadm/mdtext"
	"github.com/mdkit/mdkit/manage/array/node"
	"github.com/mdkit/mdkit/manage/array/report"
)

// text0 prints a 0.90 superblock as --examine does (super0.c,
// examine_super0). nodes knows the names of the devices in its table.
func text0(w mdtext.Writer, x *report.Examined, homeHost string, nodes *node.Nodes) {
	s := x.Super0
	fmt.Fprintf(w, "          Magic : %08x\n", s.MDMagic)
	fmt.Fprintf(w, "        Version : %d.%02d.%02d\n", int32(s.MajorVersion), int32(s.MinorVersion), int32(s.PatchVersion))
	fmt.Fprintf(w, "           UUID : %s", UUID0(s))
	if s.MinorVersion >= 90 {
		w.WriteString(LocalTo0(s, homeHost))
	}
	w.WriteByte('\n')
	if s.NotPersistent != 0 {
		w.WriteString("           Eedk : not persistent\n")
	}
	fmt.Fprintf(w, "  Creation Time : %s\n", mdtext.Ctime(int64(s.CTime)))
	fmt.Fprintf(w, "     Raid Level : %s\n", mdtext.LevelWord(s.Level))
	if s.Level > 0 {
		fmt.Fprintf(w, "  Used Dev Size : %d%s\n", int32(s.Size), mdtext.HumanSize(int64(s.Size)<<10))
		if size, ok := arraySize0(s); ok {
			fmt.Fprintf(w, "     Array Size : %d%s\n", uint64(size>>10), mdtext.HumanSize(size))
		}
	}
	fmt.Fprintf(w, "   Raid Devices : %d\n", int32(s.RaidDisks))
	fmt.Fprintf(w, "  Total Devices : %d\n", int32(s.NrDisks))
	fmt.Fprintf(w, "Preferred Minor : %d\n\n", int32(s.MDMinor))
	if s.Reshaping() {
		reshape0(w, s)
	}
	fmt.Fprintf(w, "    Update Time : %s\n", mdtext.Ctime(int64(s.UTime)))
	fmt.Fprintf(w, "          State : %s\n", mdtext.CleanWord(s.Clean()))
	if s.State&md.Super0BitmapPresent != 0 {
		w.WriteString("Internal Bitmap : present\n")
	}
	fmt.Fprintf(w, " Active Devices : %d\n", int32(s.ActiveDisks))
	fmt.Fprintf(w, "Working Devices : %d\n", int32(s.WorkingDisks))
	fmt.Fprintf(w, " Failed Devices : %d\n", int32(s.FailedDisks))
	fmt.Fprintf(w, "  Spare Devices : %d\n", int32(s.SpareDisks))
	mdtext.ChecksumText(w, s.SBCsum, x.Checksum)
	fmt.Fprintf(w, "         Events : %d\n\n", s.Events)
	geometry(w, s.Level, s.Layout, s.ChunkSize/1024, false)
	disks0(w, s, nodes)
}

// UUID0 writes the uuid of a 0.90 superblock: four words, or one in formats
// before 0.90.
func UUID0(s *md.Super0) string {
	if s.MinorVersion >= 90 {
		return s.UUID().String()
	}
	return fmt.Sprintf("%08x", s.SetUUID0)
}

// LocalTo0 is mdadm's remark after uuids that were made on this host: their second
// half is the start of the host name's SHA-1.
func LocalTo0(s *md.Super0, homeHost string) string {
	if homeHost == "" {
		return ""
	}
	sum := sha1.Sum([]byte(homeHost))
	uuid := s.UUID().Native(binary.NativeEndian)
	if string(uuid[8:]) == string(sum[:8]) {
		return " (local to host " + homeHost + ")"
	}
	return ""
}

// arraySize0 is arraySize1 for 0.90.
func arraySize0(s *md.Super0) (bytes int64, ok bool) {
	disks := dataDisks(s.Level, int32(s.RaidDisks))
	copies := layoutCopies(s.Level, s.Layout)
	if disks == 0 || copies == 0 {
		return 0, false
	}
	return int64(s.Size) << 10 * int64(disks) / int64(copies), true
}

func reshape0(w mdtext.Writer, s *md.Super0) {
	reshape(w, reshapeText{
		position: s.ReshapePosition, delta: s.DeltaDisks, disks: int32(s.RaidDisks),
		level: s.Level, newLevel: s.NewLevel, layout: s.Layout, newLayout: s.NewLayout,
		raid10: " " + mdtext.Raid10NewLayout(s.NewLayout), newChunk: fmt.Sprint(int32(s.NewChunk)), sameChunk: s.NewChunk == s.ChunkSize,
	})
}

// disks0 prints the table of devices: first the device itself, then all that
// the superblock lists.
func disks0(w mdtext.Writer, s *md.Super0, nodes *node.Nodes) {
	w.WriteString("      Number   Major   Minor   RaidDevice State\n")
	disk0(w, "this", &s.ThisDisk, nodes)
	w.WriteByte('\n')
	rows := int64(int32(s.RaidDisks)) + int64(int32(s.SpareDisks))
	if s.Reshaping() && s.DeltaDisks < 0 {
		rows -= int64(s.DeltaDisks)
	}
	for d := range max(0, min(rows, md.Super0Disks)) {
		disk0(w, fmt.Sprintf("%4d", d), &s.Disks[d], nodes)
	}
}

func disk0(w mdtext.Writer, label string, d *md.Disk0, nodes *node.Nodes) {
	fmt.Fprintf(w, "%4s %5d   %5d    %5d    %5d     ", label,
		int32(d.Number), int32(d.Major), int32(d.Minor), int32(d.RaidDisk))
	for _, word := range []struct {
		on   bool
		text string
	}{
		{d.State&md.DiskFaulty != 0, " faulty"},
		{d.State&md.DiskActive != 0, " active"},
		{d.State&md.DiskSync != 0, " sync"},
		{d.State&md.DiskRemoved != 0, " removed"},
		{d.State&md.DiskWriteMostly != 0, " write-mostly"},
		{d.State&md.DiskFailFast != 0, " failfast"},
		{d.State&^(md.DiskWriteMostly|md.DiskFailFast) == 0, " spare"},
	} {
		if word.on {
			w.WriteString(word.text)
		}
	}
	if name := nodes.Name(d.Major, d.Minor, ""); name != "" {
		w.WriteString("   " + name)
	}
	w.WriteByte('\n')
}
