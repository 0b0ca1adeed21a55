package native

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/mdkit/mdkit/engine/finding"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/internal/cli/ui"
)

// verifyDocument is what mdkit verify --json prints.
type verifyDocument struct {
	ui.Document
	Clean    bool              `json:"clean"` // no finding is an error or worse
	Array    *arrayInfo        `json:"array"` // null if no member has a slot
	Members  []verifiedMember  `json:"members"`
	Findings []finding.Finding `json:"findings"`
}

type verifiedMember struct {
	memberInfo
	DeviceUUID *md.UUID    `json:"device_uuid,omitempty"`
	Bitmap     *bitmapInfo `json:"bitmap,omitempty"`
	BadBlocks  int         `json:"bad_blocks"` // entries of the bad block log
}

type bitmapInfo struct {
	Chunk  int64  `json:"chunk"` // bytes
	Chunks uint64 `json:"chunks"`
	Dirty  uint64 `json:"dirty"` // chunks that may differ between members
}

func verifyCommand(std ui.IO) *cli.Command {
	return &cli.Command{
		Name:      "verify",
		Usage:     "check the metadata of an array's members",
		ArgsUsage: "MEMBER...",
		Description: "Checks every field of each member's metadata, superblock, bitmap, bad block log,\n" +
			"partial parity log and journal, and whether the members agree; says for each\n" +
			"member whether it would take part in the array, and why. The members given\n" +
			"should be those of one array, in any order. Nothing is written.\n\n" +
			"Exit code, as fsck(8): 0 no errors; 4 errors found; 8 something could not be\n" +
			"checked; 16 wrong usage. Codes add up. Warnings alone, such as a missing member\n" +
			"that redundancy stands in for, leave it at 0.\n\n" +
			"With --scrub it goes on to read the whole array: every stripe's parity, every\n" +
			"copy. Mismatches are reported with their place in the array and on the members,\n" +
			"and with the wrong member if the two parities of raid6 or a majority of copies\n" +
			"prove which it is. With --repair these are corrected, and what can no longer be\n" +
			"read from a member is rewritten from the others; then 1 means that everything\n" +
			"was repaired. With --checkpoint an interrupted scrub (32) can be continued.",
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "print findings only"},
			jsonFlag(),
		}, scrubFlags()...),
		Action: func(c *cli.Context) error {
			if c.NArg() == 0 {
				return usage("verify: name the members of an array")
			}
			scrub, err := scrubOptionsOf(c, std)
			if err != nil {
				return err
			}
			candidates := openCandidates(c.Args().Slice())
			defer closeCandidates(candidates)
			doc, code := verify(candidates)
			switch {
			case c.Bool("json") && scrub != nil:
				err = std.JSONLine(doc)
			case c.Bool("json"):
				err = std.JSON(doc)
			default:
				err = printVerify(std, doc, candidates, c.Bool("quiet"))
			}
			if err == nil && scrub != nil && doc.Array != nil {
				ctx, stop := std.Cancellable(c.Context)
				defer stop()
				var more int
				more, err = scrub.run(ctx, candidates, md.Assess(membersOf(candidates), md.Strict))
				code |= more
			}
			switch {
			case errors.Is(err, context.Canceled):
			case err != nil:
				err = &failure{code: code | ui.ExitFailed, err: err}
			case code != ui.ExitOK:
				err = &failure{code: code}
			}
			return err
		},
	}
}

// verify checks the candidates, each by itself and all together, and returns the
// exit code.
func verify(candidates []candidate) (*verifyDocument, int) {
	doc := &verifyDocument{Document: ui.Schema("verify"), Members: []verifiedMember{}, Findings: []finding.Finding{}}
	assembly := md.Assess(membersOf(candidates), md.Strict)
	doc.Array = infoOf(assembly)
	code := ui.ExitOK
	for _, c := range candidates {
		if c.member == nil {
			code |= ui.ExitFailed
		}
		doc.Members = append(doc.Members, verifyMember(c, assembly))
		if c.dev == nil {
			continue
		}
		if c.member != nil {
			doc.Findings = slices.AppendSeq(doc.Findings, md.Check(c.dev, c.member))
		} else if none := new(md.NoSuperError); errors.As(c.err, &none) {
			// The missing superblock has been reported, but not where one may have been.
			for f := range md.CheckDevice(c.dev) {
				if f.Rule != ruleNone {
					doc.Findings = append(doc.Findings, f)
				}
			}
		}
	}
	doc.Findings = slices.AppendSeq(doc.Findings, assembly.Findings())
	worst, _ := finding.Worst(slices.Values(doc.Findings))
	doc.Clean = worst < finding.Error
	if !doc.Clean {
		code |= ui.ExitProblems
	}
	return doc, code
}

// ruleNone is engine/md's rule that a device has a superblock at all.
const ruleNone = "md.none"

// verifyMember says what is known about one candidate.
func verifyMember(c candidate, a *md.Assembly) verifiedMember {
	v := verifiedMember{memberInfo: describe(c, a)}
	if c.member == nil {
		return v
	}
	if c.member.Super1 != nil {
		id := c.member.DeviceUUID()
		v.DeviceUUID = &id
	}
	// What is wrong with a bitmap or a bad block log is a finding; here only what
	// can be read counts.
	if b, err := c.member.ReadBitmap(c.dev); err == nil && b != nil {
		if n, err := b.Count(c.dev); err == nil {
			v.Bitmap = &bitmapInfo{Chunk: int64(b.ChunkSectors()) * md.SectorSize, Chunks: b.Chunks(), Dirty: n.Dirty}
		}
	}
	if list, err := c.member.ReadBadBlocks(c.dev); err == nil {
		v.BadBlocks = len(list)
	}
	return v
}

func printVerify(std ui.IO, doc *verifyDocument, candidates []candidate, quiet bool) error {
	out := bufio.NewWriter(std.Out)
	if !quiet {
		printArray(out, doc.Array)
		for _, m := range doc.Members {
			printMember(out, m)
		}
	}
	for _, c := range candidates {
		if c.member == nil {
			fmt.Fprintf(std.Err, "mdkit: verify: %v\n", c.err)
		}
	}
	for _, f := range doc.Findings {
		fmt.Fprintln(out, f)
	}
	if !quiet {
		_, count := finding.Worst(slices.Values(doc.Findings))
		fmt.Fprintf(out, "%d fatal, %d errors, %d warnings, %d notes\n",
			count[finding.Fatal], count[finding.Error], count[finding.Warning], count[finding.Info])
	}
	return out.Flush()
}

func printArray(out io.Writer, a *arrayInfo) {
	if a == nil {
		return
	}
	fmt.Fprintf(out, "array %s", a.UUID)
	if a.Name != "" {
		fmt.Fprintf(out, " %q", a.Name)
	}
	fmt.Fprintf(out, ": %s of %d, %s, metadata %s, events %d", a.Level, a.Slots, ui.Size(a.Size), a.Metadata, a.Events)
	switch {
	case !a.Start:
		fmt.Fprintln(out, ", cannot be started")
	case len(a.Missing) > 0:
		fmt.Fprintln(out, ", degraded")
	default:
		fmt.Fprintln(out, ", complete")
	}
}

func printMember(out io.Writer, m verifiedMember) {
	if m.Rule == "" {
		fmt.Fprintf(out, "  %s: no member\n", m.Path)
		return
	}
	word := "out"
	if m.In {
		word = "in"
	}
	fmt.Fprintf(out, "  %s: %s, %s", m.Path, word, m.Role)
	if m.Why != m.Role {
		fmt.Fprintf(out, ": %s", m.Why)
	}
	fmt.Fprintln(out)
	if m.Bitmap != nil {
		fmt.Fprintf(out, "    bitmap: %d of %d chunks of %s dirty\n", m.Bitmap.Dirty, m.Bitmap.Chunks, ui.Size(m.Bitmap.Chunk))
	}
	if m.BadBlocks > 0 {
		fmt.Fprintf(out, "    bad blocks: %d entries\n", m.BadBlocks)
	}
}
