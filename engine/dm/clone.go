package dm

import "github.com/mdkit/mdkit/engine/dm/lex"

import "strings"

// Clone copies one device to another while it is already in use
// (dm-clone-target.c).
type Clone struct {
	Metadata           string // "major:minor" or a path
	Destination        string
	Source             string
	Region             uint32 // sectors: a power of two from 8 to 2097152
	NoHydration        bool   // copy nothing in the background
	NoDiscardPassdown  bool
	HydrationThreshold *uint32 // maximum number of regions being copied
	HydrationBatch     *uint32 // regions copied at once
	spelling           spelling
}

// Type is "clone".
func (Clone) Type() string { return "clone" }

// Params is `<metadata dev> <destination dev> <source dev> <region>
// [<#features> <features>... [<#core args> {<key> <value>}...]]`. Kernels print
// everything from the region size on as it was given.
func (a Clone) Params() string { return a.spelling.of(a.text()) }

func (a Clone) text() string {
	words := []string{a.Metadata, a.Destination, a.Source, utoa(a.Region)}
	var features, core []string
	if a.NoHydration {
		features = append(features, "no_hydration")
	}
	if a.NoDiscardPassdown {
		features = append(features, "no_discard_passdown")
	}
	if a.HydrationThreshold != nil {
		core = append(core, "hydration_threshold", utoa(*a.HydrationThreshold))
	}
	if a.HydrationBatch != nil {
		core = append(core, "hydration_batch_size", utoa(*a.HydrationBatch))
	}
	if len(features)+len(core) > 0 {
		words = append(words, counted(features)...)
	}
	if len(core) > 0 {
		words = append(words, counted(core)...)
	}
	return join(words...)
}

// Devices are metadata, destination and source.
func (a Clone) Devices() []Ref { return []Ref{Ref(a.Metadata), Ref(a.Destination), Ref(a.Source)} }

func (a Clone) areas(length uint64) []area {
	return []area{{a.Source, 0, length}, {a.Destination, 0, length}}
}

// Limits of the region size, in sectors.
const (
	cloneMinRegion = 8
	cloneMaxRegion = 2097152
)

func parseClone(c *ctr) (Args, error) {
	if len(c.args) < 4 {
		return nil, c.fail("", "Invalid number of arguments")
	}
	given := join(lex.Fields(c.raw)...)
	a := Clone{Metadata: c.next(), Destination: c.next(), Source: c.next()}
	if _, err := c.device("metadata", a.Metadata, "Error opening metadata device"); err != nil {
		return nil, err
	}
	dest, err := c.device("destination", a.Destination, "Error opening destination device")
	if err != nil {
		return nil, err
	}
	if c.world != nil && c.length > dest.Size {
		return nil, c.fail("destination", "Device size larger than destination device")
	}
	source, err := c.device("source", a.Source, "Error opening source device")
	if err != nil {
		return nil, err
	}
	if c.world != nil && c.length > source.Size {
		return nil, c.fail("source", "Device size larger than source device")
	}
	if a.Region, err = c.arg("region", cloneMinRegion, cloneMaxRegion, "Invalid region size"); err != nil {
		return nil, err
	}
	switch n := uint64(a.Region); {
	case !powerOfTwo(n):
		return nil, c.fail("region", "Region size is not a power of 2")
	case n%source.blockSectors() != 0, n%dest.blockSectors() != 0:
		return nil, c.fail("region", "Region size is not a multiple of device logical block size")
	case (c.length+n-1)/n > 1<<31:
		return nil, c.fail("region", "Too many regions. Consider increasing the region size")
	}
	if err := a.parseFeatures(c); err != nil {
		return nil, err
	}
	if err := a.parseCore(c); err != nil {
		return nil, err
	}
	a.spelling = spelling{a.text(), given}
	return a, nil
}

func (a *Clone) parseFeatures(c *ctr) error {
	if len(c.args) == 0 {
		return nil
	}
	n, err := c.group("features", 0, 2, "Invalid number of feature arguments")
	if err != nil {
		return err
	}
	for range n {
		switch strings.ToLower(c.next()) {
		case "no_hydration":
			a.NoHydration = true
		case "no_discard_passdown":
			a.NoDiscardPassdown = true
		default:
			return c.fail("features", "Invalid feature argument")
		}
	}
	return nil
}

func (a *Clone) parseCore(c *ctr) error {
	if len(c.args) == 0 {
		return nil
	}
	n, err := c.group("core args", 0, 4, "Invalid number of core arguments")
	if err != nil {
		return err
	}
	if n%2 != 0 {
		return c.fail("core args", "Number of core arguments must be even")
	}
	for range n / 2 {
		name := strings.ToLower(c.next())
		field := &a.HydrationThreshold
		switch name {
		case "hydration_threshold":
		case "hydration_batch_size":
			field = &a.HydrationBatch
		default:
			return c.fail("core args", "Invalid core argument")
		}
		v, ok := lex.Kstrtou(c.next(), 32)
		if !ok {
			return c.fail(name, "Invalid value for argument `"+name+"'")
		}
		n := uint32(v)
		*field = &n
	}
	return nil
}

// CloneStatus is the state of a clone.
type CloneStatus struct {
	Word                        string // "Fail" or "Error" in place of everything else
	MetadataBlock               uint32 // sectors of a metadata block: 8
	UsedMetadata, TotalMetadata uint64 // metadata blocks
	Region                      uint64 // sectors
	Hydrated, Regions           uint64 // regions
	InFlight                    uint32 // regions being copied
	Features                    []string
	CoreArgs                    []string // keys and values
	Mode                        string   // of the metadata: "rw", "ro" or "Fail"
}

// Type is "clone".
func (CloneStatus) Type() string { return "clone" }

// String is the kernel's line.
func (s CloneStatus) String() string {
	if s.Word != "" {
		return s.Word
	}
	words := []string{
		utoa(s.MetadataBlock), ratio(s.UsedMetadata, s.TotalMetadata), utoa(s.Region),
		ratio(s.Hydrated, s.Regions), utoa(s.InFlight),
	}
	words = append(words, counted(s.Features)...)
	words = append(words, counted(s.CoreArgs)...)
	return strings.Join(append(words, s.Mode), " ")
}

func parseCloneStatus(s *scan) (Status, error) {
	var st CloneStatus
	if st.Word = s.state("Fail", "Error"); st.Word != "" {
		return st, nil
	}
	st.MetadataBlock = s.u32("metadata block")
	st.UsedMetadata, st.TotalMetadata = s.pair("metadata")
	st.Region = s.u64("region")
	st.Hydrated, st.Regions = s.pair("regions")
	st.InFlight = s.u32("in flight")
	st.Features = s.list("features")
	st.CoreArgs = s.list("core args")
	st.Mode = s.oneOf("mode", "rw", "ro", "Fail")
	return st, nil
}
