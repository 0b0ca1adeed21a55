package dm

import "github.com/mdkit/mdkit/engine/dm/lex"

import "math"

// Switch sends each region of its sectors down one of several paths
// (dm-switch.c). The mapping of regions is set by messages, see SwitchMappings;
// a table does not show it.
type Switch struct {
	Region uint32 // sectors
	Paths  []Span
}

// Type is "switch".
func (Switch) Type() string { return "switch" }

// Params is `<paths> <region> 0 {<dev> <offset>}...`.
func (a Switch) Params() string {
	words := []string{utoa(uint64(len(a.Paths))), utoa(a.Region), "0"}
	for _, p := range a.Paths {
		words = append(words, p.words()...)
	}
	return join(words...)
}

// Devices is the device of each path.
func (a Switch) Devices() []Ref { return spanRefs(a.Paths) }

func (a Switch) areas(length uint64) []area {
	var list []area
	for _, p := range a.Paths {
		list = append(list, area{p.Device, p.Offset, length})
	}
	return list
}

// switchMaxPaths is (KMALLOC_MAX_SIZE - sizeof(struct switch_ctx)) /
// sizeof(struct switch_path) where the largest allocation is 4 MiB.
const switchMaxPaths = (4<<20 - 64) / 16

func parseSwitch(c *ctr) (Args, error) {
	var a Switch
	paths, err := c.arg("paths", 1, switchMaxPaths, "Invalid number of paths")
	if err != nil {
		return nil, err
	}
	if a.Region, err = c.arg("region", 1, math.MaxUint32, "Invalid region size"); err != nil {
		return nil, err
	}
	if _, err = c.group("optional", 0, 0, "Invalid number of optional args"); err != nil {
		return nil, err
	}
	if uint32(len(c.args)) != paths*2 {
		return nil, c.fail("paths", "Incorrect number of path arguments")
	}
	for len(c.args) > 0 {
		p := Span{Device: c.next()}
		if _, err := c.device("device", p.Device, "Device lookup failed"); err != nil {
			return nil, err
		}
		var ok bool
		if p.Offset, ok = lex.Kstrtou(c.next(), 64); !ok {
			return nil, c.fail("offset", "Invalid device starting offset")
		}
		a.Paths = append(a.Paths, p)
	}
	return a, nil
}
