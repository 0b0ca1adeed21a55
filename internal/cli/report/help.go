package report

import "strings"

// listFields prints the fields for -o or, if types is set, for -S.
func (r *Report[T]) listFields(all, types bool) {
	width := 0
	for _, list := range [][]Field[T]{r.implicit, r.table.Fields} {
		for i := range list {
			width = max(width, len(list[i].ID))
		}
	}
	for _, s := range r.table.Sections {
		width = max(width, len(s.Prefix)+3)
	}
	r.listSome(r.table.Fields, width, all, types)
	r.say.linef(" ")
	r.listSome(r.implicit, width, all, types)
}

func (r *Report[T]) listSome(fields []Field[T], width int, all, types bool) {
	last := ""
	for i := range fields {
		f := &fields[i]
		section := r.section(f.Section)
		if section.Name != last {
			if last != "" {
				r.say.linef(" ")
			}
			r.say.linef("%s Fields", section.Name)
			r.say.linef("%s", strings.Repeat("-", len(section.Name)+7))
			if all && section.ID != special {
				r.say.linef("  %sall%-*s - %s", section.Prefix, width-3-len(section.Prefix), "", "All fields in this section.")
			}
			last = section.Name
		}
		kind := ""
		if types {
			kind = " [" + f.Kind.String() + "]"
			if f.Section == special && isHelp(f.ID) {
				kind = " [unselectable " + f.Kind.String() + "]"
			}
		}
		r.say.linef("  %-*s - %s%s", width, f.ID, f.Help, kind)
	}
}

func (r *Report[T]) section(id Sections) Section {
	for _, s := range r.table.Sections {
		if s.ID == id {
			return s
		}
	}
	return Section{ID: special, Name: "Special", Prefix: "special_"}
}

// listOperators prints what else -S accepts.
func (r *Report[T]) listOperators() {
	for _, line := range []string{
		"Selection operands",
		"------------------",
		"  field               - Reporting field.",
		"  number              - Non-negative integer value.",
		"  size                - Floating point value with units, 'm' unit used by default if not specified.",
		"  percent             - Non-negative integer with or without % suffix.",
		`  string              - Characters quoted by ' or " or unquoted.`,
		"  string list         - Strings enclosed by [ ] or { } and elements delimited by either",
		`                        "all items must match" or "at least one item must match" operator.`,
		`  regular expression  - Characters quoted by ' or " or unquoted.`,
		" ",
		"Selection operators",
		"-------------------",
		"  Comparison operators:",
	} {
		r.say.linef("%s", line)
	}
	for _, op := range comparisons() {
		r.say.linef("    %6s  - %s", op.text, op.help)
	}
	r.say.linef(" ")
	r.say.linef("  Logical and grouping operators:")
	for _, op := range logicals() {
		r.say.linef("    %4s  - %s", op.text, op.help)
	}
	r.say.linef(" ")
}
