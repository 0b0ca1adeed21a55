package native

import (
	"context"
	"path/filepath"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/manage/fuse"
)

// exportFile is the name of the array's file in the folder of --fuse.
const exportFile = "array"

func (o *openOptions) serveFUSE(ctx context.Context, d block.Device, ready *exportReady) error {
	ready.FUSE = filepath.Join(o.export.fuse, exportFile)
	e := fuse.Export{Device: d, Name: exportFile, ReadOnly: ready.ReadOnly}
	return fuse.Serve(ctx, o.export.fuse, e, func() { o.announce(ready, ready.FUSE) })
}
