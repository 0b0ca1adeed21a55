package dm

// Linear maps its sectors to a run of another device (dm-linear.c).
type Linear struct {
	Device string // "major:minor" or a path
	Offset uint64 // sector of Device at which the run begins
}

// Type is "linear".
func (Linear) Type() string { return "linear" }

// Params is `<dev> <offset>`.
func (a Linear) Params() string { return join(a.Device, utoa(a.Offset)) }

// Devices is the one device.
func (a Linear) Devices() []Ref { return []Ref{Ref(a.Device)} }

func (a Linear) areas(length uint64) []area { return []area{{a.Device, a.Offset, length}} }

func parseLinear(c *ctr) (Args, error) {
	if len(c.args) != 2 {
		return nil, c.fail("", "Invalid argument count")
	}
	s, err := c.span("Invalid device sector", "Device lookup failed")
	return Linear(s), err
}
