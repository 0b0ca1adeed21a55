package mdadm

import (
	"github.com/mdkit/mdkit/internal/cli/mdadm/mdtext"

	"github.com/mdkit/mdkit/manage/mdconf"
)

// finish checks what can be known only from the whole line, and fills in what the
// line implies.
func (p *parser) finish() error {
	c := &p.cmd
	switch p.help {
	case 1:
		return &exit{out: helpText(c.Mode)}
	case 2:
		return &exit{out: mdtext.HelpOptions}
	}
	if err := p.checkJournal(); err != nil {
		return err
	}
	if err := p.checkPolicy(); err != nil {
		return err
	}
	if c.Mode == NoMode && len(c.Devices) > 0 {
		c.Mode, c.Op = Misc, Query
		if c.Devices[0].Op == NoOp {
			c.Devices[0].Op = Query
		}
	}
	if c.Mode == NoMode {
		return &exit{code: 2, err: usageText}
	}
	if p.badSymlinks {
		return usage("option --symlinks must be 'no' or 'yes'")
	}
	if c.Scan && c.Verbose < 2 {
		c.Brief = true // --scan implies --brief unless -vv
	}
	return p.checkArray()
}

func (p *parser) checkJournal() error {
	s := &p.cmd.Shape
	switch {
	case s.JournalDisks == 0:
	case s.Level < 4 || s.Level > 6:
		return usage("--write-journal is only supported for RAID level 4/5/6.")
	case s.Policy != PolicyUnknown && s.Policy != PolicyJournal:
		return usage("--write-journal is not supported with consistency policy: %s", s.Policy)
	}
	return nil
}

func (p *parser) checkPolicy() error {
	s := &p.cmd.Shape
	bitmap := s.Bitmap != "" && s.Bitmap != "none"
	switch {
	case p.cmd.Mode != Create || s.Policy == PolicyUnknown:
	case s.Level <= 0:
		return usage("--consistency-policy not meaningful with level %s.", levelText(s.Level))
	case s.Policy == PolicyJournal && s.JournalDisks == 0:
		return usage("--write-journal is required for consistency policy: %s", s.Policy)
	case s.Policy == PolicyPPL && s.Level != 5:
		return usage("PPL consistency policy is only supported for RAID level 5.")
	case s.Policy == PolicyBitmap && !bitmap:
		return usage("--bitmap is required for consistency policy: %s", s.Policy)
	case bitmap && s.Policy != PolicyBitmap && s.Policy != PolicyJournal:
		return usage("--bitmap is not compatible with consistency policy: %s", s.Policy)
	}
	return nil
}

// checkArray checks the modes whose first device is an array.
func (p *parser) checkArray() error {
	c := &p.cmd
	switch c.Mode {
	case Manage, Build, Create, Grow:
	case Assemble:
		if c.Scan {
			return nil
		}
	default:
		return nil
	}
	switch {
	case len(c.Devices) == 0:
		return usage("an md device must be given in this mode")
	case c.SuperMinor == superMinorDev && c.Auto != 0:
		return usage("--super-minor=dev is incompatible with --auto")
	}
	return c.badDevice()
}

// check applies the rules that mdadm applies after it has looked at the array
// device and before it asks who the user is.
func (c *Command) check() error {
	switch {
	case c.Shape.RaidDisks == 1 && !c.Force && c.Shape.Level != levelFaulty:
		return usage("'1' is an unusual number of drives for an array, so it is probably\n" +
			"     a mistake.  If you really mean it you will need to specify --force before\n" +
			"     setting the number of drives.")
	case c.Nodes > 0 && c.cluster(mdconf.Load(c.Config)) == "":
		return &exit{code: 1, err: "mdadm: The md can't get cluster name\n"}
	case c.Update == "nodes" && c.Nodes == 0:
		return &exit{code: 1, err: "mdadm: Please specify nodes number with --nodes\n"}
	case c.BackupFile != "" && c.Shape.DataOffset != Unset:
		return usage("--backup-file and --data-offset are incompatible")
	}
	if c.Mode == Monitor {
		return nil // it has more to check before
	}
	return c.checkNames()
}

// named remembers an option whose value is empty.
func (c *Command) named(option, value string) {
	if value == "" {
		c.nameless = option
	}
}

// checkNames refuses an option that names no file, address or program. mdadm takes the
// empty name, and fails when it comes to use it, or without a word does not.
func (c *Command) checkNames() error {
	if c.nameless != "" {
		return usage("%s is empty: give it a value, or leave it out.", c.nameless)
	}
	return nil
}
