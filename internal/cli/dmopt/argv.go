package dmopt

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

// Face is the tool as which the program was called.
type Face int

// The tools.
const (
	Dmsetup      Face = iota
	Dmstats           // all words belong to the command stats
	StatsCommand      // dmsetup stats ...
	NameOnly          // devmap_name <major> <minor>
)

// String returns the tool's name in the usage.
func (f Face) String() string {
	switch f {
	case Dmstats:
		return "dmstats"
	case StatsCommand:
		return "dmsetup stats"
	case NameOnly:
		return "devmap_name"
	}
	return "dmsetup"
}

// Stats reports whether the words are those of dmstats.
func (f Face) Stats() bool { return f == Dmstats || f == StatsCommand }

// Line is a parsed command line.
type Line struct {
	Face     Face
	Seen     map[Option]int    // how often each option was given
	Text     map[Option]string // the last argument of each option that takes one
	Number   map[Option]int    // that argument as atoi(3) reads it; the mode in octal
	AtLeast  bool              // --readahead +N: at least N
	Cookie   uint32            // --udevcookie; 0 if it was not given or wrong
	Mangle   string            // --manglename, in lower case
	Timeout  time.Duration     // --udev-timeout; 0 if it was not given
	Patience time.Duration     // --timeout; 0 if it was not given
	Command  string
	Words    []string // the words after the command
}

// Has reports whether an option was given.
func (a *Line) Has(o Option) bool { return a.Seen[o] > 0 }

// Interval returns the time between two reports.
func (a *Line) Interval() time.Duration {
	if a.Has(Interval) {
		return time.Duration(a.Number[Interval]) * time.Second
	}
	return time.Second
}

// UsageError is a refusal in the words of the original, line by line.
type UsageError struct {
	Lines []string
	Class error // what else the error matches, for exit codes; may be nil
}

// Error returns the lines joined into one.
func (e *UsageError) Error() string { return strings.Join(e.Lines, "; ") }

// Unwrap returns the class.
func (e *UsageError) Unwrap() error { return e.Class }

// Wrong makes a [*UsageError] of one line.
func Wrong(format string, args ...any) error {
	return &UsageError{Lines: []string{fmt.Sprintf(format, args...)}}
}

// faceOf determines the face from the name that the program was called by.
func faceOf(argv0 string) Face {
	switch path.Base(argv0) {
	case "dmstats":
		return Dmstats
	case "devmap_name":
		return NameOnly
	}
	return Dmsetup
}

// Parse parses a command line as dmsetup 1.02.185 does; args[0] is the name of the
// program. Complaints that do not end the parsing go to warn. An error comes with the
// options parsed so far: --help before a mistake still makes the exit code 0.
func Parse(args []string, warn io.Writer) (*Line, error) {
	a := &Line{Seen: map[Option]int{}, Text: map[Option]string{}, Number: map[Option]int{}}
	program := "dmsetup"
	if len(args) > 0 {
		program, args = args[0], args[1:]
	}
	a.Face = faceOf(program)
	if a.Face == NameOnly {
		return a, a.nameOnly(args)
	}
	opts := getopt.New(program, args)
	longs := LongOptions()
	var words []string
	for {
		opt, err := opts.Next(shortOptions, longs)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			if slices.Contains(args, "--exit-codes") {
				a.Seen[ExitCodes] = 1 // it counts wherever it is: parsing may end here
			}
			return a, &UsageError{Lines: []string{err.Error()}}
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

// NameOnlyUsage is the usage of devmap_name.
const NameOnlyUsage = "Usage: devmap_name <major> <minor>\n\n"

// nameOnly parses devmap_name's two numbers.
func (a *Line) nameOnly(args []string) error {
	for _, o := range []Option{Columns, NoHeadings, Options, Major, Minor} {
		a.Seen[o] = 1
	}
	a.Text[Options] = "name"
	a.Command = "info"
	switch len(args) {
	case 2:
		a.Number[Major], a.Number[Minor] = Atoi(args[0]), Atoi(args[1])
		return nil
	case 1:
		major, minor, ok := strings.Cut(args[0], ":")
		ma, err1 := strconv.ParseInt(strings.TrimSpace(major), 0, 32)
		mi, err2 := strconv.ParseInt(strings.TrimSpace(minor), 0, 32)
		if ok && err1 == nil && err2 == nil {
			a.Number[Major], a.Number[Minor] = int(ma), int(mi)
			return nil
		}
	}
	return &UsageError{Lines: []string{strings.TrimSuffix(NameOnlyUsage, "\n")}}
}

// option evaluates one option.
func (a *Line) option(o Option, arg string, warn io.Writer) error {
	a.Seen[o]++
	a.Text[o] = arg
	switch o {
	case Areas, Major, Minor, RegionID, GID, UID, GroupID:
		a.Number[o] = Atoi(arg)
	case Count:
		if a.Number[o] = Atoi(arg); a.Number[o] < 0 {
			return Wrong("Count must be zero or greater.")
		}
	case Interval:
		if a.Number[o] = Atoi(arg); a.Number[o] <= 0 {
			return Wrong("Interval must be a positive integer.")
		}
	case Mode:
		return a.mode(arg)
	case UdevCookie:
		cookie, err := CookieValue(arg)
		if err != nil {
			fmt.Fprintln(warn, err)
		}
		a.Cookie = cookie
	case MangleName:
		a.Mangle = strings.ToLower(arg)
		switch a.Mangle {
		case "none", "auto", "hex":
		default:
			return Wrong("Unknown name mangling mode.")
		}
	case ReadAhead:
		return a.readAhead(arg)
	case UdevTimeout:
		return limit("--udev-timeout", arg, &a.Timeout)
	case Timeout:
		return limit("--timeout", arg, &a.Patience)
	}
	return nil
}

// limit reads how long something may take.
func limit(option, arg string, to *time.Duration) error {
	d, err := time.ParseDuration(arg)
	if n, err2 := strconv.Atoi(arg); err2 == nil {
		d, err = time.Duration(n)*time.Second, nil
	}
	if err != nil || d <= 0 {
		return Wrong("%s takes seconds or a duration such as 1m30s, not %q.", option, arg)
	}
	*to = d
	return nil
}

// defaultPatience is many times what a command takes that is not stuck.
const defaultPatience = time.Minute

// KernelPatience returns --timeout: how long the kernel may take for a device above a
// suspended one.
func (a *Line) KernelPatience() time.Duration {
	if a.Patience > 0 {
		return a.Patience
	}
	return defaultPatience
}

// mode parses an octal mode, which cannot be 0.
func (a *Line) mode(arg string) error {
	n, rest, overflow := Strtol(arg, 8)
	if overflow || rest != "" || int32(n) == 0 {
		why := ""
		if overflow {
			why = "Numerical result out of range"
		}
		return Wrong("Invalid argument for --mode: %s. %s", arg, why)
	}
	a.Number[Mode] = int(int32(n))
	return nil
}

// Values of --readahead that are given as words.
const (
	ReadAheadAuto = -1 // DM_READ_AHEAD_AUTO: leave it to the kernel
	ReadAheadNone = 0  // DM_READ_AHEAD_NONE
)

func (a *Line) readAhead(arg string) error {
	switch strings.ToLower(arg) {
	case "auto":
		a.Number[ReadAhead] = ReadAheadAuto
	case "none":
		a.Number[ReadAhead] = ReadAheadNone
	default:
		if strings.HasPrefix(strings.TrimLeft(arg, Blank), "+") {
			a.AtLeast = true
		}
		n := Atoi(arg)
		if n < -1 {
			return Wrong("Negative read ahead value (%d) is not understood.", n)
		}
		a.Number[ReadAhead] = n
	}
	return nil
}

// agree refuses options that exclude each other.
func (a *Line) agree() error {
	switch {
	case a.Has(Major) != a.Has(Minor):
		return Wrong("Please specify both major number and minor number.")
	case a.Has(Table) && a.Has(NoTable):
		return Wrong("--table and --notable are incompatible.")
	case a.Has(AddNodeOnResume) && a.Has(AddNodeOnCreate):
		return Wrong("--addnodeonresume and --addnodeoncreate are incompatible.")
	}
	return nil
}

// take finds the command among the words.
func (a *Line) take(words []string) {
	switch {
	case len(words) == 0:
	case words[0] == "stats":
		a.Face, a.Command, a.Words = StatsCommand, "stats", words[1:]
	case a.Face == Dmstats:
		a.Command, a.Words = "stats", words
	default:
		a.Command, a.Words = words[0], words[1:]
	}
}
