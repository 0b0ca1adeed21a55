package dm

import "strings"

// Pcache keeps data on persistent memory in front of a device (dm-pcache,
// Linux 6.18).
type Pcache struct {
	Cache     string // the persistent memory: "major:minor" or a path
	Backing   string
	Writeback bool   // cache_mode writeback, the only one there is, was given
	DataCRC   string // "true" or "false"; empty is false
	// Printed means that the line is as kernels print it, with crc for
	// data_crc; it cannot be loaded.
	Printed bool
}

// Type is "pcache".
func (Pcache) Type() string { return "pcache" }

// Params is `<cache dev> <backing dev> [<#options> <options>...]`.
func (a Pcache) Params() string {
	words := []string{a.Cache, a.Backing}
	var o []string
	if a.Writeback {
		o = append(o, "cache_mode", "writeback")
	}
	if a.DataCRC != "" {
		name := "data_crc"
		if a.Printed {
			name = "crc"
		}
		o = append(o, name, a.DataCRC)
	}
	if len(o) > 0 {
		words = append(words, counted(o)...)
	}
	return join(words...)
}

// Devices are the cache and the backing device.
func (a Pcache) Devices() []Ref { return []Ref{Ref(a.Cache), Ref(a.Backing)} }

func parsePcache(c *ctr) (Args, error) {
	var a Pcache
	for _, d := range []struct {
		name         *string
		field, wrong string
	}{
		{&a.Cache, "cache", "Error opening cache device"},
		{&a.Backing, "backing", "Error opening backing device"},
	} {
		if len(c.args) == 0 {
			return nil, c.fail(d.field, "Insufficient args")
		}
		*d.name = c.next()
		if _, err := c.device(d.field, *d.name, d.wrong); err != nil {
			return nil, err
		}
	}
	if len(c.args) == 0 {
		return a, nil
	}
	n, err := c.group("options", 0, 4, "Invalid number of cache option arguments")
	if err != nil {
		return nil, err
	}
	for n > 0 {
		before := len(c.args)
		if err := a.option(c, c.next(), n-1); err != nil {
			return nil, err
		}
		n -= before - len(c.args)
	}
	return a, nil
}

func (a *Pcache) option(c *ctr, name string, left int) error {
	a.Printed = a.Printed || c.op == "parse" && name == "crc"
	switch {
	case name == "cache_mode":
		if left == 0 {
			return c.fail(name, "Missing value for cache_mode")
		}
		if c.next() != "writeback" {
			return c.fail(name, "Invalid cache mode parameter")
		}
		a.Writeback = true
	case name == "data_crc", a.Printed && name == "crc":
		if left == 0 {
			return c.fail(name, "Missing value for data_crc")
		}
		if a.DataCRC = c.next(); a.DataCRC != "true" && a.DataCRC != "false" {
			return c.fail(name, "Invalid data crc parameter")
		}
	default:
		return c.fail("options", "Unrecognised cache option requested")
	}
	return nil
}

// PcacheStatus is the state of a pcache.
type PcacheStatus struct {
	SuperblockFlags uint64
	Segments        uint32 // of the cache device
	CacheSegments   uint32
	UsedSegments    uint32
	GCPercent       uint32
	CacheFlags      uint64
	KeyHead         string // segment and offset, "segment:offset"
	DirtyTail       string
	KeyTail         string
}

// Type is "pcache".
func (PcacheStatus) Type() string { return "pcache" }

// String is the kernel's line.
func (s PcacheStatus) String() string {
	return strings.Join([]string{
		hex(s.SuperblockFlags), utoa(s.Segments), utoa(s.CacheSegments), utoa(s.UsedSegments), utoa(s.GCPercent),
		hex(s.CacheFlags), s.KeyHead, s.DirtyTail, s.KeyTail,
	}, " ")
}

func parsePcacheStatus(s *scan) (Status, error) {
	return PcacheStatus{
		SuperblockFlags: s.hex("superblock flags"), Segments: s.u32("segments"), CacheSegments: s.u32("cache segments"),
		UsedSegments: s.u32("used segments"), GCPercent: s.u32("gc percent"), CacheFlags: s.hex("cache flags"),
		KeyHead: s.word("key head"), DirtyTail: s.word("dirty tail"), KeyTail: s.word("key tail"),
	}, nil
}
