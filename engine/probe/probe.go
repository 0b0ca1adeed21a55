// Package probe answers "what is on this device?": it looks for the signatures
// of everything that drivers/md can put on a disk, and of everything else that
// should stop an overwrite: filesystems, swap, partition tables, and the RAID
// formats of disk controllers.
//
// Probing reads a bounded number of bytes at fixed places and never writes.
// Every signature is returned, even when several contradict each other: a stale
// filesystem under a new array is something people want to see.
package probe

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/mdkit/mdkit/engine/block"
)

// Class is the family a signature belongs to.
type Class string

// Classes of signatures.
const (
	RAID           Class = "raid"
	BCache         Class = "bcache"
	LVM            Class = "lvm"
	Crypto         Class = "crypto"
	DM             Class = "dm"
	Swap           Class = "swap"
	Filesystem     Class = "filesystem"
	PartitionTable Class = "partition-table"
)

// order is the rank of a class among the results: what owns the whole device
// comes before what may merely lie inside it.
func (c Class) order() int {
	return slices.Index([]Class{RAID, BCache, LVM, Crypto, DM, Swap, Filesystem, PartitionTable}, c)
}

// Checksum says whether a structure's own checksum holds.
type Checksum string

// Results of a checksum.
const (
	Unchecked   Checksum = "none" // the format has no checksum, or none that is checked here
	ChecksumOK  Checksum = "ok"
	ChecksumBad Checksum = "bad"
)

// Signature is one structure found on a device.
type Signature struct {
	Type     string   `json:"type"`              // libblkid's name where it has one ("linux_raid_member"), else the kernel's ("dm-thin")
	Class    Class    `json:"class"`             // the family
	Version  string   `json:"version,omitempty"` // as the format's own tools print it
	Off      int64    `json:"offset"`            // bytes from the start of the device to the structure
	Len      int64    `json:"length"`            // bytes of the structure's fixed part
	Span     int64    `json:"span,omitempty"`    // bytes of the device that a filesystem says it takes; 0 where that is not read
	UUID     string   `json:"uuid,omitempty"`    // as the format's own tools print it
	Label    string   `json:"label,omitempty"`   // name or label
	Checksum Checksum `json:"checksum"`          // whether the structure's own checksum holds
	Detail   string   `json:"detail,omitempty"`  // one more line, for people
}

// String returns one line: type, version, place, identity.
func (s Signature) String() string {
	out := s.Type
	if s.Version != "" {
		out += " " + s.Version
	}
	out += fmt.Sprintf(" at offset %d", s.Off)
	if s.Label != "" {
		out += fmt.Sprintf(" label %q", s.Label)
	}
	if s.UUID != "" {
		out += " uuid " + s.UUID
	}
	if s.Checksum == ChecksumBad {
		out += " (bad checksum)"
	}
	return out
}

// Probe returns every signature found on d, sorted by class and then by offset;
// finding none is not an error. It fails only if d cannot be read at a place it
// must look at; the signatures found elsewhere are returned with the error.
func Probe(d block.Device) ([]Signature, error) {
	s := &scanner{dev: d, size: d.Size(), windows: make(map[int64][]byte)}
	var found []Signature
	for _, f := range formats() {
		found = append(found, f.find(s)...)
	}
	found = append(found, findMD(s)...)
	found = append(found, findZFS(s)...)
	found = append(found, findUDF(s)...)
	found = append(found, findMBR(s, found)...)
	found = append(found, atari(s)...)
	slices.SortStableFunc(found, func(a, b Signature) int {
		return cmp.Or(cmp.Compare(a.Class.order(), b.Class.order()), cmp.Compare(a.Off, b.Off))
	})
	return found, s.err
}
