// Package blkdeactivate is the drop-in face for blkdeactivate(8) of LVM2 2.03.16: it
// unmounts and deactivates block devices from the top of each stack down. Where the
// original runs lsblk, dmsetup, mdadm and umount, this reads sysfs and calls what is
// built in; for LVM, VDO and multipath it runs their own tools, if they exist.
package blkdeactivate

import (
	"context"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/manage/blocktree"
	"github.com/mdkit/mdkit/sysfs"
	"github.com/mdkit/mdkit/sysfs/block"
)

// options are those of the command line.
type options struct {
	errors, verbose, help bool
	umount                bool
	json, dryRun          bool

	dmRetry, dmForce  bool
	lvmRetry, wholeVG bool
	mdWait            bool
	disableQueueing   bool
	vdo               []string // for the vdo command
	devices           []string
}

// parse parses a command line as the script does: options first, and any word that it
// does not know is a device. Unknown device-specific options are reported and ignored.
func parse(args []string, std ui.IO) options {
	var o options
	next := func(i *int) string {
		if *i++; *i < len(args) {
			return args[*i]
		}
		return ""
	}
	for i := 0; i < len(args); i++ {
		switch args[i] {
		case "":
		case "-e", "--errors":
			o.errors = true
		case "-h", "--help":
			o.help = true
			return o
		case "-d", "--dmoptions":
			o.some(std, "DM", next(&i), map[string]*bool{"retry": &o.dmRetry, "force": &o.dmForce})
		case "-l", "--lvmoptions":
			o.some(std, "LVM", next(&i), map[string]*bool{"retry": &o.lvmRetry, "wholevg": &o.wholeVG})
		case "-m", "--mpathoptions":
			o.some(std, "DM-multipath", next(&i), map[string]*bool{"disablequeueing": &o.disableQueueing})
		case "-r", "--mdraidoptions":
			o.some(std, "MD RAID", next(&i), map[string]*bool{"wait": &o.mdWait})
		case "-o", "--vdooptions":
			o.some(std, "VDO", next(&i), nil)
		case "-u", "--umount":
			o.umount = true
		case "-v", "--verbose", "-vv":
			o.verbose, o.errors = true, true
		case "--json":
			o.json = true
		case "--dry-run":
			o.dryRun = true
		default:
			o.devices = args[i:]
			return o
		}
	}
	return o
}

// some parses device-specific options, separated by commas.
func (o *options) some(std ui.IO, what, list string, known map[string]*bool) {
	for word := range strings.SplitSeq(list, ",") {
		file, config := strings.CutPrefix(word, "configfile=")
		switch {
		case word == "":
		case what == "VDO" && config:
			o.vdo = append(o.vdo, "--confFile="+file)
		case known[word] != nil:
			*known[word] = true
		default:
			fmt.Fprintf(std.Out, "%s: unknown %s option\n", word, what)
		}
	}
}

const usage = `blkdeactivate: Utility to deactivate block devices

  blkdeactivate [options] [device...]
    - Deactivate block device tree.
      If devices are specified, deactivate only supplied devices and their holders.

  Options:
    -e | --errors                       Show errors reported from tools
    -h | --help                         Show this help message
    -d | --dmoptions     DM_OPTIONS     Comma separated DM specific options
    -l | --lvmoptions    LVM_OPTIONS    Comma separated LVM specific options
    -m | --mpathoptions  MPATH_OPTIONS  Comma separated DM-multipath specific options
    -r | --mdraidoptions MDRAID_OPTIONS Comma separated MD RAID specific options
    -o | --vdooptions    VDO_OPTIONS    Comma separated VDO specific options
    -u | --umount                       Unmount the device if mounted
    -v | --verbose                      Verbose mode (also implies -e)

  Device specific options:
    DM_OPTIONS:
      retry           retry removal several times in case of failure
      force           force device removal
    LVM_OPTIONS:
      retry           retry removal several times in case of failure
      wholevg         deactivate the whole VG when processing an LV
    MDRAID_OPTIONS:
      wait            wait for resync, recovery or reshape to complete first
    MPATH_OPTIONS:
      disablequeueing disable queueing on all DM-multipath devices first
    VDO_OPTIONS:
      configfile=file use specified VDO configuration file
`

// Main runs one command line and returns its exit code. args[0] is the name the
// program was called by.
func Main(ctx context.Context, args []string, std ui.IO) int {
	o := parse(args[1:], std)
	if o.help {
		fmt.Fprint(std.Out, usage)
		return ui.ExitOK
	}
	ctx, stop := std.Cancellable(ctx)
	defer stop()
	r := &run{options: o, std: std, fs: sysfs.Host, do: &live{options: o, std: std}}
	return r.all(ctx)
}

// find returns the device at a path; nil if there is none.
func (r *run) find(tree *blocktree.Tree, path string) *blocktree.Device {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFBLK {
		return nil
	}
	return tree.FindNumber(block.Num{Major: unix.Major(uint64(st.Rdev)), Minor: unix.Minor(uint64(st.Rdev))})
}

// isBlock reports whether path is a block device.
func isBlock(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode()&os.ModeDevice != 0 && st.Mode()&os.ModeCharDevice == 0
}
