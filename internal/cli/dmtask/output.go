package dmtask

import (
	"bufio"
	"context"
	"errors"
	"fmt"

	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/manage/plan"
)

// Output is what a run prints: text on the two streams, or the rows of one document of
// --json.
type Output struct {
	Line     *dmopt.Line // the command line, which determines the form
	Std      ui.IO
	Out      *bufio.Writer // standard output
	Streamed bool          // --json has printed everything already
	rows     []any         // the rows for --json so far
}

// Show adds rows to the document of --json.
func (o *Output) Show(rows ...any) { o.rows = append(o.rows, rows...) }

// Forget drops the last n rows: what they show is not so any more.
func (o *Output) Forget(n int) { o.rows = o.rows[:max(len(o.rows)-n, 0)] }

// Printed is an error whose text has already been printed to standard error.
type Printed struct{ Err error }

// Error returns that text.
func (e *Printed) Error() string { return e.Err.Error() }

// Unwrap returns the error.
func (e *Printed) Unwrap() error { return e.Err }

// ErrRefused marks a failure that has already been reported.
var ErrRefused = errors.New("refused")

// Complain prints an error unless it has been printed, and marks it as printed.
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

// Refuse is Complain with the words of the original.
func (o *Output) Refuse(format string, args ...any) error {
	return o.Complain(dmopt.Wrong(format, args...))
}

// Warn prints one line that is not an error.
func (o *Output) Warn(format string, args ...any) { fmt.Fprintf(o.Std.Err, format+"\n", args...) }

// Printf prints text on standard output.
func (o *Output) Printf(format string, args ...any) { fmt.Fprintf(o.Out, format, args...) }

// lines returns the lines that an error prints.
func lines(err error) []string {
	var (
		usage  *dmopt.UsageError
		driver *driverError
		task   *TaskError
	)
	switch {
	case errors.Is(err, context.Canceled) && !errors.Is(err, dm.ErrStuck):
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

// document is what --json prints: one document for each run of a command.
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

// Changed is what --json shows about a change: its steps, whether they were carried out,
// and the device afterwards.
type Changed struct {
	Device  string          `json:"device"`
	Applied bool            `json:"applied"`
	Steps   []plan.StepInfo `json:"steps"`
	Info    any             `json:"info,omitempty"` // nil if it is not shown
}

// Run applies a plan for the device of that name or, under --dry-run, shows its steps.
// It returns whether the plan was applied.
func (o *Output) Run(ctx context.Context, name string, p *plan.Plan) (applied bool, err error) {
	r := plan.Runner{DryRun: o.Line.Has(dmopt.DryRun)}
	if applied, err = r.Run(ctx, p); !applied {
		o.ShowSteps(name, r.Steps...)
	}
	return applied, err
}

// ShowSteps shows the steps that would be carried out, for --dry-run.
func (o *Output) ShowSteps(name string, steps ...plan.StepInfo) {
	if o.Line.Has(dmopt.JSON) {
		o.Show(Changed{Device: name, Steps: steps})
		return
	}
	for _, i := range steps {
		fmt.Fprintln(o.Out, i)
	}
}
