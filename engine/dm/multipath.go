package dm

import (
	"slices"
	"strconv"
	"strings"

	"github.com/mdkit/mdkit/engine/dm/lex"
)

// Multipath sends requests down one of several paths to the same device
// (dm-mpath.c).
type Multipath struct {
	QueueIfNoPath bool
	PgInitRetries uint32   // 1 to 50; 0 for none
	PgInitDelay   *uint32  // milliseconds, at most 60000; nil for the default, 2000
	RetainHandler bool     // retain_attached_hw_handler; without effect in Linux 7.2, and not printed there
	QueueMode     string   // "bio", "rq", "mq"; empty for the default. no kernel prints rq
	Handler       []string // hardware handler and its arguments; kernels print only its name
	InitialGroup  uint32   // from 1; 0 without groups
	Groups        []PathGroup
}

// PathGroup is the paths of one priority.
type PathGroup struct {
	Selector     string // "round-robin", "queue-length", "service-time", "historical-service-time", "io-affinity"
	SelectorArgs []string
	Paths        []Path
}

// Path is one path; all paths of a group have the same number of arguments.
type Path struct {
	Device string // "major:minor" or a path
	Args   []string
}

// Type is "multipath".
func (Multipath) Type() string { return "multipath" }

// Params is `<#features> <features>... <#handler> <handler>... <#groups>
// <group> {<selector> <#args> <args>... <#paths> <#args> {<dev>
// <args>...}...}...` with a trailing blank.
func (a Multipath) Params() string {
	f := a.features()
	words := append([]string{strconv.Itoa(len(f))}, f...)
	words = append(append(words, strconv.Itoa(len(a.Handler))), a.Handler...)
	words = append(words, strconv.Itoa(len(a.Groups)), utoa(a.InitialGroup))
	for _, g := range a.Groups {
		words = append(words, g.words()...)
	}
	return join(words...) + " "
}

func (g PathGroup) words() []string {
	words := append([]string{g.Selector, strconv.Itoa(len(g.SelectorArgs))}, g.SelectorArgs...)
	n := 0
	if len(g.Paths) > 0 {
		n = len(g.Paths[0].Args)
	}
	words = append(words, strconv.Itoa(len(g.Paths)), strconv.Itoa(n))
	for _, p := range g.Paths {
		words = append(append(words, p.Device), p.Args...)
	}
	return words
}

func (a Multipath) features() []string {
	var f []string
	if a.QueueIfNoPath {
		f = append(f, "queue_if_no_path")
	}
	if a.PgInitRetries > 0 {
		f = append(f, "pg_init_retries", utoa(a.PgInitRetries))
	}
	if a.PgInitDelay != nil {
		f = append(f, "pg_init_delay_msecs", utoa(*a.PgInitDelay))
	}
	if a.RetainHandler {
		f = append(f, "retain_attached_hw_handler")
	}
	if a.QueueMode != "" {
		f = append(f, "queue_mode", a.QueueMode)
	}
	return f
}

// Devices is the device of each path.
func (a Multipath) Devices() []Ref {
	var refs []Ref
	for _, g := range a.Groups {
		for _, p := range g.Paths {
			refs = append(refs, Ref(p.Device))
		}
	}
	return refs
}

func (a Multipath) areas(length uint64) []area {
	var list []area
	for _, r := range a.Devices() {
		list = append(list, area{string(r), 0, length})
	}
	return list
}

func parseMultipath(c *ctr) (Args, error) {
	var a Multipath
	if err := a.parseFeatures(c); err != nil {
		return nil, err
	}
	n, err := c.group("handler", 0, 1024, "invalid number of hardware handler args")
	if err != nil {
		return nil, err
	}
	for range n {
		a.Handler = append(a.Handler, c.next())
	}
	groups, err := c.arg("groups", 0, 1024, "invalid number of priority groups")
	if err != nil {
		return nil, err
	}
	if a.InitialGroup, err = c.arg("group", 0, 1024, "invalid initial priority group number"); err != nil {
		return nil, err
	}
	if (groups == 0) != (a.InitialGroup == 0) {
		return nil, c.fail("group", "invalid initial priority group")
	}
	for len(c.args) > 0 {
		g, err := parsePathGroup(c)
		if err != nil {
			return nil, err
		}
		a.Groups = append(a.Groups, g)
	}
	if len(a.Groups) != int(groups) {
		return nil, c.fail("groups", "priority group count mismatch")
	}
	return a, nil
}

func (a *Multipath) parseFeatures(c *ctr) error {
	n, err := c.group("features", 0, 8, "invalid number of feature args")
	if err != nil {
		return err
	}
	for n > 0 {
		before := len(c.args)
		if err := a.feature(c, n-1); err != nil {
			return err
		}
		n -= before - len(c.args)
	}
	return nil
}

// feature takes one feature; left is how many words may belong to it.
func (a *Multipath) feature(c *ctr, left int) error {
	name := strings.ToLower(c.next())
	switch {
	case name == "queue_if_no_path":
		a.QueueIfNoPath = true
		return nil
	case name == "retain_attached_hw_handler":
		a.RetainHandler = true
		return nil
	case left < 1:
	case name == "pg_init_retries":
		var err error
		a.PgInitRetries, err = c.arg(name, 1, 50, "pg_init_retries must be between 1 and 50")
		return err
	case name == "pg_init_delay_msecs":
		n, err := c.arg(name, 0, 60000, "pg_init_delay_msecs must be between 0 and 60000")
		a.PgInitDelay = &n
		return err
	case name == "queue_mode":
		a.QueueMode = strings.ToLower(c.next())
		if !slices.Contains([]string{"bio", "rq", "mq"}, a.QueueMode) {
			return c.fail(name, "Unknown 'queue_mode' requested")
		}
		return nil
	}
	return c.fail("features", "Unrecognised multipath feature request")
}

// selectors are the path selectors of the kernel.
var selectors = []string{"round-robin", "queue-length", "service-time", "historical-service-time", "io-affinity"}

func parsePathGroup(c *ctr) (PathGroup, error) {
	var g PathGroup
	if len(c.args) < 2 {
		return g, c.fail("group", "not enough priority group arguments")
	}
	if g.Selector = c.next(); !slices.Contains(selectors, g.Selector) {
		return g, c.fail("selector", "unknown path selector type")
	}
	n, err := c.group("selector", 0, 1024, "invalid number of path selector args")
	if err != nil {
		return g, err
	}
	for range n {
		g.SelectorArgs = append(g.SelectorArgs, c.next())
	}
	if !goodSelectorArgs(g) {
		return g, c.fail("selector", "path selector constructor failed")
	}
	paths, err := c.arg("paths", 1, 1024, "invalid number of paths")
	if err != nil {
		return g, err
	}
	args, err := c.arg("path args", 0, 1024, "invalid number of selector args")
	if err != nil {
		return g, err
	}
	cpus := map[int]bool{}
	for range paths {
		if len(c.args) < int(args)+1 {
			return g, c.fail("paths", "not enough path parameters")
		}
		p := Path{Device: c.next()}
		if _, err := c.device("path", p.Device, "error getting device"); err != nil {
			return g, err
		}
		for range args {
			p.Args = append(p.Args, c.next())
		}
		if reason := badPathArgs(g.Selector, p.Args, cpus); reason != "" {
			return g, c.fail("path args", g.Selector+" ps: "+reason)
		}
		g.Paths = append(g.Paths, p)
	}
	return g, nil
}

// goodSelectorArgs judges the selector's own arguments; only
// historical-service-time looks at them: a weight below 1024 and a threshold.
func goodSelectorArgs(g PathGroup) bool {
	if g.Selector != "historical-service-time" {
		return true
	}
	if len(g.SelectorArgs) > 2 {
		return false
	}
	for i, w := range g.SelectorArgs {
		n, ok := lex.ScanU32(w)
		if !ok || i == 0 && n >= 1024 {
			return false
		}
	}
	return true
}

// badPathArgs judges the arguments of a path as the selector's add_path does;
// cpus are those claimed by earlier paths (io-affinity).
func badPathArgs(selector string, args []string, cpus map[int]bool) string {
	most := 1
	switch selector {
	case "io-affinity":
		return badCPUs(args, cpus)
	case "service-time":
		most = 2
	}
	if len(args) > most {
		return "incorrect number of arguments"
	}
	if len(args) > 0 {
		if _, ok := lex.ScanU32(args[0]); !ok {
			return "invalid repeat count"
		}
	}
	if len(args) > 1 {
		if n, ok := lex.ScanU32(args[1]); !ok || n > 100 {
			return "invalid relative_throughput value"
		}
	}
	return ""
}

// badCPUs judges a CPU mask: groups of up to eight hexadecimal digits,
// separated by commas (lib/bitmap.c, bitmap_parse).
func badCPUs(args []string, cpus map[int]bool) string {
	if len(args) != 1 {
		return "invalid number of arguments"
	}
	var fresh bool
	groups := strings.Split(args[0], ",")
	for i, g := range groups {
		n, err := strconv.ParseUint(g, 16, 32)
		if err != nil || len(g) > 8 {
			return "invalid cpumask"
		}
		for bit := range 32 {
			cpu := (len(groups)-1-i)*32 + bit
			if n>>bit&1 == 1 && !cpus[cpu] {
				cpus[cpu], fresh = true, true
			}
		}
	}
	if !fresh {
		return "No new/valid CPU mapping found"
	}
	return ""
}
