package native

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/array"
	"github.com/mdkit/mdkit/internal/cli/ui"
)

// openDocument is what mdkit open --copy --json prints.
type openDocument struct {
	ui.Document
	Array   *arrayInfo   `json:"array"`
	Members []memberInfo `json:"members"`
	Output  string       `json:"output"`
	Off     int64        `json:"offset"`  // bytes, where in the array the copy starts
	Len     int64        `json:"length"`  // bytes of the array that were copied
	Written int64        `json:"written"` // bytes of them that were written; the rest are holes
}

func openCommand(std ui.IO) *cli.Command {
	return &cli.Command{
		Name:      "open",
		Usage:     "read an array out of its members, without a kernel",
		ArgsUsage: "MEMBER...",
		Description: "Assembles the array as mdadm would, from members in any order, and streams or\n" +
			"copies what is in it. Members that redundancy can stand in for may be missing.\n" +
			"The members are only read, unless --write says otherwise.\n\n" +
			"   mdkit open a.img c.img --cat | tar t\n" +
			"   mdkit open /dev/sd[bcd] --copy array.img\n" +
			"   mdkit open /dev/sd[bcd] --fuse /mnt & mount -o loop,ro /mnt/array /data\n" +
			"   mdkit open *.img --overlay --nbd unix:/run/array.sock\n\n" +
			"--nbd and --fuse show the array to other programs until they are interrupted,\n" +
			"which is exit code 0.\n\n" +
			"Exit code: 0 done; 4 the array cannot be started with these members; 8 something\n" +
			"else failed; 16 wrong usage; 32 interrupted. Unless it is 0, no output file was\n" +
			"made or changed.",
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "cat", Usage: "write the array's bytes to standard output"},
			&cli.StringFlag{Name: "copy", Usage: "copy the array to `OUT`, a file that appears when it is complete, or a block device"},
			&cli.Int64Flag{Name: "offset", Usage: "start at byte `N` of the array"},
			&cli.Int64Flag{Name: "length", Value: -1, Usage: "stop after `N` bytes; without it, at the end"},
			&cli.BoolFlag{Name: "force", Usage: "let --copy replace a file that is not empty, or overwrite a device that carries something"},
			&cli.BoolFlag{Name: "dirty", Usage: "open an array that is degraded and was not shut down cleanly: some of what is rebuilt may be wrong"},
			&cli.StringFlag{Name: "backup-file", Usage: "take what a reshape was about to overwrite from `FILE`, which mdadm --grow was given"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "no progress and no notes"},
			jsonFlag(),
		}, exportFlags()...),
		Action: func(c *cli.Context) error {
			o := openOptions{
				std: std, paths: c.Args().Slice(), out: c.String("copy"), off: c.Int64("offset"), length: c.Int64("length"),
				backup: c.String("backup-file"),
				force:  c.Bool("force"), dirty: c.Bool("dirty"), quiet: c.Bool("quiet"), json: c.Bool("json"),
			}
			var err error
			if o.export, err = checkExport(c); err != nil {
				return err
			}
			switch {
			case len(o.paths) == 0:
				return usage("open: name the members of an array")
			case o.export != nil && (c.Bool("cat") || c.IsSet("copy")):
				return usage("open: --cat and --copy do not go with --nbd and --fuse")
			case o.export == nil && c.Bool("cat") == c.IsSet("copy"):
				return usage("open: say one of --cat, --copy OUT, --nbd ADDRESS and --fuse DIR")
			case c.IsSet("copy") && o.out == "":
				return usage("open: --copy wants the name of a file or device")
			case c.Bool("cat") && o.json:
				return usage("open: --json goes with --copy; with --cat standard output is the array's")
			case o.off < 0 || c.IsSet("length") && o.length < 0:
				return usage("open: --offset and --length must not be negative")
			}
			if o.out == "" && o.export == nil {
				return o.run(c.Context) // there is nothing to clean up after an interrupt
			}
			ctx, stop := std.Cancellable(c.Context)
			defer stop()
			return o.run(ctx)
		},
	}
}

type openOptions struct {
	std                       ui.IO
	paths                     []string
	out                       string // empty: to standard output
	backup                    string // empty: none
	off, length               int64  // bytes; length -1: to the end
	force, dirty, quiet, json bool
	export                    *exportOptions // nil: the array is not served
}

func (o *openOptions) run(ctx context.Context) error {
	candidates := openCandidates(o.paths)
	defer closeCandidates(candidates)
	for _, c := range candidates {
		if c.member == nil {
			return o.failed(ui.ExitFailed, c.err)
		}
	}
	assembly := md.Assess(membersOf(candidates), md.Strict)
	if o.export != nil && o.export.write {
		writable, err := reopenForWriting(candidates, assembly)
		if err != nil {
			return o.failed(ui.ExitFailed, err)
		}
		defer closeCandidates(writable)
		candidates = writable
		assembly = md.Assess(membersOf(candidates), md.Strict)
	}
	var backup block.Device
	if o.backup != "" {
		f, err := block.OpenFile(o.backup, block.ForReading)
		if err != nil {
			return o.failed(ui.ExitFailed, err)
		}
		defer f.Close()
		backup = f
	}
	array, err := o.assemble(candidates, assembly, backup)
	if err != nil {
		return err
	}
	length, err := o.extent(array.Size())
	if err != nil {
		return err
	}
	if o.export != nil {
		return o.failed(ui.ExitFailed, o.serve(ctx, array, length, infoOf(assembly)))
	}
	if o.out == "" {
		p := o.std.Progress("open", length, o.quiet)
		_, err := stream(ctx, array, o.off, length, &plainSink{o.std.Out}, p)
		p.Close()
		return o.failed(ui.ExitFailed, err)
	}
	written, err := o.copy(ctx, array, length, candidates)
	if err != nil || !o.json {
		return o.failed(ui.ExitFailed, err)
	}
	doc := openDocument{
		Document: ui.Schema("open"), Array: infoOf(assembly), Output: o.out, Off: o.off, Len: length, Written: written,
	}
	for _, c := range candidates {
		doc.Members = append(doc.Members, describe(c, assembly))
	}
	return o.std.JSON(doc)
}

// failed adds the exit code and the verb to an error; nil stays nil.
func (o *openOptions) failed(code int, err error) error {
	if err == nil {
		return nil
	}
	return &failure{code: code, err: fmt.Errorf("open: %w", err)}
}

// assemble opens the array, or says in one line what is missing and why.
func (o *openOptions) assemble(candidates []candidate, a *md.Assembly, backup block.Device) (*array.Array, error) {
	var out []string
	for _, v := range a.Verdicts {
		if v.Rule == ruleForeign {
			return nil, o.failed(ui.ExitFailed, fmt.Errorf("%s: %s; leave it out", v.Member.Name, v.Why))
		}
		if !v.In {
			out = append(out, fmt.Sprintf("%s is out: %s", v.Member.Name, v.Why))
		}
	}
	writing := o.export != nil && o.export.write
	array, err := array.Open(a, devicesOf(candidates), array.Options{Dirty: o.dirty, ReadOnly: !writing, Backup: backup})
	if err != nil {
		why := strings.Join(append([]string{err.Error()}, out...), "; ")
		code := ui.ExitFailed
		if start := new(md.StartError); errors.As(err, &start) || a.Freshest == nil {
			code = ui.ExitProblems
		}
		if errors.Is(err, md.ErrDirtyDegraded) || errors.Is(err, md.ErrNoJournal) && !writing {
			why += "; --dirty opens it all the same"
		}
		return nil, o.failed(code, errors.New(why))
	}
	if !o.quiet {
		for _, note := range out {
			fmt.Fprintf(o.std.Err, "mdkit: open: %s\n", note)
		}
		for _, slot := range a.Missing() {
			fmt.Fprintf(o.std.Err, "mdkit: open: slot %d is missing; its data comes from the others\n", slot)
		}
	}
	return array, nil
}

// ruleForeign is engine/md's rule that all members belong to one array.
const ruleForeign = "md.member.foreign"

// extent returns the number of bytes to read from an array of size bytes.
func (o *openOptions) extent(size int64) (int64, error) {
	if o.off > size {
		return 0, usage("open: --offset %d is beyond the end of the array, which has %d bytes", o.off, size)
	}
	if o.length < 0 {
		return size - o.off, nil
	}
	if o.length > size-o.off {
		return 0, usage("open: %d bytes from offset %d reach beyond the end of the array, which has %d bytes", o.length, o.off, size)
	}
	return o.length, nil
}

// plainSink writes everything in order.
type plainSink struct{ w io.Writer }

func (s *plainSink) put(p []byte, _ int64) (written int64, err error) {
	n, err := s.w.Write(p)
	return int64(n), err
}
