package native

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md/array"
	"github.com/mdkit/mdkit/engine/nbd"
	"github.com/mdkit/mdkit/internal/cli/ui"
)

// exportFlags are the flags of mdkit open that show the array to other programs.
func exportFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "nbd", Usage: "serve the array over NBD at `ADDRESS`, unix:PATH or HOST:PORT, until interrupted"},
		&cli.StringFlag{Name: "fuse", Usage: "show the array as the file DIR/array until interrupted or unmounted; Linux only (`DIR`)"},
		&cli.BoolFlag{Name: "overlay", Usage: "with --nbd or --fuse, allow writes and keep them in memory: the members stay as they are"},
		&cli.BoolFlag{Name: "write", Usage: "with --nbd or --fuse, let writes reach the members"},
	}
}

// exportOptions say where to show an array, and what becomes of writes.
type exportOptions struct {
	nbd, fuse      string
	overlay, write bool
}

// checkExport reads the flags. It returns nil if the array is not to be exported.
func checkExport(c *cli.Context) (*exportOptions, error) {
	e := &exportOptions{nbd: c.String("nbd"), fuse: c.String("fuse"), overlay: c.Bool("overlay"), write: c.Bool("write")}
	switch {
	case c.IsSet("nbd") && e.nbd == "", c.IsSet("fuse") && e.fuse == "":
		return nil, usage("open: --nbd wants unix:PATH or HOST:PORT, --fuse a folder")
	case e.nbd == "" && e.fuse == "" && (e.overlay || e.write):
		return nil, usage("open: --overlay and --write go with --nbd or --fuse")
	case e.overlay && e.write:
		return nil, usage("open: say either --overlay or --write")
	case e.nbd != "" && e.fuse != "":
		return nil, usage("open: say either --nbd or --fuse")
	case e.nbd == "" && e.fuse == "":
		return nil, nil
	}
	return e, nil
}

// exportReady is what mdkit open --nbd --json, or --fuse, prints once the array can
// be used.
type exportReady struct {
	ui.Document
	Array    *arrayInfo `json:"array"`
	NBD      string     `json:"nbd,omitempty"`  // the address
	FUSE     string     `json:"fuse,omitempty"` // the file
	Off      int64      `json:"offset"`         // bytes, where in the array the export starts
	Len      int64      `json:"length"`         // bytes
	ReadOnly bool       `json:"read_only"`
	Overlay  bool       `json:"overlay"` // writes are kept in memory
}

// serve serves a part of the array until ctx ends, which is not an error.
func (o *openOptions) serve(ctx context.Context, array *array.Array, length int64, info *arrayInfo) error {
	e := o.export
	var d block.Device = array
	if e.overlay {
		d = block.NewOverlay(d)
	}
	if o.off > 0 || length < array.Size() {
		part, err := block.NewSlice(d, o.off, length)
		if err != nil {
			return err
		}
		d = part
	}
	ready := &exportReady{
		Document: ui.Schema("open.ready"), Array: info, NBD: e.nbd, Off: o.off, Len: length,
		ReadOnly: !e.overlay && !e.write, Overlay: e.overlay,
	}
	var err error
	if e.nbd != "" {
		err = o.serveNBD(ctx, d, ready)
	} else {
		err = o.serveFUSE(ctx, d, ready)
	}
	return errors.Join(err, array.Close())
}

// announce says that the array can be used now.
func (o *openOptions) announce(r *exportReady, where string) {
	if o.json {
		// The array can be used even if nobody reads this.
		_ = o.std.JSONLine(r)
		return
	}
	if o.quiet {
		return
	}
	how := "read-only"
	switch {
	case r.Overlay:
		how = "writes stay in memory"
	case !r.ReadOnly:
		how = "writes reach the members"
	}
	fmt.Fprintf(o.std.Err, "mdkit: open: %s at %s; %s; an interrupt ends it\n", ui.Size(r.Len), where, how)
}

func (o *openOptions) serveNBD(ctx context.Context, d block.Device, ready *exportReady) error {
	l, err := listen(o.export.nbd)
	if err != nil {
		return err
	}
	s := &nbd.Server{
		Exports: []nbd.Export{{Description: block.Name(d), Device: d, ReadOnly: ready.ReadOnly}},
		Log: func(line string) {
			if !o.quiet {
				fmt.Fprintf(o.std.Err, "mdkit: open: %s\n", line)
			}
		},
	}
	if _, port, err := net.SplitHostPort(o.export.nbd); err == nil && port == "0" {
		ready.NBD = l.Addr().String() // the system has chosen one
	}
	o.announce(ready, ready.NBD)
	return s.Serve(ctx, l)
}

// listen opens the socket that an address on the command line names. A unix socket
// on which nobody listens any more is removed first; only its owner may use the new
// one.
func listen(address string) (net.Listener, error) {
	path, unix := strings.CutPrefix(address, "unix:")
	if !unix {
		if _, _, err := net.SplitHostPort(address); err != nil {
			return nil, fmt.Errorf("--nbd %s: want unix:PATH or HOST:PORT", address)
		}
		return net.Listen("tcp", address)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
		conn, err := net.Dial("unix", path)
		if err == nil {
			_ = conn.Close()
			return nil, fmt.Errorf("--nbd %s: something listens there already", address)
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}
