package dmtask

import (
	"bufio"
	"context"
	"errors"
	"fmt"

	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/manage/plan"
)

// Output is what a run has to say: text on the two streams, or the rows of one
// document of --json.
type Output struct {
	Line     *dmopt.Line // the command line, which says how
	Std      ui.IO
	Out      *bufio.Writer // standard output
	Streamed bool          // --json has shown what there is already
	rows     []any         // what --json has to show so far
}

// Show adds rows to the document of --json.
func (o *Output) Show(rows ...any) { o.rows = append(o.rows, rows...) }

// Printed is an error whose text is on standard error already.
type Printed struct{ Err error }

// Error gives that text.
func (e *Printed) Error() string { return e.Err.Error() }

// Unwrap gives the error.
func (e *Printed) Unwrap() error { return e.Err }

// ErrRefused is the error of what has been said already.
var ErrRefused = errors.New("refused")

// Complain prints an error that has not been printed yet and marks it so.
func (o *Output) Complain(err error) error {
	var printed *Printed
	if err == nil || errors.As(err, &printed) {
		return err
	}
	for _, line := range lines(err) {
		fmt.Fprintln(o.Std.Err, line)
	}
	return &Printed{err}
}

// Refuse is complain for words of the original.
func (o *Output) Refuse(format string, args ...any) error {
	return o.Complain(dmopt.Wrong(format, args...))
}

// Warn prints one line that changes nothing.
func (o *Output) Warn(format string, args ...any) { fmt.Fprintf(o.Std.Err, format+"\n", args...) }

// Printf prints text on standard output.
func (o *Output) Printf(format string, args ...any) { fmt.Fprintf(o.Out, format, args...) }

// lines is what an error prints.
func lines(err error) []string {
	var (
		usage  *dmopt.UsageError
		driver *driverError
		task   *TaskError
	)
	switch {
	case errors.Is(err, context.Canceled):
		return []string{"Interrupted."}
	case errors.As(err, &usage):
		return usage.Lines
	case errors.As(err, &driver):
		return driver.lines()
	case errors.As(err, &task):
		lines := []string{task.Error()}
		for _, m := range task.More {
			lines = append(lines, "  "+m)
		}
		return lines
	}
	return []string{"dmsetup: " + err.Error()}
}

// document is what --json prints: one for each run of a command.
type document struct {
	ui.Document
	Result []any `json:"result"`
}

// ShowDocument prints the document of a command.
func (o *Output) ShowDocument(command string) error {
	if !o.Line.Has(dmopt.JSON) || o.Streamed {
		return nil
	}
	doc := document{Document: ui.Schema("dmsetup." + command), Result: o.rows}
	if doc.Result == nil {
		doc.Result = []any{}
	}
	o.rows = nil
	out := o.Std
	out.Out = o.Out
	return out.JSON(doc)
}

// Changed is what --json shows of a change: its steps, whether they were taken,
// and how the device is then.
type Changed struct {
	Device  string          `json:"device"`
	Applied bool            `json:"applied"`
	Steps   []plan.StepInfo `json:"steps"`
	Info    any             `json:"info,omitempty"` // nil where it is not shown
}

// Run applies a plan for the device of that name, or shows its steps under
// --dry-run: then it was not applied.
func (o *Output) Run(ctx context.Context, name string, p *plan.Plan) (applied bool, err error) {
	r := plan.Runner{DryRun: o.Line.Has(dmopt.DryRun)}
	if applied, err = r.Run(ctx, p); !applied {
		o.ShowSteps(name, r.Steps...)
	}
	return applied, err
}

// ShowSteps shows what --dry-run says would be done.
func (o *Output) ShowSteps(name string, steps ...plan.StepInfo) {
	if o.Line.Has(dmopt.JSON) {
		o.Show(Changed{Device: name, Steps: steps})
		return
	}
	for _, i := range steps {
		fmt.Fprintln(o.Out, i)
	}
}
