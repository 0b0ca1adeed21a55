package dm

import (
	"slices"
	"strings"

	"github.com/mdkit/mdkit/engine/dm/lex"
)

// Inlinecrypt leaves encryption to the hardware below (dm-inlinecrypt.c, Linux
// 7.x).
type Inlinecrypt struct {
	Cipher   string // "aes-xts-plain64"
	Key      string // hexadecimal, or `:<bytes>:logon:<description>`. See Mask
	IVOffset uint64 // sectors
	Span
	KeyType        string // "raw", "hw-wrapped"; empty is raw
	AllowDiscards  bool
	SectorSize     uint32 // bytes: 512 to 4096; 0 means 512
	IVLargeSectors bool   // must be set with a larger SectorSize
	// Printed is the key type as a number, which kernels print after the key. A
	// line with it cannot be loaded; it is empty in lines to be loaded.
	Printed string
}

// Type is "inlinecrypt".
func (Inlinecrypt) Type() string { return "inlinecrypt" }

// Params is `<cipher> <key> <iv offset> <dev> <offset> [<#options>
// <options>...]`, with the key.
func (a Inlinecrypt) Params() string {
	words := append([]string{a.Cipher, a.Key, a.Printed, utoa(a.IVOffset)}, a.Span.words()...)
	var o []string
	if a.KeyType != "" {
		o = append(o, "keytype:"+a.KeyType)
	}
	if a.AllowDiscards {
		o = append(o, "allow_discards")
	}
	if a.SectorSize != 0 && a.SectorSize != 512 {
		o = append(o, "sector_size:"+utoa(a.SectorSize))
	}
	if a.IVLargeSectors {
		o = append(o, "iv_large_sectors")
	}
	if len(o) > 0 {
		words = append(words, counted(o)...)
	}
	return join(words...)
}

// Devices is the one device.
func (a Inlinecrypt) Devices() []Ref { return []Ref{Ref(a.Device)} }

func (a Inlinecrypt) areas(length uint64) []area { return []area{{a.Device, a.Offset, length}} }

func (a Inlinecrypt) sectors() uint64 { return max(1, uint64(a.SectorSize)>>9) }

// maxInlineKey is BLK_CRYPTO_MAX_ANY_KEY_SIZE, in bytes.
const maxInlineKey = 128

func parseInlinecrypt(c *ctr) (Args, error) {
	if len(c.args) < 5 {
		return nil, c.fail("", "Not enough arguments")
	}
	var a Inlinecrypt
	// A printed line has the key type as a number before the IV offset, so the
	// device is the fifth word, not the fourth.
	printed := c.op == "parse" && len(c.args) >= 6 && strings.Trim(c.args[3], "0123456789") == ""
	if a.Cipher = c.next(); a.Cipher != "aes-xts-plain64" {
		return nil, c.fail("cipher", "Unsupported cipher")
	}
	a.Key = c.next()
	if err := a.judgeKey(c); err != nil {
		return nil, err
	}
	if printed {
		a.Printed = c.next()
	}
	var ok bool
	if a.IVOffset, ok = lex.ScanU64(c.next()); !ok {
		return nil, c.fail("iv offset", "Invalid iv_offset sector")
	}
	a.Device = c.next()
	if _, err := c.device("device", a.Device, "Device lookup failed"); err != nil {
		return nil, err
	}
	if a.Offset, ok = lex.ScanU64(c.next()); !ok {
		return nil, c.fail("offset", "Invalid start sector")
	}
	if len(c.args) > 0 {
		if err := a.parseOptions(c); err != nil {
			return nil, err
		}
	}
	switch {
	case c.length%a.sectors() != 0:
		return nil, c.fail("sector_size", "Device size is not a multiple of sector_size")
	case a.IVOffset%a.sectors() != 0:
		return nil, c.fail("iv offset", "Wrong alignment of iv_offset sector")
	}
	return a, nil
}

func (a *Inlinecrypt) judgeKey(c *ctr) error {
	const unparsed, malformed = "Cannot parse key size", "Malformed key string"
	if ref, ok := strings.CutPrefix(a.Key, ":"); ok {
		size, ref, ok := strings.Cut(ref, ":")
		n, digits := lex.ScanU32(size)
		if !ok || !digits || int32(n) < 0 { //nolint:gosec // an int in the kernel
			return c.fail("key", unparsed)
		}
		desc, logon := strings.CutPrefix(ref, "logon:")
		if !logon || desc == "" || n > maxInlineKey {
			return c.fail("key", malformed)
		}
		return nil
	}
	switch n := len(a.Key); {
	case n > 2*maxInlineKey || n%2 != 0:
		return c.fail("key", unparsed)
	case !hexBytes(a.Key):
		return c.fail("key", malformed)
	}
	return nil
}

func (a *Inlinecrypt) parseOptions(c *ctr) error {
	n, err := c.group("options", 0, 4, "Invalid number of feature args")
	if err != nil {
		return err
	}
	for range n {
		word := c.next()
		name, value, _ := strings.Cut(word, ":")
		switch {
		case name == "keytype":
			if a.KeyType = value; !slices.Contains([]string{"raw", "hw-wrapped"}, value) {
				return c.fail(name, "Invalid block key type")
			}
		case word == "allow_discards":
			a.AllowDiscards = true
		case word == "iv_large_sectors":
			a.IVLargeSectors = true
		case name == "sector_size":
			n, ok := lex.ScanU32(value)
			if !ok {
				return c.fail("options", "Invalid feature arguments")
			}
			if a.SectorSize = n; n < 512 || n > 4096 || !powerOfTwo(n) {
				return c.fail(name, "Invalid sector_size")
			}
		default:
			return c.fail("options", "Invalid feature arguments")
		}
	}
	if a.sectors() > 1 && !a.IVLargeSectors {
		return c.fail("iv_large_sectors", "iv_large_sectors must be specified")
	}
	return nil
}
