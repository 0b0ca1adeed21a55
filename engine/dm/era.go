package dm

import "github.com/mdkit/mdkit/engine/dm/lex"

// Era remembers which blocks were written when (dm-era-target.c).
type Era struct {
	Metadata string // "major:minor" or a path
	Origin   string // the data device, likewise
	Block    uint32 // sectors: a multiple of 8
}

// Type is "era".
func (Era) Type() string { return "era" }

// Params is `<metadata dev> <origin dev> <block>`.
func (a Era) Params() string { return join(a.Metadata, a.Origin, utoa(a.Block)) }

// Devices are metadata and origin.
func (a Era) Devices() []Ref { return []Ref{Ref(a.Metadata), Ref(a.Origin)} }

// eraMinBlock is MIN_BLOCK_SIZE.
const eraMinBlock = 8

func parseEra(c *ctr) (Args, error) {
	if len(c.args) != 3 {
		return nil, c.fail("", "Invalid argument count")
	}
	a := Era{Metadata: c.next(), Origin: c.next()}
	if _, err := c.device("metadata", a.Metadata, "Error opening metadata device"); err != nil {
		return nil, err
	}
	if _, err := c.device("origin", a.Origin, "Error opening data device"); err != nil {
		return nil, err
	}
	var ok bool
	if a.Block, ok = lex.ScanU32(c.next()); !ok {
		return nil, c.fail("block", "Error parsing block size")
	}
	if a.Block == 0 || a.Block%eraMinBlock != 0 {
		return nil, c.fail("block", "Invalid block size")
	}
	return a, nil
}

// EraStatus is the state of an era target.
type EraStatus struct {
	Word          string // "Error" where the kernel could not tell; then the rest is zero
	MetadataBlock uint32 // sectors of a metadata block: 8
	Used, Total   uint64 // metadata blocks
	Era           uint32 // the current one
	Snap          *uint64
}

// Type is "era".
func (EraStatus) Type() string { return "era" }

// String is `<metadata block> <used>/<total> <era> <held root|->`.
func (s EraStatus) String() string {
	if s.Word != "" {
		return s.Word
	}
	return join(utoa(s.MetadataBlock), ratio(s.Used, s.Total), utoa(s.Era), dashed(s.Snap))
}

func parseEraStatus(s *scan) (Status, error) {
	var st EraStatus
	if st.Word = s.state("Error"); st.Word != "" {
		return st, nil
	}
	st.MetadataBlock = s.u32("metadata block")
	st.Used, st.Total = s.pair("metadata use")
	st.Era = s.u32("era")
	st.Snap = s.optional("held root")
	return st, nil
}
