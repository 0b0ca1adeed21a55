package dmsetup

import (
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mdkit/mdkit/internal/cli/getopt"
)

// face is the tool that the program was called as.
type face int

const (
	faceDmsetup  face = iota
	faceDmstats       // every word is one of the stats command
	faceStats         // dmsetup stats ...
	faceNameOnly      // devmap_name <major> <minor>
)

// String is the name under which usage shows the tool.
func (f face) String() string {
	switch f {
	case faceDmstats:
		return "dmstats"
	case faceStats:
		return "dmsetup stats"
	case faceNameOnly:
		return "devmap_name"
	}
	return "dmsetup"
}

// stats says whether the words are those of dmstats.
func (f face) stats() bool { return f == faceDmstats || f == faceStats }

// arguments is a command line that has been read.
type arguments struct {
	face    face
	seen    map[option]int    // how often each option was given
	text    map[option]string // the last argument of those that have one
	number  map[option]int    // the same as atoi(3) reads it; the mode in octal
	atLeast bool              // --readahead +N: no less than N
	cookie  uint32            // --udevcookie; 0 if there is none or it was wrong
	mangle  string            // --manglename, in small letters
	timeout time.Duration     // --udev-timeout; 0 if it was not given
	command string
	words   []string // what is behind the command
}

func (a *arguments) has(o option) bool { return a.seen[o] > 0 }

// errSaid is the error of what has been said already.
var errSaid = errors.New("refused")

// usageError is a refusal in the words of the original, line by line.
type usageError struct {
	lines []string
	class error // what the error matches besides, for exit codes; may be nil
}

func (e *usageError) Error() string { return strings.Join(e.lines, "; ") }

func (e *usageError) Unwrap() error { return e.class }

func wrong(format string, args ...any) error {
	return &usageError{lines: []string{fmt.Sprintf(format, args...)}}
}

// faceOf looks at the name that the program was called by.
func faceOf(argv0 string) face {
	switch path.Base(argv0) {
	case "dmstats":
		return faceDmstats
	case "devmap_name":
		return faceNameOnly
	}
	return faceDmsetup
}

// parse reads a command line as dmsetup 1.02.185 does; args[0] is the name of
// the program. Complaints that do not end the reading go to warn. The options
// read so far are returned with an error too: --help before a mistake still
// makes the exit code 0.
func parse(args []string, warn io.Writer) (*arguments, error) {
	a := &arguments{seen: map[option]int{}, text: map[option]string{}, number: map[option]int{}}
	program := "dmsetup"
	if len(args) > 0 {
		program, args = args[0], args[1:]
	}
	a.face = faceOf(program)
	if a.face == faceNameOnly {
		return a, a.nameOnly(args)
	}
	opts := getopt.New(program, args)
	longs := longOptions()
	var words []string
	for {
		opt, err := opts.Next(shortOptions, longs)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			if slices.Contains(args, "--exit-codes") {
				a.seen[optExitCodes] = 1 // wherever it is: the reading ends here
			}
			return a, &usageError{lines: []string{err.Error()}}
		}
		if opt.Val == getopt.Word {
			words = append(words, opt.Arg)
			continue
		}
		if err := a.option(letterOf(opt.Val), opt.Arg, warn); err != nil {
			return a, err
		}
	}
	words = append(words, opts.Rest()...)
	if err := a.agree(); err != nil {
		return a, err
	}
	a.take(words)
	return a, nil
}

// nameOnly reads devmap_name's two numbers.
func (a *arguments) nameOnly(args []string) error {
	for _, o := range []option{optColumns, optNoHeadings, optOptions, optMajor, optMinor} {
		a.seen[o] = 1
	}
	a.text[optOptions] = "name"
	a.command = "info"
	switch len(args) {
	case 2:
		a.number[optMajor], a.number[optMinor] = atoi(args[0]), atoi(args[1])
		return nil
	case 1:
		major, minor, ok := strings.Cut(args[0], ":")
		ma, err1 := strconv.ParseInt(strings.TrimSpace(major), 0, 32)
		mi, err2 := strconv.ParseInt(strings.TrimSpace(minor), 0, 32)
		if ok && err1 == nil && err2 == nil {
			a.number[optMajor], a.number[optMinor] = int(ma), int(mi)
			return nil
		}
	}
	return &usageError{lines: []string{strings.TrimSuffix(usageText(a.face), "\n")}}
}

// option takes one option.
func (a *arguments) option(o option, arg string, warn io.Writer) error {
	a.seen[o]++
	a.text[o] = arg
	switch o {
	case optAreas, optMajor, optMinor, optRegionID, optGID, optUID, optGroupID:
		a.number[o] = atoi(arg)
	case optCount:
		if a.number[o] = atoi(arg); a.number[o] < 0 {
			return wrong("Count must be zero or greater.")
		}
	case optInterval:
		if a.number[o] = atoi(arg); a.number[o] <= 0 {
			return wrong("Interval must be a positive integer.")
		}
	case optMode:
		return a.mode(arg)
	case optUdevCookie:
		cookie, err := cookieValue(arg)
		if err != nil {
			fmt.Fprintln(warn, err)
		}
		a.cookie = cookie
	case optMangleName:
		a.mangle = strings.ToLower(arg)
		switch a.mangle {
		case "none", "auto", "hex":
		default:
			return wrong("Unknown name mangling mode.")
		}
	case optReadAhead:
		return a.readAhead(arg)
	case optUdevTimeout:
		d, err := time.ParseDuration(arg)
		if n, err2 := strconv.Atoi(arg); err2 == nil {
			d, err = time.Duration(n)*time.Second, nil
		}
		if err != nil || d <= 0 {
			return wrong("--udev-timeout takes seconds or a duration such as 1m30s, not %q.", arg)
		}
		a.timeout = d
	}
	return nil
}

// mode reads an octal mode, which cannot be 0.
func (a *arguments) mode(arg string) error {
	n, rest, overflow := strtol(arg, 8)
	if overflow || rest != "" || int32(n) == 0 {
		why := ""
		if overflow {
			why = "Numerical result out of range"
		}
		return wrong("Invalid argument for --mode: %s. %s", arg, why)
	}
	a.number[optMode] = int(int32(n))
	return nil
}

// Values of --readahead that are words.
const (
	readAheadAuto = -1 // DM_READ_AHEAD_AUTO: leave it to the kernel
	readAheadNone = 0  // DM_READ_AHEAD_NONE
)

func (a *arguments) readAhead(arg string) error {
	switch strings.ToLower(arg) {
	case "auto":
		a.number[optReadAhead] = readAheadAuto
	case "none":
		a.number[optReadAhead] = readAheadNone
	default:
		if strings.HasPrefix(strings.TrimLeft(arg, cSpace), "+") {
			a.atLeast = true
		}
		n := atoi(arg)
		if n < -1 {
			return wrong("Negative read ahead value (%d) is not understood.", n)
		}
		a.number[optReadAhead] = n
	}
	return nil
}

// agree refuses options that exclude each other.
func (a *arguments) agree() error {
	switch {
	case a.has(optMajor) != a.has(optMinor):
		return wrong("Please specify both major number and minor number.")
	case a.has(optTable) && a.has(optNoTable):
		return wrong("--table and --notable are incompatible.")
	case a.has(optAddNodeOnResume) && a.has(optAddNodeOnCreate):
		return wrong("--addnodeonresume and --addnodeoncreate are incompatible.")
	}
	return nil
}

// take finds the command among the words.
func (a *arguments) take(words []string) {
	switch {
	case len(words) == 0:
	case words[0] == "stats":
		a.face, a.command, a.words = faceStats, "stats", words[1:]
	case a.face == faceDmstats:
		a.command, a.words = "stats", words
	default:
		a.command, a.words = words[0], words[1:]
	}
}

// cookieValue reads a cookie as strtoul(3) with base 0 does; 0 is none.
func cookieValue(s string) (uint32, error) {
	digits := strings.TrimLeft(s, cSpace)
	digits = strings.TrimPrefix(digits, "+")
	n, err := strconv.ParseUint(digits, 0, 32)
	goOnly := strings.Contains(digits, "_") ||
		strings.ContainsAny(digits, "bBoO") && !strings.HasPrefix(strings.ToLower(digits), "0x")
	if err != nil || n == 0 || goOnly {
		return 0, wrong("Incorrect cookie value.")
	}
	return uint32(n), nil
}

// cSpace is what isspace(3) takes for blank in the C locale.
const cSpace = " \t\n\v\f\r"

// strtol reads the number at the start of s as strtol(3) does. rest is what is
// behind it, and all of s if there is none.
func strtol(s string, base int) (n int64, rest string, overflow bool) {
	i := len(s) - len(strings.TrimLeft(s, cSpace))
	start := i
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		i++
	}
	first := i
	for i < len(s) && s[i] >= '0' && int(s[i]-'0') < base {
		i++
	}
	if i == first {
		return 0, s, false
	}
	n, err := strconv.ParseInt(s[start:i], base, 64) // at the limit when out of range
	return n, s[i:], err != nil
}

// atoi is atoi(3): the number at the start of s, 0 if there is none, and the
// low 32 bits of one that is too large.
func atoi(s string) int {
	n, _, _ := strtol(s, 10)
	return int(int32(n))
}
