package native

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/recover"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/manage/plan"
)

// recoverDocument is what mdkit recover --json prints.
type recoverDocument struct {
	ui.Document
	Candidates []candidateJSON `json:"candidates"` // best first
	Plan       []writeJSON     `json:"plan"`       // what to write to make the chosen candidate an array
	Applied    bool            `json:"applied"`    // the plan was carried out
	Backup     string          `json:"backup,omitempty"`
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
			"again. Nothing is written without --apply, and then only these superblocks; what\n" +
			"they replace is kept in a file, from which --restore brings it back. Where several\n" +
			"candidates fit equally well and contradict each other, where no redundancy agrees,\n" +
			"or where a member has a partition table, --apply needs --candidate as well.\n\n" +
			"Exit code: 0 there is a candidate, or it was written; 2 there is none; 8 something\n" +
			"failed, or was too uncertain to be written, and nothing was changed; 16 wrong usage;\n" +
			"32 interrupted.",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "raid-devices", Aliases: []string{"n"}, Usage: "how many slots the array has, if that is known"},
			&cli.BoolFlag{Name: "apply", Usage: "write the superblocks"},
			&cli.IntFlag{Name: "candidate", Value: 1, Usage: "take the candidate of that rank"},
			&cli.StringFlag{Name: "backup", Value: ".", Usage: "keep what --apply replaces in this folder"},
			&cli.StringFlag{Name: "restore", Usage: "put back what the file of an earlier --apply has kept"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "draw no progress"},
			jsonFlag(),
		},
		Action: func(c *cli.Context) error {
			if file := c.String("restore"); file != "" {
				if c.NArg() > 0 || c.Bool("apply") {
					return usage("recover: --restore takes nothing but its file, which names the members")
				}
				return restoreMetadata(c.Context, std, file, c.Bool("json"))
			}
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
				rank: c.Int("candidate"), chosen: c.IsSet("candidate"), backup: c.String("backup"), quiet: c.Bool("quiet") || c.Bool("json"), json: c.Bool("json"),
			}).run(c.Context)
		},
	}
}

// recovery is one run of the verb.
type recovery struct {
	std         ui.IO
	paths       []string
	slots, rank int
	chosen      bool // somebody has looked at the candidates and named one
	apply       bool
	backup      string // folder
	kept        string // file there
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
	var steps []recover.Write
	var refused error
	if len(found) > 0 {
		if steps, err = found[r.rank-1].Plan(members); err != nil {
			return err
		}
		if r.apply {
			if refused = r.doubt(found, steps, members); refused != nil {
				r.apply = false
			} else if err := r.write(steps, members); err != nil {
				return err
			}
		}
	}
	if err := r.report(found, steps); err != nil {
		return err
	}
	if refused != nil {
		return refused
	}
	if len(found) == 0 {
		return &failure{code: ui.ExitNothing}
	}
	return nil
}

// doubt says why the plan should not be carried out unseen; nil if somebody has
// chosen it, or nothing speaks against it.
func (r *recovery) doubt(found []*recover.Candidate, steps []recover.Write, members []block.Device) error {
	if r.chosen {
		return nil
	}
	const choose = "nothing is written unless --candidate names one"
	if err := recover.Certain(found); err != nil {
		return fmt.Errorf("recover: %w; %s", err, choose)
	}
	m, table, err := recover.Occupied(steps, members)
	switch {
	case err != nil:
		return err
	case m >= 0:
		return fmt.Errorf("recover: %s has a partition table (%v), in which a member may lie: name the partitions; %s", r.paths[m], table, choose)
	}
	return nil
}

// write carries out the plan, once what it replaces is kept.
func (r *recovery) write(steps []recover.Write, members []block.Device) error {
	var writes []plan.StepInfo
	for _, w := range steps {
		path, err := filepath.Abs(r.paths[w.Member])
		if err != nil {
			return err
		}
		writes = append(writes, plan.StepInfo{Kind: plan.KindWrite, Target: path, What: w.What, Offset: w.Off, Length: int64(len(w.Data))})
	}
	kept := plan.NewBackup(r.backup, "mdkit-recover")
	if err := kept.Save(writes); err != nil {
		return err
	}
	r.kept = kept.Path()
	return recover.Apply(steps, members)
}

// restoreMetadata puts back what an earlier --apply has kept.
func restoreMetadata(ctx context.Context, std ui.IO, file string, asJSON bool) error {
	p, err := plan.PlanRestore(file)
	if err != nil {
		return err
	}
	var runner plan.Runner
	if _, err := runner.Run(ctx, p); err != nil {
		return err
	}
	if asJSON {
		return std.JSON(restoreDocument{Document: ui.Schema("recover-restore"), File: file, Steps: runner.Steps})
	}
	for _, s := range runner.Steps {
		fmt.Fprintf(std.Out, "Restored %s of %s, %d bytes at %d\n", s.What, s.Target, s.Length, s.Offset)
	}
	return nil
}

// restoreDocument is what mdkit recover --restore --json prints.
type restoreDocument struct {
	ui.Document
	File  string          `json:"file"`
	Steps []plan.StepInfo `json:"steps"` // the writes, in order
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

func (r *recovery) report(found []*recover.Candidate, steps []recover.Write) error {
	if r.json {
		doc := recoverDocument{Document: ui.Schema("recover"), Candidates: []candidateJSON{}, Plan: []writeJSON{}, Applied: r.apply && len(steps) > 0, Backup: r.kept}
		for _, c := range found {
			doc.Candidates = append(doc.Candidates, candidateJSON{
				Level: c.Level.String(), Layout: c.Layout, Chunk: c.Chunk, RaidDevices: c.Slots, DataOffset: c.DataOffset,
				Metadata: c.Version().String(), Members: r.order(c), Alike: c.Orders, Score: c.Score(),
				Content: c.Content, Redundancy: c.Redundancy, Filesystem: c.Size,
			})
		}
		for _, w := range steps {
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
		for _, w := range steps {
			fmt.Fprintf(&b, "  %s: %s of slot %d, %d bytes at %d\n", r.paths[w.Member], w.What, w.Slot, len(w.Data), w.Off)
		}
	}
	if r.kept != "" {
		fmt.Fprintf(&b, "What was there is kept: mdkit recover --restore %s\n", r.kept)
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
