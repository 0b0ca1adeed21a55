package examine

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/internal/cli/mdadm/mdtext"
	"github.com/mdkit/mdkit/manage/array/report"
)

// Brief returns the line of mdadm.conf that --brief prints for the array of a member.
func Brief(x *report.Examined, verbose bool, compat mdtext.Compat) string {
	if x.Super0 != nil {
		return briefLine0(x.Super0, verbose)
	}
	return briefLine1(x.Super1, verbose, compat)
}

// briefLine0 is super0.c's brief_examine_super0.
func briefLine0(s *md.Super0, verbose bool) string {
	line := fmt.Sprintf("ARRAY /dev/md%d", int32(s.MDMinor))
	if verbose {
		line += fmt.Sprintf(" level=%s num-devices=%d", mdtext.LevelWord(s.Level), int32(s.RaidDisks))
	}
	return line + " UUID=" + UUID0(s) + "\n"
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

// Export prints a member as KEY=value lines (export_examine_super0,
// export_examine_super1).
func Export(w mdtext.Writer, x *report.Examined) {
	if s := x.Super0; s != nil {
		fmt.Fprintf(w, "MD_LEVEL=%s\nMD_DEVICES=%d\nMD_UUID=%s\n", ExportLevel(s.Level), int32(s.RaidDisks), UUID0(s))
		// mdadm prints the creation time under this name.
		fmt.Fprintf(w, "MD_UPDATE_TIME=%d\nMD_EVENTS=%d\n", s.CTime, s.Events)
		return
	}
	s := x.Super1
	fmt.Fprintf(w, "MD_LEVEL=%s\nMD_DEVICES=%d\n", ExportLevel(s.Level), int32(s.RaidDisks))
	if name := ExportName(s); name != "" {
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

// ExportLevel is the level's word, or what C prints for a missing one, as in mdadm.
func ExportLevel(l md.Level) string {
	if l.Known() {
		return l.String()
	}
	return "(null)"
}

// ExportName is the array's name up to the first end of line: a name that
// holds one must not add lines of its own.
func ExportName(s *md.Super1) string {
	name, _, _ := bytes.Cut([]byte(s.Name()), []byte("\n"))
	return string(name)
}
