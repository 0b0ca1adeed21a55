package dm

import "github.com/mdkit/mdkit/engine/dm/lex"

import "strings"

// Mask hides the keys in a line of any target that carries them: each digit of
// a key becomes a 0, so the length stays visible. Key references, which begin
// with a colon, are not secret and stay. The white space between words stays as
// it is.
func Mask(l Line) Line {
	if t, ok := findTarget(l.Type); ok && t.mask != nil {
		l.Params = maskWords(l.Params, t.mask)
	}
	return l
}

// HasKeys reports whether a line holds a key. A key that is all zeros counts,
// although Mask does not change it.
func HasKeys(l Line) bool {
	t, ok := findTarget(l.Type)
	return ok && t.mask != nil && holdsKey(l.Params, t.mask)
}

// MaskMessage hides the key in a message to a target, "key set <key>" of dm-crypt
// (dm-crypt.c, crypt_message), whichever target the message is for.
func MaskMessage(text string) string { return maskWords(text, maskKeySet) }

// MessageHasKeys reports whether a message holds a key.
func MessageHasKeys(text string) bool { return holdsKey(text, maskKeySet) }

// maskKeySet hides the third word of "key set <key>"; the kernel ignores the case
// of the other two.
func maskKeySet(words []string, hide func(string) string) {
	if len(words) > 2 && strings.EqualFold(words[0], "key") && strings.EqualFold(words[1], "set") {
		for i := range words[2:] { // more words are refused; a key may be among them
			words[2+i] = hideKey(words[2+i], hide)
		}
	}
}

// hideKey hides a key, unless it is a reference to one.
func hideKey(key string, hide func(string) string) string {
	if strings.HasPrefix(key, ":") {
		return key
	}
	return hide(key)
}

// maskWords lets mask hide some of the words of a text.
func maskWords(text string, mask func(words []string, hide func(string) string)) string {
	words := lex.Fields(text)
	hidden := append([]string(nil), words...)
	mask(hidden, func(key string) string { return strings.Repeat("0", len(key)) })
	var b strings.Builder
	for i, word := range words {
		at := strings.Index(text, word)
		b.WriteString(text[:at])
		b.WriteString(hidden[i])
		text = text[at+len(word):]
	}
	b.WriteString(text)
	return b.String()
}

// holdsKey reports whether mask would hide something.
func holdsKey(text string, mask func(words []string, hide func(string) string)) bool {
	found := false
	mask(lex.Fields(text), func(key string) string {
		found = found || key != ""
		return key
	})
	return found
}
