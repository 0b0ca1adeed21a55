// Mdkit is the Linux md/dm stack in one program. If it is called by the name of a
// tool that it replaces, such as mdadm, it is that tool; under its own name it has
// verbs of its own, and all of the tools as subcommands.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/mdkit/mdkit/internal/cli/native"
	"github.com/mdkit/mdkit/internal/cli/ui"
)

func main() { os.Exit(run(os.Args, ui.Process())) }

// run runs the tool or the verbs, by the name the program was called by.
func run(argv []string, std ui.IO) int {
	ctx := context.Background()
	if len(argv) == 0 {
		return native.Main(ctx, nil, std, faces()...)
	}
	name := strings.TrimSuffix(filepath.Base(argv[0]), ".exe")
	for _, f := range faces() {
		if f.Name != name {
			continue
		}
		if last := len(argv) - 1; argv[last] == ui.CompletionFlag && f.Complete != nil {
			for _, word := range f.Complete(argv[1:last]) {
				fmt.Fprintln(std.Out, word)
			}
			return ui.ExitOK
		}
		return f.Main(ctx, argv, std)
	}
	return native.Main(ctx, argv[1:], std, faces()...)
}
