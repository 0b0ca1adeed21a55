package md

import (
	"strconv"
	"strings"
)

// MetadataKind says who keeps an array's metadata.
type MetadataKind uint8

// Kinds of metadata.
const (
	MetadataNone     MetadataKind = iota // nobody
	MetadataNative                       // the kernel: 0.90 or 1.x
	MetadataExternal                     // a program, such as mdmon
)

// Metadata is the format of an array's metadata (md.c metadata_show).
type Metadata struct {
	Kind     MetadataKind
	Major    int    // of native metadata
	Minor    int    // of native metadata
	External string // what follows "external:"; "imsm", "/md127/0" or "-md127/0"
}

// String returns the kernel's form: "none", "1.2", "external:imsm".
func (m Metadata) String() string {
	switch m.Kind {
	case MetadataNative:
		if m.Major == 0 {
			return "0." + strconv.Itoa(m.Minor)
		}
		return strconv.Itoa(m.Major) + "." + strconv.Itoa(m.Minor)
	case MetadataExternal:
		return "external:" + m.External
	}
	return "none"
}

// Subarray splits the metadata of an array inside a container: the container's
// device name, the index of the array in it, and whether mdmon is told to leave
// it alone ("-" in place of "/"). It returns false for other arrays.
func (m Metadata) Subarray() (container, index string, blocked, ok bool) {
	if m.Kind != MetadataExternal || m.External == "" || m.External[0] != '/' && m.External[0] != '-' {
		return "", "", false, false
	}
	container, index, ok = strings.Cut(m.External[1:], "/")
	return container, index, m.External[0] == '-', ok
}

func parseMetadata(s string) (Metadata, error) {
	if s == "none" {
		return Metadata{}, nil
	}
	if text, ok := strings.CutPrefix(s, "external:"); ok {
		return Metadata{Kind: MetadataExternal, External: text}, nil
	}
	major, minor, _ := strings.Cut(s, ".")
	ma, err1 := strconv.ParseUint(major, 10, 31)
	mi, err2 := strconv.ParseUint(minor, 10, 31)
	if err1 != nil || err2 != nil {
		return Metadata{}, wanted("none, external:NAME, or a version as 1.2")
	}
	return Metadata{Kind: MetadataNative, Major: int(ma), Minor: int(mi)}, nil
}

// BitmapPlace is the location of an array's bitmap (md-bitmap.c location_show).
type BitmapPlace struct {
	None   bool  // there is no bitmap
	File   bool  // in a file; package ioctl/md returns its path
	Offset int64 // otherwise: sectors of 512 bytes from the superblock, negative before it
}

// String returns the kernel's form: "none", "file", "+8".
func (p BitmapPlace) String() string {
	switch {
	case p.None:
		return "none"
	case p.File:
		return "file"
	case p.Offset < 0:
		return strconv.FormatInt(p.Offset, 10)
	}
	return "+" + strconv.FormatInt(p.Offset, 10)
}

func parseBitmapPlace(s string) (BitmapPlace, error) {
	switch s {
	case "none":
		return BitmapPlace{None: true}, nil
	case "file":
		return BitmapPlace{File: true}, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n == 0 {
		return BitmapPlace{}, wanted("none, file, or an offset as +8")
	}
	return BitmapPlace{Offset: n}, nil
}

// BitmapMetadata is who updates the bitmap's superblock (md-bitmap.c
// metadata_show).
type BitmapMetadata string

// Values of BitmapMetadata: who updates a bitmap's superblock.
const (
	BitmapInternal  BitmapMetadata = "internal"  // the kernel
	BitmapExternal  BitmapMetadata = "external"  // a program
	BitmapClustered BitmapMetadata = "clustered" // the kernel, one copy for each node
)

var bitmapMetadata = []BitmapMetadata{BitmapInternal, BitmapExternal, BitmapClustered}
