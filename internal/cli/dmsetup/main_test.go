package dmsetup

import (
	"context"
	"os"
	"testing"

	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/internal/lab"
)

// TestMain is the program itself if the test binary is called dmsetup: what a signal
// does, and whether a program ends at all, shows only in a process of its own.
func TestMain(m *testing.M) {
	if os.Args[0] == "dmsetup" {
		os.Exit(Main(context.Background(), os.Args, ui.Process()))
	}
	lab.Main(m)
}
