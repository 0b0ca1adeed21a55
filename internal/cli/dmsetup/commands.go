package dmsetup

import (
	"context"
	"slices"

	"github.com/mdkit/mdkit/internal/cli/dmtask"
)

// repeat says what a command does with several arguments.
type repeat int

const (
	once       repeat = iota // all arguments belong to one call
	perDevice                // one call for each argument
	selectable               // the same, and -S may choose the devices
)

// A command is a command of dmsetup. least and most limit the number of words after it;
// a negative most means no limit.
type command struct {
	name        string
	help        string // how usage shows its arguments
	least, most int
	repeat      repeat
	subcommands bool // the first word is a command of its own
	run         func(p *program, ctx context.Context, c dmtask.Call) error
}

// commands returns the commands of dmsetup 1.02.185 in its order.
func commands() []command {
	return []command{
		{"help", "[-c|-C|--columns]", 0, 0, once, false, (*program).help},
		{
			"create", "<dev_name>\n" +
				"\t    [-j|--major <major> -m|--minor <minor>]\n" +
				"\t    [-U|--uid <uid>] [-G|--gid <gid>] [-M|--mode <octal_mode>]\n" +
				"\t    [-u|--uuid <uuid>] [--addnodeonresume|--addnodeoncreate]\n" +
				"\t    [--readahead {[+]<sectors>|auto|none}]\n" +
				"\t    [-n|--notable|--table {<table>|<table_file>}]\n" +
				"\tcreate --concise [<concise_device_spec_list>]", 0, 2, once, false, (*program).create,
		},
		{"remove", "[--deferred] [-f|--force] [--retry] <device>...", 0, -1, selectable, false, (*program).remove},
		{"remove_all", "[-f|--force]", 0, 0, once, false, (*program).removeAll},
		{"suspend", "[--noflush] [--nolockfs] <device>...", 0, -1, selectable, false, (*program).suspend},
		{
			"resume", "[--noflush] [--nolockfs] <device>...\n" +
				"\t       [--addnodeonresume|--addnodeoncreate]\n" +
				"\t       [--readahead {[+]<sectors>|auto|none}]", 0, -1, selectable, false, (*program).resume,
		},
		{"load", "<device> [<table>|<table_file>]", 0, 2, once, false, (*program).load},
		{"clear", "<device>", 0, -1, selectable, false, (*program).clear},
		{"reload", "<device> [<table>|<table_file>]", 0, 2, once, false, (*program).load},
		{"wipe_table", "[-f|--force] [--noflush] [--nolockfs] <device>...", 0, -1, selectable, false, (*program).wipe},
		{"rename", "<device> [--setuuid] <new_name_or_uuid>", 1, 2, once, false, (*program).rename},
		{"measure", "[<device>...]", 0, -1, selectable, false, (*program).status},
		{"message", "<device> <sector> <message>", 2, -1, once, false, (*program).message},
		{
			"ls", "[--target <target_type>] [--exec <command>] [-o <options>] [--tree]", 0, 0, once, false,
			(*program).ls,
		},
		{"info", "[<device>...]", 0, -1, perDevice, false, (*program).info},
		{"deps", "[-o <options>] [<device>...]", 0, -1, selectable, false, (*program).deps},
		{"stats", "<command> [<options>] [<device>...]", 1, -1, perDevice, true, (*program).stats},
		{"status", "[<device>...] [--noflush] [--target <target_type>]", 0, -1, selectable, false, (*program).status},
		{
			"table", "[<device>...] [--concise] [--target <target_type>] [--showkeys]", 0, -1, selectable, false,
			(*program).status,
		},
		{"wait", "<device> [<event_nr>] [--noflush]", 0, 2, once, false, (*program).wait},
		{"mknodes", "[<device>...]", 0, -1, perDevice, false, (*program).mknodes},
		{"mangle", "[<device>...]", 0, -1, perDevice, false, (*program).mangle},
		{"udevcreatecookie", "", 0, 0, once, false, (*program).udevCreateCookie},
		{"udevreleasecookie", "[<cookie>]", 0, 1, once, false, (*program).udevReleaseCookie},
		{"udevflags", "<cookie>", 1, 1, once, false, (*program).showUdevFlags},
		{"udevcomplete", "<cookie>", 1, 1, once, false, (*program).udevComplete},
		{"udevcomplete_all", "[<age_in_minutes>]", 0, 1, once, false, (*program).udevCompleteAll},
		{"udevcookies", "", 0, 0, once, false, (*program).udevCookies},
		{"target-version", "[<target>...]", 1, -1, perDevice, false, (*program).targetVersion},
		{"targets", "", 0, 0, once, false, (*program).targets},
		{"version", "", 0, 0, once, false, (*program).version},
		{"setgeometry", "<device> <cyl> <head> <sect> <start>", 5, 5, once, false, (*program).setGeometry},
		{"splitname", "<device> [<subsystem>]", 1, 2, once, false, (*program).splitName},
	}
}

// additions returns the commands that the original does not have.
func additions() []command {
	return []command{
		{"check", "[--table <table>|<table_file>|--concise [<concise_device_spec_list>]]", 0, 1, once, false, (*program).check},
		{"events", "[<device>...]", 0, -1, once, false, (*program).events},
	}
}

// commandNamed returns the command with that name.
func commandNamed(name string) (*command, bool) {
	all := append(commands(), additions()...)
	i := slices.IndexFunc(all, func(c command) bool { return c.name == name })
	if i < 0 {
		return nil, false
	}
	return &all[i], true
}
