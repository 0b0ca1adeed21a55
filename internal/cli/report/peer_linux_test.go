package report

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/internal/lab"
)

// splitParts is what dmsetup splitname reports: the only report of Debian's dmsetup that
// does not need the kernel.
type splitParts struct{ subsystem, vg, lv, layer string }

const (
	sectionTask Sections = 1 << iota
	sectionInfo
	sectionName
	sectionRegion
)

// splitTable has the columns of splitname, and some that it cannot fill.
func splitTable() *Table[splitParts] {
	text := func(heading string, width int, id, help string, get func(splitParts) string) Field[splitParts] {
		return Field[splitParts]{
			Section: sectionName, Kind: String, Heading: heading, Width: width, ID: id, Help: help,
			Value: func(p splitParts) (Value, error) { return Text(get(p)), nil },
		}
	}
	missing := func(section Sections, kind Kind, id string) Field[splitParts] {
		return Field[splitParts]{
			Section: section, Kind: kind, ID: id, Heading: id, Width: 3,
			Value: func(splitParts) (Value, error) { return Value{}, ErrNoData },
		}
	}
	return &Table[splitParts]{
		Sections: []Section{
			{ID: sectionTask, Name: "Mapped Device Name", Prefix: "name_"},
			{ID: sectionInfo, Name: "Mapped Device Information", Prefix: "info_"},
			{ID: sectionName, Name: "Mapped Device Name Components", Prefix: "splitname_"},
			{ID: sectionRegion, Name: "Mapped Device Statistics Region Information", Prefix: "region_"},
		},
		Fields: []Field[splitParts]{
			missing(sectionTask, String, "name"),
			missing(sectionInfo, String, "blkdevname"),
			missing(sectionInfo, Number, "major"),
			missing(sectionInfo, Number, "events"),
			missing(sectionRegion, Size, "region_start"),
			text("Subsys", 6, "subsystem", "", func(p splitParts) string { return p.subsystem }),
			text("VG", 4, "vg_name", "", func(p splitParts) string { return p.vg }),
			text("LV", 4, "lv_name", "", func(p splitParts) string { return p.lv }),
			text("LVLayer", 7, "lv_layer", "", func(p splitParts) string { return p.layer }),
		},
	}
}

// splitCase is a command line: dmsetup splitname NAME with these options.
type splitCase struct {
	name  string
	parts splitParts
	args  []string
}

// ours returns the output of this package for a command line.
func (c splitCase) ours(t *testing.T) string {
	t.Helper()
	o := Options{Fields: "vg_name,lv_name,lv_layer", Separator: " ", Aligned: true, Headings: true, Sections: sectionName}
	for i := 0; i < len(c.args); i++ {
		value := func() string {
			i++
			return c.args[i]
		}
		switch c.args[i] {
		case "-o":
			fields := value()
			if strings.Contains(fields, "help") {
				o.Headings = false
			}
			if more, ok := strings.CutPrefix(fields, "+"); ok {
				fields = o.Fields + "," + more
			}
			o.Fields = fields
		case "-O":
			o.Sort = value()
		case "-S":
			o.Select = value()
		case "--noheadings":
			o.Separator, o.Aligned, o.Headings = ":", false, false
		case "--nameprefixes":
			o.Aligned, o.NamePrefix = false, "dm_"
		case "--unquoted":
			o.Unquoted = true
		case "--rows":
			o.Rows = true
		case "--unbuffered":
			o.Unbuffered = true
		case "--separator":
			o.Separator, o.Aligned = value(), false
		default:
			t.Fatal(c.args[i])
		}
	}
	var out, errs bytes.Buffer
	r, err := New(splitTable(), o, &out, &errs)
	code := 0
	if err == nil {
		if err = r.Object(c.parts); err != nil {
			errs.WriteString("Command failed.\n")
		}
		if !r.Empty() {
			r.Headings()
		}
		r.Output()
	}
	if err != nil {
		code = 1
	}
	return describe(code, out.String(), errs.String())
}

func (c splitCase) peers(t *testing.T, tool *lab.Tool) string {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := tool.Command(t.Context(), append([]string{"splitname", c.name}, c.args...)...)
	cmd.Env = []string{"LC_ALL=C", "TZ=UTC"}
	cmd.Stdout, cmd.Stderr = &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return describe(cmd.ProcessState.ExitCode(), out.String(), errs.String())
}

// describe leaves out the list of fields, which is longer in dmsetup.
func describe(code int, out, errs string) string {
	if i := strings.LastIndex(errs, "Special Fields"); i >= 0 {
		errs = errs[i:]
		errs = strings.ReplaceAll(errs, "           ", " ") // as wide as the longest name
		for strings.Contains(errs, "  ") {
			errs = strings.ReplaceAll(errs, "  ", " ")
		}
	}
	return fmt.Sprintf("exit %d\n--- stdout\n%s--- stderr\n%s", code, out, errs)
}

// TestPeer compares this package with Debian's dmsetup splitname: on several hundred
// given command lines, and some random ones.
func TestPeer(t *testing.T) {
	tool := lab.Peer(t, "dmsetup")
	rng := lab.Rand(t)
	names := []splitCase{
		{name: "vg-lv", parts: splitParts{"LVM", "vg", "lv", ""}},
		{name: "group-thin-tpool", parts: splitParts{"LVM", "group", "thin", "tpool"}},
		{name: "a--b-c--d", parts: splitParts{"LVM", "a-b", "c-d", ""}},
	}
	var cases []splitCase
	for i, args := range append(fixedLines(), randomLines(rng, 150)...) {
		c := names[i%len(names)]
		c.args = args
		cases = append(cases, c)
	}
	for _, c := range cases {
		if got, want := c.ours(t), c.peers(t, tool); got != want {
			t.Errorf("dmsetup splitname %s %q\n--- want\n%s\n--- got\n%s", c.name, c.args, want, got)
		}
	}
}

// selections returns arguments for -S.
func selections() []string {
	return []string{
		"vg_name=vg", "vgname=vg", "VG_NAME=vg", "vg_name=group", "vg_name!=vg", "vg_name='vg'", `vg_name="vg"`,
		"vg_name = vg", " vg_name=vg ",
		"vg_name=vg && lv_name=lv", "vg_name=vg,lv_name=lv", "vg_name=vg || lv_name=x", "vg_name=x#lv_name=lv",
		"vg_name=vg&&lv_name=x||lv_layer=",
		"!(vg_name=vg)", "!(!(vg_name=vg))", "!vg_name=vg", "(vg_name=vg)", "((vg_name=vg))", "(vg_name=vg",
		"vg_name=vg)", "()", "!()", "(", ")", "!", "!(",
		"(vg_name=vg || lv_name=x) && lv_layer=''", "!(vg_name=vg || lv_name=x) && lv_layer=tpool",
		"vg_name=vg lv_name=lv", "vg_name=vg &&", "|| vg_name=vg",
		"vg_name", "vg_name=", "vg_name!", "vg_name==vg", "vg_name=>vg", "vg_name>vg", "vg_name>=vg",
		"vg_name<vg", "vg_name since vg", "vg_name before 2020",
		"vg_name=~v", "vg_name=~^vg$", "vg_name=~.", "vg_name=~..", "lv_layer=~.", "lv_layer=~^$",
		"lv_layer=~...", "vg_name!~v", "vg_name =~ '(v|g)+'", "vg_name=~(v|g)", "vg_name=~[vg]", "vg_name=~{v}",
		"vg_name=~'[a-z]*-[a-z]'",
		"vg_name=~'[^v]g'", "vg_name=~'v*g'", "vg_name=~'x?vg'", "vg_name=~'x|vg'", "vg_name=~'x|'",
		"vg_name=~'|x'", "vg_name=~''", "vg_name=~", "vg_name=~'('", "vg_name=~'a)'", "vg_name=~')'",
		"vg_name=~'[v'", `vg_name=~'v\'`, `vg_name=~'\.'`, "vg_name=~'v", "vg_name=~'*'", "vg_name=~'a**'",
		"vg_name=~'()'",
		"vg_name=~'g-a'", "vg_name=~'[z-a]g'", "vg_name=~'[]a]'", "vg_name=~'[a-]'", "vg_name=~'a^b'",
		"vg_name=~'(^a|b$)'", "vg_name=~a && lv_name=~c",
		"major=1", "major>1", "major=x", "major='1'", "major=1k", "major=1%", "major=1.5", "major=.",
		"major=99999999999999999999", "major=~1", "major!=1", "major since 1", "events<=18446744073709551615",
		"major= 1", "major=1 && vg_name=vg",
		"region_start=1", "region_start=1m", "region_start=1.5K", "region_start=1x", "region_start>1%", "region_start=x",
		"blkdevname=x", "selected=1", "selected=0", "selected", "help=1", "?=1", "nosuch=1", "nosuch", "=1",
		"vg-name=vg", "vg_name=vg'", "vg_name='vg", "", "all", "ALL", "help", "HELP", "?", " ",
		"splitname_vg_name=vg", "vg_name=a\\-b",
		"vg_name=vg && (lv_name=lv || (lv_layer=x && !(vg_name=q)))", "vg_name=[vg]", "vg_name={vg}",
		"vg_name=vg\tlv_name=lv", "vg_name=vg\t&& lv_name=lv", strings.Repeat("v", 40) + "=1",
	}
}

// fieldLists returns arguments for -o.
func fieldLists() []string {
	return []string{
		"vg_name", "vgname", "VgName", "__vg__name__", "lv_layer,vg_name", "vg_name,vg_name", "all",
		"splitname_all", "splitnameall", "info_all", "name_all", "subsystem",
		"selected", "vg_name,selected", "+selected", "+subsystem", "+", "+help", "help", "?", "nosuch",
		"vg_name,", ",vg_name", ",,vg_name,,lv_name", ",", "", "vg_name,nosuch", "major", "vg_name,major",
		"region_start",
		"splitname_vg_name", "splitnamevgname", "all,all", strings.Repeat("v", 31), strings.Repeat("v", 32),
		strings.Repeat("v_", 40) + ",vg_name", "vg name", "selectedall", "special_all",
	}
}

// keyLists returns arguments for -O.
func keyLists() []string {
	return []string{"vg_name", "-vg_name", "+vg_name", "vg_name,vg_name", "lv_layer,-subsystem", "nosuch", "-", "+", "vg_name,", ",vg_name", "", "selected", "-selected", "major", "help", strings.Repeat("w", 33)}
}

// looks returns the options that change the form of a report.
func looks() [][]string {
	return [][]string{
		nil,
		{"--noheadings"},
		{"--nameprefixes"},
		{"--nameprefixes", "--unquoted"},
		{"--rows"},
		{"--rows", "--noheadings"},
		{"--unbuffered"},
		{"--unbuffered", "--rows"},
		{"--separator", ";"},
		{"--separator", ""},
		{"--noheadings", "--separator", " | "},
		{"--rows", "--nameprefixes", "--noheadings"},
		{"--rows", "--separator", ","},
		{"--unquoted"},
	}
}

func fixedLines() [][]string {
	lines := looks()
	for _, s := range selections() {
		lines = append(lines, []string{"-S", s})
	}
	for _, s := range fieldLists() {
		lines = append(lines, []string{"-o", s})
	}
	for _, s := range keyLists() {
		lines = append(lines, []string{"-O", s})
	}
	return lines
}

func randomLines(rng *rand.Rand, n int) [][]string {
	pick := func(list []string) string { return list[rng.IntN(len(list))] }
	lines := make([][]string, n)
	for i := range lines {
		look := looks()
		args := append([]string(nil), look[rng.IntN(len(look))]...)
		if rng.IntN(2) == 0 {
			args = append(args, "-o", pick(fieldLists()))
		}
		if rng.IntN(3) == 0 {
			args = append(args, "-O", pick(keyLists()))
		}
		if rng.IntN(2) == 0 {
			sel := pick(selections())
			for rng.IntN(3) == 0 {
				sel = pick([]string{sel + " && " + pick(selections()), "(" + sel + ")", "!(" + sel + ")", sel + "||" + pick(selections())})
			}
			args = append(args, "-S", sel)
		}
		lines[i] = args
	}
	return lines
}
