package md

import "strings"

// MemberState is the set of flags shown for a member (md.c state_show).
type MemberState uint32

// Flags of a member.
const (
	MemberFaulty          MemberState = 1 << iota // failed, or has bad blocks that cannot be recorded
	MemberInSync                                  // in sync, takes part fully
	MemberJournal                                 // is the write journal
	MemberWriteMostly                             // is read only when it must be
	MemberBlocked                                 // writes wait until its failure is recorded
	MemberSpare                                   // neither failed, nor in sync, nor the journal
	MemberWriteError                              // has seen a write error
	MemberWantReplacement                         // is to be replaced by a spare
	MemberReplacement                             // is to take the place of another
	MemberExternalBBL                             // its bad blocks are kept outside the kernel
	MemberFailFast                                // requests to it are not retried
)

// memberWords are the kernel's words for the flags, in order.
var memberWords = []string{
	"faulty", "in_sync", "journal", "write_mostly", "blocked", "spare",
	"write_error", "want_replacement", "replacement", "external_bbl", "failfast",
}

// Has reports whether all flags of f are set.
func (s MemberState) Has(f MemberState) bool { return s&f == f }

// String returns the kernel's form: "in_sync,write_mostly".
func (s MemberState) String() string {
	var words []string
	for i, w := range memberWords {
		if s&(1<<i) != 0 {
			words = append(words, w)
		}
	}
	return strings.Join(words, ",")
}

func parseMemberState(s string) (MemberState, error) {
	var state MemberState
	if s == "" {
		return 0, nil
	}
words:
	for w := range strings.SplitSeq(s, ",") {
		for i, known := range memberWords {
			if w == known {
				state |= 1 << i
				continue words
			}
		}
		return 0, wanted("flags of a member: " + strings.Join(memberWords, ","))
	}
	return state, nil
}

// MemberCommand is a word that changes a member's flags (md.c state_store).
type MemberCommand string

// Commands to a member.
const (
	Fail                 MemberCommand = "faulty"            // declare it failed
	Remove               MemberCommand = "remove"            // release it: failed or spare only
	ReAdd                MemberCommand = "re-add"            // put a failed one back where it was
	SetWriteMostly       MemberCommand = "writemostly"       // read from it only when it must be
	ClearWriteMostly     MemberCommand = "-writemostly"      // read from it as from others
	Block                MemberCommand = "blocked"           // make writes wait
	Unblock              MemberCommand = "-blocked"          // let writes continue
	SetInSync            MemberCommand = "insync"            // count a member without a slot as in sync
	ClearInSync          MemberCommand = "-insync"           // rebuild it, by the bitmap, when the array starts
	SetFailFast          MemberCommand = "failfast"          // do not retry requests
	ClearFailFast        MemberCommand = "-failfast"         // retry requests
	SetWriteError        MemberCommand = "write_error"       // remember a write error
	ClearWriteError      MemberCommand = "-write_error"      // forget it
	WantReplacement      MemberCommand = "want_replacement"  // copy it to a spare that then takes its place
	UnwantReplacement    MemberCommand = "-want_replacement" // cancel that, unless it has begun
	SetReplacement       MemberCommand = "replacement"       // before the start: it takes another's place
	ClearReplacement     MemberCommand = "-replacement"      // before the start: it does not
	ExternalBadBlocks    MemberCommand = "external_bbl"      // bad blocks are kept outside the kernel
	NotExternalBadBlocks MemberCommand = "-external_bbl"     // they are not
)
