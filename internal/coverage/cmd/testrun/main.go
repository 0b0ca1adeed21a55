// Testrun reads `go test -json` from standard input, tells people what
// happens, and compares docs/coverage.md with what the run proved.
//
//	go test -json ./... | go run ./internal/coverage/cmd/testrun -coverage docs/coverage.md
//	go run ./internal/coverage/cmd/testrun -times bin/times.jsonl -table
//
// With -stage and -times it adds the time that each package took to that file,
// from which the second form prints a table.
//
// It exits 1 if a test failed, a proof named in proofs.txt did not pass, or the
// page is out of date; with -write it writes the page instead.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/mdkit/mdkit/internal/coverage"
)

func main() {
	page := flag.String("coverage", "", "compare this `file` with what the run proved")
	write := flag.Bool("write", false, "write the file instead of comparing")
	times := flag.String("times", "", "`file` of what took how long")
	stage := flag.String("stage", "", "add to the times as this stage")
	table := flag.Bool("table", false, "print the times as a table, and nothing else")
	flag.Parse()
	if *table {
		exit(printTimes(*times))
	}
	start := time.Now()
	run := coverage.NewRun(os.Stdout)
	err := run.Read(os.Stdin)
	run.Summary()
	if *stage != "" {
		err = errors.Join(err, saveTimes(*times, *stage, time.Since(start), run.Times))
	}
	if err == nil && run.Failed {
		err = fmt.Errorf("tests failed")
	}
	if err == nil && *page != "" {
		err = settle(run, *page, *write)
	}
	exit(err)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "testrun:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// saveTimes adds the stage and its packages to the file.
func saveTimes(path, stage string, whole time.Duration, list []coverage.Time) error {
	for i := range list {
		list[i].Stage = stage
	}
	return coverage.SaveTimes(path, append(list, coverage.Time{Stage: stage, Seconds: whole.Seconds()}))
}

func printTimes(path string) error {
	list, err := coverage.LoadTimes(path)
	if err != nil {
		return err
	}
	return coverage.PrintTimes(os.Stdout, list)
}

// settle compares or writes the coverage page.
func settle(run *coverage.Run, page string, write bool) error {
	rows, err := coverage.Rows()
	if err != nil {
		return err
	}
	if missing := coverage.Unproven(rows, run.Results); len(missing) > 0 {
		for _, m := range missing {
			fmt.Println("unproven:", m)
		}
		return fmt.Errorf("%d proofs of proofs.txt name no passing test", len(missing))
	}
	text := coverage.Render(rows, run.Results, run.Machines())
	if write {
		return os.WriteFile(page, []byte(text), 0o644)
	}
	old, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	if !coverage.SameProofs(string(old), text) {
		return fmt.Errorf("%s is out of date: run `make coverage` and commit it", page)
	}
	return nil
}
