package dmsetup

import (
	"context"
	"fmt"
	"strings"

	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/internal/cli/dmstats"
	"github.com/mdkit/mdkit/internal/cli/dmtask"
)

// usageText returns the usage of a face.
func usageText(f dmopt.Face) string {
	switch {
	case f == dmopt.NameOnly:
		return dmopt.NameOnlyUsage
	case f.Stats():
		return dmstats.Usage(f)
	}
	var b strings.Builder
	fmt.Fprintf(&b, usageHead, f)
	for _, c := range commands() {
		fmt.Fprintf(&b, "\t%s %s\n", c.name, c.help)
	}
	b.WriteString(usageTail)
	return b.String()
}

// usageAdded returns what help adds to that: the options and commands that the original
// does not have.
func usageAdded() string {
	var b strings.Builder
	b.WriteString(usageOwn)
	for _, c := range additions() {
		fmt.Fprintf(&b, "\t%s %s\n", c.name, c.help)
	}
	return b.String() + "\n"
}

const usageHead = `Usage:

%s
        [--version] [-h|--help [-c|-C|--columns]]
        [-v|--verbose [-v|--verbose ...]] [-f|--force]
        [--checks] [--manglename {none|hex|auto}]
        [-r|--readonly] [--noopencount] [--noflush] [--nolockfs] [--inactive]
        [--udevcookie <cookie>] [--noudevrules] [--noudevsync] [--verifyudev]
        [-y|--yes] [--readahead {[+]<sectors>|auto|none}] [--retry]
        [-c|-C|--columns] [-o <fields>] [-O|--sort <sort_fields>]
        [-S|--select <selection>] [--nameprefixes] [--noheadings]
        [--separator <separator>]

`

const usageTail = `
<device> may be device name or (if only one) -u <uuid> or -j <major> -m <minor>
<mangling_mode> is one of 'none', 'auto' and 'hex'.
<fields> are comma-separated.  Use 'help -c' for list.
<concise_device_specification> has single-device entries separated by semi-colons:
    <name>,<uuid>,<minor>,<flags>,<table>
        where <flags> is 'ro' or 'rw' (the default) and any of <uuid>, <minor>
        and <flags> may be empty. Separate extra table lines with commas.
    E.g.: dev1,,,,0 100 linear 253:1 0,100 100 error;dev2,,,ro,0 1 error
Table_file contents may be supplied on stdin.
Options are: devno, devname, blkdevname.
Tree specific options are: ascii, utf, vt100; compact, inverted, notrunc;
                           blkdevname, [no]device, active, open, rw and uuid.

`

const usageOwn = `mdkit adds:

        [--json] [--dry-run] [--exit-codes] [--udev-timeout <seconds>] [--timeout <seconds>]

`

// help is the help command and --help: the usage on standard error and, with
// -c, the fields of reports.
func (p *program) help(_ context.Context, c dmtask.Call) error {
	p.sayUsage()
	if p.Line.Face == dmopt.Dmsetup {
		fmt.Fprint(p.Std.Err, usageAdded())
	}
	if p.Line.Has(dmopt.Columns) {
		p.fieldHelp(c)
	}
	return nil
}

func (p *program) sayUsage() { fmt.Fprint(p.Std.Err, usageText(p.Line.Face)) }
