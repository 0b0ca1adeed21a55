package md

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
)

// UUID identifies an array or a device. For 1.x its bytes are those on disk;
// for 0.90, whose uuid is four integers, they are the integers' bytes, the
// highest first. That way the text is always what mdadm prints.
type UUID [16]byte

// String returns mdadm's form: "xxxxxxxx:xxxxxxxx:xxxxxxxx:xxxxxxxx".
func (u UUID) String() string {
	var b [35]byte
	for i := range 4 {
		hex.Encode(b[i*9:], u[i*4:i*4+4])
		if i < 3 {
			b[i*9+8] = ':'
		}
	}
	return string(b[:])
}

// MarshalText returns the same form for encoders.
func (u UUID) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// UnmarshalText accepts from decoders what ParseUUID accepts.
func (u *UUID) UnmarshalText(text []byte) (err error) {
	*u, err = ParseUUID(string(text))
	return err
}

// IsZero reports whether all bytes are zero, which no tool writes.
func (u UUID) IsZero() bool { return u == UUID{} }

// ParseUUID reads 32 hexadecimal digits with any of ":", ".", " " and "-"
// between them, as mdadm does (util.c, parse_uuid).
func ParseUUID(s string) (UUID, error) {
	var u UUID
	digits := strings.NewReplacer(":", "", ".", "", " ", "", "-", "").Replace(s)
	b, err := hex.DecodeString(digits)
	if err != nil || len(b) != len(u) {
		return u, fmt.Errorf("bad uuid %q: want 32 hexadecimal digits", s)
	}
	return UUID(b), nil
}

// Native returns the bytes of the four 0.90 integers in the memory of a machine
// of byte order o. The kernel copies them to the bitmap of a 0.90 array (md.c,
// super_90_validate).
func (u UUID) Native(o binary.ByteOrder) UUID {
	var n UUID
	for i := range 4 {
		o.PutUint32(n[i*4:], binary.BigEndian.Uint32(u[i*4:]))
	}
	return n
}
