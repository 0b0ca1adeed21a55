package binfmt

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
)

// Integer is any integer type a field can hold.
type Integer interface {
	~int8 | ~int16 | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64
}

// Format turns the value of an integer field into text.
type Format[V Integer] func(V) string

// Dec prints an integer in decimal; a type with a String method is printed by
// that.
func Dec[V Integer](v V) string { return fmt.Sprint(v) }

// Hex prints an integer as 0x and hexadecimal digits.
func Hex[V Integer](v V) string { return fmt.Sprintf("%#x", uint64(v)) }

// Hex32 prints 32 bits as 0x and hexadecimal digits, negative numbers as their
// two's complement.
func Hex32[V ~int32 | ~uint32](v V) string { return fmt.Sprintf("%#x", uint32(v)) }

// Sectors prints a count of 512-byte sectors.
func Sectors[V Integer](v V) string { return fmt.Sprintf("%d sectors", v) }

// U8 is a field of one byte.
func U8[T any, V ~uint8 | ~int8](name string, off int, at func(*T) *V, format ...Format[V]) Field[T] {
	return Field[T]{
		Name: name, Off: off, Size: 1,
		get:  func(v *T, b []byte, _ binary.ByteOrder) { *at(v) = V(b[0]) },
		put:  func(v *T, b []byte, _ binary.ByteOrder) { b[0] = byte(*at(v)) },
		text: textOf(at, format),
	}
}

// U16 is a field of two bytes in the layout's byte order.
func U16[T any, V ~uint16 | ~int16](name string, off int, at func(*T) *V, format ...Format[V]) Field[T] {
	return Field[T]{
		Name: name, Off: off, Size: 2,
		get:  func(v *T, b []byte, o binary.ByteOrder) { *at(v) = V(o.Uint16(b)) },
		put:  func(v *T, b []byte, o binary.ByteOrder) { o.PutUint16(b, uint16(*at(v))) },
		text: textOf(at, format),
	}
}

// U32 is a field of four bytes in the layout's byte order.
func U32[T any, V ~uint32 | ~int32](name string, off int, at func(*T) *V, format ...Format[V]) Field[T] {
	return Field[T]{
		Name: name, Off: off, Size: 4,
		get:  func(v *T, b []byte, o binary.ByteOrder) { *at(v) = V(o.Uint32(b)) },
		put:  func(v *T, b []byte, o binary.ByteOrder) { o.PutUint32(b, uint32(*at(v))) },
		text: textOf(at, format),
	}
}

// U64 is a field of eight bytes in the layout's byte order.
func U64[T any, V ~uint64 | ~int64](name string, off int, at func(*T) *V, format ...Format[V]) Field[T] {
	return Field[T]{
		Name: name, Off: off, Size: 8,
		get:  func(v *T, b []byte, o binary.ByteOrder) { *at(v) = V(o.Uint64(b)) },
		put:  func(v *T, b []byte, o binary.ByteOrder) { o.PutUint64(b, uint64(*at(v))) },
		text: textOf(at, format),
	}
}

func textOf[T any, V Integer](at func(*T) *V, format []Format[V]) func(*T) string {
	f := Format[V](Dec[V])
	if len(format) > 0 {
		f = format[0]
	}
	return func(v *T) string { return f(*at(v)) }
}

// Raw is a field of size bytes without byte order, such as a uuid or padding;
// at returns the slice of T that holds them, which has that length. Without a
// format it is printed as hexadecimal digits, or as "zero".
func Raw[T any](name string, off, size int, at func(*T) []byte, format ...func([]byte) string) Field[T] {
	text := digits
	if len(format) > 0 {
		text = format[0]
	}
	return Field[T]{
		Name: name, Off: off, Size: size,
		get:  func(v *T, b []byte, _ binary.ByteOrder) { copy(at(v), b) },
		put:  func(v *T, b []byte, _ binary.ByteOrder) { copy(b, at(v)) },
		text: func(v *T) string { return text(at(v)) },
	}
}

func digits(b []byte) string {
	if allZero(b) {
		return "zero"
	}
	return hex.EncodeToString(b)
}

// Text prints bytes up to the first NUL as a quoted string, for use with Raw.
func Text(b []byte) string {
	return strconv.Quote(CString(b))
}

// CString returns the bytes of b before the first NUL.
func CString(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}
