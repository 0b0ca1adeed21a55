package report

import "strings"

// operator is an operator of the selection grammar.
type operator struct {
	text  string
	flags uint16
	help  string
}

// Properties of operators.
const (
	opEqual uint16 = 1 << iota
	opNot
	opGreater
	opLess
	opRegex
	opNumber // only for numbers, sizes, percentages and times
	opTime   // only for times

	opAnd
	opOr
	opNegate
	opOpen
	opClose
	opListOpen
	opListClose
	opSubsetOpen
	opSubsetClose
)

// comparisons returns the operators between a field and a value; an operator comes after
// those that begin with it.
func comparisons() []operator {
	const number = opNumber | opTime
	return []operator{
		{"=~", opRegex, "Matching regular expression. [regex]"},
		{"!~", opRegex | opNot, "Not matching regular expression. [regex]"},
		{"=", opEqual, "Equal to. [number, size, percent, string, string list, time]"},
		{"!=", opNot | opEqual, "Not equal to. [number, size, percent, string, string_list, time]"},
		{">=", number | opGreater | opEqual, "Greater than or equal to. [number, size, percent, time]"},
		{">", number | opGreater, "Greater than. [number, size, percent, time]"},
		{"<=", number | opLess | opEqual, "Less than or equal to. [number, size, percent, time]"},
		{"<", number | opLess, "Less than. [number, size, percent, time]"},
		{"since", opTime | opGreater | opEqual, "Since specified time (same as '>='). [time]"},
		{"after", opTime | opGreater, "After specified time (same as '>'). [time]"},
		{"until", opTime | opLess | opEqual, "Until specified time (same as '<='). [time]"},
		{"before", opTime | opLess, "Before specified time (same as '<'). [time]"},
	}
}

// logicals returns the operators between comparisons, and the brackets.
func logicals() []operator {
	return []operator{
		{"&&", opAnd, "All fields must match"},
		{",", opAnd, "All fields must match"},
		{"||", opOr, "At least one field must match"},
		{"#", opOr, "At least one field must match"},
		{"!", opNegate, "Logical negation"},
		{"(", opOpen, "Left parenthesis"},
		{")", opClose, "Right parenthesis"},
		{"[", opListOpen, "List start"},
		{"]", opListClose, "List end"},
		{"{", opSubsetOpen, "List subset start"},
		{"}", opSubsetClose, "List subset end"},
	}
}

// stops are the operators that end an unquoted word.
const stops = opAnd | opOr | opClose

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func skipSpace(s string) string {
	for s != "" && isSpace(s[0]) {
		s = s[1:]
	}
	return s
}

// takeOp parses one of the operators that have a flag of expect, after blanks.
func takeOp(list []operator, s string, expect uint16) (flags uint16, rest string) {
	s = skipSpace(s)
	for _, op := range list {
		if op.flags&expect != 0 && strings.HasPrefix(s, op.text) {
			return op.flags, s[len(op.text):]
		}
	}
	return 0, s
}

func takeLogical(s string, expect uint16) (flags uint16, rest string) {
	return takeOp(logicals(), s, expect)
}

// takeQuote parses a quotation mark; 0 if there is none.
func takeQuote(s string) (quote byte, rest string) {
	if s != "" && (s[0] == '"' || s[0] == '\'') {
		return s[0], s[1:]
	}
	return 0, s
}

// takeName parses a field's name.
func takeName(s string) (name, rest string) {
	n := 0
	for n < len(s) && (isDigit(s[n]) || s[n]|0x20 >= 'a' && s[n]|0x20 <= 'z' || s[n] == '_' || s[n] == '-') {
		n++
	}
	return s[:n], s[n:]
}

// takeNumber parses digits with at most one point among them.
func takeNumber(s string) (number, rest string) {
	n, point := 0, false
	for n < len(s) && (isDigit(s[n]) || s[n] == '.' && !point) {
		point = point || s[n] == '.'
		n++
	}
	return s[:n], s[n:]
}

// takeString parses up to the quotation mark or, if quote is 0, up to a blank or one of
// the operators. It complains if the quotation mark is missing.
func (s sayer) takeString(text string, quote byte, until uint16) (word, rest string, ok bool) {
	if quote != 0 {
		word, rest, ok = strings.Cut(text, string(quote))
		if !ok {
			s.linef("Missing end quote.")
		}
		return word, rest, ok
	}
	ops := logicals()
	for n := range len(text) {
		if text[n] == ' ' {
			return text[:n], text[n:], true
		}
		if op, _ := takeOp(ops, text[n:], until); op != 0 {
			return text[:n], text[n:], true
		}
	}
	return text, "", true
}
