package dm

// Zero reads as zeros and discards what is written (dm-zero.c).
type Zero struct{}

// Type is "zero".
func (Zero) Type() string { return "zero" }

// Params is empty.
func (Zero) Params() string { return "" }

// Devices is empty.
func (Zero) Devices() []Ref { return nil }

func parseZero(c *ctr) (Args, error) {
	if len(c.args) != 0 {
		return nil, c.fail("", "No arguments required")
	}
	return Zero{}, nil
}
