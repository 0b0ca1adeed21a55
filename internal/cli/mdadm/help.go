package mdadm

import "github.com/mdkit/mdkit/internal/cli/mdadm/mdtext"

// helpText is what --help prints for a mode.
func helpText(m Mode) string {
	switch m {
	case Create:
		return mdtext.HelpCreate
	case Build:
		return mdtext.HelpBuild
	case Assemble:
		return mdtext.HelpAssemble
	case Manage:
		return mdtext.HelpManage
	case Misc:
		return mdtext.HelpMisc
	case Grow:
		return mdtext.HelpGrow
	case Monitor:
		return mdtext.HelpMonitor
	case Incremental:
		return mdtext.HelpIncremental
	}
	return mdtext.HelpGeneral
}
