// Package getopt walks an argument vector the way GNU getopt_long(3) does in its
// "return in order" mode (a short option string that starts with '-'): options and
// other words are returned one by one, in the order in which they were given.
//
// The caller passes the option tables to every step, so it may change them between
// two options; mdadm's grammar needs that, because the meaning of its short letters
// depends on the mode as known so far. Complaints have glibc's exact words.
package getopt

import (
	"io"
	"strings"
)

// Arity says whether a long option takes an argument.
type Arity uint8

// The three kinds of long option, as has_arg of struct option in <getopt.h>.
const (
	NoArgument       Arity = 0
	RequiredArgument Arity = 1
	OptionalArgument Arity = 2 // only as --name=argument
)

// Word is the Val of an argument that is not an option: getopt returns 1 for it in
// this mode.
const Word = 1

// Long is one long option. Two entries with the same Val and Arity are
// synonyms: an abbreviation that fits both is not ambiguous.
type Long struct {
	Name  string // without the two dashes
	Arity Arity
	Val   int // what Next returns; short options return their letter

	// Exact entries match only when spelled out in full, so that they never
	// make an abbreviation of another option ambiguous.
	Exact bool
}

// Option is one step through the arguments.
type Option struct {
	Val  int    // the letter, the Long's Val, or Word
	Name string // the long option's full name; empty for letters and words
	Arg  string // the argument, or the word itself

	HasArg bool // tells an absent optional argument from an empty one
}

// Error is a complaint about one argument, worded as glibc prints it.
type Error struct {
	Program string // the name the program was called by
	Message string
}

// Error returns "program: message".
func (e *Error) Error() string { return e.Program + ": " + e.Message }

// Parser is a position in an argument vector.
type Parser struct {
	program string
	args    []string
	next    int      // index in args of the next argument
	cluster string   // letters of the current -abc still to come
	rest    []string // what came after "--"
}

// New returns a Parser that starts at the first of args. program, the name by which
// the program was called, is used in complaints and is not part of args.
func New(program string, args []string) *Parser {
	return &Parser{program: program, args: args}
}

// Next returns the next option or word. short is getopt's option string
// without the leading '-': a letter, then ":" if it needs an argument or "::"
// if it may have one attached. At the end of the arguments, or at "--", Next
// returns io.EOF; words after "--" are not returned, as getopt does not. A
// wrong option gives an *Error, and Next may be called again to go on behind it.
func (p *Parser) Next(short string, longs []Long) (Option, error) {
	if p.cluster != "" {
		return p.letter(short)
	}
	if p.next >= len(p.args) {
		return Option{}, io.EOF
	}
	arg := p.args[p.next]
	p.next++
	switch {
	case arg == "--":
		p.rest, p.next = p.args[p.next:], len(p.args)
		return Option{}, io.EOF
	case len(arg) < 2 || arg[0] != '-':
		return Option{Val: Word, Arg: arg, HasArg: true}, nil
	case arg[1] == '-':
		return p.long(arg[2:], longs)
	}
	p.cluster = arg[1:]
	return p.letter(short)
}

// Rest returns the words after "--", once Next has reached it. A tool whose getopt
// sorts its arguments, options first, treats them like the words before it.
func (p *Parser) Rest() []string { return p.rest }

func (p *Parser) letter(short string) (Option, error) {
	c := p.cluster[0]
	p.cluster = p.cluster[1:]
	at := strings.IndexByte(short, c)
	if at < 0 || c == ':' || c == ';' {
		return Option{}, p.wrong("invalid option -- '" + string([]byte{c}) + "'")
	}
	opt := Option{Val: int(c)}
	rest := short[at+1:]
	if !strings.HasPrefix(rest, ":") {
		return opt, nil
	}
	if p.cluster != "" || strings.HasPrefix(rest, "::") {
		opt.Arg, opt.HasArg = p.cluster, p.cluster != ""
		p.cluster = ""
		return opt, nil
	}
	if p.next >= len(p.args) {
		return Option{}, p.wrong("option requires an argument -- '" + string([]byte{c}) + "'")
	}
	opt.Arg, opt.HasArg = p.args[p.next], true
	p.next++
	return opt, nil
}

func (p *Parser) long(text string, longs []Long) (Option, error) {
	name, value, attached := strings.Cut(text, "=")
	match, ambiguous := find(name, longs)
	switch {
	case len(ambiguous) > 0:
		return Option{}, p.wrong("option '--" + text + "' is ambiguous; possibilities:" + strings.Join(ambiguous, ""))
	case match == nil:
		return Option{}, p.wrong("unrecognized option '--" + text + "'")
	case attached && match.Arity == NoArgument:
		return Option{}, p.wrong("option '--" + match.Name + "' doesn't allow an argument")
	case attached:
		return Option{Val: match.Val, Name: match.Name, Arg: value, HasArg: true}, nil
	case match.Arity != RequiredArgument:
		return Option{Val: match.Val, Name: match.Name}, nil
	case p.next >= len(p.args):
		return Option{}, p.wrong("option '--" + match.Name + "' requires an argument")
	}
	value = p.args[p.next]
	p.next++
	return Option{Val: match.Val, Name: match.Name, Arg: value, HasArg: true}, nil
}

// find looks for an option by its full name, or by the beginning of the name of
// exactly one option or of synonyms. If it cannot decide, it returns the candidates
// as glibc lists them: the first that fits, and those that are not its synonyms.
func find(name string, longs []Long) (match *Long, ambiguous []string) {
	for i := range longs {
		if longs[i].Name == name {
			return &longs[i], nil
		}
	}
	for i := range longs {
		l := &longs[i]
		switch {
		case l.Exact || !strings.HasPrefix(l.Name, name):
		case match == nil:
			match = l
		case match.Val != l.Val || match.Arity != l.Arity:
			if ambiguous == nil {
				ambiguous = append(ambiguous, " '--"+match.Name+"'")
			}
			ambiguous = append(ambiguous, " '--"+l.Name+"'")
		}
	}
	return match, ambiguous
}

func (p *Parser) wrong(message string) *Error {
	return &Error{Program: p.program, Message: message}
}
