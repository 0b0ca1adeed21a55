package native

import (
	"bufio"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/probe"
	"github.com/mdkit/mdkit/internal/cli/ui"
)

// probeDocument is what mdkit probe --json prints.
type probeDocument struct {
	ui.Document
	Devices []probedDevice `json:"devices"`
}

type probedDevice struct {
	Path       string            `json:"path"`
	Size       int64             `json:"size"` // bytes; -1 if it could not be opened
	Signatures []probe.Signature `json:"signatures"`
	Error      string            `json:"error,omitempty"`
}

func probeCommand(std ui.IO) *cli.Command {
	return &cli.Command{
		Name:      "probe",
		Usage:     "say what is on devices or image files",
		ArgsUsage: "PATH...",
		Description: "Lists every signature of md, dm, bcache, LVM, encryption, filesystems, swap and\n" +
			"partition tables, even if they contradict each other. Nothing is written.\n\n" +
			"Exit code: 0 each path has something on it; 2 on some nothing was recognised;\n" +
			"8 some could not be read; 16 wrong usage. Codes add up.",
		Flags: []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			if c.NArg() == 0 {
				return usage("probe: name at least one device or image file")
			}
			doc := probeDocument{Document: ui.Schema("probe")}
			code := ui.ExitOK
			for _, path := range c.Args().Slice() {
				dev, status := probePath(path)
				doc.Devices = append(doc.Devices, dev)
				code |= status
			}
			if err := printProbe(std, doc, c.Bool("json")); err != nil {
				return err
			}
			if code != ui.ExitOK {
				return &failure{code: code}
			}
			return nil
		},
	}
}

// probePath probes one path and returns the result and its exit code.
func probePath(path string) (probedDevice, int) {
	dev := probedDevice{Path: path, Size: -1, Signatures: []probe.Signature{}}
	d, err := block.OpenFile(path, block.ForReading)
	if err != nil {
		dev.Error = err.Error()
		return dev, ui.ExitFailed
	}
	defer d.Close()
	dev.Size = d.Size()
	found, err := probe.Probe(d)
	dev.Signatures = append(dev.Signatures, found...)
	switch {
	case err != nil:
		dev.Error = err.Error()
		return dev, ui.ExitFailed
	case len(found) == 0:
		return dev, ui.ExitNothing
	}
	return dev, ui.ExitOK
}

func printProbe(std ui.IO, doc probeDocument, asJSON bool) error {
	if asJSON {
		return std.JSON(doc)
	}
	out := bufio.NewWriter(std.Out)
	for _, dev := range doc.Devices {
		if dev.Error != "" {
			fmt.Fprintf(std.Err, "mdkit: probe: %s\n", dev.Error)
		}
		if dev.Size < 0 {
			continue
		}
		fmt.Fprintf(out, "%s: %s\n", dev.Path, ui.Size(dev.Size))
		if len(dev.Signatures) == 0 && dev.Error == "" {
			fmt.Fprintln(out, "  nothing recognised")
		}
		for _, s := range dev.Signatures {
			fmt.Fprintf(out, "  %s\n", s)
			if s.Detail != "" {
				fmt.Fprintf(out, "    %s\n", s.Detail)
			}
		}
	}
	return out.Flush()
}
