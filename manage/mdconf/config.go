package mdconf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/mdkit/mdkit/engine/md"
)

// Config is what the configuration says.
type Config struct {
	Name string // of the file or folder, for messages

	Devices     []string // words of DEVICE lines: globs, "partitions", "containers"; empty for the default
	Arrays      []*Array // in order
	Create      Create
	MailAddr    string
	MailFrom    string // the words of the line, with one blank between them
	Program     string
	Delay       int    // MONITORDELAY: seconds; 0 if not given
	HomeHost    string // "" if not given; "<none>" and "<system>" are kept
	AnyHomeHost bool   // HOMEHOST <ignore>: arrays of any host belong to this one
	HomeCluster string // "" if not given; "<none>" is kept
	Rules       []Rule // from POLICY, PART-POLICY and AUTO lines, in order
	Sysfs       []Sysfs

	Warnings []Warning

	autoSeen bool
}

// Create is what CREATE lines say about the nodes and superblocks of new
// arrays.
type Create struct {
	UID      int         // owner of nodes, 0 by default
	GID      int         // their group, -1 if not given
	Mode     fs.FileMode // their permissions, 0 if not given
	Metadata string      // "" if not given, as in "1.2"
	Names    bool        // names=yes: named md devices, such as md_home, if the name is not a number
	NoBBL    bool        // bbl=no: no bad block lists
	Auto     string      // auto=, as given; no longer used
}

// Sysfs is a SYSFS line: attributes of one array, to be written when it is assembled.
type Sysfs struct {
	Device string   // "/dev/md/NAME", or ""
	UUID   *md.UUID // takes precedence over Device
	Attrs  []Attr   // in the order in which they are to be written
}

// Attr is an attribute in the "md" folder of an array in sysfs, and its value.
type Attr struct{ Name, Value string }

// Warning is about something that was ignored.
type Warning struct {
	File string
	Line int    // from 1
	Text string // in mdadm's words
}

// String returns one line that begins with the place.
func (w Warning) String() string { return fmt.Sprintf("%s:%d: %s", w.File, w.Line, w.Text) }

// defaultFiles are the places where Debian's mdadm looks for mdadm.conf: the first
// that can be read counts, and with it the folder of the same name plus ".d".
var defaultFiles = [...]string{"/etc/mdadm/mdadm.conf", "/etc/mdadm.conf"}

// Load reads the file or folder that name stands for: "" for mdadm.conf and its
// folder, "none" for nothing, "partitions" for just "DEVICE partitions". What cannot
// be read counts as empty, as in mdadm. auto has the words of the environment
// variable MDADM_CONF_AUTO, which go before those of the AUTO line.
func Load(name string, auto ...string) *Config {
	c := &Config{Name: name, Create: Create{GID: -1}}
	r := reader{c: c, auto: auto}
	switch name {
	case "none":
	case "partitions":
		c.Devices = []string{name}
	case "":
		file := defaultFiles[0]
		if f, err := os.Open(file); err == nil {
			f.Close()
		} else if f, err := os.Open(defaultFiles[1]); err == nil {
			f.Close()
			file = defaultFiles[1]
		}
		c.Name = file
		r.path(file)
		r.path(file + ".d")
	default:
		r.path(name)
	}
	r.finish()
	return c
}

// Parse reads text as if it were the file called name.
func Parse(name, text string, auto ...string) *Config {
	c := &Config{Name: name, Create: Create{GID: -1}}
	r := reader{c: c, auto: auto, file: name}
	r.text(text)
	r.finish()
	return c
}

// reader goes through files.
type reader struct {
	c      *Config
	auto   []string
	file   string
	number int
}

// path takes a file, or the files of a folder that end in ".conf", in the
// order of their names.
func (r *reader) path(name string) {
	info, err := os.Stat(name)
	if err != nil {
		return
	}
	files := []string{name}
	if info.IsDir() {
		files = nil
		entries, err := os.ReadDir(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return
		}
		for _, e := range entries { // in order of their names
			if n := e.Name(); n[0] != '.' && len(n) > len(".conf") && strings.HasSuffix(n, ".conf") {
				files = append(files, filepath.Join(name, n))
			}
		}
	} else if !info.Mode().IsRegular() {
		return
	}
	for _, file := range files {
		if b, err := os.ReadFile(file); err == nil {
			r.file = file
			r.text(string(b))
		}
	}
}

func (r *reader) text(text string) {
	for _, l := range lines(text) {
		r.number = l.number
		r.line(l.words[0], l.words[1:])
	}
}

func (r *reader) warnf(format string, args ...any) {
	r.c.Warnings = append(r.c.Warnings, Warning{r.file, r.number, fmt.Sprintf(format, args...)})
}

// finish makes the rules of an AUTO line if there is none: MDADM_CONF_AUTO counts
// even then.
func (r *reader) finish() { r.autoLine(nil) }

func (r *reader) line(first string, words []string) {
	c := r.c
	switch keyword(first) {
	case "":
		r.warnf("Unknown keyword %s", first)
	case "devices":
		r.deviceLine(words)
	case "array":
		r.arrayLine(words)
	case "mailaddr":
		firstOf(&c.MailAddr, words)
	case "mailfrom":
		c.MailFrom = strings.Join(slices.DeleteFunc(append([]string{c.MailFrom}, words...),
			func(w string) bool { return w == "" }), " ")
	case "program":
		firstOf(&c.Program, words)
	case "create":
		r.createLine(words)
	case "homehost":
		for _, w := range words {
			if strings.EqualFold(w, "<ignore>") {
				c.AnyHomeHost = true
			} else if c.HomeHost == "" {
				c.HomeHost = w
			}
		}
	case "homecluster":
		firstOf(&c.HomeCluster, words)
	case "auto":
		r.autoLine(words)
	case "policy":
		r.policyLine(words, false)
	case "part-policy":
		r.policyLine(words, true)
	case "sysfs":
		r.sysfsLine(words)
	case "monitordelay":
		for _, w := range words {
			if c.Delay == 0 {
				c.Delay = leadingInt(w)
			}
		}
	}
}

// firstOf keeps only the first word that is ever given.
func firstOf(to *string, words []string) {
	if *to == "" && len(words) > 0 {
		*to = words[0]
	}
}

// leadingInt reads leading digits as strtol does: 0 if there are none.
func leadingInt(w string) int {
	n, _ := leadingNumber(w)
	return n
}

// leadingNumber reads a number at the start of w, and returns what follows it. What
// does not fit becomes the limit, as in strtol.
func leadingNumber(w string) (n int, rest string) {
	w = strings.TrimLeft(w, " \t")
	end := 0
	if strings.HasPrefix(w, "-") || strings.HasPrefix(w, "+") {
		end = 1
	}
	for end < len(w) && w[end] >= '0' && w[end] <= '9' {
		end++
	}
	n, err := strconv.Atoi(w[:end])
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, w[end:]
	}
	return n, w[end:]
}

func (r *reader) deviceLine(words []string) {
	for _, w := range words {
		if strings.HasPrefix(w, "/") || strings.EqualFold(w, "partitions") || strings.EqualFold(w, "containers") {
			r.c.Devices = append(r.c.Devices, w)
		} else {
			r.warnf("unreconised word on DEVICE line: %s", w)
		}
	}
}

func (r *reader) sysfsLine(words []string) {
	var s Sysfs
	for _, w := range words {
		if v, ok := option(w, "name"); ok {
			switch {
			case !strings.HasPrefix(v, "/dev/md/"):
				r.warnf("%s is an invalid name for an md device - ignored.", v)
			case s.Device != "":
				r.warnf("Only give one device per SYSFS line: %s", v)
			default:
				s.Device = v
			}
			continue
		}
		if v, ok := option(w, "uuid"); ok {
			switch u, err := md.ParseUUID(v); {
			case s.UUID != nil:
				r.warnf("Only give one uuid per SYSFS line: %s", v)
			case err != nil || u.IsZero():
				r.warnf("Invalid uuid: %s", v)
			default:
				s.UUID = &u
			}
			continue
		}
		name, value, ok := strings.Cut(w, "=")
		if !ok || value == "" {
			r.warnf("Cannot parse \"%s\" - ignoring.", w)
			continue
		}
		// mdadm writes the last one first.
		s.Attrs = slices.Insert(s.Attrs, 0, Attr{name, value})
	}
	if s.Device == "" && s.UUID == nil {
		r.warnf("Device name not found in sysfs config entry - ignoring.")
		return
	}
	r.c.Sysfs = append(r.c.Sysfs, s)
}
