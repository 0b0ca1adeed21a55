package dmsetup

import (
	"context"
	"slices"

	"github.com/mdkit/mdkit/internal/cli/dmtask"
)

// repeat says how a command deals with the devices it is given.
type repeat int

const (
	once       repeat = iota // all arguments belong to one call
	perDevice                // one call for each argument
	selectable               // the same, and -S may choose the devices
)

// A command is a word that dmsetup knows. The limits are on the words behind
// it; a negative most means that there is none.
type command struct {
	name        string
	help        string // how usage shows its arguments
	least, most int
	repeat      repeat
	subcommands bool // the first word is a command of its own
	run         func(s *session, ctx context.Context, c dmtask.Call) error
}

// commands are those of dmsetup 1.02.185 in its order.
func commands() []command {
	return []command{
		{"help", "[-c|-C|--columns]", 0, 0, once, false, (*session).help},
		{
			"create", "<dev_name>\n" +
				"\t    [-j|--major <major> -m|--minor <minor>]\n" +
				"\t    [-U|--uid <uid>] [-G|--gid <gid>] [-M|--mode <octal_mode>]\n" +
				"\t    [-u|--uuid <uuid>] [--addnodeonresume|--addnodeoncreate]\n" +
				"\t    [--readahead {[+]<sectors>|auto|none}]\n" +
				"\t    [-n|--notable|--table {<table>|<table_file>}]\n" +
				"\tcreate --concise [<concise_device_spec_list>]", 0, 2, once, false, (*session).create,
		},
		{"remove", "[--deferred] [-f|--force] [--retry] <device>...", 0, -1, selectable, false, (*session).remove},
		{"remove_all", "[-f|--force]", 0, 0, once, false, (*session).removeAll},
		{"suspend", "[--noflush] [--nolockfs] <device>...", 0, -1, selectable, false, (*session).suspend},
		{
			"resume", "[--noflush] [--nolockfs] <device>...\n" +
				"\t       [--addnodeonresume|--addnodeoncreate]\n" +
				"\t       [--readahead {[+]<sectors>|auto|none}]", 0, -1, selectable, false, (*session).resume,
		},
		{"load", "<device> [<table>|<table_file>]", 0, 2, once, false, (*session).load},
		{"clear", "<device>", 0, -1, selectable, false, (*session).clear},
		{"reload", "<device> [<table>|<table_file>]", 0, 2, once, false, (*session).load},
		{"wipe_table", "[-f|--force] [--noflush] [--nolockfs] <device>...", 0, -1, selectable, false, (*session).wipe},
		{"rename", "<device> [--setuuid] <new_name_or_uuid>", 1, 2, once, false, (*session).rename},
		{"measure", "[<device>...]", 0, -1, selectable, false, (*session).status},
		{"message", "<device> <sector> <message>", 2, -1, once, false, (*session).message},
		{
			"ls", "[--target <target_type>] [--exec <command>] [-o <options>] [--tree]", 0, 0, once, false,
			(*session).ls,
		},
		{"info", "[<device>...]", 0, -1, perDevice, false, (*session).info},
		{"deps", "[-o <options>] [<device>...]", 0, -1, selectable, false, (*session).deps},
		{"stats", "<command> [<options>] [<device>...]", 1, -1, perDevice, true, (*session).stats},
		{"status", "[<device>...] [--noflush] [--target <target_type>]", 0, -1, selectable, false, (*session).status},
		{
			"table", "[<device>...] [--concise] [--target <target_type>] [--showkeys]", 0, -1, selectable, false,
			(*session).status,
		},
		{"wait", "<device> [<event_nr>] [--noflush]", 0, 2, once, false, (*session).wait},
		{"mknodes", "[<device>...]", 0, -1, perDevice, false, (*session).mknodes},
		{"mangle", "[<device>...]", 0, -1, perDevice, false, (*session).mangle},
		{"udevcreatecookie", "", 0, 0, once, false, (*session).udevCreateCookie},
		{"udevreleasecookie", "[<cookie>]", 0, 1, once, false, (*session).udevReleaseCookie},
		{"udevflags", "<cookie>", 1, 1, once, false, (*session).showUdevFlags},
		{"udevcomplete", "<cookie>", 1, 1, once, false, (*session).udevComplete},
		{"udevcomplete_all", "[<age_in_minutes>]", 0, 1, once, false, (*session).udevCompleteAll},
		{"udevcookies", "", 0, 0, once, false, (*session).udevCookies},
		{"target-version", "[<target>...]", 1, -1, perDevice, false, (*session).targetVersion},
		{"targets", "", 0, 0, once, false, (*session).targets},
		{"version", "", 0, 0, once, false, (*session).version},
		{"setgeometry", "<device> <cyl> <head> <sect> <start>", 5, 5, once, false, (*session).setGeometry},
		{"splitname", "<device> [<subsystem>]", 1, 2, once, false, (*session).splitName},
	}
}

// additions are the commands that the original does not have.
func additions() []command {
	return []command{
		{"check", "[--table <table>|<table_file>|--concise [<concise_device_spec_list>]]", 0, 1, once, false, (*session).check},
		{"events", "[<device>...]", 0, -1, once, false, (*session).events},
	}
}

// commandNamed finds a command.
func commandNamed(name string) (*command, bool) {
	all := append(commands(), additions()...)
	i := slices.IndexFunc(all, func(c command) bool { return c.name == name })
	if i < 0 {
		return nil, false
	}
	return &all[i], true
}
