package dm

import (
	"math"
	"strings"

	"github.com/mdkit/mdkit/engine/dm/lex"
)

// Flakey alternates between working and failing for a while (dm-flakey.c).
type Flakey struct {
	Span
	Up, Down      uint32 // seconds; both together at least 1
	ErrorReads    bool   // while down, reads fail (6.12 has it, 6.1 has not)
	DropWrites    bool   // while down, writes are silently dropped
	ErrorWrites   bool   // while down, writes fail
	Corrupt       *CorruptByte
	RandomRead    uint32 // probability of corrupting what is read, in billionths
	RandomWrite   uint32 // likewise for writes
	trailingBlank bool   // as Linux 6.1 prints it
}

// CorruptByte changes one byte of each matching request.
type CorruptByte struct {
	Byte      uint32 // counted from 1
	Direction string // "r" or "w"
	Value     uint8
	Flags     uint32 // only requests with all these bio flags
}

func (b CorruptByte) words() []string {
	return []string{"corrupt_bio_byte", utoa(b.Byte), b.Direction, utoa(b.Value), utoa(b.Flags)}
}

// Type is "flakey".
func (Flakey) Type() string { return "flakey" }

// Params is `<dev> <offset> <up> <down> <#features> <features>...`.
func (a Flakey) Params() string {
	words := append(a.Span.words(), utoa(a.Up), utoa(a.Down))
	features := a.features()
	s := join(append(append(words, utoa(uint64(len(features)))), features...)...)
	if a.trailingBlank {
		s += " "
	}
	return s
}

func (a Flakey) features() []string {
	var f []string
	for _, o := range []struct {
		set  bool
		word string
	}{{a.ErrorReads, "error_reads"}, {a.DropWrites, "drop_writes"}, {a.ErrorWrites && !a.DropWrites, "error_writes"}} {
		if o.set {
			f = append(f, o.word)
		}
	}
	if a.Corrupt != nil {
		f = append(f, a.Corrupt.words()...)
	}
	if a.RandomRead > 0 {
		f = append(f, "random_read_corrupt", utoa(a.RandomRead))
	}
	if a.RandomWrite > 0 {
		f = append(f, "random_write_corrupt", utoa(a.RandomWrite))
	}
	return f
}

// Devices is the one device.
func (a Flakey) Devices() []Ref { return []Ref{Ref(a.Device)} }

func (a Flakey) areas(length uint64) []area { return []area{{a.Device, a.Offset, length}} }

func parseFlakey(c *ctr) (Args, error) {
	if len(c.args) < 4 {
		return nil, c.fail("", "Invalid argument count")
	}
	var a Flakey
	var ok bool
	var err error
	a.Device = c.next()
	if a.Offset, ok = lex.ScanU64(c.next()); !ok {
		return nil, c.fail("offset", "Invalid device sector")
	}
	if a.Up, err = c.arg("up", 0, math.MaxUint32, "Invalid up interval"); err != nil {
		return nil, err
	}
	if a.Down, err = c.arg("down", 0, math.MaxUint32, "Invalid down interval"); err != nil {
		return nil, err
	}
	switch sum := a.Up + a.Down; {
	case sum == 0:
		return nil, c.fail("up", "Total (up + down) interval is zero")
	case sum < a.Up:
		return nil, c.fail("up", "Interval overflow")
	}
	if err := a.parseFeatures(c); err != nil {
		return nil, err
	}
	if _, err := c.device("device", a.Device, "Device lookup failed"); err != nil {
		return nil, err
	}
	a.trailingBlank = strings.HasSuffix(c.raw, " ") && !a.ErrorReads && a.RandomRead == 0 && a.RandomWrite == 0
	return a, nil
}

// flakeyProbability is PROBABILITY_BASE.
const flakeyProbability = 1000000000

// parseFeatures takes the features. The kernel's count of words left can drop
// below zero, and it then goes on to the end of the line; so does this.
func (a *Flakey) parseFeatures(c *ctr) error {
	n := 0
	if len(c.args) > 0 {
		var err error
		if n, err = c.group("features", 0, 11, "Invalid number of feature args"); err != nil {
			return err
		}
	}
	for n != 0 {
		before := len(c.args)
		if err := a.feature(c, n-1); err != nil {
			return err
		}
		n -= before - len(c.args)
	}
	return a.conflicts(c)
}

// feature takes one feature; left is how many words may belong to it.
func (a *Flakey) feature(c *ctr, left int) error {
	if len(c.args) == 0 {
		return c.fail("features", "Insufficient feature arguments")
	}
	switch name := strings.ToLower(c.next()); name {
	case "error_reads":
		if a.ErrorReads {
			return c.fail(name, "Feature error_reads duplicated")
		}
		a.ErrorReads = true
	case "drop_writes":
		switch {
		case a.DropWrites:
			return c.fail(name, "Feature drop_writes duplicated")
		case a.ErrorWrites:
			return c.fail(name, "Feature drop_writes conflicts with feature error_writes")
		}
		a.DropWrites = true
	case "error_writes":
		switch {
		case a.ErrorWrites:
			return c.fail(name, "Feature error_writes duplicated")
		case a.DropWrites:
			return c.fail(name, "Feature error_writes conflicts with feature drop_writes")
		}
		a.ErrorWrites = true
	case "corrupt_bio_byte":
		return a.corrupt(c, left)
	case "random_read_corrupt", "random_write_corrupt":
		if left == 0 {
			return c.fail(name, "Feature "+name+" requires a parameter")
		}
		n, err := c.arg(name, 0, flakeyProbability, "Invalid random corrupt argument")
		if name == "random_read_corrupt" {
			a.RandomRead = n
		} else {
			a.RandomWrite = n
		}
		return err
	default:
		return c.fail("features", "Unrecognised flakey feature requested")
	}
	return nil
}

func (a *Flakey) corrupt(c *ctr, left int) error {
	const name = "corrupt_bio_byte"
	if left == 0 {
		return c.fail(name, "Feature corrupt_bio_byte requires parameters")
	}
	var b CorruptByte
	var err error
	if b.Byte, err = c.arg(name, 1, math.MaxUint32, "Invalid corrupt bio byte"); err != nil {
		return err
	}
	if b.Direction = strings.ToLower(c.next()); b.Direction != "r" && b.Direction != "w" {
		return c.fail(name, "Invalid corrupt bio direction (r or w)")
	}
	value, err := c.arg(name, 0, 255, "Invalid corrupt value to write into bio byte (0-255)")
	if err != nil {
		return err
	}
	b.Value = uint8(value)
	if b.Flags, err = c.arg(name, 0, math.MaxUint32, "Invalid corrupt bio flags mask"); err != nil {
		return err
	}
	a.Corrupt = &b
	return nil
}

// conflicts checks the features against each other. Linux 6.12 does not look at
// random_write_corrupt and error_reads here; 7.2 does.
func (a *Flakey) conflicts(c *ctr) error {
	if a.Corrupt == nil || a.Corrupt.Direction != "w" {
		return nil
	}
	switch {
	case a.DropWrites:
		return c.fail("drop_writes", "drop_writes is incompatible with corrupt_bio_byte with the WRITE flag set")
	case a.ErrorWrites:
		return c.fail("error_writes", "error_writes is incompatible with corrupt_bio_byte with the WRITE flag set")
	}
	return nil
}
