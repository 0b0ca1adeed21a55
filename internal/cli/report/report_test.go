package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

// thing has a value for a column of every kind.
type thing struct {
	name  string
	n     int64
	size  uint64 // sectors
	parts int32
	tags  []string
	born  int64
}

const sectionThing Sections = 1

func things() *Table[thing] {
	return &Table[thing]{
		Sections: []Section{{ID: sectionThing, Name: "Thing", Prefix: "thing_"}},
		Fields: []Field[thing]{
			{sectionThing, String, "Name", 4, "name", "Name.", func(t thing) (Value, error) { return Text(t.name), nil }},
			{sectionThing, Number, "N", 3, "n", "Number.", func(t thing) (Value, error) { return Int(t.n), nil }},
			{sectionThing, Size, "Size", 4, "size", "Size.", func(t thing) (Value, error) {
				return Sectors(Units{Letter: 'h', Factor: 1}.Format(t.size), float64(t.size)), nil
			}},
			{sectionThing, Percent, "Used%", 5, "used", "Used.", func(t thing) (Value, error) { return Parts(t.parts), nil }},
			{sectionThing, List, "Tags", 4, "tags", "Tags.", func(t thing) (Value, error) { return Strings(t.tags, ","), nil }},
			{sectionThing, Time, "Born", 4, "born", "Born.", func(t thing) (Value, error) {
				return Seconds(time.Unix(t.born, 0).UTC().Format(time.DateTime), t.born), nil
			}},
			{sectionThing, Number, "Bad", 3, "bad", "Fails.", func(thing) (Value, error) { return Value{}, errors.New("it broke") }},
		},
	}
}

func some() []thing {
	day := func(s string) int64 {
		t, err := time.ParseInLocation(time.DateTime, s, time.Local)
		if err != nil {
			panic(err)
		}
		return t.Unix()
	}
	return []thing{
		{"beta", 2, 2048, 50 * percentOne, []string{"x", "a"}, day("2020-02-29 23:59:59")},
		{"alpha", 10, 8, 1, nil, day("2020-03-01 00:00:00")},
		{"gamma", 2, 3 << 21, 100*percentOne - 1, []string{"a"}, day("2021-01-01 12:30:00")},
	}
}

// names runs a report and returns the names of its rows.
func names(t *testing.T, o Options) string {
	t.Helper()
	var out, errs bytes.Buffer
	o.Fields = "name"
	r, err := New(things(), o, &out, &errs)
	if err != nil {
		return "error: " + errs.String()
	}
	for _, x := range some() {
		if err := r.Object(x); err != nil {
			t.Fatal(err, errs.String())
		}
	}
	r.Output()
	return strings.Join(strings.Fields(out.String()), " ")
}

func TestSort(t *testing.T) {
	for keys, want := range map[string]string{
		"": "beta alpha gamma", "name": "alpha beta gamma", "-name": "gamma beta alpha",
		"n": "beta gamma alpha", "-n,name": "alpha beta gamma",
		"n,-size": "gamma beta alpha", "size": "alpha beta gamma", "used": "alpha beta gamma",
		"tags": "alpha gamma beta", "-born": "gamma alpha beta",
	} {
		if got := names(t, Options{Sort: keys}); got != want {
			t.Errorf("-O %s: %s, want %s", keys, got, want)
		}
	}
}

func TestSelect(t *testing.T) {
	for sel, want := range map[string]string{
		"n=2": "beta gamma", "n!=2": "alpha", "n>2": "alpha", "n>=2": "beta alpha gamma", "n<10": "beta gamma", "n<=1": "",
		"size=1m": "beta", "size>1": "gamma", "size>=1.0": "beta gamma", "size<1024k": "alpha", "size=4K": "",
		"size=4k": "alpha", "size!=4k": "beta gamma", "size<=8s": "alpha", "size=1.5g": "",
		"used=50": "beta", "used>50%": "gamma", "used<1": "alpha",
		"used=101": "error: Field selection value 101 out of supported range for field used.\n",
		"tags=a":   "beta gamma", "tags=[a]": "gamma", "tags=[a,x]": "beta", "tags={a}": "beta gamma",
		"tags={a && x}": "beta", "tags={x || q}": "beta", "tags=[x || q]": "beta", "tags=''": "alpha",
		"tags=[]": "alpha", "tags=['']": "alpha", "tags!=a": "alpha", "tags!=[a]": "beta alpha",
		"born=2020": "beta alpha", "born=2020-02": "beta", "born=202002": "beta", "born=20200229": "beta",
		"born=2020-02-29": "beta", "born!=2020": "gamma", "born since 2020-03-01": "alpha gamma",
		"born after 2020-03-01": "gamma", "born until '2020-03-01 00:00:00'": "beta alpha",
		"born before 2020-03":     "beta",
		"born='2020-02-29 23:59'": "beta", "born='2020-02-29 23'": "beta", "born='2020-02-29 235959'": "beta",
		"born='2020-02-29 2358'": "", "born>=2021": "gamma", "born>2020": "gamma", "born<=2020": "beta alpha",
		"born<@0": "", "born>@0": "beta alpha gamma", "born!=@5": "beta alpha gamma", "born=@5": "",
		"born until '2020-03-01 23:00:00 +14:00'": "beta alpha", "born after '2022-01-01 00:00:00 -1400'": "",
	} {
		if got := names(t, Options{Select: sel}); got != want {
			t.Errorf("-S %q: %q, want %q", sel, got, want)
		}
	}
}

func TestSelectComplaints(t *testing.T) {
	const tail = "Use 'help' for selection to get more help.\n"
	for sel, want := range map[string]string{
		"tags=[a,b || c]": "Only one type of logical operator allowed in selection list at a time.",
		"tags=[a}":        "List ended with incorrect character, expecting ']'.",
		"tags={a]":        "List ended with incorrect character, expecting '}'.",
		"tags=[a":         "Invalid operator in selection list.",
		"tags=[":          "Missing list end for selection field tags",
		"tags=['a":        "Missing end quote.",
		"tags=[a b]":      "Invalid operator in selection list.",
		"born=2020-13":    "Specified month out of range.",
		"born=2020-02-30": "Specified day out of range.", "born=20": "Incorrect date format.",
		"born=x":                      "Failed to parse time value for selection field born.",
		"born='2020 10:00'":           "Full date specification needed.",
		"born='2020-01-01 24:00'":     "Specified hours out of range.",
		"born='2020-01-01 10:61'":     "Specified minutes out of range.",
		"born='2020-01-01 10:00:61'":  "Specified seconds out of range.",
		"born='2020-01-01 100'":       "Incorrect time format.",
		"born=@":                      "Failed to parse time value for selection field born.",
		"born='2020-01-01 10:00 +99'": "Failed to parse time value for selection field born.",
		"size=1%":                     "Found percent value but size value expected for selection field size.",
		"used=1k":                     "Found size unit specifier but percent value expected for selection field used.",
	} {
		got := names(t, Options{Select: sel})
		if !strings.HasPrefix(got, "error: "+want+"\n") || !strings.HasSuffix(got, "Selection syntax error at '"+sel+"'.\n"+tail) {
			t.Errorf("-S %q: %q, want %q first", sel, got, want)
		}
	}
	deep := strings.Repeat("(", 100000) + "n=2"
	if got := names(t, Options{Select: deep}); !strings.Contains(got, "nested too deeply") {
		t.Errorf("100000 brackets: %.80q", got)
	}
}

func TestColumns(t *testing.T) {
	var out, errs bytes.Buffer
	r, err := New(things(), Options{Fields: "name,n,size,used,tags,selected", Sort: "name", Select: "n=2", Separator: " ", Aligned: true, Headings: true}, &out, &errs)
	if err != nil {
		t.Fatal(errs.String())
	}
	for _, x := range some() {
		if err := r.Object(x); err != nil {
			t.Fatal(err)
		}
	}
	if sel, err := r.Selects(some()[1]); err != nil || sel {
		t.Error(sel, err)
	}
	r.Headings()
	r.Output()
	want := "Name  N   Size  Used% Tags Selected\n" +
		"alpha  10 4.00k 0.01                0\n" +
		"beta    2 1.00m 50.00 a,x         1\n" +
		"gamma   2 3.00g 99.99 a           1\n"
	// Columns are as wide as their widest cell.
	want = strings.ReplaceAll(want, "alpha  10 4.00k 0.01                0", "alpha  10 4.00k 0.01              0")
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

func TestFailingColumn(t *testing.T) {
	var out, errs bytes.Buffer
	r, err := New(things(), Options{Fields: "bad"}, &out, &errs)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Object(thing{}); !errors.Is(err, ErrSaid) || errs.String() != "it broke\n_do_report_object: report function failed for field bad\n" {
		t.Error(err, errs.String())
	}
	if r.Sections() != sectionThing {
		t.Error(r.Sections())
	}
}

func TestObjects(t *testing.T) {
	var out, errs bytes.Buffer
	r, err := New(things(), Options{Fields: "name,n,size,used,tags,born", Sort: "-name"}, &out, &errs)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range some()[:2] {
		x.born = 7
		if err := r.Object(x); err != nil {
			t.Fatal(err)
		}
	}
	got, err := json.Marshal(r.Objects())
	want := `[{"name":"beta","n":2,"size":1048576,"used":50,"tags":["a","x"],"born":7},{"name":"alpha","n":10,"size":4096,"used":0.000001,"tags":[],"born":7}]`
	if err != nil || string(got) != want {
		t.Errorf("%v\n got %s\nwant %s", err, got, want)
	}
	if got, err := json.Marshal(r.Objects()); err != nil || string(got) != "[]" || !r.Empty() {
		t.Errorf("afterwards: %s, %v", got, err)
	}
}

func TestUnits(t *testing.T) {
	for in, want := range map[string]Units{
		"h": {'h', 1}, "H": {'H', 1}, "b": {'b', 1}, "s": {'s', 512}, "k": {'k', 1 << 10}, "K": {'K', 1000},
		"e": {'e', 1 << 60}, "E": {'E', 1e18},
		"4k": {'U', 4096}, "1m": {'m', 1 << 20}, "1.5k": {'k', 1536}, "2.5M": {'U', 2500000}, "8h": {'h', 1},
		"x": {}, "": {}, "4": {}, "0k": {},
	} {
		got, _, ok := ParseUnits(in)
		valid := want != Units{}
		if got != want || ok != valid {
			t.Errorf("%q: %+v %v", in, got, ok)
		}
	}
	for _, c := range []struct {
		unit    string
		sectors uint64
		want    string
	}{
		{"h", 0, "0"},
		{"s", 0, "0"},
		{"h", 1, "512b"},
		{"h", 2, "1.00k"},
		{"H", 2, "1.02K"},
		{"h", 1 << 21, "1.00g"},
		{"s", 100, "100"},
		{"b", 2, "1024"},
		{"k", 3, "1.50"},
		{"K", 2, "1.02"},
		{"4k", 8, "1.00"},
		{"m", 2048, "1.00"},
		{"e", 1 << 51, "1.00"},
		{"r", 2047, "1023.50k"},
		{"r", 4091, "<2.00m"},
		{"R", 3, "<1.54K"},
		{"H", 1, "512B"},
	} {
		u, _, _ := ParseUnits(c.unit)
		if got := u.Format(c.sectors); got != c.want {
			t.Errorf("%d sectors in %s: %s, want %s", c.sectors, c.unit, got, c.want)
		}
	}
}

func TestParts(t *testing.T) {
	for in, want := range map[int32]string{0: "0.00", 1: "0.01", percentOne: "1.00", 50*percentOne + 4000: "50.00", 100*percentOne - 1: "99.99", 100 * percentOne: "100.00"} {
		if got := Parts(in).Text; got != want {
			t.Errorf("%d: %s, want %s", in, got, want)
		}
	}
}

func TestKinds(t *testing.T) {
	var names []string
	for k := String; k <= Time+1; k++ {
		names = append(names, k.String())
	}
	if got := strings.Join(names, ","); got != "string,number,size,percent,string list,time,unknown" {
		t.Error(got)
	}
	if v := Named("-", math.MaxUint64, nil); v.Text != "-" || v.raw != math.MaxUint64 {
		t.Error(v)
	}
	if v := Real("1.50", 1.5); v.raw != math.Float64bits(1.5) {
		t.Error(v)
	}
	if v := Uint(7); v.Text != "7" || v.raw != 7 {
		t.Error(v)
	}
}

// FuzzSelection shows that no selection makes the parser panic, and that one that parses
// can be evaluated.
func FuzzSelection(f *testing.F) {
	for _, s := range []string{"n=2 && (name=~'^b' || size>1m)", "tags={a || b}", "!(born since '2020-01-01 10:00 +01')", "used<5%", "name=~[x]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var out, errs bytes.Buffer
		r, err := New(things(), Options{Fields: "name", Select: s}, &out, &errs)
		if err != nil {
			if errs.Len() == 0 {
				t.Errorf("%q is refused without a word", s)
			}
			return
		}
		for _, x := range some() {
			if _, err := r.Selects(x); err != nil {
				t.Error(err)
			}
		}
	})
}
