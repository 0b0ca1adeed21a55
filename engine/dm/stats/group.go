package stats

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Group is a set of regions that are shown as one. Its id is that of its first
// member, whose user data hold the description:
//
//	DMS_GROUP=<alias>:<members>#<user data>
//
// with members as "0-2,5" and "-" for no user data (libdm-stats.c
// _build_group_tag).
type Group struct {
	Alias   string // empty if it has none
	Members []uint64
}

// ID is the number of the group.
func (g *Group) ID() uint64 { return g.Members[0] }

const groupTag = "DMS_GROUP="

// MemberList writes the members as a user would: runs as "0-2", others
// individually.
func (g *Group) MemberList() string { return FormatMembers(g.Members) }

// FormatMembers writes region ids, which must be ascending, as ParseMembers
// reads them.
func FormatMembers(ids []uint64) string {
	var b strings.Builder
	for i := 0; i < len(ids); i++ {
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		first := ids[i]
		for i+1 < len(ids) && ids[i+1] == ids[i]+1 {
			i++
		}
		b.WriteString(strconv.FormatUint(first, 10))
		if ids[i] != first {
			b.WriteString("-" + strconv.FormatUint(ids[i], 10))
		}
	}
	return b.String()
}

// Run is a run of region ids, both ends included.
type Run struct{ First, Last uint64 }

// maxID is the largest possible region id: the kernel's are of type int.
const maxID = 1<<31 - 1

// ParseMembers reads a list of region ids such as "0-2, 5", as libdm's
// dm_bitset_parse_list does: blanks around numbers and empty items between
// commas are ignored. The runs come in ascending order and do not touch.
func ParseMembers(text string) ([]Run, error) {
	var runs []Run
	for part := range strings.SplitSeq(text, ",") {
		r, empty, err := parseRun(part)
		if err != nil {
			return nil, fmt.Errorf("%q is not a list of regions: %w", text, err)
		}
		if !empty {
			runs = append(runs, r)
		}
	}
	slices.SortFunc(runs, func(a, b Run) int { return int(a.First) - int(b.First) })
	joined := runs[:0]
	for _, r := range runs {
		if n := len(joined); n > 0 && r.First <= joined[n-1].Last+1 {
			joined[n-1].Last = max(joined[n-1].Last, r.Last)
			continue
		}
		joined = append(joined, r)
	}
	return joined, nil
}

func parseRun(part string) (r Run, empty bool, err error) {
	const blank = " \t\n\v\f\r"
	first, last, ranged := strings.Cut(strings.Trim(part, blank), "-")
	if first == "" && !ranged {
		return r, true, nil
	}
	if r.First, err = parseID(strings.TrimRight(first, blank)); err != nil {
		return r, false, err
	}
	if r.Last = r.First; ranged {
		if r.Last, err = parseID(strings.TrimLeft(last, blank)); err != nil {
			return r, false, err
		}
	}
	if r.Last < r.First {
		return r, false, fmt.Errorf("%d comes before %d", r.Last, r.First)
	}
	return r, false, nil
}

func parseID(text string) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	switch {
	case err != nil || text[0] == '+':
		return 0, fmt.Errorf("%q is not a number", text)
	case n > maxID:
		return 0, fmt.Errorf("%d is more than the kernel counts", n)
	}
	return n, nil
}

// GroupError marks a description of a group, in a region's user data, that
// makes no sense.
type GroupError struct {
	Region  uint64
	User    string // the user data as they are
	Problem GroupProblem
	Reason  string
}

// GroupProblem is the kind of a GroupError.
type GroupProblem int

// What can be wrong with the description of a group.
const (
	NoAliasEnd GroupProblem = iota // there is no ':'
	NoList                         // the members are not a list of regions
	NotLeader                      // the region is not the first member
)

// Error quotes the description.
func (e *GroupError) Error() string {
	return fmt.Sprintf("region %d: the group in its user data %q: %s", e.Region, e.User, e.Reason)
}

// takeGroup moves the description of a group out of the user data.
func (r *Region) takeGroup() error {
	_, tag, ok := strings.Cut(r.User, groupTag)
	if !ok {
		return nil
	}
	fail := func(p GroupProblem, reason string) error { return &GroupError{r.ID, r.User, p, reason} }
	alias, list, ok := strings.Cut(tag, ":")
	if !ok {
		return fail(NoAliasEnd, "there is no ':' after the alias")
	}
	list, user, _ := strings.Cut(list, "#")
	runs, err := ParseMembers(list)
	switch {
	case err != nil:
		return fail(NoList, err.Error())
	case len(runs) == 0 || runs[0].First != r.ID:
		return fail(NotLeader, "the region is not its first member")
	}
	r.Group = &Group{Alias: alias, Members: expand(runs)}
	if r.User = user; user == "-" {
		r.User = ""
	}
	return nil
}

// maxMembers bounds the memory that a description can make us use.
const maxMembers = 1 << 20

// expand lists the members of runs.
func expand(runs []Run) []uint64 {
	var ids []uint64
	for _, r := range runs {
		for id := r.First; id <= r.Last && len(ids) < maxMembers; id++ {
			ids = append(ids, id)
		}
	}
	return ids
}

// UserData is what a region's user data must be in the kernel: its own, and the
// description of the group that it leads.
func (r *Region) UserData() string {
	user := r.User
	if user == "" {
		user = "-"
	}
	if r.Group == nil {
		return user
	}
	return groupTag + r.Group.Alias + ":" + r.Group.MemberList() + "#" + user
}

// JoinIDs writes region ids one by one, as dmstats names the regions of
// segments.
func JoinIDs(ids []uint64) string {
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = strconv.FormatUint(id, 10)
	}
	return strings.Join(words, ",")
}
