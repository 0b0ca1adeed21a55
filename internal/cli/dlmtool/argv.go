package dlmtool

import (
	"errors"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/mdkit/mdkit/internal/cli/getopt"
	"github.com/mdkit/mdkit/manage/cluster/controld"
)

// letters is the original's option string (dlm_tool/main.c OPTION_STRING).
const letters = "MhVnm:e:f:vwsi:"

// jsonLong is the option that the original does not have.
var jsonLong = []getopt.Long{{Name: "json", Val: 'J', Exact: true}}

// request is what a command line asks for.
type request struct {
	program string
	verb    *verb
	name    string // of a lockspace, node or run
	command string // for run and set_config
	nodes   bool   // -n
	excl    bool   // -e 1
	fs      bool   // -f 1
	mode    os.FileMode
	copies  bool // -M
	summary bool // -s
	verbose bool
	wide    bool
	wait    int // -i, in seconds
	help    bool
	version bool
	json    bool
}

// errUsage asks for the usage text and exit code 1.
var errUsage = errors.New("no command")

// parse reads a command line as the original does: options anywhere, then the first word
// that is a command; words before that are passed over.
func parse(args []string) (request, error) {
	r := request{program: args[0], mode: 0o600}
	words, err := r.options(args[1:])
	if err != nil || r.help || r.version {
		return r, err
	}
	for len(words) > 0 && r.verb == nil {
		r.verb = verbNamed(words[0])
		words = words[1:]
	}
	if r.verb == nil {
		return r, errUsage
	}
	return r, r.operand(words)
}

// options takes the options out of a command line and returns the words.
func (r *request) options(args []string) (words []string, err error) {
	p := getopt.New(r.program, args)
	for {
		o, err := p.Next(letters, jsonLong)
		switch {
		case errors.Is(err, io.EOF):
			return append(words, p.Rest()...), nil
		case err != nil:
			return nil, asShort(err)
		case o.Val == getopt.Word:
			words = append(words, o.Arg)
			continue
		}
		r.option(o)
		if r.help || r.version {
			return nil, nil
		}
	}
}

// asShort words a complaint as getopt(3) does, for which two dashes are the letter "-".
func asShort(err error) error {
	var wrong *getopt.Error
	if errors.As(err, &wrong) && strings.Contains(wrong.Message, "option '--") {
		return &getopt.Error{Program: wrong.Program, Message: "invalid option -- '-'"}
	}
	return err
}

func (r *request) option(o getopt.Option) {
	switch o.Val {
	case 'J':
		r.json = true
	case 'M':
		r.copies = true
	case 'h':
		r.help = true
	case 'V':
		r.version = true
	case 'n':
		r.nodes = true
	case 'm':
		r.mode = octal(o.Arg, r.mode)
	case 'e':
		r.excl = number(o.Arg) != 0
	case 'f':
		r.fs = number(o.Arg) != 0
	case 'v':
		r.verbose = true
	case 'w':
		r.wide = true
	case 's':
		r.summary = true
	case 'i':
		r.wait = number(o.Arg)
	}
}

// number reads what atoi(3) does: the digits at the front.
func number(s string) int {
	s = strings.TrimLeft(s, " \t\n")
	end := 0
	for end < len(s) && (s[end] >= '0' && s[end] <= '9' || end == 0 && strings.ContainsRune("+-", rune(s[0]))) {
		end++
	}
	n, err := strconv.Atoi(s[:end])
	if err != nil {
		return 0
	}
	return n
}

// octal reads the first seven characters as sscanf's %o; without a digit the mode stays.
func octal(s string, mode os.FileMode) os.FileMode {
	s = s[:min(len(s), 7)]
	end := 0
	for end < len(s) && s[end] >= '0' && s[end] <= '7' {
		end++
	}
	n, err := strconv.ParseUint(s[:end], 8, 32)
	if err != nil {
		return mode
	}
	return os.FileMode(n)
}

// operand takes what the verb needs from the words behind it.
func (r *request) operand(words []string) error {
	if len(words) == 0 {
		if r.verb.operand == "" || r.verb.optional {
			return nil
		}
		return errors.New(r.verb.operand + " required")
	}
	if r.verb.operand == "" {
		return nil
	}
	r.name = words[0]
	if r.verb.optional {
		return nil
	}
	return r.join(words)
}

// join makes one text of all words, with a blank behind each.
func (r *request) join(words []string) error {
	var b strings.Builder
	for _, w := range words {
		if b.Len()+len(w)+2 > controld.MaxCommand+1 {
			return errors.New("command too long (max " + strconv.Itoa(controld.MaxCommand+1) + ")")
		}
		if w != "" {
			b.WriteString(w + " ")
		}
	}
	r.command = b.String()
	return nil
}
