package dm_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/engine/dm"
)

// TestParseTable reads tables as dmsetup does.
func TestParseTable(t *testing.T) {
	got, err := dm.ParseTable("# a table\n\n  0 8 linear 8:1 0  \n8 8\tzero\n16 8 error # nothing\n24 16 striped 2 8 8:1 8 8:2 8 # two\n")
	if err != nil {
		t.Fatal(err)
	}
	want := dm.Table{
		{0, 8, "linear", "8:1 0"},
		{8, 8, "zero", ""},
		{16, 8, "error", ""},
		{24, 16, "striped", "2 8 8:1 8 8:2 8 "},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if text := got.String(); text != "0 8 linear 8:1 0\n8 8 zero \n16 8 error \n24 16 striped 2 8 8:1 8 8:2 8 \n" {
		t.Errorf("String: %q", text)
	}
	if n := got.Sectors(); n != 40 {
		t.Errorf("Sectors: %d", n)
	}
	if n := (dm.Table{}).Sectors(); n != 0 {
		t.Errorf("Sectors of nothing: %d", n)
	}
}

// TestParseTableRefuses expects the error to name the wrong line.
func TestParseTableRefuses(t *testing.T) {
	for _, bad := range []string{"0 8", "0 8 ", "x 8 zero", "0 y zero", "-1 8 zero", "0 99999999999999999999 zero"} {
		_, err := dm.ParseTable("0 8 zero\n" + bad)
		var e *dm.Error
		if !errors.As(err, &e) || e.Line != 2 || !errors.Is(err, dm.ErrSyntax) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestConcise reads and prints the form of dm-mod.create.
func TestConcise(t *testing.T) {
	const text = `d1,UUID\,1,0,rw,0 1024 linear 8:1 0,1024 8 zero ;d\;2,,,ro,0 8 error `
	got, err := dm.ParseConcise(text)
	if err != nil {
		t.Fatal(err)
	}
	want := []dm.Device{
		{Name: "d1", UUID: "UUID,1", Table: dm.Table{{0, 1024, "linear", "8:1 0"}, {1024, 8, "zero", ""}}},
		{Name: "d;2", Minor: dm.NoMinor, ReadOnly: true, Table: dm.Table{{0, 8, "error", ""}}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if back := dm.FormatConcise(got); back != text {
		t.Errorf("FormatConcise:\n got %s\nwant %s", back, text)
	}
}

// TestSplitConcise shows what is left of a truncated specification.
func TestSplitConcise(t *testing.T) {
	for text, want := range map[string]struct {
		fields string
		open   bool
		err    error
	}{
		"a,,,,0 8 zero":   {"a||||0 8 zero", false, nil},
		"a,,,,0 8 zero;":  {"a||||0 8 zero", false, nil},
		"a,,,,0 8 zero,":  {"a||||0 8 zero\n", true, nil},
		`a,,,,0 8 zero\,`: {"a||||0 8 zero,", true, nil},
		"a, u,":           {"a|u|", true, nil},
		`a,u\`:            {"a|u", false, dm.ErrBackslash},
		"a":               {"a", false, nil},
	} {
		got, err := dm.SplitConcise(text)
		if len(got) != 1 || strings.Join(got[0].Fields, "|") != want.fields || got[0].Open != want.open || !errors.Is(err, want.err) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
		if got[0].Complete() != (strings.Count(want.fields, "|") == 4) {
			t.Errorf("%q: complete is %v", text, got[0].Complete())
		}
	}
}

// TestConciseRefuses has one case for every possible mistake.
func TestConciseRefuses(t *testing.T) {
	for _, bad := range []string{"d", "d,,,rw", "d,,,rx,0 8 zero", "d,,x,rw,0 8 zero", `d,,,rw,0 8 zero\`, "d,,,,0 8", "d,,,,0 8 zero;e"} {
		if _, err := dm.ParseConcise(bad); !errors.Is(err, dm.ErrSyntax) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestRef tells numbers from paths.
func TestRef(t *testing.T) {
	for ref, want := range map[dm.Ref]string{"8:1": "8 1 true", "/dev/sda": "0 0 false", "8:x": "8 0 false", "8": "0 0 false"} {
		major, minor, ok := ref.Number()
		if got := fmt.Sprint(major, minor, ok); got != want {
			t.Errorf("%s: %s, want %s", ref, got, want)
		}
	}
}
