package mdadm

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/manage/array/node"
	"github.com/mdkit/mdkit/manage/mdconf"
	"github.com/mdkit/mdkit/manage/mdconf/glob"
)

// readConf reads the file or folder that --config names, or else mdadm.conf, and
// complains about what it does not understand: in mdadm's words, and with -v also
// about where it stands.
func (c *Command) readConf(std ui.IO) *mdconf.Config {
	cf := mdconf.Load(c.Config, strings.Fields(os.Getenv("MDADM_CONF_AUTO"))...)
	for _, w := range cf.Warnings {
		fmt.Fprintf(std.Err, "mdadm: %s\n", w.Text)
		if c.Verbose > 0 {
			fmt.Fprintf(std.Err, "       at %s, line %d\n", w.File, w.Line)
		}
	}
	return cf
}

func isWord(s, word string) bool { return strings.EqualFold(s, word) }

// scanDevices lists the devices that --scan looks at: what the configuration
// names, or else everything the kernel knows (config.c, conf_get_devs).
func scanDevices(cf *mdconf.Config, nodes *node.Nodes, std ui.IO) []string {
	words := slices.Clone(cf.Devices)
	slices.Reverse(words) // mdadm keeps the last one first
	if len(words) == 0 {
		words = []string{"partitions"}
	}
	var list, globbed []string
	for _, w := range words {
		switch {
		case isWord(w, "partitions"):
			parts, err := node.Partitions(nodes)
			if err != nil {
				fmt.Fprintln(std.Err, "mdadm: cannot open /proc/partitions")
			}
			list = append(list, parts...)
		case isWord(w, "containers"): // arrays of external metadata, which mdkit does not read
		default:
			globbed = append(globbed, glob.Paths(w)...)
		}
	}
	slices.Reverse(globbed)
	return append(globbed, list...)
}

// homeHost is the name of this host in the names and uuids of arrays: from the
// command line, the configuration, or the system; "" if there is to be none.
func (c *Command) homeHost(cf *mdconf.Config) string { return c.home(cf).Host }

// home is the host that arrays may belong to.
func (c *Command) home(cf *mdconf.Config) node.Home {
	home := node.Home{Host: c.HomeHost, Ignored: c.AnyHomeHost}
	if home.Host == "" && !c.AnyHomeHost {
		home.Host, home.Ignored = cf.HomeHost, cf.AnyHomeHost
	}
	if home.Host == "" || isWord(home.Host, "<system>") {
		home.Host, _ = os.Hostname() // without a name no array belongs to this host
	}
	if home.Host == "" || isWord(home.Host, "<none>") {
		return node.Home{Ignored: true}
	}
	return home
}
