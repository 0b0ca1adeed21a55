package dm

// spelling remembers how a line was written where kernels print it in more than
// one way. It is valid as long as the arguments stay unchanged.
type spelling struct {
	means string // how the arguments are printed without it
	given string
}

// of returns the text as it was written, if that still means the same.
func (s spelling) of(text string) string {
	if s.given != "" && s.means == text {
		return s.given
	}
	return text
}
