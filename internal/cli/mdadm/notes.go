package mdadm

import (
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

// ask asks for a yes or no. mdadm 4.2 asks up to five times and takes the first letter
// of an answer; later versions ask once, and take nothing longer than a letter.
func (c *Command) ask(std ui.IO, question string) bool {
	if c.compat >= mdtext.Mdadm46 {
		return askOnce(std, question)
	}
	hint := ""
	for range 5 {
		fmt.Fprint(std.Err, question+"? "+hint)
		line := readAnswer(std.In, 99)
		if line == "" {
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

// askOnce is ask of mdadm since 4.4.
func askOnce(std ui.IO, question string) bool {
	fmt.Fprint(std.Err, question+" [y/N]? ")
	switch line := readAnswer(std.In, 2); line {
	case "":
	case "y\n", "Y\n":
		return true
	case "n\n", "N\n":
	default:
		if len(line) == 1 {
			fmt.Fprintln(std.Err, "mdadm: assuming no.")
		} else {
			fmt.Fprintln(std.Err, "mdadm: bad option.")
		}
	}
	return false
}

// readAnswer reads a line, or as much of it as is asked for, and not a byte beyond: what
// follows may answer the next question.
func readAnswer(in io.Reader, most int) string {
	var line []byte
	for b := []byte{0}; len(line) < most; {
		if _, err := io.ReadFull(in, b); err != nil {
			break
		}
		if line = append(line, b[0]); b[0] == '\n' {
			break
		}
	}
	return string(line)
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
