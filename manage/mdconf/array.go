package mdconf

import (
	"cmp"
	"math"
	"strconv"
	"strings"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/manage/mdconf/glob"
)

// Ignore is the name of an ARRAY line whose array is to be left alone.
const Ignore = "<ignore>"

// Array is an ARRAY line. Nil and empty fields were not given.
type Array struct {
	File string
	Line int // from 1

	Device     string // "/dev/md0", "/dev/md/home", "home", Ignore or ""
	UUID       *md.UUID
	SuperMinor *int
	Name       string
	Devices    string // patterns, with commas between them
	Level      *md.Level
	RaidDisks  *int
	Spares     int // how many; with fewer the monitor complains
	SpareGroup string
	Metadata   string // as --metadata takes it
	Container  string // its name, or its uuid
	Member     string
	Bitmap     string // a bitmap in a file
	Auto       string // as given; no longer used
}

// Ignored reports whether the line asks for the array to be left alone.
func (a *Array) Ignored() bool { return strings.EqualFold(a.Device, Ignore) }

// identified reports whether the line says which array it is about.
func (a *Array) identified() bool {
	return a.UUID != nil || a.Devices != "" || a.SuperMinor != nil || a.Name != "" ||
		a.Container != "" && a.Member != ""
}

func (r *reader) arrayLine(words []string) {
	a := &Array{File: r.file, Line: r.number}
	for _, w := range words {
		if strings.HasPrefix(w, "/") || !strings.Contains(w, "=") {
			r.arrayDevice(a, w)
		} else if !r.arrayIdentity(a, w) && !r.arrayShape(a, w) {
			r.warnf("unrecognised word on ARRAY line: %s", w)
		}
	}
	if !a.identified() {
		name := a.Device
		if name == "" {
			name = "(null)"
		}
		r.warnf("ARRAY line %s has no identity information.", name)
		return
	}
	r.c.Arrays = append(r.c.Arrays, a)
}

// arrayDevice takes the name of the device to be made, by the rules for names of md
// devices.
func (r *reader) arrayDevice(a *Array, w string) {
	standard := func(prefix string) bool {
		digits, ok := strings.CutPrefix(w, prefix)
		return ok && digits != "" && strings.Trim(digits, "0123456789") == ""
	}
	switch {
	case strings.EqualFold(w, Ignore), strings.HasPrefix(w, "/dev/md/"),
		!strings.HasPrefix(w, "/") && !strings.HasPrefix(w, "<"), standard("/dev/md"), standard("/dev/md_d"):
		if a.Device != "" {
			r.warnf("only give one device per ARRAY line: %s and %s", a.Device, w)
		} else {
			a.Device = w
		}
	default:
		r.warnf("%s is an invalid name for an md device - ignored.", w)
	}
}

// arrayIdentity takes the words that say which array is meant.
func (r *reader) arrayIdentity(a *Array, w string) bool {
	if v, ok := option(w, "uuid"); ok {
		switch u, err := md.ParseUUID(v); {
		case a.UUID != nil:
			r.warnf("only specify uuid once, %s ignored.", w)
		case err != nil:
			r.warnf("bad uuid: %s", w)
		default:
			a.UUID = &u
		}
		return true
	}
	if v, ok := option(w, "super-minor"); ok {
		switch n, rest := leadingNumber(v); {
		case a.SuperMinor != nil:
			r.warnf("only specify super-minor once, %s ignored.", w)
		case v == "" || rest != "" || n < 0 || n > math.MaxInt32:
			r.warnf("invalid super-minor number: %s", w)
		default:
			a.SuperMinor = &n
		}
		return true
	}
	if v, ok := option(w, "name"); ok {
		switch {
		case a.Name != "":
			r.warnf("only specify name once, %s ignored.", w)
		case len(v) > 32:
			r.warnf("name too long, ignoring %s", w)
		default:
			a.Name = v
		}
		return true
	}
	once := func(name string, to *string, message string) bool {
		v, ok := option(w, name)
		if ok && *to != "" {
			r.warnf(message, w)
		} else if ok {
			*to = v
		}
		return ok
	}
	if v, ok := option(w, "devices"); ok && v == "" {
		w += "," // a list that matches no device
	}
	return once("bitmap", &a.Bitmap, "only specify bitmap file once. %s ignored") ||
		once("devices", &a.Devices, "only specify devices once (use a comma separated list). %s ignored") ||
		once("spare-group", &a.SpareGroup, "only specify one spare group per array. %s ignored.")
}

// arrayShape takes the words that describe the array's shape.
func (r *reader) arrayShape(a *Array, w string) bool {
	if v, ok := option(w, "level"); ok {
		if level, err := md.ParseLevel(v); err == nil {
			a.Level = &level
		}
		return true
	}
	for _, name := range []string{"disks", "num-devices"} {
		if v, ok := option(w, name); ok {
			n := leadingInt(v)
			a.RaidDisks = &n
			return true
		}
	}
	if v, ok := option(w, "spares"); ok {
		a.Spares = leadingInt(v)
		return true
	}
	if v, ok := option(w, "metadata"); ok {
		if a.Metadata == "" {
			if FormatName(v) == "" {
				r.warnf("metadata format %s unknown, ignored.", v)
			} else {
				a.Metadata = cmp.Or(v, "0") // the empty word means the oldest format
			}
		}
		return true
	}
	for name, to := range map[string]*string{"auto": &a.Auto, "member": &a.Member, "container": &a.Container} {
		if v, ok := option(w, name); ok {
			*to = v
			return true
		}
	}
	return false
}

// SameName reports whether two names mean the same md device: folders do not count,
// nor does "md" before a number (config.c, devname_matches).
func SameName(a, b string) bool { return bareName(a) == bareName(b) }

func bareName(name string) string {
	if rest, ok := strings.CutPrefix(name, "/dev/md/"); ok {
		name = rest
	} else {
		name = strings.TrimPrefix(name, "/dev/")
	}
	if digits, ok := strings.CutPrefix(name, "md"); ok && digits != "" && digits[0] >= '0' && digits[0] <= '9' {
		return digits
	}
	return name
}

// Array returns the first ARRAY line for the device, or nil.
func (c *Config) Array(device string) *Array {
	for _, a := range c.Arrays {
		if a.Device != "" && SameName(device, a.Device) {
			return a
		}
	}
	return nil
}

// NameIsFree reports whether no ARRAY line claims a name, whether as its device, its
// name or its number.
func (c *Config) NameIsFree(name string) bool {
	for _, a := range c.Arrays {
		if a.Device != "" && SameName(name, a.Device) || a.Name != "" && SameName(name, a.Name) ||
			a.SuperMinor != nil && SameName(name, strconv.Itoa(*a.SuperMinor)) {
			return false
		}
	}
	return true
}

// Twice returns a complaint in mdadm's words about two ARRAY lines for the same
// device, or "".
func (c *Config) Twice() string {
	for i, a := range c.Arrays {
		if a.Device == "" || a.Device == Ignore {
			continue
		}
		for _, b := range c.Arrays[i+1:] {
			if a.Device != b.Device {
				continue
			}
			if a.UUID != nil && b.UUID != nil {
				return "Devices UUID-" + a.UUID.String() + " and UUID-" + b.UUID.String() + " have the same name: " + a.Device
			}
			return "Device " + a.Device + " given twice in config file"
		}
	}
	return ""
}

// Listed reports whether a DEVICE line includes the device; without such lines every
// device is included (config.c, conf_test_dev).
func (c *Config) Listed(device string) bool {
	if len(c.Devices) == 0 {
		return true
	}
	for _, w := range c.Devices {
		if strings.EqualFold(w, "partitions") {
			return true
		}
		if glob.Match(w, device) {
			return true
		}
	}
	return false
}

// MatchOne reports whether device matches one of the patterns in list, which are
// separated by commas.
func MatchOne(list, device string) bool {
	for pattern := range strings.SplitSeq(list, ",") {
		if glob.Match(pattern, device) {
			return true
		}
	}
	return false
}

// Facts is what a member says about its array, for comparison with ARRAY lines.
type Facts struct {
	UUID       md.UUID
	Name       string
	SuperMinor int
	Device     string // the member's; "" matches no devices=, but any line without that word
}

// Match finds the ARRAY line for a member (config.c, conf_match). ambiguous is set if
// there are two. note, if not nil, is called for each line with a device that does
// not match, with the reason.
func (c *Config) Match(f Facts, note func(text string)) (found *Array, ambiguous *Array) {
	for _, a := range c.Arrays {
		if why := a.differs(f); why != "" {
			if note != nil && a.Device != "" {
				note(strings.ReplaceAll(why, "%", a.Device))
			}
			continue
		}
		if found != nil {
			return found, a
		}
		found = a
	}
	return found, nil
}

func (a *Array) differs(f Facts) string {
	switch {
	case a.UUID != nil && *a.UUID != f.UUID:
		return "UUID differs from %."
	case a.Name != "" && !strings.EqualFold(a.Name, f.Name):
		return "Name differs from %."
	case a.Devices != "" && f.Device != "" && !MatchOne(a.Devices, f.Device):
		return "Not a listed device for %."
	case a.SuperMinor != nil && *a.SuperMinor != f.SuperMinor:
		return "Different super-minor to %."
	case a.UUID == nil && a.Name == "" && a.Devices == "" && a.SuperMinor == nil:
		return "% doesn't have any identifying information."
	}
	return ""
}
