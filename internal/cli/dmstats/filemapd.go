package dmstats

import (
	"context"
	"fmt"
	"os"
	"strconv"

	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/manage/mapper/stats"
)

// filemapdUsage is the command line of dmfilemapd(8).
const filemapdUsage = "usage: dmfilemapd <fd> <group_id> <abs_path> <mode> [<foreground>[<log_level>]]"

// filemapd is a parsed command line of dmfilemapd.
type filemapd struct {
	fd         int
	group      uint64
	path       string
	follow     bool // follow the path instead of the file
	foreground bool
	verbose    int
}

// Filemapd is dmfilemapd: it follows a file that dmstats has mapped, open under the
// given descriptor, until its group or the file is gone. args[0] is the name the program
// was called by.
func Filemapd(ctx context.Context, args []string, std ui.IO) int {
	f, complaint := parseFilemapd(args[1:])
	if complaint != "" {
		fmt.Fprintln(std.Err, complaint)
		return 1
	}
	file := os.NewFile(uintptr(f.fd), f.path)
	if file == nil {
		fmt.Fprintf(std.Err, "fstat failed for fd %d.\n", f.fd)
		return 1
	}
	if !f.foreground {
		if err := startFilemapd(file, f.group, f.path, map[bool]string{false: "inode", true: "path"}[f.follow]); err != nil {
			fmt.Fprintf(std.Err, "Failed to fork daemon process: %v\n", err)
			return 1
		}
		return 0
	}
	ctx, stop := std.Cancellable(ctx)
	defer stop()
	if err := f.run(ctx, file, std); err != nil {
		fmt.Fprintln(std.Err, err)
		fmt.Fprintln(std.Err, "Exiting")
		return 1
	}
	return 0
}

func (f *filemapd) run(ctx context.Context, file *os.File, std ui.IO) error {
	num, err := stats.FileDevice(file)
	if err != nil {
		return err
	}
	ctl, err := dm.Open()
	if err != nil {
		return err
	}
	defer ctl.Close()
	w := &stats.Watch{File: file, Path: f.path, Group: f.group, FollowPath: f.follow, Mapped: isMapped}
	if f.verbose > 0 {
		w.Log = func(s string) { fmt.Fprintln(std.Out, s) }
	}
	return w.Run(ctx, stats.Open(ctl, dm.ByNumber(num.Major, num.Minor)))
}

// parseFilemapd parses the arguments; complaint says what is wrong with them.
func parseFilemapd(args []string) (f filemapd, complaint string) {
	if len(args) < 4 {
		return f, "Wrong number of arguments.\n" + filemapdUsage
	}
	var err error
	if f.fd, err = strconv.Atoi(args[0]); err != nil || f.fd < 0 {
		return f, "Could not parse file descriptor: " + args[0]
	}
	if f.group, err = strconv.ParseUint(args[1], 10, 64); err != nil {
		return f, "Could not parse group identifier: " + args[1]
	}
	switch f.path = args[2]; {
	case f.path == "":
		return f, "Path argument is required."
	case f.path[0] != '/':
		return f, "Path argument must specify an absolute path."
	}
	switch args[3] {
	case "inode":
	case "path":
		f.follow = true
	case "":
		return f, "Mode argument is required."
	default:
		return f, "Could not parse dmfilemapd mode: " + args[3]
	}
	if len(args) > 4 {
		n, err := strconv.Atoi(args[4])
		if err != nil {
			return f, "Could not parse debug argument: " + args[4] + "."
		}
		f.foreground = n != 0
	}
	if len(args) > 5 {
		if f.verbose, err = strconv.Atoi(args[5]); err != nil {
			return f, "Could not parse verbose argument: " + args[5]
		}
		if f.verbose < 0 || f.verbose > 3 {
			return f, fmt.Sprintf("Verbose argument out of range: %d.", f.verbose)
		}
	}
	return f, ""
}
