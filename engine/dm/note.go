package dm

import (
	"fmt"
	"slices"

	"github.com/mdkit/mdkit/engine/dm/crypto"
)

// Note names what decides over a line that a check does not refuse, and what it could not
// look at.
type Note struct {
	Line   int    // line of the table, counted from 1
	Target string // target type
	Field  string // the argument's name in the target's grammar; may be empty
	Text   string
	Seen   bool // it was looked at: the note leaves nothing open
}

// String returns one line, such as
//
//	table line 1: crypt: cipher: whether the kernel has xts(aes): it has not loaded it
func (n Note) String() string {
	s := fmt.Sprintf("table line %d: %s: ", n.Line, n.Target)
	if n.Field != "" {
		s += n.Field + ": "
	}
	return s + n.Text
}

// Examine judges a table as Check and CheckReadOnly do, and says what it could
// not judge. The kernel takes the table for certain only if there is neither an
// error nor a note on what was not seen.
func Examine(t Table, w World, readOnly bool) ([]Note, error) {
	tc := tableCheck{world: w, readOnly: readOnly, table: t}
	err := tc.check()
	return tc.notes, err
}

// unchecked notes what a check could not look at.
func (c *ctr) unchecked(field, text string) {
	c.notes = append(c.notes, Note{Target: c.target, Field: field, Text: text})
}

// metadata notes what a constructor reads from the devices of a line and judges, which is
// not seen from here: package ondisk looks at the most of it.
func (c *ctr) metadata(a Args) {
	const onDevice = "what is on this device"
	switch a := a.(type) {
	case ThinPool, Cache, Era, Clone:
		c.unchecked("metadata", onDevice)
	case Thin:
		c.unchecked("id", "whether the pool has this thin device")
	case Integrity:
		c.unchecked("device", "the superblock, and whether it provides as many sectors as the line has")
	case Snapshot:
		if a.Persistent {
			c.unchecked("cow", "what is on this device; a chunk size there overrides that of the table")
		}
	case Raid:
		if slices.ContainsFunc(a.Disks, func(d RaidDisk) bool { return d.Metadata != "-" }) {
			c.unchecked("devices", "what is on the metadata devices")
		}
	case Writecache, Pcache:
		c.unchecked("cache", onDevice)
	case VDO:
		c.unchecked("storage", onDevice)
	case Zoned:
		c.unchecked("device", onDevice)
	case Verity:
		c.unchecked("digest", "whether the superblock and the tree on the hash device belong to it: the kernel finds that when it reads")
		if a.SignatureKey != "" {
			c.unchecked("root_hash_sig_key_desc", "the signature in the keyring")
		}
	}
}

// algorithm judges whether the kernel can allocate an algorithm, as crypto_alloc_shash and
// its like do: it is loaded, or no kernel has it, or that cannot be known, because asking
// for it would load a module.
func (c *ctr) algorithm(field, name string, want crypto.Kind, reason string) (Algorithm, error) {
	if c.world == nil {
		return Algorithm{}, nil
	}
	for _, a := range c.world.Algorithms(name) {
		if want.Has(a.Type) {
			return a, nil
		}
	}
	kinds, stranger := crypto.Known(name)
	switch {
	case stranger != "":
		return Algorithm{}, c.because(field, reason, "no kernel has "+stranger)
	case kinds&want == 0:
		return Algorithm{}, c.because(field, reason, name+" is "+want.String()+" in no kernel")
	}
	c.unchecked(field, "whether the kernel has "+name+": it is not in /proc/crypto, and no module is loaded to see")
	return Algorithm{}, nil
}
