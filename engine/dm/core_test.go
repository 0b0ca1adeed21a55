package dm_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/engine/dm"
)

// coreTable is a table that breaks a rule of the core, not of a target.
type coreTable struct {
	name   string
	text   string // with the names of the devices as in testdata/bad.txt
	line   int
	reason string
	late   bool // the kernel finds it when the table goes live
}

var coreTables = []coreTable{
	{"gap", "0 8 zero\n16 8 zero", 2, "Gap in table", false},
	{"overlap", "0 8 zero\n4 8 zero", 2, "Gap in table", false},
	{"late start", "8 8 zero", 1, "Gap in table", false},
	{"zero length", "0 0 zero", 1, "zero-length target", false},
	{"too large", "0 18014398509481984 zero", 1, "too large device", false},
	{"overflow", "1 18446744073709551615 zero", 1, "too large device", false},
	{"unknown target", "0 8 nonsense", 1, "unknown target type", false},
	{
		"singleton second", "0 2048 linear {a} 0\n2048 2048 thin-pool {a} {b} 128 0", 2,
		"singleton target type must appear alone in table", false,
	},
	{
		"singleton first", "0 2048 multipath 0 0 1 1 round-robin 0 1 0 {a}\n2048 8 zero", 2,
		"target type multipath must appear alone in table", false,
	},
	{"too small", "0 65536 linear {a} 0", 1, "{a} too small for target: start=0, len=65536, dev_size=32768", true},
	{"offset after the end", "0 8 linear {a} 32768", 1, "{a} too small for target: start=32768, len=8, dev_size=32768", true},
	{"start unaligned", "0 8 linear {k} 4", 1, "start=4 not aligned to h/w logical block size 4096 of {k}", true},
	{"end unaligned", "0 4 linear {a} 0\n4 8 linear {a} 4\n12 8 linear {k} 0\n20 2 linear {a} 12", 3, "table line 2 (start sect 12 len 8) not aligned to h/w logical block size 4096", true},
	{"length unaligned", "0 12 linear {k} 0", 1, "len=12 not aligned to h/w logical block size 4096 of {k}", true},
	{
		"targets unaligned", "0 4 linear {a} 0\n4 8 linear {k} 0", 2,
		"table line 1 (start sect 4 len 8) not aligned to h/w logical block size 4096", true,
	},
}

// table reads the table with the names of the devices filled in.
func (c coreTable) table(t *testing.T, devices map[string]string) (dm.Table, string) {
	t.Helper()
	text, reason := c.text, c.reason
	for name, dev := range devices {
		text = strings.ReplaceAll(text, "{"+name+"}", dev)
		reason = strings.ReplaceAll(reason, "{"+name+"}", dev)
	}
	table, err := dm.ParseTable(text)
	if err != nil {
		t.Fatal(err)
	}
	return table, reason
}

// TestCoreTables judges tables that break the rules of the core.
func TestCoreTables(t *testing.T) {
	w := bookWorld()
	for _, c := range coreTables {
		table, reason := c.table(t, refs)
		var e *dm.Error
		if err := dm.Check(table, w); !errors.As(err, &e) || e.Reason != reason || e.Line != c.line {
			t.Errorf("%s: %v, want line %d: %s", c.name, err, c.line, reason)
		}
	}
	var e *dm.Error
	if err := dm.Check(nil, w); !errors.As(err, &e) || !errors.Is(err, dm.ErrInvalid) {
		t.Errorf("empty table: %v", err)
	}
	if err := dm.Check(dm.Table{{Length: 8, Type: "nonsense"}}, nil); !errors.Is(err, dm.ErrUnknownTarget) {
		t.Errorf("unknown target: %v", err)
	}
}

// TestCheckJoins reports every line that is wrong, the first one first.
func TestCheckJoins(t *testing.T) {
	table, err := dm.ParseTable("0 8 linear 8:1\n8 8 zero\n24 8 zero x\n")
	if err != nil {
		t.Fatal(err)
	}
	got := dm.Check(table, bookWorld())
	want := "table line 1: linear: Invalid argument count\ntable line 3: zero: Gap in table"
	if got == nil || got.Error() != want {
		t.Errorf("got %v\nwant %s", got, want)
	}
}

// TestCheckTakes finds nothing wrong with what is right.
func TestCheckTakes(t *testing.T) {
	for _, text := range []string{
		"0 32768 linear 8:1 0", "0 2048 striped 2 8 8:1 0 8:2 0\n2048 8 zero\n2056 8 error",
		"0 8 linear 8:1 0\n8 8 linear 8:4 0", "0 16384 linear 8:4 0",
	} {
		table, err := dm.ParseTable(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := dm.Check(table, bookWorld()); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if err := dm.Check(table, nil); err != nil {
			t.Errorf("%s, without a world: %v", text, err)
		}
	}
}
