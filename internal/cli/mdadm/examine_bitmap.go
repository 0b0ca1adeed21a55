package mdadm

import (
	"errors"
	"fmt"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/internal/cli/mdadm/mdtext"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/manage/array/report"
)

// examineBitmap is --examine-bitmap for the named devices or bitmap files
// (bitmap.c, ExamineBitmap).
func (c *Command) examineBitmap(std ui.IO, names ...string) int {
	doc := &examineBitmapDocument{Document: ui.Schema("examine-bitmap"), Devices: []bitmapReportJSON{}}
	return c.examineEach(std, names, doc, func(w mdtext.Writer, name string, want []md.Version) int {
		x, err := c.readBitmap(name, want)
		var none *report.NoBitmapError
		switch {
		case errors.As(err, &none) && none.Array && !c.JSON:
			ofArray(w, std, name, none)
			return 1
		case err != nil:
			fmt.Fprintf(std.Err, "mdadm: %v\n", err)
			return 1
		case c.JSON:
			doc.Devices = append(doc.Devices, bitmapReportDocument(name, x))
			return 0
		}
		return c.bitmapText(w, std, name, x)
	})
}

// readBitmap reads the bitmap of one device. Its errors are whole lines to print.
func (c *Command) readBitmap(name string, want []md.Version) (*report.BitmapReport, error) {
	d, err := block.OpenFile(name, block.Direct)
	if err != nil {
		return nil, fmt.Errorf("failed to open bitmap file %s: %s", name, openReason(err))
	}
	defer d.Close()
	if report.IsIdleArray(name) {
		return nil, fmt.Errorf("%s is an array that does not run; its members have the bitmap, if there is one", name)
	}
	x, err := report.ExamineBitmap(d, want...)
	switch {
	case errors.Is(err, report.ErrNoBitmap):
		return nil, fmt.Errorf("%s doesn't have bitmap", name)
	case errors.As(err, new(*report.NoBitmapError)):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("cannot read the bitmap of %s: %w", name, err)
	}
	return x, nil
}

// ofArray prints what mdadm says about every device without a bitmap, although it
// is true only of an array.
func ofArray(w mdtext.Writer, std ui.IO, name string, none *report.NoBitmapError) {
	for _, line := range []string{
		"This is an md array.  To view a bitmap you need to examine",
		"a member device, not the array.",
		"Reporting bitmap that would be used if this array were used",
		"as a member of some other array",
		fmt.Sprintf("invalid bitmap magic 0x%x, the bitmap file appears", none.Magic),
		"to be corrupted or missing.",
		fmt.Sprintf("unknown bitmap version %d, either the bitmap file", int32(none.Version)),
		"is corrupted or you need to upgrade your tools",
	} {
		fmt.Fprintf(std.Err, "mdadm: %s\n", line)
	}
	fmt.Fprintf(w, "        Filename : %s\n", name)
	fmt.Fprintf(w, "           Magic : %08x\n", none.Magic)
	fmt.Fprintf(w, "         Version : %d\n", int32(none.Version))
}

func (c *Command) bitmapText(w mdtext.Writer, std ui.IO, name string, x *report.BitmapReport) int {
	b := x.Bitmap
	fmt.Fprintf(w, "        Filename : %s\n", name)
	fmt.Fprintf(w, "           Magic : %08x\n", b.Magic)
	fmt.Fprintf(w, "         Version : %d\n", int32(b.Version))
	if b.Version < md.BitmapHostEndian || b.Version > md.BitmapClustered {
		fmt.Fprintf(std.Err, "mdadm: unknown bitmap version %d, either the bitmap file\n", int32(b.Version))
		fmt.Fprintln(std.Err, "mdadm: is corrupted or you need to upgrade your tools")
		return 1
	}
	fmt.Fprintf(w, "            UUID : %s\n", x.UUID)
	if b.Nodes == 0 {
		bitmapEvents(w, b)
	}
	fmt.Fprintf(w, "       Chunksize : %s\n", mdtext.HumanChunk(b.ChunkSize))
	fmt.Fprintf(w, "          Daemon : %ds flush period\n", int32(b.DaemonSleep))
	mode := "Normal"
	if b.WriteBehind != 0 {
		mode = fmt.Sprintf("Allow write behind, max %d", int32(b.WriteBehind))
	}
	fmt.Fprintf(w, "      Write Mode : %s\n", mode)
	fmt.Fprintf(w, "       Sync Size : %d%s\n", b.SyncSize/2, mdtext.HumanSize(int64(b.SyncSize*512)))
	if b.Nodes == 0 {
		if !c.Brief {
			bitmapBits(w, std, x.Copies[0])
		}
		return 0
	}
	fmt.Fprintf(w, "   Cluster nodes : %d\n", int32(b.Nodes))
	fmt.Fprintf(w, "    Cluster name : %-64s\n", b.Cluster())
	for i, copied := range x.Copies {
		if copied.Bitmap == nil {
			fmt.Fprintf(w, "   Unable to read bitmap on node: %d\n", i)
			continue
		}
		fmt.Fprintf(w, "       Node Slot : %d\n", i)
		bitmapEvents(w, copied.Bitmap)
		if !c.Brief {
			bitmapBits(w, std, copied)
		}
	}
	return 0
}

func bitmapEvents(w mdtext.Writer, b *md.Bitmap) {
	fmt.Fprintf(w, "          Events : %d\n", b.Events)
	fmt.Fprintf(w, "  Events Cleared : %d\n", b.EventsCleared)
	state := "Unknown"
	switch b.State {
	case 0:
		state = "OK"
	case md.BitmapStale:
		state = "Out of date"
	}
	fmt.Fprintf(w, "           State : %s\n", state)
}

// bitmapBits prints how many chunks are dirty. A bitmap that ends early is
// counted as far as it goes, with a warning.
func bitmapBits(w mdtext.Writer, std ui.IO, copied report.BitmapCopy) {
	n := copied.Count
	if copied.Err != nil {
		fmt.Fprintf(std.Err, "mdadm: WARNING: bitmap file is not large enough for array size %d!\n\n", copied.Bitmap.SyncSize)
	}
	fmt.Fprintf(w, "          Bitmap : %d bits (chunks), %d dirty (%2.1f%%)\n",
		n.Total, n.Dirty, 100*float64(n.Dirty)/float64(max(n.Total, 1)))
}

// bitmapJSON is the superblock of a bitmap in JSON.
type bitmapJSON struct {
	Offset        int64  `json:"offset"` // from the start of the device or file
	Version       uint32 `json:"version"`
	UUID          string `json:"uuid"`
	Events        uint64 `json:"events"`
	EventsCleared uint64 `json:"events_cleared"`
	State         string `json:"state"`
	ChunkSize     int64  `json:"chunk_size"`
	DaemonSleep   uint32 `json:"daemon_sleep_seconds"`
	WriteBehind   uint32 `json:"write_behind"`
	SyncSize      int64  `json:"sync_size"`
	Nodes         uint32 `json:"nodes"`
	Cluster       string `json:"cluster,omitempty"`
}

func bitmapDocument(b *md.Bitmap) *bitmapJSON {
	return &bitmapJSON{
		Offset: b.Offset, Version: b.Version, UUID: b.UUID.String(), Events: b.Events, EventsCleared: b.EventsCleared,
		State: b.State.String(), ChunkSize: bytesOf(b.ChunkSectors()), DaemonSleep: b.DaemonSleep,
		WriteBehind: b.WriteBehind, SyncSize: bytesOf(b.SyncSize), Nodes: b.Nodes, Cluster: b.Cluster(),
	}
}

// examineBitmapDocument is what --examine-bitmap --json prints.
type examineBitmapDocument struct {
	ui.Document
	Devices []bitmapReportJSON `json:"devices"`
}

type bitmapReportJSON struct {
	Device string           `json:"device"`
	Bitmap *bitmapJSON      `json:"bitmap"`
	Copies []bitmapCopyJSON `json:"copies"` // one, or one for each node
}

type bitmapCopyJSON struct {
	Node          int    `json:"node"`
	Error         string `json:"error,omitempty"`
	Events        uint64 `json:"events"`
	EventsCleared uint64 `json:"events_cleared"`
	State         string `json:"state"`
	Chunks        uint64 `json:"chunks"`
	Dirty         uint64 `json:"dirty_chunks"`
}

func bitmapReportDocument(name string, x *report.BitmapReport) bitmapReportJSON {
	doc := bitmapReportJSON{Device: name, Bitmap: bitmapDocument(x.Bitmap)}
	doc.Bitmap.UUID = x.UUID.String()
	for i, copied := range x.Copies {
		d := bitmapCopyJSON{Node: i, Chunks: copied.Count.Total, Dirty: copied.Count.Dirty}
		if b := copied.Bitmap; b != nil {
			d.Events, d.EventsCleared, d.State = b.Events, b.EventsCleared, b.State.String()
		}
		if copied.Err != nil {
			d.Error = copied.Err.Error()
		}
		doc.Copies = append(doc.Copies, d)
	}
	return doc
}
