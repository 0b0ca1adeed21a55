package report

import "slices"

// wanted is a list to compare with: [a,b] means exactly these, {a,b} these among others;
// with || between them, any of these.
type wanted struct {
	items  []string // sorted
	any    bool
	subset bool
}

func (r *Report[T]) readList(id, s string) (w wanted, rest string, ok bool) {
	open, after := takeLogical(s, opListOpen|opSubsetOpen)
	if open == 0 {
		quote, text := takeQuote(s)
		word, rest, ok := r.say.takeString(text, quote, stops)
		if !ok {
			r.listFailed(id)
			return w, s, false
		}
		return wanted{items: []string{word}, any: true}, rest, true
	}
	return r.readItems(id, after, open == opSubsetOpen)
}

// readItems parses a list after its opening bracket. All operators in it must be the
// same.
func (r *Report[T]) readItems(id, s string, subset bool) (w wanted, rest string, ok bool) {
	const ends = opListClose | opSubsetClose
	w.subset = subset
	closing, bracket := opListClose, "]"
	if subset {
		closing, bracket = opSubsetClose, "}"
	}
	var first uint16
	for s != "" {
		quote, text := takeQuote(skipSpace(s))
		word, after, ok := r.say.takeString(text, quote, ends|opAnd|opOr)
		if !ok {
			r.listFailed(id)
			return w, s, false
		}
		op, after := takeLogical(after, ends|opAnd|opOr)
		switch {
		case op == 0:
			r.say.linef("Invalid operator in selection list.")
			return w, s, false
		case op&ends != 0 && op != closing:
			r.say.linef("List ended with incorrect character, expecting '%s'.", bracket)
			return w, s, false
		case first != 0 && op&ends == 0 && op != first:
			r.say.linef("Only one type of logical operator allowed in selection list at a time.")
			return w, s, false
		}
		w.items = append(w.items, word)
		if first == 0 {
			first = op
		}
		if s = after; op&ends != 0 {
			w.any = first == opOr || first == opSubsetClose
			slices.Sort(w.items)
			return w, s, true
		}
	}
	r.say.linef("Missing list end for selection field %s", id)
	return w, s, false
}

func (r *Report[T]) listFailed(id string) {
	r.say.linef("Failed to parse string list value for selection field %s.", id)
}

// matches compares with a cell's sorted list. An empty list equals a list of one empty
// word.
func (w wanted) matches(list []string) bool {
	if len(list) == 0 {
		list = []string{""}
		if !w.any {
			return len(w.items) == 1 && w.items[0] == ""
		}
	}
	has := func(item string) bool { return slices.Contains(list, item) }
	switch {
	case w.any:
		return slices.ContainsFunc(w.items, has)
	case w.subset:
		return !slices.ContainsFunc(w.items, func(item string) bool { return !has(item) })
	}
	return slices.Equal(w.items, list)
}
