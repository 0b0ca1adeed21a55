// Package dlmtool is the drop-in face for dlm_tool(8) of dlm 4.2.0. What asks
// dlm_controld goes through manage/cluster/controld, what asks the kernel through dlm.
// Where the original fails without a word, this says why in a line of its own on
// standard error; standard output and exit codes are the original's.
package dlmtool

import (
	"context"
	"errors"
	"fmt"

	"github.com/mdkit/mdkit/internal/cli/getopt"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/manage/cluster/controld"
	"github.com/mdkit/mdkit/sysfs"
)

// verb is a command.
type verb struct {
	name     string
	operand  string // what it needs, in the original's words; empty for nothing
	optional bool   // the operand may be missing
	failed   int    // exit code of a failure
	run      func(*tool, context.Context) (result any, err error)
}

// verbs lists the commands.
func verbs() []verb {
	const space, node, command, id = "lockspace name", "nodeid", "command", "uuid"
	return []verb{
		{name: "ls", operand: space, optional: true, failed: 1, run: (*tool).list},
		{name: "status", run: (*tool).status},
		{name: "dump", run: (*tool).dump},
		{name: "dump_config", run: (*tool).dumpConfig},
		{name: "reload_config", run: (*tool).reloadConfig},
		{name: "set_config", operand: command, run: (*tool).setConfig},
		{name: "fence_ack", operand: node, run: (*tool).ackFence},
		{name: "deadlock_check", operand: space, run: (*tool).checkDeadlock},
		{name: "log_plock", run: (*tool).logLocks},
		{name: "plocks", operand: space, run: (*tool).posixLocks},
		{name: "join", operand: space, failed: 255, run: (*tool).join},
		{name: "leave", operand: space, failed: 255, run: (*tool).leave},
		{name: "joinleave", operand: space, failed: 255, run: (*tool).joinLeave},
		{name: "lockdebug", operand: space, run: (*tool).lockDebug},
		{name: "lockdump", operand: space, run: (*tool).lockDump},
		{name: "run", operand: command, failed: 255, run: (*tool).runAndCheck},
		{name: "run_start", operand: command, failed: 255, run: (*tool).startRun},
		{name: "run_check", operand: id, failed: 255, run: (*tool).checkRun},
		{name: "run_cancel", operand: id, failed: 255, run: (*tool).cancelRun},
		{name: "run_list", run: (*tool).listRuns},
	}
}

// verbNamed returns the verb of that name; nil if there is none.
func verbNamed(name string) *verb {
	for _, v := range verbs() {
		if v.name == name {
			return &v
		}
	}
	return nil
}

// tool is one run of the program.
type tool struct {
	request
	std ui.IO
	sys sysfs.FS
}

// say prints for people; not if a document is asked for.
func (t *tool) say(format string, args ...any) {
	if !t.json {
		fmt.Fprintf(t.std.Out, format, args...)
	}
}

// warn prints one of the original's own complaints.
func (t *tool) warn(format string, args ...any) {
	if !t.json {
		fmt.Fprintf(t.std.Err, format, args...)
	}
}

// document is what a verb prints with --json.
type document struct {
	ui.Document
	Error  string `json:"error,omitempty"`
	Result any    `json:"result"`
}

// Main runs one command line and returns its exit code. args[0] is the name the
// program was called by.
func Main(ctx context.Context, args []string, std ui.IO) int {
	r, err := parse(args)
	switch {
	case err != nil:
		return refuse(err, std)
	case r.help:
		fmt.Fprint(std.Out, usage)
		return 0
	case r.version:
		fmt.Fprintf(std.Out, "%s 4.2.0 (mdkit)\n", r.program)
		return 0
	}
	ctx, stop := std.Cancellable(ctx)
	defer stop()
	t := &tool{request: r, std: std, sys: sysfs.Host}
	result, err := r.verb.run(t, ctx)
	return t.end(result, err)
}

// refuse says what is wrong with a command line.
func refuse(err error, std ui.IO) int {
	var wrong *getopt.Error
	switch {
	case errors.Is(err, errUsage):
		fmt.Fprint(std.Out, usage)
	case errors.As(err, &wrong):
		fmt.Fprintf(std.Err, "%v\nPlease use '-h' for usage.\n", wrong)
	default:
		fmt.Fprintln(std.Err, err)
	}
	return 1
}

// end prints the document, or why the verb has failed, and returns the exit code. Some of
// the original's commands end with 0 whatever happens; a document has its error then too.
func (t *tool) end(result any, err error) int {
	code := 0
	if err != nil {
		fmt.Fprintf(t.std.Err, "dlm_tool: %s: %v\n", t.verb.name, err)
		if !errors.Is(err, controld.ErrNoRun) { // which the original does not look at
			code = t.verb.failed
		}
	}
	if !t.json {
		return code
	}
	doc := document{Document: ui.Schema("dlm_tool." + t.verb.name), Result: result}
	if err != nil {
		doc.Error = err.Error()
	}
	if err := t.std.JSON(doc); err != nil {
		if ui.IsBrokenPipe(err) {
			return ui.ExitPipe
		}
		fmt.Fprintf(t.std.Err, "dlm_tool: %s: %v\n", t.verb.name, err)
		return 1
	}
	return code
}

const usage = `Usage:

dlm_tool [command] [options] [name]

Commands:
ls, status, dump, fence_ack
dump_config, reload_config, set_config
log_plock, plocks
join, leave, lockdebug
run, run_start, run_check, run_cancel, run_list

Options:
  -n               Show all node information in ls
  -e 0|1           Exclusive create off/on in join, default 0
  -f 0|1           FS (filesystem) flag off/on in join, default 0
  -m <mode>        Permission mode for lockspace device (octal), default 0600
  -s               Summary following lockdebug output (experimental)
  -v               Verbose lockdebug output
  -w               Wide lockdebug output
  -i <sec>         Wait for <sec>.
  -h               Print help, then exit
  -V               Print program version information, then exit

`
