package report

import (
	"fmt"
	"regexp"
	"strings"
)

// regex is a compiled pattern in libdm's own dialect (libdm/regex/parse_rx.c): it
// matches anywhere, ^ and $ are characters before and after every text (so "." matches
// the empty text), '.' matches no line end, and there are no classes or counts. It
// compares bytes, not characters.
type regex struct{ re *regexp.Regexp }

const (
	hat    = 0x02 // before every text
	dollar = 0x03 // after every text
)

// match reports whether the pattern occurs in s.
func (r regex) match(s string) bool {
	return r.re.MatchString("\x02" + widen(s) + "\x03")
}

// widen makes a character of each byte, so that bytes that are not UTF-8 can be matched
// too.
func widen(s string) string {
	runes := make([]rune, len(s))
	for i := range len(s) {
		runes[i] = rune(s[i])
	}
	return string(runes)
}

// charset is a set of bytes.
type charset [256]bool

func single(c byte) (set charset) {
	set[c] = true
	return set
}

// pattern returns the set as a pattern for package regexp. A byte 0 ends the original's
// pattern and never occurs in a text, so when it is to be matched, the pattern has
// matched.
func (set *charset) pattern() string {
	var b strings.Builder
	for c := 0; c < 256; c++ {
		if !set[c] || c == 0 {
			continue
		}
		last := c
		for last < 255 && set[last+1] {
			last++
		}
		fmt.Fprintf(&b, `\x{%x}-\x{%x}`, c, last)
		c = last
	}
	switch {
	case set[0]:
		return "(?:)"
	case b.Len() == 0:
		return `[^\x{0}-\x{10ffff}]`
	}
	return "[" + b.String() + "]"
}

// patternParser parses a pattern. A token is a set of bytes (0), one of ()*+?|, or the
// end (-1).
type patternParser struct {
	text  string // the rest of the pattern
	token int
	set   charset
	say   sayer
	depth int
}

// compileRegex compiles a pattern, with the original's complaints.
func (s sayer) compileRegex(text string) (regex, bool) {
	p := &patternParser{text: "(.*(" + text + ")\x00)", say: s}
	p.next()
	pattern, ok := p.alternatives()
	if !ok {
		s.linef("Parse error in regex")
		s.linef("Couldn't parse regex")
		return regex{}, false
	}
	re, err := regexp.Compile("^" + pattern)
	if err != nil {
		s.linef("Regular expression is too large: %v", err)
		return regex{}, false
	}
	return regex{re}, true
}

// next reads a token.
func (p *patternParser) next() {
	if p.text == "" {
		p.token = -1
		return
	}
	c := p.text[0]
	p.text = p.text[1:]
	p.token = 0
	switch c {
	case '(', ')', '*', '+', '?', '|':
		p.token = int(c)
	case '[':
		p.bracket()
	case '^':
		p.set = single(hat)
	case '$':
		p.set = single(dollar)
	case '.':
		for i := range p.set {
			p.set[i] = i != 0 && i != '\n' && i != '\r'
		}
	case '\\':
		if p.text == "" {
			p.say.linef("Badly quoted character at end of expression")
			p.token = -1
			return
		}
		p.set = single(escaped(p.text[0]))
		p.text = p.text[1:]
	default:
		p.set = single(c)
	}
}

func escaped(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}

// bracket reads a set after its opening bracket.
func (p *patternParser) bracket() {
	s := p.text
	value := true
	p.set = charset{}
	if strings.HasPrefix(s, "^") {
		s, value = s[1:], false
		for i := range p.set {
			p.set[i] = i != 0
		}
	}
	var last byte
	for s != "" && s[0] != ']' {
		c, ranged := s[0], false
		switch {
		case c == '\\' && len(s) > 1:
			s = s[1:]
			c = escaped(s[0])
		case c == '-' && last != 0:
			if len(s) == 1 {
				p.say.linef("Incomplete rangespecification")
				p.token = -1
				return
			}
			s, ranged = s[1:], true
			c = s[0]
		}
		low, high := c, c
		if ranged {
			low, high = min(last, c), max(last, c)
			c = high
		}
		for i := int(low); i <= int(high); i++ {
			p.set[i] = value
		}
		s, last = s[1:], c
	}
	if s == "" {
		p.token = -1
		return
	}
	p.text = s[1:]
}

// alternatives, sequence, repeated and term parse the levels of the grammar; false means
// that there is nothing of that level.
func (p *patternParser) alternatives() (string, bool) {
	left, ok := p.sequence()
	if !ok || p.token != '|' {
		return left, ok
	}
	p.next()
	right, ok := p.alternatives()
	if !ok {
		p.say.linef("Badly formed 'or' expression")
		return "", false
	}
	return "(?:" + left + "|" + right + ")", true
}

func (p *patternParser) sequence() (string, bool) {
	all, ok := p.repeated()
	if !ok {
		return "", false
	}
	for p.token != '|' {
		more, ok := p.repeated()
		if !ok {
			break
		}
		all += more
	}
	return all, true
}

func (p *patternParser) repeated() (string, bool) {
	s, ok := p.term()
	if !ok {
		return "", false
	}
	for p.token == '*' || p.token == '+' || p.token == '?' {
		s = "(?:" + s + string(rune(p.token)) + ")"
		p.next()
	}
	return s, true
}

func (p *patternParser) term() (string, bool) {
	switch p.token {
	case 0:
		s := p.set.pattern()
		p.next()
		return s, true
	case '(':
		if p.depth++; p.depth > maxDepth {
			p.say.linef("Regular expression is nested too deeply.")
			return "", false
		}
		p.next()
		s, ok := p.alternatives()
		p.depth--
		if p.token != ')' {
			p.say.linef("missing ')' in regular expression")
			return "", false
		}
		p.next()
		return "(?:" + s + ")", ok
	}
	return "", false
}
