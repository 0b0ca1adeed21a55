package member

import (
	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/probe"
)

// ExternalMetadata returns the name of the external metadata format on a device, Intel's
// IMSM or DDF of the SNIA, or "" if there is none. mdkit reads and writes neither, but
// does not damage them unless told to.
func ExternalMetadata(d block.Device) string {
	found, _ := probe.Probe(d) // what cannot be read is ignored
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
