package dm

// ErrorTarget fails every request (dm-target.c). Kernels from 6.7 on accept a
// device and adopt its limits; others ignore all arguments, and no kernel
// prints them.
type ErrorTarget struct {
	Device string // "major:minor" or a path; empty for none
	Offset uint64 // sector of Device
}

// Type is "error".
func (ErrorTarget) Type() string { return "error" }

// Params is empty, or `<dev> <offset>`.
func (a ErrorTarget) Params() string {
	if a.Device == "" {
		return ""
	}
	return join(a.Device, utoa(a.Offset))
}

// Devices is the device, if there is one.
func (a ErrorTarget) Devices() []Ref {
	if a.Device == "" {
		return nil
	}
	return []Ref{Ref(a.Device)}
}

func (a ErrorTarget) areas(length uint64) []area {
	if a.Device == "" {
		return nil
	}
	return []area{{a.Device, a.Offset, length}}
}

func parseErrorTarget(c *ctr) (Args, error) {
	var a ErrorTarget
	if len(c.args) != 2 || !c.since(1, 6, 0) {
		return a, nil
	}
	s, err := c.span("Invalid device sector", "Device lookup failed")
	return ErrorTarget(s), err
}
