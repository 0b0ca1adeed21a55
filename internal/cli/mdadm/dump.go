package mdadm

import (
	"context"
	"errors"
	"fmt"

	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/manage/array/metadata"
)

// copyDocument is what --dump --json and --restore --json print, one for each
// device.
type copyDocument struct {
	change
	Device string   `json:"device"`
	File   string   `json:"file,omitempty"`
	Links  []string `json:"links"` // further names of the file
}

// copyMetadata is --dump and --restore of one device.
func (c *Command) copyMetadata(ctx context.Context, std ui.IO, d Device) int {
	verb, word := "dump", "saved as"
	do := metadata.DumpMetadata
	if d.Op == Restore {
		verb, word = "restore", "restored from"
		do = metadata.RestoreMetadata
	}
	t := c.messages(std)
	req := metadata.CopyRequest{
		Device: d.Name, Dir: c.DumpDirectory, Alone: len(c.Devices) == 1,
		Force: c.Force, BackupDir: c.BackupMetadata, DryRun: c.DryRun, Report: t.report,
	}
	v, versioned, ok := formatOf(c.Shape.Metadata)
	if !ok {
		return c.notBuilt(std, "--"+verb+" --metadata="+c.Shape.Metadata)
	}
	if versioned {
		req.Version = &v
	}
	r, err := do(ctx, req)
	code := 0
	if t.failed(err); err != nil {
		code, r = 1, &metadata.CopyResult{}
		if errors.Is(err, metadata.ErrBadDirectory) {
			code = badDirectory
		}
	}
	switch {
	case c.JSON:
		links := r.Links
		if links == nil {
			links = []string{}
		}
		t.document(copyDocument{change: t.change(c, verb, code, r.Steps), Device: d.Name, File: r.File, Links: links})
	case c.DryRun:
		printPlan(std.Out, r.Steps)
	case code == 0 && c.Verbose >= 0:
		fmt.Fprintf(std.Out, "%s %s %s.\n", d.Name, word, r.File)
		for _, l := range r.Links {
			fmt.Fprintf(std.Out, "%s also saved as %s.\n", d.Name, l)
		}
	}
	return code
}
