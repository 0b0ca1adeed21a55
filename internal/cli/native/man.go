//go:build !urfave_cli_no_docs

package native

import "github.com/mdkit/mdkit/internal/cli/ui"

// ManPage returns the manual page mdkit(8), in roff, from the same description
// that help is made of. Programs built with the tag urfave_cli_no_docs, as the
// shipped one is, are without it: the page lies in docs/.
func ManPage(faces ...ui.Face) (string, error) {
	app := App(ui.IO{}, faces...)
	for _, c := range app.VisibleCommands() {
		c.UsageText = "mdkit " + c.Name + " " + c.ArgsUsage
		if c.Description != "" {
			c.UsageText += "\n\n" + c.Description
		}
	}
	return app.ToManWithSection(8)
}
