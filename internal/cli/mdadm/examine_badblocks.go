package mdadm

import (
	"bufio"
	"errors"
	"fmt"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/manage/array"
)

// examineBadBlocks is --examine-badblocks for one device (Examine.c,
// ExamineBadblocks; super1.c, examine_badblocks_super1).
func (c *Command) examineBadBlocks(std ui.IO, name string) int {
	d, err := block.OpenFile(name, block.Direct)
	if err != nil {
		fmt.Fprintf(std.Err, "mdadm: cannot open %s: %s\n", name, openReason(err))
		return 1
	}
	defer d.Close()
	want, err := wantedVersions(c.Shape.Metadata)
	if err != nil {
		fmt.Fprintf(std.Err, "mdadm: %v\n", err)
		return 1
	}
	m, err := md.ReadMember(d, want...)
	if err != nil {
		c.noBadBlocks(std, d, want, err)
		return 1
	}
	if m.Super0 != nil {
		fmt.Fprintln(std.Err, "mdadm: 0.90 metadata does not support badblocks")
		return 1
	}
	list, err := m.ReadBadBlocks(d)
	if err != nil {
		fmt.Fprintf(std.Err, "mdadm: cannot read the bad-blocks list of %s: %v\n", name, err)
		return 1
	}
	w := bufio.NewWriter(std.Out)
	defer w.Flush()
	if c.JSON {
		return badBlocksJSON(w, std, name, m, list)
	}
	s := m.Super1
	switch _, _, ok := m.BadBlockLog(); {
	case !ok:
		fmt.Fprintf(w, "No bad-blocks list configured on %s\n", name)
	case s.FeatureMap&md.FeatureBadBlocks == 0:
		fmt.Fprintf(w, "Bad-blocks list is empty in %s\n", name)
	default:
		fmt.Fprintf(w, "Bad-blocks on %s:\n", name)
		for _, bb := range list {
			fmt.Fprintf(w, "%20d for %d sectors\n", bb.Sector, bb.Length)
		}
	}
	return 0
}

// noBadBlocks says why there is no superblock to find a list by.
func (c *Command) noBadBlocks(std ui.IO, d *block.File, want []md.Version, err error) {
	switch {
	case !errors.Is(err, md.ErrNoSuper):
		fmt.Fprintf(std.Err, "mdadm: cannot read metadata of %s: %v\n", d.Name(), err)
	case c.Brief:
	case len(want) > 0:
		for _, line := range array.WhyNoSuper(d, want...) {
			fmt.Fprintf(std.Err, "mdadm: %s\n", line)
		}
	default:
		fmt.Fprintf(std.Err, "mdadm: No md superblock detected on %s\n", d.Name())
	}
}

// badBlocksDocument is what --examine-badblocks --json prints.
type badBlocksDocument struct {
	Schema     string         `json:"schema"` // mdkit.examine-badblocks/1
	Device     string         `json:"device"`
	Configured bool           `json:"configured"` // there is room for a list
	BadBlocks  []badBlockJSON `json:"bad_blocks"`
}

type badBlockJSON struct {
	Offset int64 `json:"offset"` // from the start of the device
	Size   int64 `json:"size"`
}

func badBlocksJSON(w writer, std ui.IO, name string, m *md.Member, list []md.BadBlock) int {
	doc := badBlocksDocument{Schema: "mdkit.examine-badblocks/1", Device: name, BadBlocks: []badBlockJSON{}}
	_, _, doc.Configured = m.BadBlockLog()
	for _, bb := range list {
		doc.BadBlocks = append(doc.BadBlocks, badBlockJSON{bytesOf(bb.Sector), int64(bb.Length) * md.SectorSize})
	}
	if err := writeJSON(w, doc); err != nil {
		fmt.Fprintf(std.Err, "mdadm: %v\n", err)
		return 1
	}
	return 0
}
