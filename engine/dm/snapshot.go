package dm

import (
	"math"
	"strings"

	"github.com/mdkit/mdkit/engine/dm/lex"
)

// Snapshot preserves the contents of an origin: chunks are copied to a second
// device before they change (dm-snap.c). With Merge it writes that copy back to
// the origin.
type Snapshot struct {
	Merge           bool // the target is snapshot-merge
	Origin          string
	COW             string // the device with the exceptions
	Persistent      bool   // the exceptions outlive the device
	Overflow        bool   // with Persistent: status says Overflow, not Invalid
	Chunk           uint32 // sectors: a power of two; 0 takes the chunk size recorded on the COW device
	DiscardZeroes   bool   // discarding whole chunks zeroes them on the COW device (5.2)
	DiscardPassdown bool   // discards go down to the origin; needs DiscardZeroes
}

// Type is "snapshot" or "snapshot-merge".
func (a Snapshot) Type() string {
	if a.Merge {
		return "snapshot-merge"
	}
	return "snapshot"
}

// Params is `<origin dev> <cow dev> P|PO|N <chunk> [<#features> <features>...]`.
func (a Snapshot) Params() string {
	store := "N"
	if a.Persistent {
		store = "P"
		if a.Overflow {
			store = "PO"
		}
	}
	words := []string{a.Origin, a.COW, store, utoa(a.Chunk)}
	var features []string
	if a.DiscardZeroes {
		features = append(features, "discard_zeroes_cow")
	}
	if a.DiscardPassdown {
		features = append(features, "discard_passdown_origin")
	}
	if len(features) > 0 {
		words = append(append(words, utoa(uint64(len(features)))), features...)
	}
	return join(words...)
}

// Devices are the origin and the COW device.
func (a Snapshot) Devices() []Ref { return []Ref{Ref(a.Origin), Ref(a.COW)} }

func (a Snapshot) areas(length uint64) []area { return []area{{a.Origin, 0, length}} }

func parseSnapshot(c *ctr) (Args, error) {
	if len(c.args) < 4 {
		return nil, c.fail("", "requires 4 or more arguments")
	}
	a := Snapshot{Merge: c.target == "snapshot-merge", Origin: c.next(), COW: c.next()}
	store, chunk := c.next(), c.next()
	if err := a.features(c); err != nil {
		return nil, err
	}
	origin, err := c.device("origin", a.Origin, "Cannot get origin device")
	if err != nil {
		return nil, err
	}
	cow, err := c.device("cow", a.COW, "Cannot get COW device")
	if err != nil {
		return nil, err
	}
	if c.world != nil && cow.same(origin) {
		return nil, c.fail("cow", "COW device cannot be the same as origin device")
	}
	field, why := a.store(store, chunk, origin, cow)
	if why != "" {
		return nil, c.because(field, "Couldn't create exception store", why)
	}
	if a.Merge && !a.Persistent {
		return nil, c.fail("store", "Snapshot exception store does not support snapshot-merge.")
	}
	if a.Chunk == 0 && !a.Persistent {
		return nil, c.fail("chunk", "Chunk size not set")
	}
	return a, nil
}

func (a *Snapshot) features(c *ctr) error {
	if len(c.args) == 0 {
		return nil
	}
	n, err := c.group("features", 0, 2, "Invalid number of feature arguments")
	if err != nil {
		return err
	}
	for range n {
		switch strings.ToLower(c.next()) {
		case "discard_zeroes_cow":
			a.DiscardZeroes = true
		case "discard_passdown_origin":
			a.DiscardPassdown = true
		default:
			return c.fail("features", "Unrecognised feature requested")
		}
	}
	if a.DiscardPassdown && !a.DiscardZeroes {
		return c.fail("discard_passdown_origin", "discard_passdown_origin feature depends on discard_zeroes_cow")
	}
	return nil
}

// store judges the exception store (dm-exception-store.c). The snapshot's
// constructor overwrites the reason given here with its own.
func (a *Snapshot) store(store, chunk string, origin, cow DeviceInfo) (field, why string) {
	switch strings.ToUpper(store[:1]) {
	case "P":
		a.Persistent = true
	case "N":
	default:
		return "store", "Exception store type is not P or N"
	}
	n, ok := lex.Kstrtou(chunk, 32)
	a.Chunk = uint32(n)
	switch {
	case !ok:
		return "chunk", "Invalid chunk size"
	case n == 0:
	case !powerOfTwo(n):
		return "chunk", "Chunk size is not a power of 2"
	case n%cow.blockSectors() != 0, n%origin.blockSectors() != 0:
		return "chunk", "Chunk size is not a multiple of device blocksize"
	case n > math.MaxInt32>>9:
		return "chunk", "Chunk size is too high"
	}
	if a.Persistent && len(store) > 1 {
		if a.Overflow = strings.EqualFold(store[1:2], "O"); !a.Overflow {
			return "store", "Exception store type constructor failed"
		}
	}
	return "", ""
}

// SnapshotStatus is the state of a snapshot.
type SnapshotStatus struct {
	Merge            bool   // of a snapshot-merge
	Word             string // "Invalid", "Merge failed", "Overflow", "Unknown" (a transient store); else empty
	Allocated, Total uint64 // sectors of the COW device
	Metadata         uint64 // sectors of Allocated that hold no data
}

// Type is "snapshot" or "snapshot-merge".
func (s SnapshotStatus) Type() string { return Snapshot{Merge: s.Merge}.Type() }

// String is `<allocated>/<total> <metadata>`, or a word.
func (s SnapshotStatus) String() string {
	if s.Word != "" {
		return s.Word
	}
	return join(ratio(s.Allocated, s.Total), utoa(s.Metadata))
}

func parseSnapshotStatus(s *scan) (Status, error) {
	st := SnapshotStatus{Merge: s.target == "snapshot-merge"}
	if len(s.words) == 2 && s.words[0] == "Merge" {
		s.expect("Merge")
		s.expect("failed")
		st.Word = "Merge failed"
		return st, nil
	}
	if st.Word = s.state("Invalid", "Overflow", "Unknown"); st.Word != "" {
		return st, nil
	}
	st.Allocated, st.Total = s.pair("allocated")
	st.Metadata = s.u64("metadata")
	return st, nil
}

// SnapshotOrigin is the device that snapshots are taken of: it notifies them
// before it changes (dm-snap.c).
type SnapshotOrigin struct {
	Device string // "major:minor" or a path
}

// Type is "snapshot-origin".
func (SnapshotOrigin) Type() string { return "snapshot-origin" }

// Params is `<dev>`.
func (a SnapshotOrigin) Params() string { return a.Device }

// Devices is the one device.
func (a SnapshotOrigin) Devices() []Ref { return []Ref{Ref(a.Device)} }

func (a SnapshotOrigin) areas(length uint64) []area { return []area{{a.Device, 0, length}} }

func parseSnapshotOrigin(c *ctr) (Args, error) {
	if len(c.args) != 1 {
		return nil, c.fail("", "origin: incorrect number of arguments")
	}
	a := SnapshotOrigin{Device: c.next()}
	_, err := c.device("device", a.Device, "Cannot get target device")
	return a, err
}
