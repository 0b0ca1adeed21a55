package cluster

import (
	"fmt"
	"os"
	"testing"

	"github.com/mdkit/mdkit/internal/lab"
)

// fencedFile is where the fence command of tests notes whom it was called for.
const fencedFile = "/run/fenced"

// TestMain is also the holder of the monitor that tests start, and the fence command.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "fence" {
		if err := os.WriteFile(fencedFile, []byte(os.Args[2]+" "+os.Args[3]), 0o600); err != nil {
			os.Exit(1)
		}
		return
	}
	if len(os.Args) == 4 && os.Args[1] == "hold" {
		if err := Hold(os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	lab.Main(m)
}
