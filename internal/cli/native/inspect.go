package native

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/mdkit/mdkit/engine/binfmt"
	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/probe"
	"github.com/mdkit/mdkit/internal/cli/ui"
)

// inspectDocument is what mdkit inspect --json prints.
type inspectDocument struct {
	ui.Document
	Path       string      `json:"path"`
	Size       int64       `json:"size"` // bytes
	Structures []structure `json:"structures"`
}

type structure struct {
	Kind   string  `json:"kind"`   // "superblock", "bitmap", "badblocks", "ppl", "journal", or probe's type
	Format string  `json:"format"` // as errors and findings name it
	Off    int64   `json:"offset"` // bytes from the start of the device
	Fields []field `json:"fields"`
	Error  string  `json:"error,omitempty"`
}

type field struct {
	Name  string `json:"name"` // empty for bytes that belong to no field
	Off   int64  `json:"offset"`
	Len   int64  `json:"length"`
	Bytes string `json:"bytes"` // hexadecimal, as on disk
	Value string `json:"value,omitempty"`
}

func inspectCommand(std ui.IO) *cli.Command {
	return &cli.Command{
		Name:      "inspect",
		Usage:     "show the structures on a device byte by byte",
		ArgsUsage: "PATH",
		Description: "Prints every metadata structure as annotated hex: offset, bytes, and what they\n" +
			"mean. Nothing is judged (verify does that) and nothing is written. Structures\n" +
			"that mdkit recognises but does not know field by field are shown as bytes.\n\n" +
			"Exit code: 0 something was shown; 2 nothing was recognised (or none of the kind\n" +
			"or place asked for); 8 the device could not be read; 16 wrong usage.",
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "only", Usage: "show structures of this `KIND` only: superblock, bitmap, badblocks, ppl, journal, or a type that probe names"},
			&cli.StringFlag{Name: "metadata", Aliases: []string{"e"}, Usage: "look for md superblocks of this `VERSION` only: 0.90, 1.0, 1.1, 1.2"},
			&cli.Int64Flag{Name: "at", Value: -1, Usage: "show the structure that covers byte `OFFSET` only"},
			jsonFlag(),
		},
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return usage("inspect: name one device or image file")
			}
			var versions []md.Version
			if word := c.String("metadata"); word != "" {
				v, err := md.ParseVersion(word)
				if err != nil {
					return usage("inspect: %w", err)
				}
				versions = append(versions, v)
			}
			doc, err := inspectPath(c.Args().First(), versions, func(s structure) bool {
				only, at := c.StringSlice("only"), c.Int64("at")
				return (len(only) == 0 || slices.Contains(only, s.Kind)) && (at < 0 || s.covers(at))
			})
			if err != nil {
				return &failure{code: ui.ExitFailed, err: fmt.Errorf("inspect: %w", err)}
			}
			if c.Bool("json") {
				err = std.JSON(doc)
			} else {
				err = printStructures(std, doc)
			}
			if err == nil && len(doc.Structures) == 0 {
				return &failure{code: ui.ExitNothing, err: fmt.Errorf("inspect: %s: %s to show; mdkit probe says what is there", doc.Path, noneOf(c.StringSlice("only")))}
			}
			return err
		},
	}
}

// noneOf says which kinds of structures were looked for and not found.
func noneOf(kinds []string) string {
	if len(kinds) == 0 {
		return "nothing"
	}
	return "no " + strings.Join(kinds, " or ")
}

// covers reports whether one of the structure's bytes is at off.
func (s structure) covers(off int64) bool {
	return slices.ContainsFunc(s.Fields, func(f field) bool { return off >= f.Off && off < f.Off+f.Len })
}

// inspectPath gathers the wanted structures on a device.
func inspectPath(path string, versions []md.Version, wanted func(structure) bool) (*inspectDocument, error) {
	d, err := block.OpenFile(path, block.ForReading)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	doc := &inspectDocument{Document: ui.Schema("inspect"), Path: path, Size: d.Size(), Structures: []structure{}}
	add := func(s structure) {
		if wanted(s) {
			doc.Structures = append(doc.Structures, s)
		}
	}
	if len(versions) == 0 {
		versions = []md.Version{md.V090, md.V10, md.V11, md.V12}
	}
	for _, v := range versions {
		m, err := md.ReadMember(d, v)
		if errors.Is(err, md.ErrNoSuper) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for part := range m.Parts(d) {
			add(partStructure(part))
		}
	}
	found, err := probe.Probe(d)
	for _, sig := range found {
		if !strings.HasPrefix(sig.Type, "linux_raid_") {
			add(rawStructure(d, sig))
		}
	}
	return doc, err
}

func partStructure(p md.Part) structure {
	s := structure{Kind: p.Kind, Format: p.Format, Off: p.Off, Fields: []field{}}
	if p.Err != nil {
		s.Error = p.Err.Error()
	}
	for _, piece := range p.Pieces {
		s.Fields = append(s.Fields, fieldOf(piece))
	}
	return s
}

func fieldOf(p binfmt.Piece) field {
	return field{Name: p.Name, Off: p.Off, Len: int64(len(p.Bytes)), Bytes: hex.EncodeToString(p.Bytes), Value: p.Value}
}

const (
	rawMost = 4096 // how many bytes of a structure without a description are shown
	rawLine = 16   // bytes a line
)

// rawStructure is a structure without a field description: its bytes, with runs of
// zero lines combined.
func rawStructure(d block.Device, sig probe.Signature) structure {
	s := structure{Kind: sig.Type, Format: sig.Type, Off: sig.Off, Fields: []field{}}
	buf := make([]byte, min(sig.Len, rawMost))
	if err := block.ReadFull(d, buf, sig.Off); err != nil {
		s.Error = err.Error()
		return s
	}
	zero := func(b []byte) bool { return strings.Trim(string(b), "\x00") == "" }
	for at := 0; at < len(buf); {
		end := min(at+rawLine, len(buf))
		blank := zero(buf[at:end])
		for end < len(buf) {
			next := min(end+rawLine, len(buf))
			if zero(buf[end:next]) != blank {
				break
			}
			end = next
		}
		piece := binfmt.Piece{Off: sig.Off + int64(at), Bytes: buf[at:end]}
		if !blank {
			piece.Name = "undescribed"
		}
		s.Fields = append(s.Fields, fieldOf(piece))
		at = end
	}
	return s
}

func printStructures(std ui.IO, doc *inspectDocument) error {
	out := bufio.NewWriter(std.Out)
	dump := binfmt.Dumper{W: out}
	for i, s := range doc.Structures {
		if i > 0 {
			fmt.Fprintln(out)
		}
		fmt.Fprintf(out, "# %s: %s (%s) at byte %d\n", doc.Path, s.Kind, s.Format, s.Off)
		if s.Error != "" {
			fmt.Fprintf(out, "# %s\n", s.Error)
		}
		var pieces []binfmt.Piece
		for _, f := range s.Fields {
			b, err := hex.DecodeString(f.Bytes)
			if err != nil {
				return err
			}
			pieces = append(pieces, binfmt.Piece{Off: f.Off, Bytes: b, Name: f.Name, Value: f.Value})
		}
		for _, p := range binfmt.Fold(pieces) {
			dump.Piece(p)
		}
	}
	if dump.Err != nil {
		return dump.Err
	}
	return out.Flush()
}
