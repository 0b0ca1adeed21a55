package native

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/recover"
	"github.com/mdkit/mdkit/internal/cli/ui"
)

// recoverDocument is what mdkit recover --json prints.
type recoverDocument struct {
	ui.Document
	Candidates []candidateJSON `json:"candidates"` // best first
	Plan       []writeJSON     `json:"plan"`       // what to write to make the chosen candidate an array
	Applied    bool            `json:"applied"`    // the plan was carried out
}

type candidateJSON struct {
	Level       string        `json:"level"`
	Layout      int32         `json:"layout"` // the kernel's number
	Chunk       int64         `json:"chunk"`  // bytes
	RaidDevices int           `json:"raid_devices"`
	DataOffset  int64         `json:"data_offset"` // bytes
	Metadata    string        `json:"metadata"`    // of the superblocks to be written
	Members     []string      `json:"members"`     // by slot, "missing" for none
	Alike       int           `json:"alike"`       // how many orders fit equally well
	Score       float64       `json:"score"`
	Content     recover.Tally `json:"content"`
	Redundancy  recover.Tally `json:"redundancy"`
	Filesystem  int64         `json:"filesystem"` // bytes
}

type writeJSON struct {
	Member string `json:"member"`
	Slot   int    `json:"slot"`
	What   string `json:"what"`
	Offset int64  `json:"offset"`
	Length int64  `json:"length"`
}

func recoverCommand(std ui.IO) *cli.Command {
	return &cli.Command{
		Name:      "recover",
		Usage:     "find out how an array without metadata was put together",
		ArgsUsage: "MEMBER...",
		Description: "Takes the members of one array, in any order and whatever their metadata says,\n" +
			"and finds level, layout, chunk, data offset and order by what the array holds:\n" +
			"places of an ext4 filesystem with checksums, parity and copies. One member\n" +
			"may be missing. Candidates are ranked, with their evidence, and the best is tried\n" +
			"out on overlays in memory. Then it shows which superblocks would make it an array\n" +
			"again. Nothing is written without --apply, and then only these superblocks.\n\n" +
			"Exit code: 0 there is a candidate, or it was written; 2 there is none; 8 something\n" +
			"failed, and nothing was changed; 16 wrong usage; 32 interrupted.",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "raid-devices", Aliases: []string{"n"}, Usage: "how many slots the array has, if that is known"},
			&cli.BoolFlag{Name: "apply", Usage: "write the superblocks"},
			&cli.IntFlag{Name: "candidate", Value: 1, Usage: "take the candidate of that rank"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "draw no progress"},
			jsonFlag(),
		},
		Action: func(c *cli.Context) error {
			if c.NArg() == 0 {
				return usage("recover: name the members of an array")
			}
			if n := c.Int("raid-devices"); n < 0 || n > 0 && n < c.NArg() {
				return usage("recover: %d members do not fit into %d slots", c.NArg(), n)
			}
			if c.Int("candidate") < 1 {
				return usage("recover: candidates count from 1")
			}
			return (&recovery{
				std: std, paths: c.Args().Slice(), slots: c.Int("raid-devices"), apply: c.Bool("apply"),
				rank: c.Int("candidate"), quiet: c.Bool("quiet") || c.Bool("json"), json: c.Bool("json"),
			}).run(c.Context)
		},
	}
}

// recovery is one run of the verb.
type recovery struct {
	std         ui.IO
	paths       []string
	slots, rank int
	apply       bool
	quiet, json bool
}

func (r *recovery) run(ctx context.Context) error {
	ctx, stop := r.std.Cancellable(ctx)
	defer stop()
	flag := block.ForReading
	if r.apply {
		flag = block.ForWriting | block.Exclusive // no other program may use it meanwhile
	}
	members := make([]block.Device, 0, len(r.paths))
	for _, path := range r.paths {
		f, err := block.OpenFile(path, flag)
		if err != nil {
			return err
		}
		defer f.Close()
		members = append(members, f)
	}
	found, err := r.search(ctx, members)
	if err != nil {
		return err
	}
	if len(found) > 0 && r.rank > len(found) {
		return usage("recover: there are %d candidates", len(found))
	}
	var plan []recover.Write
	if len(found) > 0 {
		if plan, err = found[r.rank-1].Plan(members); err != nil {
			return err
		}
		if r.apply {
			if err := recover.Apply(plan, members); err != nil {
				return err
			}
		}
	}
	if err := r.report(found, plan); err != nil {
		return err
	}
	if len(found) == 0 {
		return &failure{code: ui.ExitNothing}
	}
	return nil
}

// search ranks the candidates. Finding none is not an error.
func (r *recovery) search(ctx context.Context, members []block.Device) ([]*recover.Candidate, error) {
	var bar *ui.Progress
	found, err := recover.Search(ctx, members, recover.Options{
		RaidDevices: r.slots,
		Progress: func(done, total int) {
			if bar == nil {
				bar = r.std.Progress("geometries", int64(total), r.quiet)
			}
			bar.Update(int64(done))
		},
	})
	if bar != nil {
		bar.Close()
	}
	if errors.Is(err, recover.ErrNothingKnown) {
		fmt.Fprintf(r.std.Err, "mdkit: %v\n", err)
		return nil, nil
	}
	return found, err
}

func (r *recovery) report(found []*recover.Candidate, plan []recover.Write) error {
	if r.json {
		doc := recoverDocument{Document: ui.Schema("recover"), Candidates: []candidateJSON{}, Plan: []writeJSON{}, Applied: r.apply && len(plan) > 0}
		for _, c := range found {
			doc.Candidates = append(doc.Candidates, candidateJSON{
				Level: c.Level.String(), Layout: c.Layout, Chunk: c.Chunk, RaidDevices: c.Slots, DataOffset: c.DataOffset,
				Metadata: c.Version().String(), Members: r.order(c), Alike: c.Orders, Score: c.Score(),
				Content: c.Content, Redundancy: c.Redundancy, Filesystem: c.Size,
			})
		}
		for _, w := range plan {
			doc.Plan = append(doc.Plan, writeJSON{r.paths[w.Member], w.Slot, w.What, w.Off, int64(len(w.Data))})
		}
		return r.std.JSON(doc)
	}
	var b strings.Builder
	for i, c := range found {
		r.describe(&b, i+1, c)
	}
	if len(found) > 0 {
		verb := "Would write"
		if r.apply {
			verb = "Wrote"
		}
		fmt.Fprintf(&b, "%s, for candidate %d:\n", verb, r.rank)
		for _, w := range plan {
			fmt.Fprintf(&b, "  %s: %s of slot %d, %d bytes at %d\n", r.paths[w.Member], w.What, w.Slot, len(w.Data), w.Off)
		}
	}
	_, err := io.WriteString(r.std.Out, b.String())
	return err
}

func (r *recovery) describe(w io.Writer, rank int, c *recover.Candidate) {
	fmt.Fprintf(w, "%d. %v\n   order: %s\n", rank, c.Geometry, strings.Join(r.order(c), " "))
	if c.Orders > 1 {
		fmt.Fprintf(w, "   %d orders fit equally well\n", c.Orders)
	}
	fmt.Fprintf(w, "   content: %d of %d places of an ext4 of %s are right", c.Content.Good, c.Content.Good+c.Content.Bad, ui.Size(c.Size))
	if c.Label != "" {
		fmt.Fprintf(w, ", labelled %q", c.Label)
	}
	fmt.Fprintln(w)
	if n := c.Redundancy.Good + c.Redundancy.Bad; n > 0 {
		fmt.Fprintf(w, "   redundancy: %d of %d samples agree\n", c.Redundancy.Good, n)
	}
	fmt.Fprintf(w, "   score: %.3f\n", c.Score())
}

// order names the member of each slot.
func (r *recovery) order(c *recover.Candidate) []string {
	names := make([]string, len(c.Order))
	for slot, m := range c.Order {
		names[slot] = "missing"
		if m >= 0 {
			names[slot] = r.paths[m]
		}
	}
	return names
}
