// Testrun reads `go test -json` from standard input, tells people what
// happens, and compares docs/coverage.md with what the run proved.
//
//	go test -json ./... | go run ./internal/coverage/cmd/testrun -coverage docs/coverage.md
//
// It exits 1 if a test failed, a proof named in proofs.txt did not pass, or the
// page is out of date; with -write it writes the page instead.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/mdkit/mdkit/internal/coverage"
)

func main() {
	page := flag.String("coverage", "", "compare this `file` with what the run proved")
	write := flag.Bool("write", false, "write the file instead of comparing")
	flag.Parse()
	run := coverage.NewRun(os.Stdout)
	err := run.Read(os.Stdin)
	run.Summary()
	if err == nil && run.Failed {
		err = fmt.Errorf("tests failed")
	}
	if err == nil && *page != "" {
		err = settle(run.Results, *page, *write)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "testrun:", err)
		os.Exit(1)
	}
}

// settle compares or writes the coverage page.
func settle(results coverage.Results, page string, write bool) error {
	rows, err := coverage.Rows()
	if err != nil {
		return err
	}
	if missing := coverage.Unproven(rows, results); len(missing) > 0 {
		for _, m := range missing {
			fmt.Println("unproven:", m)
		}
		return fmt.Errorf("%d proofs of proofs.txt name no passing test", len(missing))
	}
	text := coverage.Render(rows, results)
	if write {
		return os.WriteFile(page, []byte(text), 0o644)
	}
	old, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	if string(old) != text {
		return fmt.Errorf("%s is out of date: run `make coverage` and commit it", page)
	}
	return nil
}
