package mdadm

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"

	"github.com/mdkit/mdkit/internal/cli/mdadm/mdtext"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/manage/plan"
)

// notes prints what the library reports as mdadm prints it, and keeps it for
// --json.
type notes struct {
	verbose int
	compat  mdtext.Compat
	out     io.Writer
	err     io.Writer
	all     []said
}

func (c *Command) notes(std ui.IO) *notes {
	return &notes{verbose: c.Verbose, compat: c.compat, out: std.Out, err: std.Err}
}

// said is a note in mdadm's words.
type said struct {
	note.Note
	Text string `json:"text"`
}

// report is the note.Reporter.
func (n *notes) report(about note.Note) {
	words := n.compat.Say(&about)
	said := said{about, words.Text}
	n.all = append(n.all, said)
	if said.Loudness > note.Always && n.verbose < int(said.Loudness) {
		return
	}
	if words.Out {
		fmt.Fprintln(n.out, "mdadm: "+said.Text)
		return
	}
	if said.Out {
		fmt.Fprintln(n.out, said.Text)
		return
	}
	lead := "mdadm: "
	switch {
	case said.Bare:
		lead = ""
	case said.Continued:
		lead = "       "
	}
	fmt.Fprintln(n.err, lead+said.Text)
}

// ask asks a question as mdadm does: at most five times, and no answer means no.
func ask(std ui.IO, question string) bool {
	in := bufio.NewReader(std.In)
	hint := ""
	for range 5 {
		fmt.Fprint(std.Err, question+hint)
		line, err := in.ReadString('\n')
		if err != nil && line == "" {
			return false
		}
		switch line[0] {
		case 'y', 'Y':
			return true
		case 'n', 'N':
			return false
		}
		hint = "(y/n) "
	}
	fmt.Fprintln(std.Err, "mdadm: assuming 'no'")
	return false
}

// printPlan shows the steps of a plan, one a line.
func printPlan(w io.Writer, steps []plan.StepInfo) {
	for _, s := range steps {
		fmt.Fprintln(w, s)
	}
}

// printJSON writes one document.
func printJSON(w io.Writer, doc any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(doc)
}
