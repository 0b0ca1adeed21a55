package mdadm

import (
	"fmt"
	"strings"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/internal/cli/mdadm/examine"
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
		e.w.WriteString(examine.Brief(a.first, verbose, e.cmd.compat))
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
