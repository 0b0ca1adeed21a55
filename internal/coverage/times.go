package coverage

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
)

// Time is what one package took in one stage of `make test`.
type Time struct {
	Stage    string  `json:"stage"`
	Package  string  `json:"package"`  // without the module's path; "" for the stage as a whole
	Seconds  float64 `json:"seconds"`  // wall time; packages run side by side
	Machines int     `json:"machines"` // lab machines booted
}

// Booted begins the line with which a test's log records that a lab machine has
// been started.
const Booted = "lab: booted "

// SaveTimes adds lines to a file of JSON lines, which it makes if need be.
func SaveTimes(path string, times []Time) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(f)
	for _, t := range times {
		err = errors.Join(err, enc.Encode(t))
	}
	return errors.Join(err, f.Close())
}

// LoadTimes reads what SaveTimes has written; without a file there are no times.
func LoadTimes(path string) ([]Time, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var list []Time
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		var t Time
		if err := json.Unmarshal(sc.Bytes(), &t); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		list = append(list, t)
	}
	return list, sc.Err()
}

// briefly is how many seconds a package may take without getting a line of its own.
const briefly = 2

// PrintTimes prints the stages in their order, each with its packages, the longest
// first; those that take almost no time share a line.
func PrintTimes(w io.Writer, times []Time) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "stage\tpackage\tseconds\tmachines")
	var total Time
	var stages []string
	for _, x := range times {
		if !slices.Contains(stages, x.Stage) {
			stages = append(stages, x.Stage)
		}
	}
	for _, stage := range stages {
		rest, quick := Time{}, 0
		list := slices.DeleteFunc(slices.Clone(times), func(x Time) bool { return x.Stage != stage })
		slices.SortStableFunc(list, func(a, b Time) int { return int(b.Seconds*1000) - int(a.Seconds*1000) })
		whole := Time{}
		for _, x := range list {
			whole.Machines += x.Machines
			switch {
			case x.Package == "":
				whole.Seconds = x.Seconds
			case x.Seconds < briefly && x.Machines == 0:
				rest.Seconds += x.Seconds
				quick++
			}
		}
		fmt.Fprintf(t, "%s\t\t%.1f\t%d\n", stage, whole.Seconds, whole.Machines)
		for _, x := range list {
			if x.Package != "" && (x.Seconds >= briefly || x.Machines > 0) {
				fmt.Fprintf(t, "\t%s\t%.1f\t%d\n", strings.TrimPrefix(x.Package, "./"), x.Seconds, x.Machines)
			}
		}
		if quick > 0 {
			fmt.Fprintf(t, "\t%d others\t%.1f\t0\n", quick, rest.Seconds)
		}
		total.Seconds += whole.Seconds
		total.Machines += whole.Machines
	}
	fmt.Fprintf(t, "all\t\t%.1f\t%d\n", total.Seconds, total.Machines)
	return t.Flush()
}
