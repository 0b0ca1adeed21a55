package dm

import "github.com/mdkit/mdkit/engine/dm/lex"

import "strings"

// ThinPool allocates blocks of a data device to thin devices (dm-thin.c).
type ThinPool struct {
	Metadata          string // "major:minor" or a path
	Data              string // another device, likewise
	Block             uint32 // sectors: a multiple of 128, at most 2097152
	LowWater          uint64 // free blocks at which an event is sent
	SkipZeroing       bool   // new blocks keep what is on the disk
	IgnoreDiscard     bool
	NoDiscardPassdown bool // discards do not reach the data device
	ReadOnly          bool
	ErrorIfNoSpace    bool // fail writes at once instead of queueing them
}

// Type is "thin-pool".
func (ThinPool) Type() string { return "thin-pool" }

// Params is `<metadata dev> <data dev> <block> <low water> <#features>
// <features>...` with a trailing blank.
func (a ThinPool) Params() string {
	f := a.features()
	words := append([]string{a.Metadata, a.Data, utoa(a.Block), utoa(a.LowWater), utoa(uint64(len(f)))}, f...)
	return join(words...) + " "
}

func (a ThinPool) features() []string {
	var f []string
	for _, o := range []struct {
		set  bool
		word string
	}{
		{a.SkipZeroing, "skip_block_zeroing"},
		{a.IgnoreDiscard, "ignore_discard"},
		{a.NoDiscardPassdown, "no_discard_passdown"},
		{a.ReadOnly, "read_only"},
		{a.ErrorIfNoSpace, "error_if_no_space"},
	} {
		if o.set {
			f = append(f, o.word)
		}
	}
	return f
}

// Devices are metadata and data.
func (a ThinPool) Devices() []Ref { return []Ref{Ref(a.Metadata), Ref(a.Data)} }

func (a ThinPool) areas(length uint64) []area { return []area{{a.Data, 0, length}} }

// Limits of DATA_DEV_BLOCK_SIZE, in sectors.
const (
	thinMinBlock = 128
	thinMaxBlock = 2097152
)

func parseThinPool(c *ctr) (Args, error) {
	if len(c.args) < 4 {
		return nil, c.fail("", "Invalid argument count")
	}
	a := ThinPool{Metadata: c.next(), Data: c.next()}
	if a.Metadata == a.Data {
		return nil, c.fail("data", "Error setting metadata or data device")
	}
	block, lowWater := c.next(), c.next()
	if err := a.parseFeatures(c); err != nil {
		return nil, err
	}
	if _, err := c.device("metadata", a.Metadata, "Error opening metadata block device"); err != nil {
		return nil, err
	}
	if _, err := c.device("data", a.Data, "Error getting data device"); err != nil {
		return nil, err
	}
	n, ok := lex.Kstrtou(block, 64)
	if !ok || n < thinMinBlock || n > thinMaxBlock || n%thinMinBlock != 0 {
		return nil, c.fail("block", "Invalid block size")
	}
	a.Block = uint32(n)
	if a.LowWater, ok = lex.Kstrtou(lowWater, 64); !ok {
		return nil, c.fail("low water", "Invalid low water mark")
	}
	return a, nil
}

func (a *ThinPool) parseFeatures(c *ctr) error {
	if len(c.args) == 0 {
		return nil
	}
	n, err := c.group("features", 0, 4, "Invalid number of pool feature arguments")
	if err != nil {
		return err
	}
	for range n {
		switch strings.ToLower(c.next()) {
		case "skip_block_zeroing":
			a.SkipZeroing = true
		case "ignore_discard":
			a.IgnoreDiscard = true
		case "no_discard_passdown":
			a.NoDiscardPassdown = true
		case "read_only":
			a.ReadOnly = true
		case "error_if_no_space":
			a.ErrorIfNoSpace = true
		default:
			return c.fail("features", "Unrecognised pool feature requested")
		}
	}
	return nil
}

// ThinPoolStatus is the state of a pool.
type ThinPoolStatus struct {
	Word                        string // "Fail" or "Error" in place of everything else; then the rest is zero
	Transaction                 uint64
	UsedMetadata, TotalMetadata uint64  // metadata blocks
	UsedData, TotalData         uint64  // data blocks
	HeldRoot                    *uint64 // metadata snapshot; nil for none
	Mode                        string  // "rw", "ro" or "out_of_data_space"
	Discard                     string  // "discard_passdown", "no_discard_passdown" or "ignore_discard"
	ErrorIfNoSpace              bool
	NeedsCheck                  bool
	MetadataLowWater            *uint64 // metadata blocks; nil from kernels before 4.19
}

// Type is "thin-pool".
func (ThinPoolStatus) Type() string { return "thin-pool" }

// String is `<transaction> <used>/<total> <used>/<total> <held root|-> <mode>
// <discard> <no space> <needs_check|-> [<metadata low water>]` with a trailing
// blank.
func (s ThinPoolStatus) String() string {
	if s.Word != "" {
		return s.Word
	}
	space, check := "queue_if_no_space", "-"
	if s.ErrorIfNoSpace {
		space = "error_if_no_space"
	}
	if s.NeedsCheck {
		check = "needs_check"
	}
	words := []string{
		utoa(s.Transaction), ratio(s.UsedMetadata, s.TotalMetadata), ratio(s.UsedData, s.TotalData),
		dashed(s.HeldRoot), s.Mode, s.Discard, space, check,
	}
	if s.MetadataLowWater != nil {
		words = append(words, utoa(*s.MetadataLowWater))
	}
	return strings.Join(words, " ") + " "
}

func parseThinPoolStatus(s *scan) (Status, error) {
	var st ThinPoolStatus
	if st.Word = s.state("Fail", "Error"); st.Word != "" {
		return st, nil
	}
	st.Transaction = s.u64("transaction")
	st.UsedMetadata, st.TotalMetadata = s.pair("metadata")
	st.UsedData, st.TotalData = s.pair("data")
	st.HeldRoot = s.optional("held root")
	st.Mode = s.oneOf("mode", "rw", "ro", "out_of_data_space")
	st.Discard = s.oneOf("discard", "discard_passdown", "no_discard_passdown", "ignore_discard")
	st.ErrorIfNoSpace = s.either("no space", "error_if_no_space", "queue_if_no_space")
	st.NeedsCheck = s.either("needs check", "needs_check", "-")
	if len(s.words) > 0 {
		n := s.u64("metadata low water")
		st.MetadataLowWater = &n
	}
	return st, nil
}

// Thin is a device of a pool (dm-thin.c).
type Thin struct {
	Pool   string // "major:minor" or a path
	ID     uint32 // at most 16777215
	Origin string // a device outside the pool that is read where nothing has been written; empty for none
	// Word is "Fail" or "-" if the kernel has no table to show; such a line
	// cannot be loaded.
	Word string
}

// Type is "thin".
func (Thin) Type() string { return "thin" }

// Params is `<pool dev> <id> [<origin dev>]`.
func (a Thin) Params() string {
	if a.Word != "" {
		return a.Word
	}
	return join(a.Pool, utoa(a.ID), a.Origin)
}

// Devices are the pool and the origin.
func (a Thin) Devices() []Ref {
	var refs []Ref
	for _, d := range []string{a.Pool, a.Origin} {
		if d != "" {
			refs = append(refs, Ref(d))
		}
	}
	return refs
}

// MaxThinID is the highest number of a thin device (dm-thin.c
// MAX_DEV_ID).
const MaxThinID = 1<<24 - 1

func parseThin(c *ctr) (Args, error) {
	if c.op == "parse" && len(c.args) == 1 && (c.args[0] == "Fail" || c.args[0] == "-") {
		return Thin{Word: c.next()}, nil
	}
	if len(c.args) != 2 && len(c.args) != 3 {
		return nil, c.fail("", "Invalid argument count")
	}
	a := Thin{Pool: c.next()}
	id := c.next()
	if len(c.args) > 0 {
		if a.Origin = c.next(); a.Origin == a.Pool {
			return nil, c.fail("origin", "Error setting origin device")
		}
		if _, err := c.device("origin", a.Origin, "Error opening origin device"); err != nil {
			return nil, err
		}
	}
	pool, err := c.device("pool", a.Pool, "Error opening pool device")
	if err != nil {
		return nil, err
	}
	n, ok := lex.Kstrtou(id, 64)
	if !ok || n > MaxThinID {
		return nil, c.fail("id", "Invalid device id")
	}
	a.ID = uint32(n)
	switch pool.Mapped {
	case "", "thin-pool":
		return a, nil
	case "-":
		return nil, c.fail("pool", "Couldn't get pool mapped device")
	}
	return nil, c.fail("pool", "Couldn't find pool object")
}

// ThinStatus is the state of a thin device.
type ThinStatus struct {
	Word    string  // "-", "Fail" or "Error" in place of everything else
	Mapped  uint64  // sectors
	Highest *uint64 // the highest mapped sector; nil for none
}

// Type is "thin".
func (ThinStatus) Type() string { return "thin" }

// String is `<mapped> <highest|->`.
func (s ThinStatus) String() string {
	if s.Word != "" {
		return s.Word
	}
	return join(utoa(s.Mapped), dashed(s.Highest))
}

func parseThinStatus(s *scan) (Status, error) {
	var st ThinStatus
	if st.Word = s.state("-", "Fail", "Error"); st.Word != "" {
		return st, nil
	}
	st.Mapped = s.u64("mapped")
	st.Highest = s.optional("highest")
	return st, nil
}
