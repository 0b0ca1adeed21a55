package mdadm

import (
	"errors"
	"fmt"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/partition"
	"github.com/mdkit/mdkit/internal/cli/mdadm/mdtext"
	"github.com/mdkit/mdkit/manage/array/member"
	"github.com/mdkit/mdkit/manage/array/node"
	"github.com/mdkit/mdkit/manage/array/report"
)

// nothing reports a device without md metadata, and returns its part of the exit
// code, which, as in mdadm, is 0 if a version was asked for.
func (e *examiner) nothing(d *block.File, err error) int {
	name := d.Name()
	if _, tableErr := node.Partitioned(d); !e.cmd.Scan && (tableErr != nil || len(e.want) > 0) {
		e.docs = append(e.docs, examinedDevice{Device: name, Size: d.Size(), Error: err.Error()})
	}
	switch {
	case !errors.Is(err, md.ErrNoSuper) && !e.cmd.Scan && !report.IsArray(name):
		// An array with too few members left cannot be read either, but is not a
		// failing device.
		fmt.Fprintf(e.std.Err, "mdadm: cannot read metadata of %s: %v\n", name, err)
		return 1
	case len(e.want) > 0:
		if !e.brief && !e.cmd.Scan {
			e.complain(e.whyNot(d))
		}
	case e.partitions(d):
	case report.IsIdleArray(name): // its members are known; mdadm says nothing
	case !e.brief:
		fmt.Fprintf(e.std.Err, "mdadm: No md superblock detected on %s.\n", name)
		if format := member.ExternalMetadata(d); format != "" {
			fmt.Fprintf(e.std.Err, "       it carries %s metadata, which mdkit does not read\n", format)
		}
		return 1
	}
	return 0
}

// partitions reports a device that carries a partition table instead.
func (e *examiner) partitions(d *block.File) bool {
	table, err := node.Partitioned(d)
	if err != nil {
		return false
	}
	switch {
	case e.cmd.JSON:
		e.docs = append(e.docs, partitionDocument(d, table))
	case e.brief:
		if !e.cmd.Scan {
			fmt.Fprintf(e.std.Err, "mdadm: No brief listing for mbr on %s\n", d.Name())
		}
	case e.cmd.Export == 0:
		fmt.Fprintf(e.w, "%s:\n", d.Name())
		partitionText(e.w, table)
	}
	return true
}

// partitionText is super-mbr.c's examine_mbr.
func partitionText(w mdtext.Writer, table *partition.MBR) {
	fmt.Fprintf(w, "   MBR Magic : %04x\n", table.Magic)
	for i, p := range table.Partitions {
		if p.Sectors != 0 {
			fmt.Fprintf(w, "Partition[%d] : %12d sectors at %12d (type %02x)\n", i, p.Sectors, p.First, p.Type)
		}
	}
}
