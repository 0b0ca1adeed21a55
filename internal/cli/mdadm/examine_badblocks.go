package mdadm

import (
	"bufio"
	"errors"
	"fmt"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/internal/cli/mdadm/mdtext"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/manage/array/node"
	"github.com/mdkit/mdkit/manage/array/report"
	"github.com/mdkit/mdkit/manage/note"
)

// examineBadBlocks is --examine-badblocks for the named devices (Examine.c,
// ExamineBadblocks; super1.c, examine_badblocks_super1).
func (c *Command) examineBadBlocks(std ui.IO, names ...string) int {
	doc := &badBlocksDocument{Document: ui.Schema("examine-badblocks"), Devices: []badBlockListJSON{}}
	return c.examineEach(std, names, doc, func(w mdtext.Writer, name string, want []md.Version) int {
		m, list, failed := c.readBadBlocks(name, want)
		switch {
		case m == nil:
			for _, line := range failed.lines {
				fmt.Fprintf(std.Err, "mdadm: %s\n", line)
			}
			return failed.code
		case c.JSON:
			doc.Devices = append(doc.Devices, badBlocksDocumentOf(name, m, list))
		default:
			badBlocksText(w, name, m, list)
		}
		return 0
	})
}

// examineEach calls one for each of the named devices and returns the sum of the
// exit codes. With --json it prints the document, to which one adds, at the end.
func (c *Command) examineEach(std ui.IO, names []string, doc any, one func(w mdtext.Writer, name string, want []md.Version) int) int {
	want, err := wantedVersions(c.Shape.Metadata)
	if err != nil {
		fmt.Fprintf(std.Err, "mdadm: %v\n", err)
		return 1
	}
	w := bufio.NewWriter(std.Out)
	defer w.Flush()
	code := 0
	for _, name := range names {
		code |= one(w, name, want)
	}
	if c.JSON {
		code |= printDocument(std, doc)
	}
	return code
}

// complaint is what to say about a device, and its part of the exit code.
type complaint struct {
	lines []string
	code  int
}

func failf(format string, args ...any) complaint {
	return complaint{lines: []string{fmt.Sprintf(format, args...)}, code: 1}
}

// readBadBlocks reads the list of one device, or says why there is none.
func (c *Command) readBadBlocks(name string, want []md.Version) (*md.Member, []md.BadBlock, complaint) {
	d, err := block.OpenFile(name, block.Direct)
	if err != nil {
		return nil, nil, failf("cannot open %s: %s", name, openReason(err))
	}
	defer d.Close()
	m, err := md.ReadMember(d, want...)
	switch {
	case errors.Is(err, md.ErrNoSuper):
		return nil, nil, c.whyNoBadBlocks(d, want)
	case err != nil:
		return nil, nil, failf("cannot read metadata of %s: %v", name, err)
	case m.Super0 != nil:
		return nil, nil, failf("0.90 metadata does not support badblocks")
	}
	list, err := m.ReadBadBlocks(d)
	if err != nil {
		return nil, nil, failf("cannot read the bad-blocks list of %s: %v", name, err)
	}
	return m, list, complaint{}
}

// whyNoBadBlocks says why there is no superblock that could lead to a list. If a
// certain version was asked for, mdadm's exit code tells a device that has none
// from one that cannot have any.
func (c *Command) whyNoBadBlocks(d block.Device, want []md.Version) complaint {
	_, noTable := node.Partitioned(d)
	var f complaint
	switch {
	case len(want) == 1 && want[0] == md.V090:
		return failf("0.90 metadata does not support badblocks")
	case len(want) > 0:
		why, readable := report.WhyNoSuper(d, want...)
		f = complaint{code: 1}
		for _, err := range why {
			f.lines = append(f.lines, mdtext.Of(note.Unloaded(err)))
		}
		if readable {
			f.code = 2
		}
	case noTable == nil:
		return failf("mbr metadata does not support badblocks")
	default:
		f = failf("No md superblock detected on %s", block.Name(d))
	}
	if c.Brief {
		f.lines = nil
	}
	return f
}

func badBlocksText(w mdtext.Writer, name string, m *md.Member, list []md.BadBlock) {
	switch _, _, ok := m.BadBlockLog(); {
	case !ok:
		fmt.Fprintf(w, "No bad-blocks list configured on %s\n", name)
	case m.Super1.FeatureMap&md.FeatureBadBlocks == 0:
		fmt.Fprintf(w, "Bad-blocks list is empty in %s\n", name)
	default:
		fmt.Fprintf(w, "Bad-blocks on %s:\n", name)
		for _, bb := range list {
			fmt.Fprintf(w, "%20d for %d sectors\n", bb.Sector, bb.Length)
		}
	}
}

// badBlocksDocument is what --examine-badblocks --json prints.
type badBlocksDocument struct {
	ui.Document
	Devices []badBlockListJSON `json:"devices"`
}

type badBlockListJSON struct {
	Device     string         `json:"device"`
	Configured bool           `json:"configured"` // there is room for a list
	BadBlocks  []badBlockJSON `json:"bad_blocks"`
}

type badBlockJSON struct {
	Offset int64 `json:"offset"` // from the start of the device
	Size   int64 `json:"size"`
}

func badBlocksDocumentOf(name string, m *md.Member, list []md.BadBlock) badBlockListJSON {
	doc := badBlockListJSON{Device: name, BadBlocks: []badBlockJSON{}}
	_, _, doc.Configured = m.BadBlockLog()
	for _, bb := range list {
		doc.BadBlocks = append(doc.BadBlocks, badBlockJSON{bytesOf(bb.Sector), int64(bb.Length) * md.SectorSize})
	}
	return doc
}
