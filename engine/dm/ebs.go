package dm

import "github.com/mdkit/mdkit/engine/dm/lex"

// EBS emulates a logical block size on a device with a larger one
// (dm-ebs-target.c).
type EBS struct {
	Span
	Emulated   uint16 // sectors: a power of two, at most a page
	Underlying uint16 // sectors: a power of two; 0 means the device's logical block size
}

// Type is "ebs".
func (EBS) Type() string { return "ebs" }

// Params is `<dev> <offset> <emulated> [<underlying>]`.
func (a EBS) Params() string {
	words := append(a.Span.words(), utoa(a.Emulated))
	if a.Underlying != 0 {
		words = append(words, utoa(a.Underlying))
	}
	return join(words...)
}

// Devices is the one device.
func (a EBS) Devices() []Ref { return []Ref{Ref(a.Device)} }

func (a EBS) areas(length uint64) []area { return []area{{a.Device, a.Offset, length}} }

// pageSectors is a page of 4 KiB in sectors.
const pageSectors = 8

// scanU16 is scanU64 for "%hu%c".
func scanU16(s string) (uint16, bool) {
	n, ok := lex.ScanU64(s)
	return uint16(n), ok //nolint:gosec // wraps as the kernel does
}

func parseEBS(c *ctr) (Args, error) {
	if len(c.args) < 3 || len(c.args) > 4 {
		return nil, c.fail("", "Invalid argument count")
	}
	var a EBS
	var ok bool
	a.Device = c.next()
	if a.Offset, ok = lex.ScanU64(c.next()); !ok {
		return nil, c.fail("offset", "Invalid device offset sector")
	}
	if a.Emulated, ok = scanU16(c.next()); !ok || !powerOfTwo(uint32(a.Emulated)) || a.Emulated > pageSectors {
		return nil, c.fail("emulated", "Invalid emulated block size")
	}
	if len(c.args) > 0 {
		if a.Underlying, ok = scanU16(c.next()); !ok || !powerOfTwo(uint32(a.Underlying)) {
			return nil, c.fail("underlying", "Invalid underlying block size")
		}
	}
	info, err := c.device("device", a.Device, "Device lookup failed")
	if err != nil {
		return nil, err
	}
	block := uint64(a.Underlying)
	if block == 0 {
		block = info.blockSectors()
	}
	if a.Offset%block != 0 {
		return nil, c.fail("offset", "Device offset must be multiple of underlying block size")
	}
	return a, nil
}
