package mdconf

import (
	"cmp"
	"slices"
	"strings"

	"github.com/mdkit/mdkit/manage/mdconf/glob"
)

// Rule is a POLICY or PART-POLICY line: what applies to the devices that it matches.
type Rule struct {
	Part  bool     // PART-POLICY: it is about partitions of the disks that match
	Paths []string // patterns for names in /dev/disk/by-path; none matches all
	Types []string // "disk", "part"; none matches all

	Metadata string // the format that the values are about, "" for all
	Domains  []string
	Actions  []string
	Autos    []string
}

// policyLine reads a rule. Keywords are case-sensitive.
func (r *reader) policyLine(words []string, part bool) {
	rule := Rule{Part: part}
	for _, w := range words {
		name, value, ok := strings.Cut(w, "=")
		switch {
		case ok && name == "path":
			rule.Paths = append(rule.Paths, value)
		case ok && name == "type":
			rule.Types = append(rule.Types, value)
		case ok && name == "metadata":
			// mdadm keeps the words in reverse and takes the last one it finds.
			if rule.Metadata == "" {
				rule.Metadata = value
			}
		case ok && name == "domain":
			rule.Domains = append(rule.Domains, value)
		case ok && name == "action":
			rule.Actions = append(rule.Actions, value)
		case ok && name == "auto":
			rule.Autos = append(rule.Autos, value)
		default:
			r.warnf("policy rule %s unrecognised and ignored", w)
		}
	}
	r.c.Rules = append(r.c.Rules, rule)
}

// The values of the policy "auto".
const (
	AutoYes      = "yes"
	AutoNo       = "no"
	AutoHomeHost = "homehost" // only arrays of this host
)

// autoLine makes rules from the words of the first AUTO line, which say in turn which
// formats may be assembled automatically; the first word that applies to a format
// counts.
func (r *reader) autoLine(words []string) {
	if r.c.autoSeen {
		return
	}
	r.c.autoSeen = true
	otherwise, home := AutoYes, false
	seen := make(map[string]bool)
	add := func(value, format string) {
		if !seen[format] {
			seen[format] = true
			r.c.Rules = append(r.c.Rules, Rule{Autos: []string{value}, Metadata: format})
		}
	}
words:
	for _, w := range append(slices.Clone(r.auto), words...) {
		value := AutoYes
		switch lower := strings.ToLower(w); {
		case lower == "yes":
			break words
		case lower == "no":
			otherwise = AutoNo
			if home {
				otherwise = AutoHomeHost
			}
			break words
		case lower == "homehost":
			home = true
			continue
		case strings.HasPrefix(w, "-") && home:
			value = AutoHomeHost
		case strings.HasPrefix(w, "-"):
			value = AutoNo
		case !strings.HasPrefix(w, "+"):
			continue
		}
		if strings.EqualFold(w[1:], "all") {
			otherwise = value
			break
		}
		if format := autoFormat(w[1:]); format != "" {
			add(value, format)
		}
	}
	for _, format := range families {
		add(otherwise, format)
	}
}

// autoFormat is the format that a word of AUTO means, "" for other words.
func autoFormat(word string) string {
	for _, f := range families {
		switch {
		case strings.EqualFold(word, f), f[1] == '.' && word == f[:1], f == "1.x" && strings.HasPrefix(word, "1."):
			return f
		}
	}
	return ""
}

// Policy is one value that rules assign to a device.
type Policy struct {
	Name     string // "action", "domain" or "auto"
	Value    string
	Metadata string // the family of formats it is about, "" for all
}

// Policies are all values assigned to one device, sorted by name and value.
type Policies []Policy

// Kinds of devices as rules name them.
const (
	TypeDisk = "disk"
	TypePart = "part"
)

// HasPaths reports whether any rule asks for the path of a device, so that
// callers need not look for it otherwise.
func (c *Config) HasPaths() bool {
	return slices.ContainsFunc(c.Rules, func(r Rule) bool { return len(r.Paths) > 0 })
}

// Policies gathers what the rules say about a device with these names in
// /dev/disk/by-path (policy.c, path_policy).
func (c *Config) Policies(paths []string, kind string) Policies {
	var list Policies
	for _, rule := range c.Rules {
		if !rule.Part {
			if rule.matches(paths, kind) {
				list = rule.assign(list, "")
			}
			continue
		}
		if kind != TypePart {
			continue
		}
		if part, ok := rule.matchesPart(paths); ok {
			list = rule.assign(list, part)
		}
	}
	slices.SortFunc(list, func(a, b Policy) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Value, b.Value), cmp.Compare(a.Metadata, b.Metadata))
	})
	return slices.Compact(list)
}

func (r *Rule) matchesType(kind string) bool {
	return len(r.Types) == 0 || slices.Contains(r.Types, kind)
}

func (r *Rule) matchesPath(p string) bool {
	return slices.ContainsFunc(r.Paths, func(pattern string) bool {
		return glob.Match(pattern, p) // names in by-path have no slash
	})
}

func (r *Rule) matches(paths []string, kind string) bool {
	return r.matchesType(kind) && (len(r.Paths) == 0 || slices.ContainsFunc(paths, r.matchesPath))
}

// matchesPart compares with the path of the disk that a partition is on, and returns
// the partition as "partN".
func (r *Rule) matchesPart(paths []string) (part string, ok bool) {
	ok = r.matchesType(TypeDisk) && len(r.Paths) == 0
	for _, p := range paths {
		disk, n, has := cutPart(p)
		if !has {
			continue
		}
		part = n
		if r.matchesType(TypeDisk) && r.matchesPath(disk) {
			return part, true
		}
	}
	return part, ok && part != ""
}

// cutPart takes "-partN" off the end of a path.
func cutPart(p string) (disk, part string, ok bool) {
	rest := strings.TrimRight(p, "0123456789")
	disk, ok = strings.CutSuffix(rest, "-part")
	return disk, strings.TrimPrefix(p[len(disk):], "-"), ok && disk != ""
}

// assign adds the values of the rule. Those of a PART-POLICY are for one partition:
// domains get its name, and auto is not passed on.
func (r *Rule) assign(list Policies, part string) Policies {
	format := ""
	if r.Metadata != "" {
		if format = autoFormat(r.Metadata); format == "" {
			format = "unknown"
		}
	}
	for _, a := range r.Actions {
		list = append(list, Policy{"action", a, format})
	}
	for _, d := range r.Domains {
		if part != "" {
			d += "-" + part
		}
		list = append(list, Policy{"domain", d, format})
	}
	if part == "" {
		for _, a := range r.Autos {
			list = append(list, Policy{"auto", a, format})
		}
	}
	return list
}

// about returns the values of one name for a family of formats; if format is "", for
// all.
func (p Policies) about(name, format string) []string {
	var values []string
	for _, v := range p {
		if v.Name == name && (format == "" || v.Metadata == "" || v.Metadata == format) {
			values = append(values, v.Value)
		}
	}
	return values
}

// Action is what may be done with a device that appears, from the least to the most.
type Action int

// Actions. ActionUnknown stands for any other word: nothing is allowed.
const (
	ActionDefault       Action = iota // not given: the same as include
	ActionInclude                     // put members into their array
	ActionReAdd                       // even into a running one
	ActionSpare                       // bare devices become spares
	ActionSpareSameSlot               // where a member was removed, whatever is on them
	ActionForceSpare                  // everywhere, whatever is on them
	ActionUnknown
)

var actionWords = [...]string{
	ActionInclude: "include", ActionReAdd: "re-add", ActionSpare: "spare",
	ActionSpareSameSlot: "spare-same-slot", ActionForceSpare: "force-spare",
}

func parseAction(word string) Action {
	if i := slices.Index(actionWords[:], word); i > 0 {
		return Action(i)
	}
	return ActionUnknown
}

// Allows reports whether a device of the format may be used in that way (policy.c,
// policy_action_allows).
func (p Policies) Allows(format string, want Action) bool {
	most := ActionDefault
	for _, v := range p.about("action", format) {
		most = max(most, parseAction(v))
	}
	return most != ActionUnknown && most >= want
}

// Domains lists the domains that a device is in.
func (p Policies) Domains(format string) []string { return p.about("domain", format) }

// AutoAllowed reports whether an array of the format may be assembled automatically.
// ours says that it belongs to this host (config.c, conf_test_metadata).
func (p Policies) AutoAllowed(format string, ours bool) bool {
	values := p.about("auto", format)
	switch {
	case slices.Contains(values, AutoYes):
		return true
	case ours && slices.Contains(values, AutoHomeHost):
		return true
	}
	return !slices.Contains(values, AutoNo)
}

// InDomains compares the domains of a device with those of an array: 1 if all of them
// are the array's too, 0 if one is not, -1 if the device has none (policy.c,
// domain_test).
func InDomains(array, device []string) int {
	if len(device) == 0 {
		return -1
	}
	for _, d := range device {
		if !slices.Contains(array, d) {
			return 0
		}
	}
	return 1
}
