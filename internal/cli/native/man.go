//go:build !urfave_cli_no_docs

package native

import "github.com/mdkit/mdkit/internal/cli/ui"

// ManPage returns the manual page mdkit(8), in roff, made from the same description
// as help. Programs built with the tag urfave_cli_no_docs, such as the shipped one,
// do not have it: the page is in docs/.
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
