package mdadm

import (
	"math"
	"os"
	"strings"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/internal/cli/getopt"
)

// The groups below switch on the mode and the option at once; a case is
// mode<<16|option, as constants.
const (
	inAssemble    = int(Assemble) << 16
	inBuild       = int(Build) << 16
	inCreate      = int(Create) << 16
	inManage      = int(Manage) << 16
	inMisc        = int(Misc) << 16
	inMonitor     = int(Monitor) << 16
	inGrow        = int(Grow) << 16
	inIncremental = int(Incremental) << 16
)

// at is the value the groups switch on.
func (p *parser) at(opt getopt.Option) int { return int(p.cmd.Mode)<<16 | opt.Val }

// geometry takes the options for an array's shape.
func (p *parser) geometry(opt getopt.Option) (bool, error) {
	s := &p.cmd.Shape
	switch p.at(opt) {
	case inGrow | 'c', inGrow | optChunk, inCreate | 'c', inCreate | optChunk, inBuild | 'c', inBuild | optChunk:
		return true, p.chunk(opt.Arg)
	case inIncremental | 'e', inCreate | 'e', inAssemble | 'e', inMisc | 'e':
		if s.Metadata != "" {
			return true, usage("metadata information already given")
		}
		if !knownMetadata(opt.Arg) {
			return true, usage("unrecognised metadata identifier: %s", opt.Arg)
		}
		s.Metadata = opt.Arg
		if opt.Arg == "" {
			s.Metadata = "0" // mdadm takes the empty identifier for its oldest format
		}
	case inGrow | 'z', inCreate | 'z', inBuild | 'z':
		if s.Size != 0 {
			return true, usage("size may only be specified once. Second value is %s.", opt.Arg)
		}
		if opt.Arg == "max" {
			s.Size = SizeMax
			return true, nil
		}
		sectors, ok := parseSize(opt.Arg)
		if !ok || sectors < 8 {
			return true, usage("invalid size: %s", opt.Arg)
		}
		s.Size = sectors / 2
	case inGrow | 'Z':
		return true, p.arraySize(opt.Arg)
	case inCreate | optDataOffset, inGrow | optDataOffset:
		return true, p.dataOffset(opt.Arg)
	case inGrow | 'l', inCreate | 'l', inBuild | 'l':
		return true, p.level(opt.Arg)
	case inGrow | 'p', inGrow | optLayout:
		if s.LayoutWord != nil {
			return true, usage("layout may only be sent once.  Second value was %s", opt.Arg)
		}
		s.LayoutWord = &opt.Arg
	case inCreate | 'p', inCreate | optLayout, inBuild | 'p', inBuild | optLayout:
		return true, p.layout(opt.Arg)
	case inCreate | optAssumeClean, inBuild | optAssumeClean, inGrow | optAssumeClean:
		s.AssumeClean = true
	case inGrow | 'n', inCreate | 'n', inBuild | 'n':
		if s.RaidDisks != 0 {
			return true, usage("raid-devices set twice: %d and %s", s.RaidDisks, opt.Arg)
		}
		n, ok := parseNum(opt.Arg)
		if !ok || n <= 0 {
			return true, usage("invalid number of raid devices: %s", opt.Arg)
		}
		s.RaidDisks = n
	case inCreate | 'x':
		return true, p.spares(opt.Arg)
	case inCreate | 'k', inGrow | 'k':
		policy, ok := parsePolicy(opt.Arg)
		if !ok {
			return true, usage("Invalid consistency policy: %s", opt.Arg)
		}
		s.Policy = policy
	case inCreate | optWriteJournal:
		if s.JournalDisks != 0 {
			p.warnf("Please specify only one journal device for the array.")
			p.warnf("Ignoring --write-journal %s...", opt.Arg)
			return true, nil
		}
		p.cmd.Devices = append(p.cmd.Devices, Device{Name: opt.Arg, Op: WriteJournal})
		s.JournalDisks = 1
	default:
		return false, nil
	}
	return true, nil
}

func (p *parser) chunk(arg string) error {
	s := &p.cmd.Shape
	if s.Chunk != 0 {
		return usage("chunk/rounding may only be specified once. Second value is %s.", arg)
	}
	sectors, ok := parseSize(arg)
	// mdadm keeps the number in a C int, and takes what is left of it.
	if !ok || sectors > math.MaxInt32 || sectors < 8 || sectors&1 != 0 {
		return usage("invalid chunk/rounding value: %s", arg)
	}
	s.Chunk = int(sectors / 2)
	return nil
}

func (p *parser) arraySize(arg string) error {
	if p.cmd.ArraySize != 0 {
		return usage("array-size may only be specified once. Second value is %s.", arg)
	}
	if arg == "max" {
		p.cmd.ArraySize = SizeMax
		return nil
	}
	sectors, ok := parseSize(arg)
	if !ok {
		return usage("invalid array size: %s", arg)
	}
	p.cmd.ArraySize = sectors
	return nil
}

func (p *parser) dataOffset(arg string) error {
	s := &p.cmd.Shape
	if s.DataOffset != Unset {
		return usage("data-offset may only be specified one. Second value is %s.", arg)
	}
	if p.cmd.Mode == Create && arg == "variable" {
		s.DataOffset = OffsetVariable
		return nil
	}
	sectors, ok := parseSize(arg)
	if !ok {
		return usage("invalid data-offset: %s", arg)
	}
	s.DataOffset = sectors
	return nil
}

func (p *parser) level(arg string) error {
	s := &p.cmd.Shape
	if s.Level != Unset {
		return usage("raid level may only be set once.  Second value is %s.", arg)
	}
	level, err := md.ParseLevel(arg)
	if err != nil {
		return usage("invalid raid level: %s", arg)
	}
	s.Level = int(level)
	if p.cmd.Mode == Build {
		switch s.Level {
		case 0, 1, 10, levelLinear, levelMultipath, levelFaulty:
		default:
			return usage("Raid level %s not permitted with --build.", arg)
		}
	}
	if s.SpareDisks > 0 && (s.Level == 0 || s.Level == levelLinear) {
		return usage("raid level %s is incompatible with spare-devices setting.", arg)
	}
	return nil
}

func (p *parser) layout(arg string) error {
	s := &p.cmd.Shape
	if s.Layout != Unset {
		return usage("layout may only be sent once.  Second value was %s", arg)
	}
	switch s.Level {
	case Unset:
		return usage("raid level must be given before layout.")
	case 0, 5, 6, 10, levelFaulty:
	default:
		return usage("layout not meaningful for %s arrays.", levelText(s.Level))
	}
	layout, err := md.ParseLayout(md.Level(s.Level), arg)
	switch {
	case err == nil:
		s.Layout = int(layout)
		return nil
	case s.Level == 10:
		return usage("layout for raid10 must be 'nNN', 'oNN' or 'fNN' where NN is a number, not %s", arg)
	}
	return usage("layout %s not understood for %s.", arg, levelText(s.Level))
}

func (p *parser) spares(arg string) error {
	s := &p.cmd.Shape
	if s.SpareDisks != 0 {
		return usage("spare-devices set twice: %d and %s", s.SpareDisks, arg)
	}
	if s.Level == 0 || s.Level == levelLinear {
		return usage("spare-devices setting is incompatible with raid level %d", s.Level)
	}
	n, ok := parseNum(arg)
	if !ok {
		return usage("invalid number of spare-devices: %s", arg)
	}
	s.SpareDisks = n
	return nil
}

// bitmap takes the options of the write-intent bitmap.
func (p *parser) bitmap(opt getopt.Option) (bool, error) {
	s := &p.cmd.Shape
	switch p.at(opt) {
	case inAssemble | 'b', inAssemble | optBitmap:
		if opt.Arg == "internal" || opt.Arg == "clustered" {
			p.warnf("no need to specify --bitmap when assembling arrays with internal or clustered bitmap")
			return true, nil
		}
		return true, p.bitmapFile(opt.Arg)
	case inBuild | 'b', inBuild | optBitmap, inCreate | 'b', inCreate | optBitmap, inGrow | 'b', inGrow | optBitmap:
		if s.Bitmap != "" {
			return true, usage("bitmap cannot be set twice. Second value: %s.", opt.Arg)
		}
		switch {
		case opt.Arg == "internal", opt.Arg == "none", strings.Contains(opt.Arg, "/"):
		case opt.Arg == "clustered":
			p.cmd.Nodes = max(p.cmd.Nodes, 0)
			if p.cmd.Nodes == 0 {
				p.cmd.Nodes = 4
			}
		default:
			return true, usage("bitmap file must contain a '/', or be 'internal', or be 'clustered', or 'none'\n"+
				"       not '%s'", opt.Arg)
		}
		s.Bitmap = opt.Arg
	case inGrow | optBitmapChunk, inBuild | optBitmapChunk, inCreate | optBitmapChunk:
		sectors, ok := parseSize(opt.Arg)
		// mdadm keeps the number of bytes in a C int, and takes what is left of it.
		if !ok || sectors > math.MaxInt32/512 || sectors <= 1 || sectors&(sectors-1) != 0 {
			return true, usage("invalid bitmap chunksize: %s", opt.Arg)
		}
		s.BitmapChunk = sectors * 512
	case inGrow | optWriteBehind, inBuild | optWriteBehind, inCreate | optWriteBehind:
		// mdadm 4.2 reads the number even if there is no argument, and then complains
		// about "(null)"; later versions take their default.
		if !opt.HasArg {
			s.WriteBehind = defaultWriteBehind
			break
		}
		n, ok := parseNum(opt.Arg)
		if !ok || n > 16383 {
			return true, usage("Invalid value for maximum outstanding write-behind writes: %s.\n"+
				"\tMust be between 0 and 16383.", opt.Arg)
		}
		s.WriteBehind = n
	case inMonitor | 'd', inGrow | 'd', inBuild | 'd', inCreate | 'd':
		if s.Delay != 0 {
			p.warnf("only specify delay once. %s ignored.", opt.Arg)
			return true, nil
		}
		n, ok := parseNum(opt.Arg)
		if !ok || n < 1 {
			return true, usage("invalid delay: %s", opt.Arg)
		}
		s.Delay = n
	default:
		return false, nil
	}
	return true, nil
}

// bitmapFile takes the file of a bitmap, which has to be there (mdadm.c, main).
func (p *parser) bitmapFile(name string) error {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return usage("cannot open bitmap file %s: %s", name, errText(err))
	}
	p.cmd.BitmapFileOpen = name
	return f.Close()
}

// defaultWriteBehind is how many writes may be outstanding if --write-behind does not
// say (mdadm.h, DEFAULT_MAX_WRITE_BEHIND).
const defaultWriteBehind = 256
