package dmsetup

import (
	"slices"
	"strings"

	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/internal/cli/dmstats"
	"github.com/mdkit/mdkit/ioctl/dm"
)

// Complete returns what can follow words, a command line of dmsetup without the
// program's name, whose last word may be the beginning of an option: options, commands,
// or names of devices. If it returns nothing, the shell may offer file names.
func Complete(words []string) []string {
	if n := len(words); n > 0 && strings.HasPrefix(words[n-1], "-") {
		var options []string
		for _, l := range dmopt.LongOptions() {
			options = append(options, "--"+l.Name)
		}
		return options
	}
	words = slices.DeleteFunc(slices.Clone(words), func(w string) bool { return strings.HasPrefix(w, "-") })
	if len(words) == 0 {
		return names(append(commands(), additions()...))
	}
	cmd, ok := commandNamed(words[0])
	switch {
	case !ok:
		return nil
	case cmd.subcommands && len(words) == 1:
		var all []string
		for _, c := range dmstats.Commands() {
			all = append(all, c.Name)
		}
		return slices.Compact(all)
	case cmd.most >= 0 && len(words) > cmd.most:
		return nil
	case cmd.name == "create" || cmd.name == "check" || strings.HasPrefix(cmd.name, "udev") || cmd.name == "splitname":
		return nil
	case cmd.repeat == once && len(words) > 1:
		return nil
	}
	return deviceNames()
}

// CompleteStats is Complete for dmstats.
func CompleteStats(words []string) []string { return Complete(append([]string{"stats"}, words...)) }

func names(list []command) []string {
	var all []string
	for _, c := range list {
		all = append(all, c.name)
	}
	return all
}

// deviceNames returns the names of the devices, none if they cannot be read.
func deviceNames() []string {
	ctl, err := dm.Open()
	if err != nil {
		return nil
	}
	defer ctl.Close()
	list, err := ctl.List(dm.ListOptions{})
	if err != nil {
		return nil
	}
	var all []string
	for _, e := range list {
		all = append(all, e.Name)
	}
	return all
}
