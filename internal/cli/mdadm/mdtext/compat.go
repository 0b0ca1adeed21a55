package mdtext

import (
	"fmt"
	"math"

	"github.com/mdkit/mdkit/manage/note"
)

// Compat is the version of mdadm whose words and streams are used. What is done is the
// same in all of them.
type Compat int

// Versions; Mdadm42 is the default.
const (
	Mdadm42 Compat = iota
	Mdadm46
)

// ParseCompat reads the value of MDADM_COMPAT.
func ParseCompat(word string) (Compat, error) {
	switch word {
	case "", "4.2":
		return Mdadm42, nil
	case "4.6":
		return Mdadm46, nil
	}
	return Mdadm42, fmt.Errorf("MDADM_COMPAT=%q: it can be 4.2, which is the default, or 4.6", word)
}

// NamesInConf reports whether lines for mdadm.conf have the names of arrays.
func (c Compat) NamesInConf() bool { return c < Mdadm46 }

// Watching is what --monitor says about itself with -v: how often it looks, and whom it
// tells.
func (c Compat) Watching(delay int, mail, program string) string {
	if c < Mdadm46 {
		return ""
	}
	text := fmt.Sprintf("mdadm: Monitor is started with delay %ds\n", delay)
	if mail != "" {
		text += "mdadm: Monitor using email address " + mail + "\n"
	}
	if program != "" {
		text += "mdadm: Monitor using program " + program + "\n"
	}
	return text
}

// SpaceAfter is how --examine shows the room behind the data of a member, and what it adds
// to the state where the data ends behind the device, so that the number has wrapped.
func (c Compat) SpaceAfter(sectors uint64) (shown, state string) {
	if c < Mdadm46 || sectors <= math.MaxInt64 {
		return fmt.Sprintf("%d sectors", sectors), ""
	}
	return fmt.Sprintf("-%d sectors DEVICE TOO SMALL", math.MaxUint64-sectors), " TRUNCATED DEVICE"
}

// Updates lists the words that --update takes, in later versions, or those of them that
// --update-subarray takes (ReadMe.c, fprint_update_options).
func Updates(words []string, subarray bool) string {
	text := "Valid --update options are:\n\t"
	if subarray {
		text = "Valid --update options for update-subarray are:\n\t"
	}
	for i, w := range words {
		text += "'" + w + "', "
		if i%5 == 4 {
			text += "\n\t"
		}
	}
	if len(words)%5 != 0 {
		text += "\n"
	}
	return text + "\r"
}

// BadName is why an array cannot have a name, its own or that of its device, in the words
// of later versions (config.c, ident_log).
func BadName(name, what, reason string) string {
	return fmt.Sprintf("Value \"%s\" cannot be set as %s. Reason: %s.", name, what, reason)
}

// Said is a sentence in words.
type Said struct {
	Text string
	Out  bool // it goes to standard output
}

// Say puts a note into words. Its loudness changes if the version says it with -v only.
func (c Compat) Say(n *note.Note) Said {
	l, other := laterText[n.ID]
	if c < Mdadm46 || !other {
		return Said{Text: Of(n.Sentence)}
	}
	if l.verbose {
		n.Loudness = note.Chatty
	}
	if l.text == "" {
		return Said{Of(n.Sentence), l.out}
	}
	return Said{say(l.text, n.Args), l.out}
}
