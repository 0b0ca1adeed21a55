package mdconf

import (
	"io/fs"
	"os/user"
	"strconv"
	"strings"
)

func (r *reader) createLine(words []string) {
	for _, w := range words {
		if !r.createWord(w) {
			r.warnf("unrecognised word on CREATE line: %s", w)
		}
	}
}

func (r *reader) createWord(w string) bool {
	c := &r.c.Create
	if v, ok := option(w, "auto"); ok {
		c.Auto = v
		return true
	}
	if v, ok := option(w, "owner"); ok {
		r.owner(v)
		return true
	}
	if v, ok := option(w, "group"); ok {
		r.group(v)
		return true
	}
	if v, ok := option(w, "mode"); ok {
		r.mode(v)
		return true
	}
	if v, ok := option(w, "metadata"); ok {
		if c.Metadata != "" {
			return true // the first counts
		}
		if FormatName(v) == "" {
			r.warnf("metadata format %s unknown, ignoring", v)
		} else {
			c.Metadata = v
		}
		return true
	}
	switch lower := strings.ToLower(w); {
	case strings.HasPrefix(lower, "symlinks=yes"), strings.HasPrefix(lower, "symlinks=no"):
	case lower == "names=yes":
		c.Names = true
	case lower == "names=no":
		c.Names = false
	case lower == "bbl=no":
		c.NoBBL = true
	case lower == "bbl=yes":
		c.NoBBL = false
	default:
		return false
	}
	return true
}

func (r *reader) owner(v string) {
	if v == "" {
		r.warnf("missing owner name")
		return
	}
	if id, err := strconv.Atoi(v); err == nil {
		r.c.Create.UID = id
		return
	}
	if u, err := user.Lookup(v); err == nil {
		if id, err := strconv.Atoi(u.Uid); err == nil {
			r.c.Create.UID = id
			return
		}
	}
	r.warnf("CREATE user %s not found", v)
}

func (r *reader) group(v string) {
	if v == "" {
		r.warnf("missing group name")
		return
	}
	if id, err := strconv.Atoi(v); err == nil {
		r.c.Create.GID = id
		return
	}
	if g, err := user.LookupGroup(v); err == nil {
		if id, err := strconv.Atoi(g.Gid); err == nil {
			r.c.Create.GID = id
			return
		}
	}
	r.warnf("CREATE group %s not found", v)
}

func (r *reader) mode(v string) {
	if v == "" {
		r.warnf("missing CREATE mode")
		return
	}
	m, err := strconv.ParseUint(strings.TrimPrefix(v, "+"), 8, 32)
	if err != nil {
		r.c.Create.Mode = 0o600
		r.warnf("unrecognised CREATE mode %s", v)
		return
	}
	r.c.Create.Mode = fs.FileMode(m) & fs.ModePerm
}

// families lists the families of metadata formats as policies and AUTO name them, in
// the order in which they are tried (superlist in mdadm.h).
var families = [...]string{"0.90", "1.x", "ddf", "imsm", "mbr", "gpt"}

// FormatName returns the family of metadata formats that a word of --metadata belongs
// to: "0.90", "1.x", "ddf", "imsm", "mbr" or "gpt"; "" if there is none
// (match_metadata_desc of each format).
func FormatName(word string) string {
	zero := word
	for strings.HasPrefix(zero, "00") {
		zero = zero[1:]
	}
	switch zero {
	case "0", "0.90", "", "0.91", "0.swap", "0.9":
		return "0.90"
	}
	switch strings.TrimLeft(word, "0") {
	case "1", "1.0", "1.00", "1.1", "1.01", "1.2", "1.02", "default":
		return "1.x"
	}
	switch word {
	case "ddf", "imsm", "mbr", "gpt":
		return word
	}
	return ""
}
