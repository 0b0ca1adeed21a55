package mapper

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mdkit/mdkit/ioctl/dm"
)

// Mangling says how names with characters that udev does not accept are written in the
// kernel (libdm dm_string_mangling_t).
type Mangling int

// Modes of mangling.
const (
	MangleAuto Mangling = iota // encode what needs it, unless it is already encoded
	MangleHex                  // always encode, backslashes too
	MangleNone                 // do not encode
)

// ParseMangling parses a mode's name.
func ParseMangling(word string) (Mangling, bool) {
	switch strings.ToLower(word) {
	case "auto":
		return MangleAuto, true
	case "hex":
		return MangleHex, true
	case "none":
		return MangleNone, true
	}
	return 0, false
}

// String returns the mode's name: "auto", "hex", "none".
func (m Mangling) String() string {
	switch m {
	case MangleHex:
		return "hex"
	case MangleNone:
		return "none"
	}
	return "auto"
}

// Reasons why a name cannot be translated; errors.Is finds them in a [*NameError].
var (
	ErrMixedName   = errors.New("contains mixed mangled and unmangled characters or it's already mangled improperly")
	ErrTwiceName   = errors.New("seems to be mangled more than once, which is not allowed in auto mode")
	ErrRawName     = errors.New("should be mangled but it contains blacklisted characters")
	ErrLongName    = errors.New("is too long")
	ErrEmptyName   = errors.New("is empty")
	ErrSlashInName = errors.New("contains \"/\"")
)

// NameError is a name or UUID that cannot be translated.
type NameError struct {
	What string // "name" or "UUID"
	Name string
	Err  error // one of the reasons above
}

// Error returns a single line.
func (e *NameError) Error() string { return fmt.Sprintf("the %s %q %v", e.What, e.Name, e.Err) }

// Unwrap returns the reason.
func (e *NameError) Unwrap() error { return e.Err }

// Kinds of text that mangling applies to, as messages call them.
const (
	WhatName = "name"
	WhatUUID = "UUID"
)

func longest(what string) int {
	if what == WhatUUID {
		return dm.MaxUUID
	}
	return dm.MaxName
}

// safe reports whether a byte needs no encoding (libdm _is_whitelisted_char).
func safe(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' ||
		strings.IndexByte("#+-.:=@_", c) >= 0
}

// mangledTwice is what an encoding becomes when its backslash is encoded again.
const mangledTwice = `\x5cx`

// Mangle encodes a name or UUID for the kernel; what says which of the two it is. Each
// byte that udev does not accept becomes `\xNN`. In mode auto a name that is already
// encoded is left unchanged. MangleNone changes nothing. The error is a [*NameError].
func Mangle(what, name string, mode Mangling) (string, error) {
	fail := func(err error) (string, error) { return "", &NameError{What: what, Name: name, Err: err} }
	if mode == MangleNone {
		if len(name) > longest(what) {
			return fail(ErrLongName)
		}
		return name, nil
	}
	if mode == MangleAuto && strings.Contains(name, mangledTwice) {
		return fail(ErrTwiceName)
	}
	var b strings.Builder
	encoded, raw := false, false
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case mode == MangleAuto && strings.HasPrefix(name[i:], `\x`):
			if len(name)-i < 4 || raw {
				return fail(ErrMixedName)
			}
			b.WriteString(name[i : i+4])
			encoded = true
			i += 3
		case safe(c):
			b.WriteByte(c)
		default:
			if encoded {
				return fail(ErrMixedName)
			}
			fmt.Fprintf(&b, `\x%02x`, c)
			raw = true
		}
	}
	if b.Len() > longest(what) {
		return fail(ErrLongName)
	}
	return b.String(), nil
}

// Unmangle decodes a name or UUID from the kernel. In modes auto and hex it fails with
// [ErrRawName] if a byte should have been encoded but is not; MangleNone decodes what it
// can. The error is a [*NameError].
func Unmangle(what, name string, mode Mangling) (string, error) {
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		c := name[i]
		if mode != MangleNone && !safe(c) && c != '\\' {
			return "", &NameError{What: what, Name: name, Err: ErrRawName}
		}
		if v, ok := hexByte(name[i:]); ok {
			b.WriteByte(v)
			i += 3
			continue
		}
		b.WriteByte(c)
	}
	return b.String(), nil
}

// hexByte parses `\xNN` at the start of s.
func hexByte(s string) (byte, bool) {
	if len(s) < 4 || s[0] != '\\' || s[1] != 'x' {
		return 0, false
	}
	hi, ok1 := hexDigit(s[2])
	lo, ok2 := hexDigit(s[3])
	return hi<<4 | lo, ok1 && ok2
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// CheckNew refuses what cannot be the name of a new device: an empty string, one that is
// too long, or a path.
func CheckNew(name string) error {
	fail := func(err error) error { return &NameError{What: WhatName, Name: name, Err: err} }
	switch {
	case name == "":
		return fail(ErrEmptyName)
	case strings.Contains(name, "/"):
		return fail(ErrSlashInName)
	case len(name) > dm.MaxName:
		return fail(ErrLongName)
	}
	return nil
}
