package mdadm

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/internal/cli/mdadm/mdtext"
	"github.com/mdkit/mdkit/manage/array/report"
)

// briefArray gathers the members of one array for --examine --brief.
type briefArray struct {
	first   *report.Examined
	spares  int
	devices []string
}

// collect adds a member to the others of its array.
func (e *examiner) collect(name string, x *report.Examined) {
	var to *briefArray
	for _, a := range e.arrays {
		if sameArray(a.first, x) {
			to = a
		}
	}
	if to == nil {
		to = &briefArray{first: x}
		e.arrays = append(e.arrays, to)
	}
	to.devices = append(to.devices, name)
	if !inSync(x) {
		to.spares++
	}
}

// inSync reports whether the superblock calls its device an active member; all
// others count as spares in a listing, including replacements.
func inSync(x *report.Examined) bool {
	if x.Super0 != nil {
		return x.Super0.ThisDisk.State&md.DiskSync != 0
	}
	s := x.Super1
	if uint64(s.DevNumber) >= uint64(len(s.DevRoles)) || s.FeatureMap&md.FeatureReplacement != 0 {
		return false
	}
	return s.Role() < md.RoleJournal
}

// sameArray reports whether two superblocks describe one array, in the fields
// that mdadm compares (compare_super0, compare_super1).
func sameArray(a, b *report.Examined) bool {
	switch {
	case a.Super0 != nil && b.Super0 != nil:
		x, y := a.Super0, b.Super0
		return x.UUID() == y.UUID() && x.MajorVersion == y.MajorVersion && x.MinorVersion == y.MinorVersion &&
			x.PatchVersion == y.PatchVersion && x.GValidWords == y.GValidWords && x.CTime == y.CTime &&
			x.Level == y.Level && x.Size == y.Size && x.RaidDisks == y.RaidDisks
	case a.Super1 != nil && b.Super1 != nil:
		x, y := a.Super1, b.Super1
		return x.SetUUID == y.SetUUID && x.CTime == y.CTime && x.Level == y.Level && x.Layout == y.Layout &&
			x.Size == y.Size && x.ChunkSize == y.ChunkSize && x.RaidDisks == y.RaidDisks
	}
	return false
}

// printArrays prints a line for mdadm.conf for each array, the one found last
// first.
func (e *examiner) printArrays() {
	verbose := e.cmd.Verbose > 0
	for i := len(e.arrays) - 1; i >= 0; i-- {
		a := e.arrays[i]
		if a.first.Super0 != nil {
			e.w.WriteString(briefLine0(a.first.Super0, verbose))
		} else {
			e.w.WriteString(briefLine1(a.first.Super1, verbose, e.cmd.compat))
		}
		if a.spares > 0 {
			fmt.Fprintf(e.w, "   spares=%d", a.spares)
		}
		if verbose {
			e.w.WriteString("   devices=" + strings.Join(a.devices, ","))
		}
		if a.spares > 0 || verbose {
			e.w.WriteByte('\n')
		}
	}
}

// briefLine0 is super0.c's brief_examine_super0.
func briefLine0(s *md.Super0, verbose bool) string {
	line := fmt.Sprintf("ARRAY /dev/md%d", int32(s.MDMinor))
	if verbose {
		line += fmt.Sprintf(" level=%s num-devices=%d", mdtext.LevelWord(s.Level), int32(s.RaidDisks))
	}
	return line + " UUID=" + uuid0(s) + "\n"
}

// briefLine1 is super1.c's brief_examine_super1. The blanks are its own.
func briefLine1(s *md.Super1, verbose bool, compat mdtext.Compat) string {
	var b strings.Builder
	b.WriteString("ARRAY ")
	name := s.Name()
	if _, after, ok := strings.Cut(name, ":"); ok {
		b.WriteString("/dev/md/" + mdtext.EscapeName(after) + " ")
	} else if name != "" {
		b.WriteString("/dev/md/" + mdtext.EscapeName(name) + " ")
	}
	if verbose && s.Level.Known() {
		fmt.Fprintf(&b, " level=%s", s.Level)
	}
	fmt.Fprintf(&b, " metadata=%s ", version1(s))
	if verbose {
		fmt.Fprintf(&b, "num-devices=%d ", int32(s.RaidDisks))
	}
	fmt.Fprintf(&b, "UUID=%s", s.SetUUID)
	if name != "" && compat.NamesInConf() {
		b.WriteString(" name=" + mdtext.QuoteWord(name))
	}
	b.WriteByte('\n')
	return b.String()
}

// exportMember prints a member as KEY=value lines (export_examine_super0,
// export_examine_super1).
func exportMember(w mdtext.Writer, x *report.Examined) {
	if s := x.Super0; s != nil {
		fmt.Fprintf(w, "MD_LEVEL=%s\nMD_DEVICES=%d\nMD_UUID=%s\n", exportLevel(s.Level), int32(s.RaidDisks), uuid0(s))
		// mdadm prints the creation time under this name.
		fmt.Fprintf(w, "MD_UPDATE_TIME=%d\nMD_EVENTS=%d\n", s.CTime, s.Events)
		return
	}
	s := x.Super1
	fmt.Fprintf(w, "MD_LEVEL=%s\nMD_DEVICES=%d\n", exportLevel(s.Level), int32(s.RaidDisks))
	if name := exportName(s); name != "" {
		fmt.Fprintf(w, "MD_NAME=%s\n", name)
	}
	if s.Level != md.LevelRAID0 {
		if size, ok := arraySize1(s); ok {
			fmt.Fprintf(w, "MD_ARRAY_SIZE=%s\n", mdtext.HumanSizeJEDEC(size))
		}
	}
	fmt.Fprintf(w, "MD_UUID=%s\nMD_UPDATE_TIME=%d\nMD_DEV_UUID=%s\nMD_EVENTS=%d\n",
		s.SetUUID, seconds1(s.UTime), s.DeviceUUID, s.Events)
}

// exportLevel is the level's word, or what C prints for a missing one, as in mdadm.
func exportLevel(l md.Level) string {
	if l.Known() {
		return l.String()
	}
	return "(null)"
}

// exportName is the array's name up to the first end of line: a name that
// holds one must not add lines of its own.
func exportName(s *md.Super1) string {
	name, _, _ := bytes.Cut([]byte(s.Name()), []byte("\n"))
	return string(name)
}
