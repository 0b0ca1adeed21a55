package mdadm

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/internal/cli/getopt"
	"github.com/mdkit/mdkit/internal/cli/mdadm/mdtext"
)

// maxName is how many bytes an array's name may have.
const maxName = 32

// identity takes the options that name an array or say which host it belongs to.
func (p *parser) identity(opt getopt.Option) (bool, error) {
	c := &p.cmd
	switch p.at(opt) {
	case inAssemble | optNodes, inGrow | optNodes, inCreate | optNodes:
		n, ok := parseNum(opt.Arg)
		if !ok || n < 2 {
			return true, usage("clustered array needs two nodes at least: %s", opt.Arg)
		}
		c.Nodes = n
	case inCreate | optHomeCluster, inAssemble | optHomeCluster:
		if len(opt.Arg) > 64 {
			return true, usage("Cluster name too big.")
		}
		c.HomeCluster = opt.Arg
	case inCreate | 'u', inAssemble | 'u':
		if c.UUID != "" {
			return true, usage("uuid cannot be set twice.  Second value %s.", opt.Arg)
		}
		if _, err := md.ParseUUID(opt.Arg); err != nil {
			return true, usage("Bad uuid: %s", opt.Arg)
		}
		c.UUID = opt.Arg
	case inCreate | 'N', inAssemble | 'N', inMisc | 'N':
		return true, c.setName(opt.Arg)
	case inAssemble | 'm', inAssemble | optSuperMinor:
		if c.SuperMinor != Unset {
			return true, usage("super-minor cannot be set twice.  Second value: %s.", opt.Arg)
		}
		if opt.Arg == "dev" {
			c.SuperMinor = superMinorDev
			return true, nil
		}
		n, ok := parseNum(opt.Arg)
		if !ok {
			return true, usage("Bad super-minor number: %s.", opt.Arg)
		}
		c.SuperMinor = n
	case inCreate | 'a', inCreate | optAuto, inBuild | 'a', inBuild | optAuto,
		inIncremental | 'a', inIncremental | optAuto, inAssemble | 'a', inAssemble | optAuto:
		auto, ok := parseAuto(opt.Arg)
		if !ok {
			return true, usage("--auto flag arg of \"%s\" unrecognised: use no,yes,md,mdp,part\n"+
				"        optionally followed by a number.", opt.Arg)
		}
		c.Auto = auto
	case inCreate | optSymlinks, inBuild | optSymlinks, inAssemble | optSymlinks:
		c.Symlinks = opt.Arg
		p.badSymlinks = !strings.EqualFold(opt.Arg, "yes") && !strings.EqualFold(opt.Arg, "no")
	default:
		return false, nil
	}
	return true, nil
}

// superMinorDev is --super-minor=dev: the minor number of the array named.
const superMinorDev = -2

// assembly takes the switches of modes that start arrays.
func (p *parser) assembly(opt getopt.Option) (bool, error) {
	c := &p.cmd
	switch p.at(opt) {
	case inBuild | 'f', inBuild | optForce, inGrow | 'f', inGrow | optForce, inCreate | 'f', inCreate | optForce,
		inAssemble | 'f', inAssemble | optForce, inMisc | 'f', inMisc | optForce, inManage | optForce:
		c.Force = true
	case inAssemble | optFreezeReshape, inIncremental | optFreezeReshape:
		c.FreezeReshape = true
	case inAssemble | 'o', inManage | 'o', inCreate | 'o':
		c.ReadOnly = true
	case inIncremental | optNoDegraded:
		p.warnf("--no-degraded is deprecated in Incremental mode")
		c.RunStop = -1
	case inAssemble | optNoDegraded:
		c.RunStop = -1
	case inAssemble | 'c', inAssemble | optConfig, inIncremental | 'c', inIncremental | optConfig,
		inMisc | 'c', inMisc | optConfig, inMonitor | 'c', inMonitor | optConfig, inCreate | optConfig:
		if c.Config != "" {
			return true, usage("configfile cannot be set twice.  Second value is %s.", opt.Arg)
		}
		c.Config = cmp.Or(opt.Arg, "none") // a file without a name cannot be read
	case inAssemble | 's', inMisc | 's', inMonitor | 's', inIncremental | 's':
		c.Scan = true
	case inIncremental | 'R', inManage | 'R', inAssemble | 'R', inBuild | 'R', inCreate | 'R':
		if c.RunStop < 0 {
			return true, usage("Cannot both Stop and Run an array")
		}
		c.RunStop = 1
	case inManage | 'S':
		if c.RunStop > 0 {
			return true, usage("Cannot both Run and Stop an array")
		}
		c.RunStop = -1
	case inAssemble | optBackupFile, inGrow | optBackupFile:
		if c.BackupFile != "" || c.nameless == "--backup-file" {
			return true, usage("backup file already specified, rejecting %s", opt.Arg)
		}
		c.BackupFile = opt.Arg
		c.named("--backup-file", opt.Arg)
	case inGrow | optContinue:
		c.GrowContinue = true
	case inAssemble | optInvalidBackup:
		c.InvalidBackup = true
	case inIncremental | 'r', inIncremental | optRebuildMap:
		c.RebuildMap = true
	case inIncremental | optPath:
		c.IncrementPath = opt.Arg
	default:
		return false, nil
	}
	return true, nil
}

// subarrayUpdates is how many of updateWords later versions take for --update-subarray.
const subarrayUpdates = 5

// updateWords lists the words that --update takes when assembling.
func updateWords() []string {
	return []string{
		"name", "ppl", "no-ppl", "bitmap", "no-bitmap", "sparc2.2", "super-minor", "summaries", "resync", "uuid",
		"homehost", "home-cluster", "nodes", "devicesize", "bbl", "no-bbl", "force-no-bbl", "metadata", "revert-reshape",
		"layout-original", "layout-alternate", "layout-unspecified",
	}
}

const updateHelp = "Valid --update options are:\n" +
	"     'sparc2.2', 'super-minor', 'uuid', 'name', 'nodes', 'resync',\n" +
	"     'summaries', 'homehost', 'home-cluster', 'byteorder', 'devicesize',\n" +
	"     'bitmap', 'no-bitmap', 'metadata', 'revert-reshape'\n" +
	"     'bbl', 'no-bbl', 'force-no-bbl', 'ppl', 'no-ppl'\n" +
	"     'layout-original', 'layout-alternate', 'layout-unspecified'\n"

// update takes --update in its three modes.
func (p *parser) update(opt getopt.Option) (bool, error) {
	c := &p.cmd
	at := p.at(opt)
	switch at {
	case inAssemble | 'U', inMisc | 'U', inManage | 'U':
	default:
		return false, nil
	}
	if at == inManage|'U' && c.Op != ReAdd {
		return true, &exit{code: 1, err: "mdadm: --update in Manage mode only allowed with --re-add.\n"}
	}
	if c.Update != "" {
		return true, usage("Can only update one aspect of superblock, both %s and %s given.", c.Update, opt.Arg)
	}
	if at == inMisc|'U' && c.Subarray == "" {
		return true, usage("Only subarrays can be updated in misc mode")
	}
	c.Update = opt.Arg
	switch {
	case at == inManage|'U':
		if !slices.Contains([]string{"devicesize", "bbl", "force-no-bbl", "no-bbl"}, opt.Arg) {
			return true, usage("only 'devicesize', 'bbl', 'no-bbl', and 'force-no-bbl' can be updated with --re-add")
		}
	case c.compat >= mdtext.Mdadm46 && c.Op == UpdateSubarray && !slices.Contains(updateWords()[:subarrayUpdates], opt.Arg):
		return true, c.updates(opt.Arg)
	case slices.Contains(updateWords(), opt.Arg):
	case opt.Arg == "byteorder":
		if c.Shape.Metadata != "" {
			return true, usage("must not set metadata type with --update=byteorder.")
		}
		c.Shape.Metadata = "0.swap"
	default:
		return true, c.updates(opt.Arg)
	}
	return true, nil
}

// updates lists what --update takes, because that was asked for or because the word is
// none of it.
func (c *Command) updates(word string) *exit {
	help := word == "?" || word == "help"
	list, which := "mdadm: "+updateHelp, ""
	switch {
	case c.compat < mdtext.Mdadm46:
	case c.Op == UpdateSubarray:
		list, which = mdtext.Updates(updateWords()[:subarrayUpdates], true), " update-subarray option"
	default:
		list, which = mdtext.Updates(append(updateWords(), "byteorder"), false), " update option"
	}
	switch {
	case help:
		return &exit{out: list}
	case which == "":
		return &exit{code: 2, err: "mdadm: '--update=" + word + "' is invalid.  " + updateHelp}
	}
	return &exit{code: 2, err: "mdadm: '--update=" + word + "' is invalid" + which + ". " + list}
}

// monitor takes the options of monitor mode.
func (p *parser) monitor(opt getopt.Option) (bool, error) {
	w := &p.cmd.Watching
	once := func(option, what string, to *string) {
		if *to != "" || p.cmd.nameless == option {
			p.warnf("only specify %s. %s ignored.", what, opt.Arg)
			return
		}
		*to = opt.Arg
		p.cmd.named(option, opt.Arg)
	}
	switch p.at(opt) {
	case inMonitor | 'm', inMonitor | optMail:
		once("--mail", "one mailaddress", &w.Mail)
	case inMonitor | 'p', inMonitor | optProgram:
		once("--program", "one alter program", &w.Program)
	case inMonitor | 'i':
		once("--pid-file", "one pid file", &w.PIDFile)
	case inMonitor | 'r', inMonitor | optIncrement:
		n, ok := parseNum(opt.Arg)
		if !ok || n < 1 || n > 99 {
			return true, usage("please specify positive integer between 1 and 99 as rebuild increments.")
		}
		w.Increment = n
	case inMonitor | 'f', inMonitor | optDaemonise:
		w.Daemonise = true
	case inMonitor | '1':
		w.Oneshot, w.NoSharing = true, true
	case inMonitor | 't':
		p.cmd.Test = true
	case inMonitor | 'y':
		w.Syslog = true
	case inMonitor | optNoSharing:
		w.NoSharing = true
	default:
		return false, nil
	}
	return true, nil
}

// manage takes the actions of manage mode and the settings that apply to the
// devices after them.
func (p *parser) manage(opt getopt.Option) (bool, error) {
	c := &p.cmd
	switch p.at(opt) {
	case inManage | 'W', inManage | optWriteMostly, inBuild | 'W', inBuild | optWriteMostly,
		inCreate | 'W', inCreate | optWriteMostly:
		p.writeMostly = FlagSet
	case inManage | 'w':
		p.writeMostly = FlagClear
	case inManage | optFailFast, inCreate | optFailFast:
		p.failFast = FlagSet
	case inManage | optNoFailFast:
		p.failFast = FlagClear
	case inGrow | 'a', inGrow | optAdd, inManage | 'a', inManage | optAdd:
		c.Op = Add
	case inManage | optAddSpare:
		c.Op = AddSpare
	case inManage | optAddJournal:
		c.Op = AddJournal
	case inManage | optReAdd:
		c.Op = ReAdd
	case inManage | 'r', inManage | optRemove:
		c.Op = Remove
	case inManage | 'f', inManage | optFail, inIncremental | 'f', inIncremental | optRemove, inIncremental | optFail:
		c.Op = Fail
	case inManage | optClusterConfirm:
		c.Op = ClusterConfirm
	case inManage | optReplace:
		c.Op = Replace
	case inManage | optWith:
		if c.Op != Replace {
			return true, usage("--with must follow --replace")
		}
		c.Op = With
	case inManage | 't', inMisc | 't':
		c.Test = true
	default:
		return false, nil
	}
	return true, nil
}

// miscOp is the action an option of misc mode asks for.
func miscOp(opt int) Op {
	switch opt {
	case 'Q':
		return Query
	case 'D':
		return Detail
	case 'E':
		return Examine
	case 'X':
		return ExamineBitmap
	case 'R':
		return Run
	case 'S':
		return Stop
	case 'o':
		return ReadOnly
	case 'w':
		return ReadWrite
	case 'W', optWait:
		return Wait
	case optZeroSuperblock:
		return ZeroSuperblock
	case optExamineBadBlocks:
		return ExamineBadBlocks
	case optWaitClean:
		return WaitClean
	case optDetailPlatform:
		return DetailPlatform
	case optKillSubarray:
		return KillSubarray
	case optUpdateSubarray:
		return UpdateSubarray
	case optUdevRules:
		return UdevRules
	case optDump:
		return Dump
	case optRestore:
		return Restore
	case optAction:
		return SetAction
	}
	return NoOp
}

// misc takes the actions of misc mode.
func (p *parser) misc(opt getopt.Option) (bool, error) {
	c := &p.cmd
	if c.Mode != Misc {
		return false, nil
	}
	if opt.Val == optSparc22 {
		if c.Op != Examine {
			return true, usage("--sparc2.2 only allowed with --examine")
		}
		c.Sparc = true
		return true, nil
	}
	if opt.Val == optRestoreMetadata {
		c.RestoreMetadata = opt.Arg
		return true, nil
	}
	op := miscOp(opt.Val)
	if op == NoOp {
		return false, nil
	}
	if op == UdevRules {
		return true, p.udevRules(opt)
	}
	if err := p.miscArgument(op, opt.Arg); err != nil {
		return true, err
	}
	if err := p.examineAlone(op, opt); err != nil {
		return true, err
	}
	before := c.Op
	c.Op, p.action = op, opt.Val
	if op == Dump || op == Restore {
		if before == Dump || before == Restore {
			return true, usage("dump/restore directory specified twice: %s and %s", c.DumpDirectory, opt.Arg)
		}
		c.DumpDirectory = opt.Arg
	}
	return true, nil
}

func (p *parser) udevRules(opt getopt.Option) error {
	switch {
	case opt.HasArg && opt.Arg == "":
		return usage("--udev-rules= names no file: leave out the \"=\" for standard output.")
	case p.cmd.Op != NoOp && p.cmd.Op != UdevRules:
		p.warnf("--udev-rules must be the only option.")
	case p.cmd.UdevFile != "":
		p.warnf("only specify one udev rule filename. %s ignored.", opt.Arg)
	default:
		p.cmd.UdevFile = opt.Arg
	}
	p.cmd.Op = UdevRules
	return nil
}

func (p *parser) miscArgument(op Op, arg string) error {
	c := &p.cmd
	switch op {
	case KillSubarray, UpdateSubarray:
		if c.Subarray != "" {
			return usage("subarray can only be specified once")
		}
		c.Subarray = arg
	case SetAction:
		if c.Action != "" {
			return usage("Only one --action can be specified")
		}
		if !slices.Contains([]string{"idle", "frozen", "check", "repair"}, arg) {
			return usage("action must be one of idle, frozen, check, repair")
		}
		c.Action = arg
	}
	return nil
}

// examineAlone applies the rule that --examine goes with no other action: it may
// only replace --query.
func (p *parser) examineAlone(op Op, opt getopt.Option) error {
	old := p.cmd.Op
	if old == NoOp || old == op || (old != Examine && (op != Examine || old == Query)) {
		return nil
	}
	other := "previous option"
	switch {
	case old == Examine:
		other = spelled(opt)
	case p.action < optAssumeClean:
		other = "-" + string(rune(p.action))
	}
	return usage("--examine/-E cannot be given with %s", other)
}

// setName takes the name of an array. Later versions ask for the subarray first, and
// refuse the empty name, too.
func (c *Command) setName(name string) error {
	later := c.compat >= mdtext.Mdadm46
	switch {
	case c.Name != "" && !later:
		return usage("name cannot be set twice.   Second value %s.", name)
	case c.Mode == Misc && c.Subarray == "":
		return usage("-N/--name only valid with --update-subarray in misc mode")
	case later && c.Name != "":
		return usage("%s", mdtext.BadName(name, "name", "Already defined"))
	case later && (name == "" || len(name) > maxName):
		return usage("%s", mdtext.BadName(name, "name", "Too long or empty"))
	case len(name) > maxName:
		return usage("name '%s' is too long, 32 chars max.", name)
	}
	c.Name = name
	return nil
}

// badDevice refuses the name of an array's device. It returns nil for a name that will do.
func (c *Command) badDevice() error {
	given := c.Devices[0].Name
	if c.compat < mdtext.Mdadm46 {
		if c.Mode != Manage && c.Mode != Grow && len(path.Base(given)) > maxName {
			return failure("Name %s is too long.", given)
		}
		return nil
	}
	name := given
	for _, prefix := range []string{"/dev/md/", "/dev/md_"} {
		if rest, ok := strings.CutPrefix(given, prefix); ok {
			name = rest
			break
		}
	}
	switch {
	case strings.EqualFold(given, "<ignore>"):
		return failure("%s", mdtext.BadName(given, "devname", "Special keyword is invalid in this context"))
	case name == "" || len(name) > maxName:
		return failure("%s", mdtext.BadName(name, "devname", "Too long or empty"))
	}
	return nil
}
