package mdadm

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/mdkit/mdkit/internal/cli/mdadm/mdtext"

	"github.com/mdkit/mdkit/internal/cli/getopt"
	"github.com/mdkit/mdkit/internal/cli/ui"
)

// exit ends the parsing of a command line, with text for one of the streams and an
// exit code. As an error it means that there is nothing more to do, which is not a
// failure for --help and --version.
type exit struct {
	code int
	out  string
	err  string
}

func (e *exit) Error() string { return e.err + e.out }

// usage is the exit for a wrong command line: one message in mdadm's words, exit
// code 2.
func usage(format string, args ...any) *exit {
	return &exit{code: 2, err: "mdadm: " + fmt.Sprintf(format, args...) + "\n"}
}

const usageText = "Usage: mdadm --help\n  for help\n"

// versionText is what --version prints: the mdadm this face stands in for
// comes first, because scripts look for it.
const versionText = "mdadm - v4.2 - 2021-12-30 - mdkit\n"

// parser is the state of parsing one command line. The rules and the wording of
// complaints are those of mdadm 4.2; mere warnings go to warn as they occur.
type parser struct {
	cmd  Command
	warn io.Writer

	short       string // the option string in force; depends on the mode
	help        int    // 1 --help, 2 --help-options
	writeMostly Flag
	failFast    Flag
	action      int // the option that set the action in force, in misc mode
	badSymlinks bool
}

// parse reads a command line; args[0] is the name of the program. The error,
// if any, is an *exit.
func parse(args []string, std ui.IO) (*Command, error) {
	compat, err := mdtext.ParseCompat(os.Getenv("MDADM_COMPAT"))
	if err != nil {
		return nil, usage("%v", err)
	}
	p := &parser{warn: std.Err, short: shortAny}
	p.cmd = Command{
		compat:     compat,
		args:       args,
		SuperMinor: Unset,
		Shape:      Shape{Level: Unset, Layout: Unset, BitmapChunk: Unset, DataOffset: Unset},
		Watching:   Watching{Increment: 20},
	}
	program := "mdadm"
	if len(args) > 0 {
		program, args = args[0], args[1:]
	}
	opts := getopt.New(program, args)
	longs := longOptions()
	for {
		opt, err := opts.Next(p.short, longs)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, &exit{code: 2, err: err.Error() + "\n" + usageText}
		}
		if err := p.option(opt); err != nil {
			return nil, err
		}
	}
	if err := p.finish(); err != nil {
		return nil, err
	}
	return &p.cmd, nil
}

// option takes one option or word.
func (p *parser) option(opt getopt.Option) error {
	if done, err := p.anywhere(opt); done || err != nil {
		return err
	}
	old := p.cmd.Mode
	mode := p.modeOf(opt.Val)
	switch {
	case old != NoMode && mode != old:
		return usage("%s would set mdadm mode to \"%s\", but it is already set to \"%s\".", spelled(opt), mode, old)
	case old == NoMode && mode != NoMode:
		p.cmd.Mode = mode
		if mode == Misc && len(p.cmd.Devices) > 0 {
			return usage("No action given for %s in --misc mode\n       Action options must come before device names",
				p.cmd.Devices[0].Name)
		}
	case mode == NoMode:
		return p.beforeMode(opt)
	}
	switch opt.Val {
	case optManage, optMisc, 'A', 'B', 'C', 'F', 'G', 'I', optAutoDetect:
		return nil
	case getopt.Word:
		return p.device(opt.Arg)
	}
	return p.inMode(opt)
}

// spelled is an option as mdadm's complaints write it.
func spelled(opt getopt.Option) string {
	if opt.Name != "" {
		return "--" + opt.Name
	}
	return "-" + string(rune(opt.Val))
}

// anywhere handles the options that need no mode.
func (p *parser) anywhere(opt getopt.Option) (done bool, err error) {
	c := &p.cmd
	switch opt.Val {
	case optHelpOptions:
		p.help = 2
	case 'h':
		p.help = 1
	case 'V':
		return true, &exit{err: versionText}
	case 'v':
		c.Verbose++
	case 'q':
		c.Verbose--
	case 'b':
		switch c.Mode {
		case Assemble, Build, Create, Grow, Incremental, Manage:
			return false, nil // -b means bitmap there
		}
		c.Brief = true
	case optBrief:
		c.Brief = true
	case optNoDevices:
		c.NoDevices = true
	case 'Y':
		c.Export++
	case optHomeHost:
		switch {
		case strings.EqualFold(opt.Arg, "<ignore>"):
			c.AnyHomeHost = true
		case opt.Arg == "":
			c.HomeHost = "<none>"
		default:
			c.HomeHost = opt.Arg
		}
	case optOffRoot: // accepted and ignored
	case optPrefer:
		c.Prefer = "/" + opt.Arg + "/"
	case optDryRun:
		c.DryRun = true
	case optJSON:
		c.JSON = true
	case optBackupMetadata:
		c.BackupMetadata = opt.Arg
	default:
		return false, nil
	}
	return true, nil
}

// modeOf says which mode the option implies, and chooses the option string that
// goes with it. Other options keep the current mode.
func (p *parser) modeOf(opt int) Mode {
	switch opt {
	case optManage:
		p.short = shortBitmap
		return Manage
	case 'a', optAdd, optAddSpare, optAddJournal, 'r', optRemove, optReplace, optWith,
		'f', optFail, optReAdd, optClusterConfirm:
		if p.cmd.Mode == NoMode {
			p.short = shortBitmap
			return Manage
		}
	case 'A':
		p.short = shortAuto
		return Assemble
	case 'B':
		p.short = shortAuto
		return Build
	case 'C':
		p.short = shortAuto
		return Create
	case 'G':
		p.short = shortBitmap
		return Grow
	case 'I':
		p.short = shortAuto
		return Incremental
	case 'F', optNoSharing:
		p.short = shortMonitor
		return Monitor
	case optAutoDetect:
		return AutoDetect
	case optMisc, 'D', 'E', 'X', 'Q', optExamineBadBlocks, optDump, optRestore, optAction:
		return Misc
	case 'R', 'S', 'o', 'w', 'W', optWait, optWaitClean, optDetailPlatform, optKillSubarray,
		optUpdateSubarray, optUdevRules, optZeroSuperblock, optRestoreMetadata:
		if p.cmd.Mode == NoMode {
			return Misc
		}
	}
	return p.cmd.Mode
}

// beforeMode handles what comes before the mode is known, which may be one device.
func (p *parser) beforeMode(opt getopt.Option) error {
	switch {
	case (opt.Val == 'c' || opt.Val == optConfig) &&
		(strings.HasPrefix(opt.Arg, "--h") || strings.HasPrefix(opt.Arg, "-h")):
		return &exit{out: mdtext.HelpConfig}
	case opt.Val != getopt.Word:
		return usage("%s does not set the mode, and so cannot be the first option.", spelled(opt))
	case len(p.cmd.Devices) > 0:
		return usage("An option must be given to set the mode before a second device\n       (%s) is listed", opt.Arg)
	}
	p.addDevice(opt.Arg, p.cmd.Op)
	return nil
}

// device handles a word once the mode is known.
func (p *parser) device(name string) error {
	if len(p.cmd.Devices) > 0 {
		switch {
		case p.cmd.Op == DetailPlatform:
			p.warnf("controller may only be specified once. %s ignored", name)
			return nil
		case p.cmd.Mode == Manage && p.cmd.Op == NoOp:
			return usage("Must give one of -a/-r/-f for subsequent devices at %s", name)
		case p.cmd.Mode == Grow && p.cmd.Op == NoOp:
			return usage("Must give -a/--add for devices to add: %s", name)
		}
	}
	p.addDevice(name, p.cmd.Op)
	return nil
}

func (p *parser) addDevice(name string, op Op) {
	p.cmd.Devices = append(p.cmd.Devices, Device{
		Name: name, Op: op, WriteMostly: p.writeMostly, FailFast: p.failFast,
	})
}

// warnf prints a complaint after which mdadm carries on.
func (p *parser) warnf(format string, args ...any) {
	fmt.Fprintf(p.warn, "mdadm: "+format+"\n", args...)
}

// inMode handles an option whose meaning depends on the mode.
func (p *parser) inMode(opt getopt.Option) error {
	for _, group := range []func(getopt.Option) (bool, error){
		p.geometry, p.bitmap, p.identity, p.assembly, p.update, p.monitor, p.manage, p.misc,
	} {
		if done, err := group(opt); done || err != nil {
			return err
		}
	}
	// The first entry of the option table has the index 0, which mdadm takes
	// for "no long option".
	if opt.Name != "" && opt.Val != optManage {
		return usage(":option --%s not valid in %s mode", opt.Name, p.cmd.Mode)
	}
	return usage("option -%c not valid in %s mode", rune(opt.Val), p.cmd.Mode)
}
