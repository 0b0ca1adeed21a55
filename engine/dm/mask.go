package dm

import "strings"

// Mask hides the keys in a line of any target that carries them: each digit of
// a key becomes a 0, so that the lengths stay to be seen. Key references, which
// begin with a colon, are no secrets and stay.
func Mask(l Line) Line {
	t, ok := findTarget(l.Type)
	if !ok || t.mask == nil {
		return l
	}
	words := strings.Split(l.Params, " ")
	t.mask(words)
	l.Params = strings.Join(words, " ")
	return l
}

// zeros hides a key.
func zeros(key string) string { return strings.Repeat("0", len(key)) }
