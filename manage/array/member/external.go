package member

import (
	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/probe"
)

// ExternalMetadata names the format of external metadata, of Intel's RAID
// (IMSM) or of the SNIA (DDF), that a device carries, or gives "" if it carries
// none. mdkit reads and writes neither, but does not damage them unasked.
func ExternalMetadata(d block.Device) string {
	found, _ := probe.Probe(d) // what cannot be read shows nothing
	for _, s := range found {
		switch {
		case s.Checksum == probe.ChecksumBad:
		case s.Type == "isw_raid_member":
			return "imsm"
		case s.Type == "ddf_raid_member":
			return "ddf"
		}
	}
	return ""
}
