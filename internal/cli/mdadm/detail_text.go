package mdadm

import (
	"fmt"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/internal/cli/mdadm/examine"
	"github.com/mdkit/mdkit/internal/cli/mdadm/mdtext"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/array/report"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// text prints an array as --detail does. Blanks and empty lines are mdadm's.
func (t *detailer) text(d *report.Detail) {
	t.head(d)
	t.sizes(d)
	t.bitmapLine(d)
	if d.Info.UTime != 0 {
		fmt.Fprintf(t.w, "       Update Time : %s\n", mdtext.Ctime(int64(d.Info.UTime)))
	}
	t.state(d)
	t.geometry(d)
	t.progress(d)
	t.super(d)
	if d.Info.RaidDisks == 0 && d.Metadata.Kind == sysmd.MetadataExternal && d.Metadata.External != "" &&
		d.Metadata.External[0] != '/' {
		t.w.WriteString("     Member Arrays :")
		for _, name := range t.reports.ArraysIn(d.Name) {
			t.w.WriteString(" " + t.reports.ArrayNode(name, t.cmd.Prefer))
		}
		t.w.WriteString("\n\n")
	}
	if t.cmd.NoDevices {
		return
	}
	if d.Info.RaidDisks != 0 {
		t.w.WriteString("    Number   Major   Minor   RaidDevice State\n")
	} else {
		t.w.WriteString("    Number   Major   Minor   RaidDevice\n")
	}
	t.table(d)
}

func (t *detailer) head(d *report.Detail) {
	w := t.w
	fmt.Fprintf(w, "%s:\n", d.Path)
	if device, member, ok := t.container(d); ok {
		fmt.Fprintf(w, "         Container : %s, member %s\n", device, member)
	} else {
		fmt.Fprintf(w, "           Version : %s\n", metadataText(d))
	}
	if d.Info.CTime != 0 {
		fmt.Fprintf(w, "     Creation Time : %s\n", mdtext.Ctime(int64(d.Info.CTime)))
	}
	level := detailLevel(d)
	if d.Container() {
		level = "container"
	}
	if level != "" {
		fmt.Fprintf(w, "        Raid Level : %s\n", level)
	}
}

func (t *detailer) sizes(d *report.Detail) {
	w := t.w
	if d.Size != 0 {
		fmt.Fprintf(w, "        Array Size : %d%s\n", d.Size>>10, mdtext.HumanSize(d.Size))
	}
	native := d.Metadata.Kind == sysmd.MetadataNative
	if d.Info.Level >= 1 {
		old := native && d.Metadata.Major == 0
		const fits32 = 0xffffffff
		switch {
		case old || d.Size < fits32 && d.Info.Size != 0:
			fmt.Fprintf(w, "     Used Dev Size : %d%s\n", uint64(int64(d.Info.Size)), mdtext.HumanSize(int64(d.Info.Size)<<10))
		case d.ComponentSize > 0:
			fmt.Fprintf(w, "     Used Dev Size : %d%s\n", d.ComponentSize>>10, mdtext.HumanSize(d.ComponentSize))
		default:
			w.WriteString("     Used Dev Size : unknown\n")
		}
	}
	if d.Info.RaidDisks != 0 {
		fmt.Fprintf(w, "      Raid Devices : %d\n", d.Info.RaidDisks)
	}
	fmt.Fprintf(w, "     Total Devices : %d\n", d.Info.NrDisks)
	if native && d.Metadata.Major == 0 {
		fmt.Fprintf(w, "   Preferred Minor : %d\n", d.Info.MDMinor)
	}
	if native {
		not := ""
		if d.Info.NotPersistent != 0 {
			not = "not "
		}
		fmt.Fprintf(w, "       Persistence : Superblock is %spersistent\n", not)
	}
	w.WriteByte('\n')
}

func (t *detailer) bitmapLine(d *report.Detail) {
	switch {
	case d.BitmapFile != "":
		fmt.Fprintf(t.w, "     Intent Bitmap : %s\n\n", d.BitmapFile)
	case d.Info.State&mdctl.ArrayClustered != 0:
		t.w.WriteString("     Intent Bitmap : Internal(Clustered)\n\n")
	case d.Info.State&mdctl.ArrayBitmapPresent != 0:
		t.w.WriteString("     Intent Bitmap : Internal\n\n")
	}
}

// state prints the line with the array's state, which ends in a blank, and the
// counts of devices.
func (t *detailer) state(d *report.Detail) {
	w := t.w
	running := d.Info.RaidDisks != 0
	switch {
	case running:
		fmt.Fprintf(w, "             State : %s%s%s%s%s \n", t.stateWord(d), redundancy(d), syncWord(d.Sync),
			notStarted(d), syncWait(d.Sync))
	case d.Inactive() && !d.Container():
		w.WriteString("             State : inactive\n")
	}
	all := t.cmd.compat >= mdtext.Mdadm46 // also those of an array that does not run
	count := func(shown bool, kind string, n int32) {
		if shown || all {
			fmt.Fprintf(w, "%10s Devices : %d\n", kind, n)
		}
	}
	count(running, "Active", d.Info.ActiveDisks)
	count(d.Info.WorkingDisks > 0, "Working", d.Info.WorkingDisks)
	count(running, "Failed", d.Info.FailedDisks)
	count(running && d.Metadata.Kind != sysmd.MetadataExternal, "Spare", d.Info.SpareDisks)
	w.WriteByte('\n')
}

func (t *detailer) stateWord(d *report.Detail) string {
	level := md.Level(d.Info.Level)
	switch {
	case d.Info.State&mdctl.ArrayClean != 0 && (level == md.LevelRAID0 || level == md.LevelLinear):
		return d.State
	case d.Info.State&mdctl.ArrayClean != 0:
		return "clean"
	case d.Info.State&mdctl.ArrayClustered != 0 && !t.reports.BitmapDirty(d):
		// This node does not know what the others are writing, but the bitmap does.
		return "clean"
	}
	return "active"
}

func redundancy(d *report.Detail) string {
	for _, ok := range d.Available() {
		switch {
		case ok:
		case d.Enough():
			return ", degraded"
		default:
			return ", FAILED"
		}
	}
	return ""
}

// syncKind returns mdadm's words for an action by its name in mdstat.
func syncKind(action string) (doing, noun string) {
	switch action {
	case "resync":
		return "resyncing", "Resync"
	case "reshape":
		return "reshaping", "Reshape"
	case "check":
		return "checking", "Check"
	}
	return "recovering", "Rebuild"
}

func syncWord(s *sysmd.MdstatSync) string {
	if s == nil {
		return ""
	}
	doing, _ := syncKind(s.Action)
	return ", " + doing
}

func notStarted(d *report.Detail) string {
	if d.Size == 0 {
		return ", Not Started"
	}
	return ""
}

func syncWait(s *sysmd.MdstatSync) string {
	switch {
	case s == nil:
	case s.Delayed:
		return " (DELAYED)"
	case s.Pending:
		return " (PENDING)"
	case s.Remote:
		return " (REMOTE)"
	}
	return ""
}

func (t *detailer) geometry(d *report.Detail) {
	w := t.w
	level, layout := md.Level(d.Info.Level), d.Info.Layout
	switch {
	case level == md.LevelRAID5, level == md.LevelRAID6, level == md.LevelRAID0 && layout != 0:
		fmt.Fprintf(w, "            Layout : %s\n", mdtext.LayoutWord(level, layout))
	case level == md.LevelRAID10:
		fmt.Fprintf(w, "            Layout :%s\n", mdtext.Raid10Layout(layout))
	}
	switch level {
	case md.LevelRAID0, md.LevelRAID4, md.LevelRAID5, md.LevelRAID6, md.LevelRAID10:
		if d.Info.ChunkSize != 0 {
			fmt.Fprintf(w, "        Chunk Size : %dK\n\n", d.Info.ChunkSize/1024)
		}
	case md.LevelLinear:
		fmt.Fprintf(w, "          Rounding : %dK\n\n", d.Info.ChunkSize/1024)
	}
	if d.Info.RaidDisks != 0 {
		policy := d.Policy
		switch sysmd.ConsistencyPolicy(policy) {
		case sysmd.PolicyNone, sysmd.PolicyResync, sysmd.PolicyBitmap, sysmd.PolicyJournal, sysmd.PolicyPPL:
		default:
			policy = string(sysmd.PolicyUnknown)
		}
		fmt.Fprintf(w, "Consistency Policy : %s\n\n", policy)
	}
}

// progress prints how far a sync has got, and the new shape of a reshape.
func (t *detailer) progress(d *report.Detail) {
	w := t.w
	moving := d.Sync != nil && d.Sync.Running()
	if moving {
		_, noun := syncKind(d.Sync.Action)
		fmt.Fprintf(w, "    %7s Status : %d%% complete\n", noun, d.Sync.PerMille/10)
	}
	var reshape *md.Reshape
	if d.Super != nil {
		reshape = d.Super.Reshape()
	}
	if reshape == nil {
		if moving {
			w.WriteByte('\n')
		}
		return
	}
	level, layout := md.Level(d.Info.Level), d.Info.Layout
	if reshape.Delta != 0 {
		fmt.Fprintf(w, "     Delta Devices : %d, (%d->%d)\n", reshape.Delta,
			int(d.Info.RaidDisks)-reshape.Delta, d.Info.RaidDisks)
	}
	if reshape.Level != level {
		fmt.Fprintf(w, "         New Level : %s\n", mdtext.LevelWord(reshape.Level))
	}
	if reshape.Level != level || reshape.Layout != layout {
		switch reshape.Level {
		case md.LevelRAID5, md.LevelRAID6:
			fmt.Fprintf(w, "        New Layout : %s\n", mdtext.LayoutWord(reshape.Level, reshape.Layout))
		case md.LevelRAID10:
			fmt.Fprintf(w, "        New Layout : %s\n", mdtext.Raid10NewLayout(reshape.Layout))
		}
	}
	if chunk := int64(reshape.Chunk) * md.SectorSize; chunk != int64(d.Info.ChunkSize) {
		fmt.Fprintf(w, "     New Chunksize : %dK\n", chunk/1024)
	}
	w.WriteByte('\n')
}

// super prints what only the superblock knows.
func (t *detailer) super(d *report.Detail) {
	switch {
	case d.Super == nil:
	case d.Super.Super0 != nil:
		s := d.Super.Super0
		fmt.Fprintf(t.w, "              UUID : %s%s\n", examine.UUID0(s), examine.LocalTo0(s, t.homeHost))
		fmt.Fprintf(t.w, "            Events : %d.%d\n\n", int32(s.Events>>32), int32(s.Events))
	default:
		s := d.Super.Super1
		fmt.Fprintf(t.w, "              Name : %s%s\n", s.Name(), examine.LocalTo1(s, t.homeHost))
		if d.Super.ClusterNodes() > 0 {
			fmt.Fprintf(t.w, "      Cluster Name : %-64s\n", d.Super.ClusterName())
		}
		fmt.Fprintf(t.w, "              UUID : %s\n", s.SetUUID)
		fmt.Fprintf(t.w, "            Events : %d\n\n", s.Events)
	}
}

// table prints the devices. An empty line precedes those that are in no slot.
func (t *detailer) table(d *report.Detail) {
	slots, others := d.Rows()
	for _, pair := range slots {
		t.row(d, pair[0])
		if !pair[1].Empty() {
			t.row(d, pair[1])
		}
	}
	for i, r := range others {
		if i == 0 {
			t.w.WriteByte('\n')
		}
		t.row(d, r)
	}
}

func (t *detailer) row(d *report.Detail, r report.Row) {
	w := t.w
	switch {
	case r.Number < 0 && r.RaidDisk < 0:
		fmt.Fprintf(w, "       -   %5d    %5d        -     ", r.Major, r.Minor)
	case r.RaidDisk < 0 || r.State&mdctl.DiskJournal != 0:
		fmt.Fprintf(w, "   %5d   %5d    %5d        -     ", r.Number, r.Major, r.Minor)
	case r.Number < 0:
		fmt.Fprintf(w, "       -   %5d    %5d    %5d     ", r.Major, r.Minor, r.RaidDisk)
	default:
		fmt.Fprintf(w, "   %5d   %5d    %5d    %5d     ", r.Number, r.Major, r.Minor, r.RaidDisk)
	}
	if d.Info.RaidDisks != 0 {
		for _, word := range rowWords(d, r) {
			w.WriteString(" " + word)
		}
	}
	switch name := t.reports.Nodes.Name(uint32(r.Major), uint32(r.Minor), t.cmd.Prefer); {
	case name != "":
		w.WriteString("   " + name)
	case !r.Empty():
		w.WriteString("   missing")
	}
	w.WriteByte('\n')
}

// rowWords lists the words for a device's state, in mdadm's order.
func rowWords(d *report.Detail, r report.Row) []string {
	var words []string
	for _, w := range []struct {
		bit  mdctl.DiskState
		word string
	}{
		{mdctl.DiskFaulty, "faulty"},
		{mdctl.DiskActive, "active"},
		{mdctl.DiskSync, "sync"},
		{mdctl.DiskRemoved, "removed"},
		{mdctl.DiskWriteMostly, "writemostly"},
		{mdctl.DiskFailFast, "failfast"},
		{mdctl.DiskJournal, "journal"},
	} {
		if r.State&w.bit == 0 {
			continue
		}
		words = append(words, w.word)
		if w.bit == mdctl.DiskSync {
			if set := copySet(d, r); set != "" {
				words = append(words, set)
			}
		}
	}
	const known = mdctl.DiskActive | mdctl.DiskSync | mdctl.DiskRemoved | mdctl.DiskFaulty | mdctl.DiskJournal
	if r.State&known == 0 {
		words = append(words, "spare")
		if r.RaidDisk >= 0 && r.RaidDisk < d.Info.RaidDisks {
			words = append(words, "rebuilding")
		}
	}
	return words
}

// copySet names the set of mirrors that a raid10's device belongs to, if the
// devices divide into sets.
func copySet(d *report.Detail, r report.Row) string {
	layout := d.Info.Layout
	if md.Level(d.Info.Level) != md.LevelRAID10 || layout&^0x1ffff != 0 {
		return ""
	}
	near, far := layout&0xff, layout>>8&0xff
	copies := near * far
	if far != 1 || copies == 0 || copies > 26 || d.Info.RaidDisks%copies != 0 {
		return ""
	}
	return fmt.Sprintf("set-%c", 'A'+r.RaidDisk%copies)
}
