// Package glob implements the patterns of mdadm.conf: those of fnmatch(3) with
// FNM_PATHNAME and of glob(7), byte by byte as in the C locale. Unlike Go's path.Match
// it has [!...] and [[:class:]], and a bracket that is not closed stands for itself.
package glob

import "strings"

// Match reports whether the whole name matches the pattern (fnmatch(3), FNM_PATHNAME).
// No wildcard matches a slash; a leading dot is an ordinary character.
func Match(pattern, name string) bool {
	// Where to continue if the last * has to match one more byte.
	retryPattern, retryName, star := "", "", false
	for {
		rest, left, ok := step(pattern, name)
		switch {
		case strings.HasPrefix(pattern, "*"):
			pattern = strings.TrimLeft(pattern, "*")
			retryPattern, retryName, star = pattern, name, true
			continue
		case pattern == "" && name == "":
			return true
		case ok:
			pattern, name = rest, left
			continue
		}
		if !star || retryName == "" || retryName[0] == '/' {
			return false
		}
		retryName = retryName[1:]
		pattern, name = retryPattern, retryName
	}
}

// step matches the first element of the pattern, which is not a *, with the first byte
// of the name, and returns the rest of both.
func step(pattern, name string) (rest, left string, ok bool) {
	if pattern == "" || name == "" {
		return "", "", false
	}
	c := name[0]
	switch pattern[0] {
	case '?':
		return pattern[1:], name[1:], c != '/'
	case '[':
		if set, rest, closed := cutSet(pattern[1:]); closed {
			return rest, name[1:], c != '/' && matchSet(set, c)
		}
	case '\\':
		if pattern = pattern[1:]; pattern == "" {
			return "", "", false
		}
	}
	return pattern[1:], name[1:], pattern[0] == c
}

// cutSet splits what follows a [ at the ] that closes it. A set that contains a slash
// never matches, but is cut nevertheless.
func cutSet(s string) (set, rest string, closed bool) {
	at := 0
	if strings.HasPrefix(s, "!") || strings.HasPrefix(s, "^") {
		at++
	}
	for first := true; at < len(s); first = false {
		switch {
		case s[at] == ']' && !first:
			return s[:at], s[at+1:], true
		case s[at] == '\\':
			at += 2
		case s[at] == '[' && at+1 < len(s) && strings.IndexByte(":=.", s[at+1]) >= 0:
			end := strings.Index(s[at+2:], s[at+1:at+2]+"]")
			if end < 0 {
				at++ // a [ like any other character
				continue
			}
			at += 2 + end + 2
		default:
			at++
		}
	}
	return "", "", false
}

// matchSet reports whether the set, the text between [ and ], contains c.
func matchSet(set string, c byte) bool {
	negated := strings.HasPrefix(set, "!") || strings.HasPrefix(set, "^")
	if negated {
		set = set[1:]
	}
	if strings.Contains(set, "/") {
		return false
	}
	found := false
	for set != "" {
		if class, rest, ok := cutClass(set); ok {
			has, known := classHas(class, c)
			if !known {
				return false
			}
			found, set = found || has, rest
			continue
		}
		var low, high byte
		low, set = element(set)
		high = low
		if len(set) > 1 && set[0] == '-' {
			high, set = element(set[1:])
		}
		found = found || low <= c && c <= high
	}
	return found != negated
}

// cutClass cuts [:name:] off the front of a set.
func cutClass(set string) (name, rest string, ok bool) {
	after, ok := strings.CutPrefix(set, "[:")
	if !ok {
		return "", "", false
	}
	return strings.Cut(after, ":]")
}

// element cuts one character off the front of a set: plain, after a backslash, or as
// [.x.] or [=x=].
func element(set string) (c byte, rest string) {
	for _, mark := range []string{".", "="} {
		after, ok := strings.CutPrefix(set, "["+mark)
		if ok && len(after) >= 3 && after[1:3] == mark+"]" {
			return after[0], after[3:]
		}
	}
	if set[0] == '\\' && len(set) > 1 {
		set = set[1:]
	}
	return set[0], set[1:]
}

// classHas reports whether a character class contains c, and whether there is such a
// class (ctype(3), C locale).
func classHas(class string, c byte) (has, known bool) {
	lower, upper, digit := 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9'
	graph := '!' <= c && c <= '~'
	alnum := lower || upper || digit
	switch class {
	case "alnum":
		return alnum, true
	case "alpha":
		return lower || upper, true
	case "blank":
		return c == ' ' || c == '\t', true
	case "cntrl":
		return c < ' ' || c == 0x7f, true
	case "digit":
		return digit, true
	case "graph":
		return graph, true
	case "lower":
		return lower, true
	case "print":
		return graph || c == ' ', true
	case "punct":
		return graph && !alnum, true
	case "space":
		return c == ' ' || '\t' <= c && c <= '\r', true
	case "upper":
		return upper, true
	case "xdigit":
		return digit || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F', true
	}
	return false, false
}
