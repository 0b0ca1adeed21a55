package dmstats

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/internal/cli/dmtask"
)

// A Command is a subcommand of stats. Those without Run are run by dmsetup itself: they
// are about the columns of its report, or about the driver.
type Command struct {
	Name string
	Help string // how usage shows its arguments
	Run  func(s *Statistics, ctx context.Context, c dmtask.Call) error
}

// Commands returns the subcommands of stats in the order of the original, which lists
// create twice: for devices and for files.
func Commands() []Command {
	const (
		allPrograms = "[--allprograms|--programid id] "
		allRegions  = "[--allregions|--regionid id] "
		allDevices  = "[--alldevices|<device>...] "
		indent      = "\n\t    "
		ids         = "[--programid <id>] [--userdata <data> ]"
		extra       = "[--bounds histogram_boundaries] [--precise] "
		monitor     = "[--nomonitor] [--follow mode]"
		everything  = allPrograms + indent + allRegions + indent + allDevices
		fields      = "[-o <fields>] [-O|--sort <sort_fields>]" + indent +
			"[-S|--select <selection>] [--nameprefixes]" + indent + "[--noheadings] [--separator <separator>]"
	)
	create := "[--start <start> [--length <len>]" + indent + "[--areas <nr_areas>] [--areasize <size>] " + indent +
		ids + " " + indent + extra + indent + "[--segments] "
	report := "[--interval <seconds>] [--count <cnt>]" + indent +
		"[--units <u>] [--programid <id>] [--regionid <id>] " + indent + fields + indent + allPrograms
	return []Command{
		{Name: "help"},
		{Name: "clear", Help: allRegions + allDevices, Run: (*Statistics).clear},
		{Name: "create", Help: create + allDevices, Run: (*Statistics).createCommand},
		{Name: "create", Help: "--filemap [--nogroup] " + monitor + indent + ids + " " + indent + extra + "<file_path>"},
		{Name: "delete", Help: everything, Run: (*Statistics).delete},
		{Name: "group", Help: "[--alias NAME] --regions <regions>" + indent + allPrograms + allDevices, Run: (*Statistics).groupCommand},
		{Name: "list", Help: allPrograms + allRegions},
		{Name: "print", Help: "[--clear] " + everything, Run: (*Statistics).print},
		{Name: "report", Help: report + "[<device>...]"},
		{Name: "ungroup", Help: "--groupid <id> " + allPrograms + indent + allDevices, Run: (*Statistics).ungroupCommand},
		{Name: "update_filemap", Help: "--groupid <id> " + indent + monitor + " <file_path>", Run: (*Statistics).updateFilemap},
		{Name: "version"},
	}
}

// Usage returns the usage of dmstats.
func Usage(f dmopt.Face) string {
	var b strings.Builder
	fmt.Fprintf(&b, `Usage:

%s
        [-h|--help]
        [-v|--verbose [-v|--verbose ...]]
        [--areas <nr_areas>] [--areasize <size>]
        [--userdata <data>] [--clear]
        [--count <count>] [--interval <seconds>]
        [-o <fields>] [-O|--sort <sort_fields>]
	      [--programid <id>]
        [--start <start>] [--length <length>]
        [--segments] [--units <units>]

`, f)
	for _, c := range Commands() {
		fmt.Fprintf(&b, "\t%s %s\n", c.Name, c.Help)
	}
	b.WriteString("\n<device> may be device name or (if only one) -u <uuid> or -j <major> -m <minor>\n" +
		"<fields> are comma-separated.  Use 'help -c' for list.\n\n")
	return b.String()
}

// Named returns the subcommand with that name.
func Named(name string) (Command, bool) {
	all := Commands()
	i := slices.IndexFunc(all, func(c Command) bool { return c.Name == name })
	if i < 0 {
		return Command{}, false
	}
	return all[i], true
}
