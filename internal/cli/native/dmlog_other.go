//go:build !linux

package native

import (
	"github.com/urfave/cli/v2"

	"github.com/mdkit/mdkit/internal/cli/ui"
)

// platformCommands are the verbs that need this system's kernel: none.
func platformCommands(ui.IO) []*cli.Command { return nil }
