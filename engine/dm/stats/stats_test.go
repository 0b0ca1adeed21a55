package stats

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/internal/house/fuzztest"
)

// list is what a 6.1 kernel answered.
const list = "0: 0+1024 1024 dmstats -\n" +
	"1: 1024+1000 256 dmstats DMS_GROUP=pair:1,3-4#mine precise_timestamps histogram:1000,2500000\n" +
	"3: 2048+8 8 - -\n" +
	"4: 2056+8 8 other user histogram:1,20\n"

func parse(t *testing.T, reply string) *Table {
	t.Helper()
	regions, warnings, err := ParseList(reply)
	if err != nil || len(warnings) > 0 {
		t.Fatal(warnings, err)
	}
	return &Table{Regions: regions}
}

func TestParseList(t *testing.T) {
	tab := parse(t, list)
	want := []*Region{
		{ID: 0, Length: 1024, Step: 1024, Program: "dmstats"},
		{ID: 1, Start: 1024, Length: 1000, Step: 256, Program: "dmstats", User: "mine", Precise: true, Bounds: Bounds{1000, 2500000}, Group: &Group{Alias: "pair", Members: []uint64{1, 3, 4}}},
		{ID: 3, Start: 2048, Length: 8, Step: 8},
		{ID: 4, Start: 2056, Length: 8, Step: 8, Program: "other", User: "user", Bounds: Bounds{1e6, 20e6}},
	}
	if !reflect.DeepEqual(tab.Regions, want) {
		t.Errorf("got %+v", tab.Regions)
	}
	if tab.Free() != 2 || tab.Last() != 4 || tab.Region(2) != nil || tab.Leader(4).ID != 1 || tab.Leader(0) != nil {
		t.Error(tab.Free(), tab.Last())
	}
	r := tab.Region(1)
	if r.NumAreas() != 4 || r.End() != 2024 || r.UserData() != "DMS_GROUP=pair:1,3-4#mine" || tab.Region(3).UserData() != "-" {
		t.Error(r.NumAreas(), r.End(), r.UserData())
	}
	if empty := parse(t, ""); empty.Free() != 0 || empty.Last() != 0 {
		t.Error(empty)
	}
}

func TestParseListErrors(t *testing.T) {
	for reply, want := range map[string]string{
		"0: 0+8 8 a\n":                      "reply to @stats_list, line 1: 4 words, not five or more",
		"x: 0+8 8 a b\n":                    `line 1: "x" is not a number`,
		"0: 8 8 a b\n":                      `"8" is not a range`,
		"0: 0+8 8 a b what\n":               `option "what" is not known`,
		"0: 0+8 8 a b histogram:1,,2\n":     `"" is not a bound of a histogram`,
		"1: 0+8 8 a b\n0: 0+8 8 a b\n":      "line 2: region 0 comes after region 1",
		"0: 8+18446744073709551615 8 a b\n": "ends after the last possible sector",
	} {
		_, _, err := ParseList(reply)
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", reply, err, want)
		}
	}
	for user, want := range map[string]string{
		"DMS_GROUP=x": "no ':'", "DMS_GROUP=x:1#-": "not its first member", "DMS_GROUP=x:#-": "not its first member", "DMS_GROUP=x:0-#-": "not a list of regions",
	} {
		regions, warnings, err := ParseList("0: 0+8 8 a " + user + "\n")
		var e *GroupError
		if err != nil || len(regions) != 1 || regions[0].Group != nil {
			t.Errorf("%s: %v %v", user, regions, err)
		}
		if len(warnings) != 1 || !errors.As(warnings[0], &e) || !strings.Contains(e.Error(), want) {
			t.Errorf("%s: %v, want %s", user, warnings, want)
		}
	}
}

func TestMembers(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "0": "0", "0-2,5": "0-2,5", "5,0,1": "0-1,5", "3-3": "3", " 1 , 2 ": "1-2",
		",,4,": "4", "0-5,2-3": "0-5", "7-9,10": "7-10",
	} {
		runs, err := ParseMembers(in)
		if got := FormatMembers(expand(runs)); err != nil || got != want {
			t.Errorf("%q: %q %v, want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"-", "1-", "-1", "2-1", "x", "1 2", "1--2", "1-2-3", "+1", "4294967296", "99999999999999999999"} {
		if runs, err := ParseMembers(in); err == nil {
			t.Errorf("%q: %v", in, runs)
		}
	}
}

func TestBounds(t *testing.T) {
	for in, want := range map[string]Bounds{
		"10ms,20ms": {10e6, 20e6}, "1us,5ms,1s": {1e3, 5e6, 1e9}, "100": {100},
		"1ms,2": {1e6, 2e6}, "1,2ms": {1, 2e6}, "5s": {5e9},
		"1ns,": {1, 0}, "1,,2": {1, 2, 0}, "ms": {0}, "30000,1s": {30000, 1e9},
	} {
		if got, err := ParseBounds(in); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v %v", in, got, err)
		}
	}
	for in, want := range map[string]BoundsError{
		"": {Char: 0}, ",1": {Empty: true}, "1ms,,2": {Empty: true}, "x": {Char: 'x'}, "1h": {Char: 'h'},
		"1xs": {Char: 'x'}, "1m": {Char: 'm'}, "1 ": {Char: ' '}, "-1": {Char: '-'}, "1s2s": {Char: 0},
	} {
		_, err := ParseBounds(in)
		var e *BoundsError
		if !errors.As(err, &e) || !errors.Is(err, ErrBounds) || e.Char != want.Char || e.Empty != want.Empty {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestCreateMessage(t *testing.T) {
	for want, c := range map[string]Create{
		"@stats_create - /1 dmstats":                                        {Areas: 1, Program: "dmstats"},
		"@stats_create 8+16 /4 dmstats mine":                                {Start: 8, Length: 16, Areas: 4, Program: "dmstats", User: "mine"},
		"@stats_create 0+16 4 1 precise_timestamps p":                       {Length: 16, Step: 4, Precise: true, Program: "p"},
		"@stats_create - /1 1 histogram:10,20 p":                            {Areas: 1, Bounds: Bounds{10e6, 20e6}, Program: "p"},
		"@stats_create - /1 2 precise_timestamps histogram:1000,20000000 p": {Areas: 1, Bounds: Bounds{1000, 20e6}, Program: "p"},
		"@stats_create - /1":                                                {Areas: 1},
		"@stats_create - /1  user":                                          {Areas: 1, User: "user"},
	} {
		if got, err := c.Message(); err != nil || got != want {
			t.Errorf("%q %v, want %q", got, err, want)
		}
	}
	if got, err := (Create{Areas: 1, Bounds: Bounds{2, 1}}).Message(); !errors.Is(err, ErrBounds) {
		t.Error(got, err)
	}
	for _, c := range []struct {
		Create
		length, want uint64
	}{{Create{Areas: 7}, 100, 7}, {Create{Step: 30}, 100, 4}, {Create{Areas: 7}, 0, 1}, {Create{Step: 200}, 100, 1}} {
		if got := c.NumAreas(c.length); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
	if id, err := ParseCreated("12\n"); id != 12 || err != nil {
		t.Error(id, err)
	}
	if _, err := ParseCreated(""); err == nil {
		t.Error("an empty reply is a region")
	}
	for got, want := range map[string]string{
		ListMessage(""): "@stats_list", ListMessage("p"): "@stats_list p", PrintMessage(3, false): "@stats_print 3", PrintMessage(3, true): "@stats_print_clear 3",
		ClearMessage(4): "@stats_clear 4", DeleteMessage(5): "@stats_delete 5", AuxMessage(6, "-"): "@stats_set_aux 6 -",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestParsePrint(t *testing.T) {
	r := &Region{Step: 8, Length: 12, Bounds: Bounds{1e6}}
	err := r.ParsePrint("0+8 1 2 3 4 5 6 7 8 9 10 11 12 13 3:4\n8+4 1 0 0 1 0 0 0 0 0 0 0 0 0 1:0\n")
	if err != nil {
		t.Fatal(err)
	}
	tab := &Table{Regions: []*Region{r}}
	var got []Object
	for o := range tab.Objects(Walk{Areas: true, Regions: true, Groups: true, SkipSingle: true}) {
		got = append(got, o)
	}
	if len(got) != 3 || got[2].Kind != KindRegion || got[2].Length() != 12 {
		t.Fatalf("%+v", got)
	}
	c := got[2].Counters()
	want := Counters{2, 2, 3, 5e6, 5, 6, 7, 8e6, 9, 10e6, 11e6, 12e6, 13e6, []uint64{4, 4}}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("%+v", c)
	}
	if h, ok := got[1].Histogram(); !ok || h.Format(Show{Values: true}) != "     1     0" {
		t.Errorf("%q", h.Format(Show{Values: true}))
	}
	for _, reply := range []string{
		"",
		"0+8\n",
		"0+8 1 2 3 4 5 6 7 8 9 10 11 12 13\n",
		"0-8 1 2 3 4 5 6 7 8 9 10 11 12 13 1:2\n",
		"0+8 1 2 3 4 5 6 7 8 9 10 11 12 x 1:2\n",
		"0+8 1 2 3 4 5 6 7 8 9 10 11 12 13 1\n",
		"0+8 1 2 3 4 5 6 7 8 9 10 11 12 13 1:x\n",
	} {
		var e *Error
		if err := (&Region{Bounds: Bounds{1}}).ParsePrint(reply); !errors.As(err, &e) {
			t.Errorf("%q: %v", reply, err)
		}
	}
}

func TestPlanGroup(t *testing.T) {
	tab := parse(t, "0: 0+100 100 p -\n1: 50+10 10 p - precise_timestamps\n2: 100+8 8 p -\n3: 200+8 8 p - histogram:1\n5: 0+8 8 p - histogram:2\n6: 0+8 8 p DMS_GROUP=:6#-\n")
	g, err := tab.PlanGroup("0-2", "a")
	if err != nil || !g.Mixed || !slices.Equal(g.Overlaps, []Overlap{{0, 1}}) || g.ID() != 0 || g.MemberList() != "0-2" {
		t.Errorf("%+v %v", g, err)
	}
	for list, want := range map[string]MemberError{
		"x":   {Problem: BadList, Text: "x"},
		"":    {Problem: BeyondLast, Region: -1},
		"0,9": {Problem: BeyondLast, Region: 9},
		"0,4": {Problem: NoSuchRegion, Region: 4},
		"5-6": {Problem: Grouped, Region: 6, Group: 6},
		"3,5": {Problem: UnlikeBounds},
	} {
		_, err := tab.PlanGroup(list, "")
		var e *MemberError
		if !errors.As(err, &e) || *e != want || e.Error() == "" {
			t.Errorf("%q: %v", list, err)
		}
	}
	if _, err := (&Table{}).PlanGroup("0", ""); err == nil || err.Error() != "the device has no regions to group" {
		t.Error(err)
	}
}

func TestHistogramFormat(t *testing.T) {
	h := Histogram{Bounds{10e6, 20e6, 1500e6}, []uint64{1, 0, 2, 3}}
	for want, s := range map[string]Show{
		"     1     0     2     3": {Values: true},
		"1:0:2:3":                  {Values: true, Tight: true},
		"    0s:     1,  10ms:     0,  20ms:     2,1500ms:     3": {Values: true, Lower: true},
		"0s:1:10ms:0:20ms:2:1500ms:3":                             {Values: true, Lower: true, Tight: true},
		"0s-10ms:    1,10ms-20ms:  0,20ms-1500ms:2,>1500ms:    3": {Values: true, Ranges: true},
		" 16.67%  0.00% 33.33% 50.00%":                            {Values: true, Percent: true},
		"0s,10ms,20ms,1500ms":                                     {Lower: true},
		"0s-10ms,10ms-20ms,20ms-1500ms,>1500ms":                   {Ranges: true},
		"0,10000000,20000000,1500000000":                          {Lower: true, Plain: true},
		"":                                                        {},
	} {
		if got := h.Format(s); got != want {
			t.Errorf("%+v: %q, want %q", s, got, want)
		}
	}
	if got := (Histogram{Bounds{1500}, nil}).Format(Show{Values: true, Ranges: true}); got != "0s-1500ns:  0,>1500ns:    0" {
		t.Errorf("%q", got)
	}
}

func TestMetrics(t *testing.T) {
	m := Metrics{Counters{
		Reads: 10, ReadsMerged: 5, ReadSectors: 80, ReadTime: 20e6,
		Writes: 30, WritesMerged: 2e9, WriteSectors: 240, WriteTime: 90e6,
		IOTime: 5e8, QueueTime: 1e9,
	}, 2e9}
	for name, c := range map[string][2]float64{
		"rrqm": {m.ReadsMergedRate(), 2.5e-9}, "wrqm": {m.WritesMergedRate(), 1},
		"r/s": {m.ReadRate(), 5}, "w/s": {m.WriteRate(), 15},
		"rsz": {m.ReadSize(), 40}, "wsz": {m.WriteSize(), 120}, "arqsz": {m.RequestSize(), 8},
		"qusz": {m.QueueSize(), .5}, "tput": {m.Throughput(), 20}, "util": {float64(m.Utilization()), 25e6},
		"await": {m.Wait(), 2.75e6}, "rawait": {m.ReadWait(), 2e6}, "wawait": {m.WriteWait(), 3e6},
	} {
		if math.Abs(c[0]-c[1]) > 1e-12 {
			t.Errorf("%s: %v, want %v", name, c[0], c[1])
		}
	}
	if got := m.ServiceTime(); got < 1 || got > 20 {
		t.Error(got)
	}
	none := Metrics{Interval: 1e9}
	if none.ServiceTime() != 0 || none.Wait() != 0 || none.Utilization() != 0 {
		t.Error(none.ServiceTime(), none.Wait(), none.Utilization())
	}
	if full := (Metrics{Counters{IOTime: 5e9}, 1e9}); full.Utilization() != 100*percentOne {
		t.Error(full.Utilization())
	}
	for n, want := range map[[2]uint64]int32{{0, 5}: 0, {5, 5}: 1e8, {1, 1 << 60}: 1, {1<<60 - 1, 1 << 60}: 1e8 - 1, {1, 2}: 5e7, {0, 0}: 1e8} {
		if got := millionths(n[0], n[1]); got != want {
			t.Errorf("%v: %d", n, got)
		}
	}
}

func FuzzParseList(f *testing.F) {
	f.Add(list)
	f.Add("0: 0+8 8 a DMS_GROUP=x:0-2147483647#-\n")
	f.Fuzz(func(t *testing.T, reply string) {
		regions, _, err := ParseList(reply)
		if err != nil {
			return
		}
		for _, r := range regions {
			if r.Group == nil {
				continue
			}
			again := &Region{ID: r.ID, User: r.UserData()}
			if err := again.takeGroup(); err != nil || !reflect.DeepEqual(again.Group, r.Group) {
				t.Errorf("%q reads back as %+v, %v", r.UserData(), again.Group, err)
			}
		}
	})
}

func FuzzParseCreated(f *testing.F) {
	for _, reply := range []string{"0\n", " 12 ", "18446744073709551615", "18446744073709551616", "-1", ""} {
		f.Add(reply)
	}
	f.Fuzz(func(t *testing.T, reply string) {
		fuzztest.Bounded(t, len(reply), func() {
			id, err := ParseCreated(reply)
			if err != nil {
				if reason := new(Error); !errors.As(err, &reason) {
					t.Error(err)
				}
				return
			}
			if again, err := ParseCreated(strconv.FormatUint(id, 10)); again != id || err != nil {
				t.Errorf("%q is %d, then %d, %v", reply, id, again, err)
			}
		})
	})
}

func FuzzParsePrint(f *testing.F) {
	f.Add("0+8 1 2 3 4 5 6 7 8 9 10 11 12 13 1:2\n", true)
	f.Fuzz(func(t *testing.T, reply string, histogram bool) {
		r := &Region{Step: 8, Length: 8}
		if histogram {
			r.Bounds = Bounds{1}
		}
		if r.ParsePrint(reply) == nil && len(r.Areas) == 0 {
			t.Error("no areas")
		}
	})
}

func FuzzParseBounds(f *testing.F) {
	f.Add("1us,5ms,1s")
	f.Fuzz(func(t *testing.T, text string) {
		b, err := ParseBounds(text)
		if err == nil && len(b) != strings.Count(text, ",")+1 {
			t.Errorf("%q: %v", text, b)
		}
	})
}

func FuzzParseMembers(f *testing.F) {
	f.Add("0-2, 5")
	f.Fuzz(func(t *testing.T, text string) {
		runs, err := ParseMembers(text)
		if err != nil {
			return
		}
		for i, r := range runs {
			if r.Last < r.First || i > 0 && r.First <= runs[i-1].Last+1 {
				t.Errorf("%q: %v", text, runs)
			}
		}
	})
}
