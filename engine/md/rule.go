package md

import (
	"slices"

	"github.com/mdkit/mdkit/engine/finding"
)

// Rule is one thing that Check or Assess checks. Ids stay the same between
// releases.
type Rule struct {
	ID       string           // "md1.checksum"
	Field    string           // the field it is about, as the format names it; may be empty
	Severity finding.Severity // finding.Fatal if the kernel refuses a member that breaks it
	About    string           // what it requires, in one line
}

// superRule is a rule about a superblock by itself; bad says how the superblock
// breaks it, or "".
type superRule[S any] struct {
	Rule
	bad func(m *Member, s *S) string
}

// Ids of rules that leave a member out and for which callers have words of their
// own.
const (
	RuleFaulty = "md.member.faulty"
	RuleSplit  = "md.member.split"
	RuleAhead  = "md.member.ahead"
	RuleStale  = "md.member.stale"
)

// Rules across members, used by Assess and CheckMembers. A verdict carries one
// of them as its reason.
var (
	ruleIn             = &Rule{"md.member.in", "", finding.Info, "the member takes part in the array"}
	ruleForeign        = &Rule{"md.member.foreign", "set_uuid", finding.Error, "all members have the same array uuid"}
	ruleNoActive       = &Rule{"md.member.no_active", "dev_roles", finding.Error, "at least one member has a slot"}
	ruleVersion        = &Rule{"md.member.version", "", finding.Error, "all members have the same metadata version"}
	ruleGeometry       = &Rule{"md.member.geometry", "", finding.Error, "level, layout, chunk, slots and size are the same on all members"}
	ruleCTime          = &Rule{"md.member.ctime", "ctime", finding.Error, "the creation time is the same on all members"}
	ruleFaulty         = &Rule{RuleFaulty, "dev_roles", finding.Error, "the member has not been marked faulty"}
	ruleJournalFeature = &Rule{"md.member.journal_feature", "feature_map", finding.Error, "a journal device belongs to an array that has the journal feature"}
	ruleSplit          = &Rule{RuleSplit, "dev_roles", finding.Error, "the member's table does not say that the freshest member is missing"}
	ruleAhead          = &Rule{RuleAhead, "events", finding.Error, "no event count is higher than that of the freshest member with a slot"}
	ruleStale          = &Rule{RuleStale, "events", finding.Error, "the event count is at most one behind the freshest member"}
	ruleSlot           = &Rule{"md.member.slot", "dev_roles", finding.Error, "the slot is one that the array has"}
	ruleDuplicate      = &Rule{"md.member.duplicate", "dev_number", finding.Error, "no two members claim the same slot"}

	ruleMissing      = &Rule{"md.member.missing", "", finding.Warning, "every slot has a usable member"}
	ruleNotStartable = &Rule{"md.member.not_startable", "", finding.Fatal, "the members are enough to start the array without force"}
	ruleDeviceUUID   = &Rule{"md.member.device_uuid", "device_uuid", finding.Error, "no two members have the same device uuid"}
	ruleDevNumber    = &Rule{"md.member.dev_number", "dev_number", finding.Error, "no two members have the same device number"}
	ruleName         = &Rule{"md.member.name", "set_name", finding.Warning, "all members have the same array name"}
	ruleUTime        = &Rule{"md.member.utime", "utime", finding.Warning, "members with the same event count were updated at the same time"}
	ruleResync       = &Rule{"md.member.resync_offset", "resync_offset", finding.Error, "members with the same event count agree on what is in sync"}
	ruleReshape      = &Rule{"md.member.reshape", "reshape_position", finding.Error, "members with the same event count agree on the reshape"}
	ruleRoles        = &Rule{"md.member.roles", "dev_roles", finding.Error, "members with the same event count agree on the role of every device"}
	ruleFeatures     = &Rule{"md.member.features", "feature_map", finding.Error, "members with the same event count agree on the features of the array"}
	ruleBlockSize    = &Rule{"md.member.logical_block_size", "logical_block_size", finding.Error, "the logical block size is the same on all members"}
	ruleBitmapEvents = &Rule{"md.member.bitmap_place", "bitmap_offset", finding.Warning, "the bitmap has the same place on all members that have the same layout"}
	ruleDataOffset   = &Rule{"md.member.data_offset", "data_offset", finding.Info, "members of the same size keep data at the same place"}
	ruleConstants    = &Rule{"md.member.constants", "", finding.Error, "the constant words of 0.90 superblocks are the same on all members"}
	ruleStray        = &Rule{"md.member.other_super", "magic", finding.Warning, "the device carries one superblock only"}
)

func memberRules() []*Rule {
	return []*Rule{
		ruleIn, ruleForeign, ruleNoActive, ruleVersion, ruleGeometry, ruleCTime, ruleFaulty, ruleJournalFeature,
		ruleSplit, ruleAhead, ruleStale, ruleSlot, ruleDuplicate, ruleMissing, ruleNotStartable, ruleDeviceUUID,
		ruleDevNumber, ruleName, ruleUTime, ruleResync, ruleReshape, ruleRoles, ruleFeatures, ruleBlockSize,
		ruleBitmapEvents, ruleDataOffset, ruleConstants, ruleStray,
	}
}

// Rules lists every rule of this package, sorted by id.
func Rules() []Rule {
	var list []Rule
	for i := range rules1 {
		list = append(list, rules1[i].Rule)
	}
	for i := range rules0 {
		list = append(list, rules0[i].Rule)
	}
	for i := range rulesBitmap {
		list = append(list, rulesBitmap[i].Rule)
	}
	for _, r := range slices.Concat(memberRules(), deviceRules()) {
		list = append(list, *r)
	}
	slices.SortFunc(list, func(a, b Rule) int {
		switch {
		case a.ID < b.ID:
			return -1
		case a.ID > b.ID:
			return 1
		}
		return 0
	})
	return list
}
