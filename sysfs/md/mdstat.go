package md

import (
	"io"
	"strings"
	"unicode"

	"github.com/mdkit/mdkit/sysfs"
)

// Mdstat is the contents of /proc/mdstat (md.c md_seq_show).
type Mdstat struct {
	Personalities []string      // levels whose modules are loaded, in the kernel's order
	Arrays        []MdstatArray // in the kernel's order: newest first
	Unused        []string      // devices seen at boot that are in no array
	Unparsed      []string      // lines that belong to no array and are not understood
}

// Array returns the array with that name, or nil.
func (m *Mdstat) Array(name string) *MdstatArray {
	for i := range m.Arrays {
		if m.Arrays[i].Name == name {
			return &m.Arrays[i]
		}
	}
	return nil
}

// MdstatArray is one array in /proc/mdstat. Fields that the kernel does not
// print for an array keep their zero value.
type MdstatArray struct {
	Name         string         // kernel's name, "md0"
	State        string         // "active", "inactive" or, on later kernels, "broken"
	ReadOnly     bool           // refuses writes
	AutoReadOnly bool           // read-only until the first write
	Level        Level          // empty when inactive
	Members      []MdstatMember // in the kernel's order
	Blocks       uint64         // size in KiB; for an inactive array the sum of its members
	Metadata     Metadata       // 0.90 where the kernel prints none
	Geometry     MdstatGeometry // what the personality prints about itself
	RaidDisks    int            // slots; 0 for levels that print none
	Working      int            // slots with a member in sync or being rebuilt
	Slots        string         // one letter per slot: U in sync, _ not; others are a vendor's
	Sync         *MdstatSync    // what is running or waiting; nil for nothing
	Bitmap       *MdstatBitmap  // nil without a bitmap
	Unparsed     []string       // lines, or ends of lines, that were not understood
}

// Active reports whether the array runs, even if every request fails. Early
// kernels also call an array active that has lost too many members; see
// [MdstatArray.Missing].
func (a *MdstatArray) Active() bool { return a.State == "active" || a.State == "broken" }

// Missing returns how many slots have no member in sync: all whose letter is not
// U, which is the safe guess for a slot that a vendor's kernel marks otherwise.
func (a *MdstatArray) Missing() int { return len(a.Slots) - strings.Count(a.Slots, "U") }

// MdstatMember is one device of an array, such as "sda1[0](F)".
type MdstatMember struct {
	Name        string // kernel's name of the device
	Number      int    // kernel's number of the member; not its slot
	WriteMostly bool   // (W)
	Journal     bool   // (J)
	Faulty      bool   // (F)
	Spare       bool   // (S)
	Replacement bool   // (R)
}

// MdstatGeometry is what personalities print after the size.
type MdstatGeometry struct {
	Level         int               // raid4, 5, 6: number of the level
	ChunkKiB      uint64            // raid0, 4, 5, 6, 10: chunk in KiB
	RoundingKiB   uint64            // linear: rounding in KiB
	Algorithm     int               // raid4, 5, 6: layout number
	NearCopies    int               // raid10: copies side by side; 0 for one
	FarCopies     int               // raid10: copies far apart; 0 for one
	OffsetCopies  int               // raid10: copies a chunk apart; 0 for one
	DevicesPerSet int               // raid10: far copies stay within that many devices; 0 for all
	Faults        map[string]string // faulty: counters by name, "ReadTransient": "3(10)"
}

// MdstatSync is a resync, recovery, reshape or check that is running or
// waiting.
type MdstatSync struct {
	Action       string // "resync", "recovery", "reshape", "check"; "recover" only if remote
	Delayed      bool   // waits for another array that shares a disk
	Pending      bool   // waits for the array to become writable
	Remote       bool   // done by another node of the cluster
	PerMille     int    // done, in tenths of a percent
	Done         uint64 // KiB done
	Total        uint64 // KiB to do
	FinishTenths uint64 // remaining time, in tenths of a minute
	SpeedKiB     int64  // speed over the last seconds, in KiB/s
}

// Running reports whether it makes progress on this node.
func (s *MdstatSync) Running() bool { return !s.Delayed && !s.Pending && !s.Remote }

// MdstatBitmap is the bitmap of an array (md.c md_bitmap_status).
type MdstatBitmap struct {
	PagesUsed  uint64 // pages of counters in memory
	PagesTotal uint64 // pages of counters at most
	UsedKiB    uint64 // memory for counters, in KiB
	Chunk      uint64 // how much a bit stands for, in bytes
	File       string // path of the bitmap file; empty for a bitmap beside the metadata
}

// ReadMdstat reads /proc/mdstat.
func ReadMdstat(fs sysfs.FS) (Mdstat, error) {
	text, err := sysfs.ReadProc(fs.Proc("mdstat"))
	if err != nil {
		return Mdstat{}, err
	}
	return parseMdstat(text), nil
}

// ParseMdstat reads the text of /proc/mdstat. It fails only if r does: what it
// does not understand is kept in the Unparsed lists, and everything around it
// is still parsed.
func ParseMdstat(r io.Reader) (Mdstat, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return Mdstat{}, err
	}
	return parseMdstat(string(text)), nil
}

func parseMdstat(text string) Mdstat {
	var m Mdstat
	var cur *MdstatArray
	for line := range strings.Lines(text) {
		line = strings.TrimRightFunc(line, unicode.IsSpace)
		trimmed := strings.TrimLeftFunc(line, unicode.IsSpace)
		switch {
		case trimmed == "":
		case trimmed != line: // indented: about the array above
			if cur == nil {
				m.Unparsed = append(m.Unparsed, line)
			} else {
				cur.parseDetail(trimmed)
			}
		default:
			cur = m.parseHeading(line)
		}
	}
	return m
}

// parseHeading reads a line that is not indented, and returns the array that
// begins there, if any.
func (m *Mdstat) parseHeading(line string) *MdstatArray {
	key, rest, ok := strings.Cut(line, ":")
	if !ok {
		m.Unparsed = append(m.Unparsed, line)
		return nil
	}
	words := strings.Fields(rest)
	switch strings.TrimRight(key, " ") {
	case "Personalities":
		for _, w := range words {
			m.Personalities = append(m.Personalities, strings.TrimSuffix(strings.TrimPrefix(w, "["), "]"))
		}
		return nil
	case "unused devices":
		if len(words) != 1 || words[0] != "<none>" {
			m.Unused = append(m.Unused, words...)
		}
		return nil
	}
	name, rest, ok := strings.Cut(line, " : ")
	if !ok || name == "" || strings.ContainsFunc(name, unicode.IsSpace) {
		m.Unparsed = append(m.Unparsed, line)
		return nil
	}
	m.Arrays = append(m.Arrays, MdstatArray{Name: name})
	a := &m.Arrays[len(m.Arrays)-1]
	a.parseState(strings.Fields(rest))
	return a
}
