package report

import (
	"strconv"
	"strings"
	"time"
)

// span is the time that a value of -S stands for: a second, or the whole year, month,
// day, hour or minute that was given. It includes both ends.
type span struct {
	from, to int64 // seconds since 1970
	wide     bool  // use to as well
}

// readTime parses a time: @SECONDS, or an ISO 8601 date with optional time of day and
// zone; without a zone it is local time.
func (s sayer) readTime(id, text string) (sp span, rest string, ok bool) {
	if strings.HasPrefix(text, "@") {
		word, rest := takeNumber(text[1:])
		if word == "" {
			return sp, text, false
		}
		digits, _, _ := strings.Cut(word, ".")
		n, err := strconv.ParseUint("0"+digits, 10, 64)
		if err != nil {
			s.linef("Field selection value %s out of supported range for field %s.", word, id)
			return sp, text, false
		}
		return span{from: int64(n)}, rest, true
	}
	quote, text := takeQuote(text)
	word, rest, ok := s.takeString(text, quote, stops)
	if !ok {
		return sp, text, false
	}
	sp, ok = s.parseDate(word)
	return sp, rest, ok
}

// clock is a date and time of day as given.
type clock struct {
	year, month, day, hour, minute, second int
	step                                   func(time.Time) time.Time // to the end of the given year, day, ...
}

// parseDate parses YYYY[-MM[-DD]], then [hh[:mm[:ss]]], then [+|-]hh[:mm], each also
// without separators.
func (s sayer) parseDate(text string) (span, bool) {
	var c clock
	rest, day, ok := s.parseDay(text, &c)
	if !ok {
		return span{}, false
	}
	if rest != "" && isDigit(rest[0]) {
		if rest, ok = s.parseClock(rest, day, &c); !ok {
			return span{}, false
		}
	}
	zone, ok := parseZone(rest)
	if !ok {
		return span{}, false
	}
	from := time.Date(c.year, time.Month(c.month), c.day, c.hour, c.minute, c.second, 0, zone)
	return span{from: from.Unix(), to: c.step(from).Unix() - 1, wide: true}, true
}

// parts splits digits with separators between them into at most three parts; length is
// how long they would be with every part in full.
func parts(text string, mark byte, first int) (n []int, length int, rest string) {
	rest = text
	for len(n) < 3 {
		width := 0
		for width < len(rest) && isDigit(rest[width]) {
			width++
		}
		if width == 0 {
			return n, length, rest
		}
		value, err := strconv.Atoi(rest[:width])
		if err != nil {
			value = 1<<31 - 1
		}
		full := 2
		if len(n) == 0 {
			full = first
		}
		if len(n) > 0 {
			length += full
		} else {
			length += width
		}
		n = append(n, value)
		rest = rest[width:]
		if len(n) == 3 || len(rest) < 2 || rest[0] != mark || !isDigit(rest[1]) {
			return n, length, rest
		}
		rest = rest[1:]
	}
	return n, length, rest
}

func (s sayer) parseDay(text string, c *clock) (rest string, full, ok bool) {
	n, width, rest := parts(text, '-', 4)
	switch {
	case len(n) == 0:
		return text, false, false
	case len(n) == 3:
		c.year, c.month, c.day, full = n[0], n[1], n[2], true
	case len(n) == 2:
		c.year, c.month, c.day = n[0], n[1], 1
	case width == 4:
		c.year, c.month, c.day = n[0], 1, 1
	case width == 6:
		c.year, c.month, c.day = n[0]/100, n[0]%100, 1
	case width == 8:
		c.year, c.month, c.day, full = n[0]/10000, n[0]/100%100, n[0]%100, true
	default:
		s.linef("Incorrect date format.")
		return text, false, false
	}
	switch {
	case full:
		c.step = func(t time.Time) time.Time { return t.AddDate(0, 0, 1) }
	case len(n) == 2 || width == 6:
		c.step = func(t time.Time) time.Time { return t.AddDate(0, 1, 0) }
	default:
		c.step = func(t time.Time) time.Time { return t.AddDate(1, 0, 0) }
	}
	if c.month < 1 || c.month > 12 {
		s.linef("Specified month out of range.")
		return text, false, false
	}
	if last := time.Date(c.year, time.Month(c.month)+1, 0, 0, 0, 0, 0, time.UTC).Day(); c.day < 1 || c.day > last {
		s.linef("Specified day out of range.")
		return text, false, false
	}
	return skipSpace(rest), full, true
}

func (s sayer) parseClock(text string, day bool, c *clock) (string, bool) {
	n, width, rest := parts(text, ':', 2)
	step := time.Second
	switch {
	case len(n) == 3:
		c.hour, c.minute, c.second = n[0], n[1], n[2]
	case len(n) == 2:
		c.hour, c.minute, step = n[0], n[1], time.Minute
	case width == 2:
		c.hour, step = n[0], time.Hour
	case width == 4:
		c.hour, c.minute, step = n[0]/100, n[0]%100, time.Minute
	case width == 6:
		c.hour, c.minute, c.second = n[0]/10000, n[0]/100%100, n[0]%100
	default:
		s.linef("Incorrect time format.")
		return text, false
	}
	complaint := ""
	switch {
	case c.hour > 23:
		complaint = "Specified hours out of range."
	case c.minute > 60:
		complaint = "Specified minutes out of range."
	case c.second > 60:
		complaint = "Specified seconds out of range."
	case !day:
		complaint = "Full date specification needed."
	default:
		c.step = func(t time.Time) time.Time { return t.Add(step) }
		return skipSpace(rest), true
	}
	s.linef("%s", complaint)
	return text, false
}

func parseZone(text string) (*time.Location, bool) {
	if text == "" {
		return time.Local, true
	}
	sign := 1
	switch text[0] {
	case '+':
		text = text[1:]
	case '-':
		sign, text = -1, text[1:]
	}
	n, width, rest := parts(text, ':', 2)
	var hours, minutes int
	switch {
	case len(n) == 2:
		hours, minutes = n[0], n[1]
	case len(n) == 1 && width == 2:
		hours = n[0]
	case len(n) == 1 && width == 4:
		hours, minutes = n[0]/100, n[0]%100
	default:
		return nil, false
	}
	if skipSpace(rest) != "" || hours > 14 || minutes > 60 {
		return nil, false
	}
	return time.FixedZone("", sign*(hours*3600+minutes*60)), true
}

func compareTime(flags uint16, t int64, sp span) bool {
	last := sp.from
	if sp.wide {
		last = sp.to
	}
	switch flags & (opEqual | opNot | opGreater | opLess) {
	case opEqual:
		return t >= sp.from && t <= last
	case opNot | opEqual:
		return t < sp.from || t > last
	case opGreater:
		return t > last
	case opGreater | opEqual:
		return t >= sp.from
	case opLess:
		return t < sp.from
	}
	return t <= last
}
