// Floorplan redraws the picture of the house in docs/architecture.md from what
// the packages import. Run it in the module's folder:
//
//	go run ./internal/house/cmd/floorplan
package main

import (
	"fmt"
	"os"

	"github.com/mdkit/mdkit/internal/house/floorplan"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "floorplan:", err)
		os.Exit(1)
	}
}

func run() error {
	imports, err := floorplan.Imports(".")
	if err != nil {
		return err
	}
	page, err := os.ReadFile(floorplan.Page)
	if err != nil {
		return err
	}
	text, err := floorplan.Place(string(page), floorplan.Draw(imports))
	if err != nil {
		return err
	}
	return os.WriteFile(floorplan.Page, []byte(text), 0o666)
}
