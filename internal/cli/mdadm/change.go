package mdadm

import (
	"fmt"

	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/manage/plan"
)

// messages passes on what the library has to say: in mdadm's words to the error
// stream, or into the one document that --json prints.
type messages struct {
	*notes
	std  ui.IO
	json bool
}

func (c *Command) messages(std ui.IO) *messages {
	return &messages{notes: c.notes(std), std: std, json: c.JSON}
}

// report is an array.Reporter.
func (t *messages) report(n note.Note) {
	if !t.json {
		t.notes.report(n)
		return
	}
	if words := t.compat.Say(&n); int(n.Loudness) <= t.verbose {
		t.all = append(t.all, said{n, words.Text})
	}
}

// say prints an error message of the face itself.
func (t *messages) say(format string, args ...any) {
	note.Reporter(t.report).Say(note.Always, note.Reason, fmt.Sprintf(format, args...))
}

// failed reports an error, unless notes have reported it already.
func (t *messages) failed(err error) {
	if err != nil && !note.WasReported(err) {
		note.Reporter(t.report).Say(note.Always, note.Reason, err)
	}
}

// change is what the documents of all commands that change something have in
// common.
type change struct {
	Schema string          `json:"schema"`
	Exit   int             `json:"exit"`    // the exit code
	DryRun bool            `json:"dry_run"` // nothing was changed
	Notes  []said          `json:"notes"`
	Steps  []plan.StepInfo `json:"steps"` // what was done, or would be, in order
}

// change fills in what is known at the end.
func (t *messages) change(c *Command, verb string, exit int, steps []plan.StepInfo) change {
	if steps == nil {
		steps = []plan.StepInfo{}
	}
	all := t.all
	if all == nil {
		all = []said{}
	}
	return change{Schema: "mdkit." + verb + "/1", Exit: exit, DryRun: c.DryRun, Notes: all, Steps: steps}
}

// document prints the document of --json.
func (t *messages) document(doc any) {
	if err := printJSON(t.std.Out, doc); err != nil {
		fmt.Fprintf(t.std.Err, "mdadm: %v\n", err)
	}
}
