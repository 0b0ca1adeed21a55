package native

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/array"
	"github.com/mdkit/mdkit/internal/cli/ui"
)

// scrubFlags are the flags of mdkit verify that go with --scrub.
func scrubFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "scrub", Usage: "read all of the array too, and check parity and copies"},
		&cli.BoolFlag{Name: "repair", Usage: "with --scrub, write what is proved to be right over what is proved to be wrong"},
		&cli.BoolFlag{Name: "dry-run", Usage: "with --repair, say what would be written and write nothing"},
		&cli.BoolFlag{Name: "dirty", Usage: "with --scrub, open an array that is degraded and was not shut down cleanly"},
		&cli.StringFlag{Name: "rate", Usage: "with --scrub, read no more than `SIZE` bytes a second of each member (K, M and G are powers of 1024)"},
		&cli.StringFlag{Name: "checkpoint", Usage: "with --scrub, keep in `FILE` how far it came, and go on from there"},
	}
}

// scrubOptions are what the command line says about a scrub.
type scrubOptions struct {
	std                                ui.IO
	repair, dryRun, dirty, json, quiet bool
	rate                               int64
	checkpoint                         string
}

// scrubOptionsOf reads the flags. It returns nil without --scrub.
func scrubOptionsOf(c *cli.Context, std ui.IO) (*scrubOptions, error) {
	o := &scrubOptions{
		std: std, repair: c.Bool("repair"), dryRun: c.Bool("dry-run"), dirty: c.Bool("dirty"),
		json: c.Bool("json"), quiet: c.Bool("quiet"), checkpoint: c.String("checkpoint"),
	}
	if !c.Bool("scrub") {
		for _, f := range scrubFlags() {
			if name := f.Names()[0]; c.IsSet(name) {
				return nil, usage("verify: --%s goes with --scrub", name)
			}
		}
		return nil, nil
	}
	if o.dryRun && !o.repair {
		return nil, usage("verify: --dry-run goes with --repair; without that a scrub writes nothing")
	}
	if text := c.String("rate"); text != "" {
		rate, err := ui.ParseSize(text)
		if err != nil || rate <= 0 {
			return nil, usage("verify: --rate %s: want a size such as 50M", text)
		}
		o.rate = rate
	}
	return o, nil
}

// scrubLine is what --json prints for each mismatch.
type scrubLine struct {
	ui.Document
	array.Mismatch
}

// scrubSummary is the last line of --json.
type scrubSummary struct {
	ui.Document
	Array      *arrayInfo `json:"array"`
	Position   int64      `json:"position"` // bytes; where the scrub ended
	Extent     int64      `json:"extent"`   // bytes; where it would be complete
	Complete   bool       `json:"complete"`
	Mismatches int64      `json:"mismatches"`
	Provable   int64      `json:"provable"` // those of them whose wrong member is known
	Repaired   int64      `json:"repaired"`
	Lost       int64      `json:"lost"` // places whose data is gone
	DryRun     bool       `json:"dry_run"`
}

// run scrubs the array that the candidates form, and returns an exit code. The
// metadata has been verified already.
func (o *scrubOptions) run(ctx context.Context, candidates []candidate, assembly *md.Assembly) (int, error) {
	if o.repair && !o.dryRun {
		writable, err := reopenForWriting(candidates, assembly)
		if err != nil {
			return ui.ExitFailed, scrubFailed(err)
		}
		defer closeCandidates(writable)
		candidates = writable
		assembly = md.Assess(membersOf(candidates), md.Strict)
	}
	array, err := array.Open(assembly, devicesOf(candidates), array.Options{Dirty: o.dirty, ReadOnly: !o.repair || o.dryRun})
	switch {
	case errors.Is(err, md.ErrDirtyDegraded):
		return ui.ExitProblems, scrubFailed(fmt.Errorf("%w; --dirty scrubs it all the same", err))
	case err != nil:
		return ui.ExitFailed, scrubFailed(err)
	}
	sum := &scrubSummary{Document: ui.Schema("scrub"), Array: infoOf(assembly), Extent: array.ScrubExtent(), DryRun: o.dryRun}
	if err := o.resume(sum); err != nil {
		return ui.ExitFailed, scrubFailed(err)
	}
	err = o.scrub(ctx, array, sum)
	sum.Complete = err == nil
	if saveErr := o.save(sum); saveErr != nil {
		err = errors.Join(err, saveErr)
	}
	if printErr := o.print(sum); err == nil {
		err = printErr
	}
	code := ui.ExitOK
	switch {
	case sum.Mismatches > sum.Repaired:
		code = ui.ExitProblems
	case sum.Repaired > 0:
		code = ui.ExitRepaired
	}
	if err != nil {
		return code, scrubFailed(err)
	}
	return code, nil
}

// scrubFailed adds the verb to an error.
func scrubFailed(err error) error { return fmt.Errorf("verify: %w", err) }

// devicesOf returns the devices of the members among the candidates.
func devicesOf(candidates []candidate) map[*md.Member]block.Device {
	devs := make(map[*md.Member]block.Device)
	for _, c := range candidates {
		if c.member != nil {
			devs[c.member] = c.dev
		}
	}
	return devs
}

// reopenForWriting opens those members that are in the array once more, exclusively.
func reopenForWriting(candidates []candidate, a *md.Assembly) (list []candidate, err error) {
	for _, v := range a.Verdicts {
		if !v.In {
			continue
		}
		c := candidate{path: v.Member.Name}
		for _, old := range candidates {
			if old.member == v.Member {
				c.path = old.path
			}
		}
		if c.dev, err = block.OpenFile(c.path, block.ForWriting|block.Exclusive); err == nil {
			c.member, err = md.ReadMember(c.dev)
		}
		list = append(list, c)
		if err != nil {
			closeCandidates(list)
			return nil, err
		}
	}
	return list, nil
}

// saveEvery is how often a checkpoint is written.
const saveEvery = 5 * time.Second

// scrub runs the scrub and prints each mismatch.
func (o *scrubOptions) scrub(ctx context.Context, arr *array.Array, sum *scrubSummary) error {
	progress := o.std.Progress("scrub", sum.Extent, o.quiet)
	defer progress.Close()
	saved := time.Now()
	var saveErr error
	opt := array.ScrubOptions{
		From: sum.Position, Repair: o.repair && !o.dryRun, Rate: o.rate,
		Progress: func(at int64) {
			sum.Position = at
			progress.Update(at)
			if time.Since(saved) > saveEvery {
				saved = time.Now()
				saveErr = errors.Join(saveErr, o.save(sum))
			}
		},
	}
	out := bufio.NewWriter(o.std.Out)
	for m, err := range arr.Scrub(ctx, opt) {
		if err != nil {
			return errors.Join(err, out.Flush())
		}
		sum.count(m)
		progress.Close()
		if err := o.printMismatch(out, m); err != nil {
			return err
		}
		if err := out.Flush(); err != nil {
			return err
		}
	}
	return saveErr
}

func (s *scrubSummary) count(m array.Mismatch) {
	s.Mismatches++
	if m.Proof != array.ProofNone {
		s.Provable++
	}
	if m.Repaired {
		s.Repaired++
	}
	if m.Kind == array.MismatchLost {
		s.Lost++
	}
}

// printMismatch prints one mismatch.
func (o *scrubOptions) printMismatch(out io.Writer, m array.Mismatch) error {
	if o.json {
		return ui.IO{Out: out}.JSONLine(scrubLine{ui.Schema("scrub.mismatch"), m})
	}
	fmt.Fprintf(out, "%s: %d bytes at %d of the members' data: %s\n", m.Kind, m.Len, m.Position, o.outcome(m))
	for _, r := range m.Array {
		fmt.Fprintf(out, "  array bytes %d to %d (sector %d)\n", r.Off, r.Off+r.Len-1, r.Off/block.SectorSize)
	}
	for _, x := range m.Members {
		fmt.Fprintf(out, "  %s: slot %d, %s, byte %d", x.Name, x.Slot, x.Role, x.Off)
		if x.Group > 0 {
			fmt.Fprintf(out, ", version %d", x.Group)
		}
		if x.Wrong {
			fmt.Fprint(out, ", wrong")
		}
		if x.Unreadable != "" {
			fmt.Fprintf(out, ": %s", x.Unreadable)
		}
		fmt.Fprintln(out)
	}
	return nil
}

// outcome says what is known about a mismatch, and what was done about it.
func (o *scrubOptions) outcome(m array.Mismatch) string {
	if m.Kind == array.MismatchLost {
		return "not enough members can read it"
	}
	if m.Proof == array.ProofNone {
		return "nothing proves which member is wrong"
	}
	var names []string
	for _, x := range m.Wrong() {
		names = append(names, x.Name)
	}
	text := fmt.Sprintf("%s wrong, by %s", strings.Join(names, " and "), m.Proof)
	switch {
	case m.Repaired:
		return text + "; repaired"
	case o.dryRun:
		return text + "; would be repaired"
	}
	return text
}

// print prints the summary.
func (o *scrubOptions) print(s *scrubSummary) error {
	if o.json {
		return o.std.JSONLine(s)
	}
	if o.quiet && s.Mismatches == 0 && s.Complete {
		return nil
	}
	how := "scrubbed"
	if !s.Complete {
		how = fmt.Sprintf("stopped at %s of %s:", ui.Size(s.Position), ui.Size(s.Extent))
	}
	_, err := fmt.Fprintf(o.std.Out, "%s %s of each member: %d mismatches, %d of them provable, %d repaired, %d lost\n",
		how, ui.Size(s.Position), s.Mismatches, s.Provable, s.Repaired, s.Lost)
	return err
}
