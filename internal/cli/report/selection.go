package report

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// node is part of a selection: a comparison, or a set of parts of which all or any must
// be true.
type node[T any] struct {
	of     *property[T] // the property compared
	test   func(Value) bool
	parts  []*node[T]
	any    bool
	negate bool
}

// holds reports whether a row satisfies the node.
func (n *node[T]) holds(cells []cell[T]) bool {
	ok := false
	switch {
	case n.of != nil:
		ok = !slices.ContainsFunc(cells, func(c cell[T]) bool { return c.of == n.of && !n.test(c.value) })
	case n.any:
		ok = slices.ContainsFunc(n.parts, func(p *node[T]) bool { return p.holds(cells) })
	default:
		ok = !slices.ContainsFunc(n.parts, func(p *node[T]) bool { return !p.holds(cells) })
	}
	return ok != n.negate
}

// maxDepth limits the nesting of brackets in a selection, because parsing is recursive.
const maxDepth = 1000

// parseSelection parses all of -S.
func (r *Report[T]) parseSelection(s string) (*node[T], error) {
	n, rest, ok := r.parseOr(s, 0)
	if !ok {
		return nil, ErrSaid
	}
	if rest = skipSpace(rest); rest != "" {
		r.say.linef("Expecting logical operator")
		r.syntaxError(rest)
		return nil, ErrSaid
	}
	return n, nil
}

func (r *Report[T]) syntaxError(at string) {
	r.say.linef("Selection syntax error at '%s'.", at)
	r.say.linef("Use 'help' for selection to get more help.")
}

func (r *Report[T]) parseOr(s string, depth int) (*node[T], string, bool) {
	return r.parseSet(s, depth, true)
}

// parseSet parses parts connected by one kind of operator; a single part is returned as
// it is.
func (r *Report[T]) parseSet(s string, depth int, any bool) (*node[T], string, bool) {
	part, op := r.parsePart, opAnd
	if any {
		part, op = func(s string, depth int) (*node[T], string, bool) { return r.parseSet(s, depth, false) }, opOr
	}
	set := &node[T]{any: any}
	for {
		n, rest, ok := part(s, depth)
		if !ok {
			return nil, s, false
		}
		set.parts = append(set.parts, n)
		flags, after := takeLogical(rest, op)
		if flags != 0 {
			s = after
			continue
		}
		if len(set.parts) == 1 {
			return n, rest, true
		}
		return set, rest, true
	}
}

// parsePart parses a comparison, or a selection in parentheses, possibly negated.
func (r *Report[T]) parsePart(s string, depth int) (*node[T], string, bool) {
	if depth > maxDepth {
		r.say.linef("Selection is nested too deeply.")
		return nil, s, false
	}
	flags, rest := takeLogical(s, opNegate|opOpen)
	if flags == 0 {
		return r.parseComparison(skipSpace(s))
	}
	if flags == opNegate {
		open, inner := takeLogical(rest, opOpen)
		if open == 0 {
			r.say.linef("Syntax error: left parenthesis expected at '%s'", rest)
			return nil, s, false
		}
		rest = inner
	}
	n, rest, ok := r.parseOr(rest, depth+1)
	if !ok {
		return nil, s, false
	}
	if flags == opNegate {
		n.negate = true // a second negation of the same part has no effect
	}
	end, after := takeLogical(rest, opClose)
	if end == 0 {
		r.say.linef("Syntax error: right parenthesis expected at '%s'", after)
		return nil, s, false
	}
	return n, after, true
}

// comparison is a comparison while it is being parsed.
type comparison[T any] struct {
	field *Field[T]
	flags uint16
	kind  Kind // of the value; the field must have it too
	text  string
	units uint64 // for sizes, in bytes
	list  wanted
	time  span
}

func (r *Report[T]) parseComparison(s string) (*node[T], string, bool) {
	c, special, rest, ok := r.readComparison(s)
	if !ok {
		r.syntaxError(s)
		return nil, s, false
	}
	rest = skipSpace(rest)
	p := r.used(c.field)
	if p == nil {
		p = r.add(c.field, special, true)
		r.sections |= c.field.Section
	}
	if c.kind != c.field.Kind {
		r.say.linef("dm_report: incompatible comparison type for selection field %s", c.field.ID)
		return nil, s, false
	}
	test, ok := r.test(c)
	if !ok {
		return nil, s, false
	}
	return &node[T]{of: p, test: test}, rest, true
}

// readComparison parses field, operator and value.
func (r *Report[T]) readComparison(s string) (c comparison[T], special bool, rest string, ok bool) {
	word, after := takeName(s)
	if word == "" {
		r.say.linef("Expecting field name")
		return c, false, s, false
	}
	f, special, ok := r.find(word, s)
	switch {
	case !ok:
		r.listFields(false, true)
		r.say.linef(" ")
		r.say.linef("Unrecognised selection field: %s", word)
		return c, false, s, false
	case special && isHelp(f.ID):
		r.listFields(false, true)
		r.say.linef(" ")
		r.say.linef("Selection field is uncomparable: %s.", word)
		return c, false, s, false
	}
	c.field, c.kind = f, f.Kind
	flags, value := takeOp(comparisons(), after, math.MaxUint16)
	if flags == 0 {
		r.listOperators()
		r.say.linef("Unrecognised comparison operator: %s", after)
		return c, false, s, false
	}
	c.flags = flags
	ordered := f.Kind == Number || f.Kind == Size || f.Kind == Percent || f.Kind == Time
	switch {
	case flags&opRegex != 0:
		rest, ok = r.readRegex(&c, value)
	case flags&opNumber != 0 && !ordered:
		r.listOperators()
		r.say.linef("Operator can be used only with number, size, time or percent fields: %s", s)
		return c, false, s, false
	case flags&opNumber == 0 && flags&opTime != 0 && f.Kind != Time:
		r.listOperators()
		r.say.linef("Operator can be used only with time fields: %s", s)
		return c, false, s, false
	default:
		rest, ok = r.readValue(&c, skipSpace(value))
	}
	return c, special, rest, ok
}

func (r *Report[T]) readRegex(c *comparison[T], s string) (string, bool) {
	s = skipSpace(s)
	if s == "" {
		r.say.linef("Regular expression expected for selection field %s", c.field.ID)
		return s, false
	}
	quote := s[0]
	switch quote {
	case '(':
		quote = ')'
	case '{':
		quote = '}'
	case '[':
		quote = ']'
	case '"', '\'':
	default:
		quote = 0
	}
	if quote != 0 {
		s = s[1:]
	}
	word, rest, ok := r.say.takeString(s, quote, stops)
	if !ok {
		r.say.linef("Failed to parse regex value for selection field %s.", c.field.ID)
		return s, false
	}
	c.text, c.kind = word, String
	return rest, true
}

func (r *Report[T]) readValue(c *comparison[T], s string) (rest string, ok bool) {
	switch c.field.Kind {
	case String:
		quote, after := takeQuote(s)
		if c.text, rest, ok = r.say.takeString(after, quote, stops); !ok {
			r.say.linef("Failed to parse string value for selection field %s.", c.field.ID)
		}
		return rest, ok
	case List:
		if c.list, rest, ok = r.readList(c.field.ID, s); !ok {
			r.say.linef("Failed to parse string list value for selection field %s.", c.field.ID)
		}
		return rest, ok
	case Time:
		if c.time, rest, ok = r.say.readTime(c.field.ID, s); !ok {
			r.say.linef("Failed to parse time value for selection field %s.", c.field.ID)
		}
		return rest, ok
	}
	return r.readNumber(c, s)
}

func (r *Report[T]) readNumber(c *comparison[T], s string) (string, bool) {
	word, rest := takeNumber(s)
	if word == "" {
		r.say.linef("Failed to parse numeric value for selection field %s.", c.field.ID)
		return s, false
	}
	c.text = word
	what := map[Kind]string{Number: "numeric", Size: "size", Percent: "percent"}[c.field.Kind]
	if strings.HasPrefix(rest, "%") {
		if c.field.Kind != Percent {
			r.say.linef("Found percent value but %s value expected for selection field %s.", what, c.field.ID)
			return s, false
		}
		return rest[1:], true
	}
	c.units = 1 << 20 // as in lvcreate -L
	units, after, ok := ParseUnits(rest)
	if !ok {
		return rest, true
	}
	if c.field.Kind != Size {
		r.say.linef("Found size unit specifier but %s value expected for selection field %s.", what, c.field.ID)
		return s, false
	}
	c.units = units.Factor
	return after, true
}

// test returns a function that evaluates the comparison.
func (r *Report[T]) test(c comparison[T]) (func(Value) bool, bool) {
	not := c.flags&opNot != 0
	if c.flags&opRegex != 0 {
		re, ok := r.say.compileRegex(c.text)
		if !ok {
			r.say.linef("dm_report: failed to create regex matcher for selection field %s", c.field.ID)
		}
		return func(v Value) bool { return re.match(v.Text) != not }, ok
	}
	switch c.kind {
	case String:
		return func(v Value) bool { return (v.Text == c.text) != not }, true
	case List:
		return func(v Value) bool { return c.list.matches(v.list) != not }, true
	case Time:
		return func(v Value) bool { return compareTime(c.flags, int64(v.raw), c.time) }, true
	case Size:
		f, _ := strconv.ParseFloat("0"+c.text, 64)
		if math.IsInf(f, 0) {
			return nil, r.outOfRange(c)
		}
		f = f * float64(c.units) / 512
		return func(v Value) bool { return compareReal(c.flags, math.Float64frombits(v.raw), f) }, true
	case Percent:
		f, _ := strconv.ParseFloat("0"+c.text, 64)
		if f > 100 {
			return nil, r.outOfRange(c)
		}
		want := uint64(percentOne * f)
		return func(v Value) bool { return v.raw <= 100*percentOne && compareUint(c.flags, v.raw, want) }, true
	}
	digits, _, _ := strings.Cut(c.text, ".")
	want, err := strconv.ParseUint("0"+digits, 10, 64)
	if err != nil {
		return nil, r.outOfRange(c)
	}
	return func(v Value) bool { return compareUint(c.flags, v.raw, want) }, true
}

func (r *Report[T]) outOfRange(c comparison[T]) bool {
	r.say.linef("Field selection value %s out of supported range for field %s.", c.text, c.field.ID)
	return false
}

func compareUint(flags uint16, v, want uint64) bool {
	switch flags & (opEqual | opNot | opGreater | opLess) {
	case opEqual:
		return v == want
	case opNot | opEqual:
		return v != want
	case opGreater:
		return v > want
	case opGreater | opEqual:
		return v >= want
	case opLess:
		return v < want
	}
	return v <= want
}

func compareReal(flags uint16, v, want float64) bool {
	same := closeTo(v, want)
	switch flags & (opEqual | opNot | opGreater | opLess) {
	case opEqual:
		return same
	case opNot | opEqual:
		return !same
	case opGreater:
		return v > want && !same
	case opGreater | opEqual:
		return v > want || same
	case opLess:
		return v < want && !same
	}
	return v < want || same
}
