package mdconf

import "strings"

// line is a keyword with its words, and the place of the keyword.
type line struct {
	words  []string
	number int // from 1
}

// lines splits the text of a file: a line that begins with a blank continues the one
// before it, '#' at the start of a word begins a comment, and quotes keep blanks
// within a word (lib.c, conf_line and conf_word). A quotation that is not closed ends
// with its line.
func lines(text string) []line {
	var all []line
	number := 0
	for raw := range strings.Lines(text) {
		number++
		raw = strings.TrimSuffix(raw, "\n")
		words := split(raw)
		switch {
		case len(words) == 0:
		case (raw[0] == ' ' || raw[0] == '\t') && len(all) > 0:
			last := &all[len(all)-1]
			last.words = append(last.words, words...)
		default:
			all = append(all, line{words: words, number: number})
		}
	}
	return all
}

// split splits one line of text into words.
func split(text string) []string {
	var words []string
	for i := 0; i < len(text); {
		switch text[i] {
		case ' ', '\t':
			i++
			continue
		case '#':
			return words
		}
		var word []byte
		quote := byte(0)
		for ; i < len(text) && (quote != 0 || text[i] != ' ' && text[i] != '\t'); i++ {
			switch c := text[i]; {
			case quote != 0 && c == quote:
				quote = 0
			case quote == 0 && (c == '\'' || c == '"'):
				quote = c
			default:
				word = append(word, c)
			}
		}
		words = append(words, string(word))
	}
	return words
}

// keywords are the first words of lines, in the order in which an abbreviation is
// looked up (config.c).
var keywords = [...]string{
	"devices", "array", "mailaddr", "mailfrom", "program", "create", "homehost",
	"homecluster", "auto", "policy", "part-policy", "sysfs", "monitordelay",
}

// keyword returns the full keyword that a word of at least three letters abbreviates,
// or "".
func keyword(word string) string {
	word = strings.ToLower(word)
	for _, k := range keywords {
		if len(word) >= 3 && strings.HasPrefix(k, word) {
			return k
		}
	}
	return ""
}

// option returns the value of "name=value" if it begins with name, which is compared
// without regard to case.
func option(word, name string) (value string, ok bool) {
	if len(word) > len(name) && word[len(name)] == '=' && strings.EqualFold(word[:len(name)], name) {
		return word[len(name)+1:], true
	}
	return "", false
}
