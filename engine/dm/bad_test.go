package dm_test

import (
	_ "embed"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/engine/dm"
)

//go:embed testdata/bad.txt
var badText string

// badTable is one line of testdata/bad.txt.
type badTable struct {
	line     dm.Line
	readOnly bool
	reason   string
	differs  []note
}

// note is what some kernels say in place of the reason.
type note struct {
	where  string // "before 6.12", "since 7.2": by release; "qemu", "uml": by backend
	reason string
}

// says returns what a kernel says about the table: atLeast compares its
// release.
func (b badTable) says(atLeast func(release string) bool, backend string) string {
	want := b.reason
	for _, n := range b.differs {
		before, isBefore := strings.CutPrefix(n.where, "before ")
		since, isSince := strings.CutPrefix(n.where, "since ")
		if isBefore && !atLeast(before) || isSince && atLeast(since) || n.where == backend {
			want = n.reason
		}
	}
	return want
}

// badTables reads testdata/bad.txt, with the names of the devices filled in.
func badTables(t *testing.T, devices map[string]string) []badTable {
	t.Helper()
	var list []badTable
	for raw := range strings.Lines(badText) {
		raw = strings.TrimSpace(raw)
		if raw == "" || raw[0] == '#' {
			continue
		}
		var b badTable
		for raw[0] == '[' {
			var text string
			text, raw, _ = strings.Cut(raw[1:], "] ")
			where, reason, ok := strings.Cut(text, ": ")
			if known := strings.HasPrefix(where, "before ") || strings.HasPrefix(where, "since ") || where == "qemu" || where == "uml"; !ok || !known {
				t.Fatalf("testdata/bad.txt: [%s]", text)
			}
			b.differs = append(b.differs, note{where, reason})
		}
		left, reason, ok := strings.Cut(raw, " => ")
		if b.reason = reason; !ok {
			left, b.reason, ok = strings.Cut(raw, "=> ")
		}
		left, b.readOnly = strings.CutPrefix(left, "ro ")
		words := strings.SplitN(strings.TrimSpace(left), " ", 3)
		n, err := strconv.ParseUint(words[1], 10, 64)
		if err != nil || !ok {
			t.Fatalf("testdata/bad.txt: %q: %v", raw, err)
		}
		b.line = dm.Line{Length: n, Type: words[0]}
		if len(words) == 3 {
			b.line.Params = words[2]
		}
		b.line.Params = strings.ReplaceAll(b.line.Params, "{254 pairs}", strings.Repeat("- - ", 254))
		for name, dev := range devices {
			b.line.Params = strings.ReplaceAll(b.line.Params, "{"+name+"}", dev)
		}
		list = append(list, b)
	}
	return list
}

// world is a machine for checks.
type world struct {
	devices  map[string]dm.DeviceInfo
	versions map[string][3]uint32
	// algorithms are those that the kernel has loaded.
	algorithms map[string][]dm.Algorithm
	unknown    bool // no target is known to be there, or not to be
}

func (w world) Device(ref string) (dm.DeviceInfo, error) {
	if d, ok := w.devices[ref]; ok {
		return d, nil
	}
	return dm.DeviceInfo{}, errors.New("no such device")
}

func (w world) Target(typ string) ([3]uint32, dm.Knowledge) {
	if w.unknown {
		return [3]uint32{}, dm.Unknown
	}
	if v, ok := w.versions[typ]; ok {
		return v, dm.Has
	}
	return [3]uint32{}, dm.Lacks
}

func (w world) Algorithms(name string) []dm.Algorithm { return w.algorithms[name] }

// refs are the devices of testdata/bad.txt in the tests without a kernel.
var refs = map[string]string{"a": "8:1", "b": "8:2", "c": "8:3", "k": "8:4", "x": "/dev/none"}

// bookWorld is a machine with the target versions of Linux 6.12.
func bookWorld() world {
	w := world{
		devices: map[string]dm.DeviceInfo{
			"8:1":  {Major: 8, Minor: 1, Size: 32768, Mapped: "-"},
			"8:2":  {Major: 8, Minor: 2, Size: 32768, LogicalBlockSize: 512},
			"8:3":  {Major: 8, Minor: 3, Size: 2048},
			"8:4":  {Major: 8, Minor: 4, Size: 16384, LogicalBlockSize: 4096},
			"8:5":  {Major: 8, Minor: 5, Size: 32768, ZoneSectors: 512},
			"8:6":  {Major: 8, Minor: 6, Size: 32768, ZoneSectors: 1024},
			"8:7":  {Major: 8, Minor: 7, Size: 32768, IntegrityTag: 8},
			"8:8":  {Major: 8, Minor: 8, Size: 1 << 50, LogicalBlockSize: 16384},
			"8:9":  {Major: 8, Minor: 9, Size: 1 << 50, Mapped: "linear"},
			"8:10": {Major: 8, Minor: 10, Size: 32768, IntegrityTag: 28, IntegrityInterval: 4096},
			"8:11": {Major: 8, Minor: 11, Size: 32768, IntegrityTag: 4096, IntegrityInterval: 512},
		},
		versions: map[string][3]uint32{"error": {1, 7, 0}, "cache": {2, 3, 0}, "crypt": {1, 28, 0}, "integrity": {1, 13, 0}},
	}
	for _, typ := range dm.Types() {
		if _, ok := w.versions[typ]; !ok {
			w.versions[typ] = [3]uint32{1}
		}
	}
	return w
}

func check(b badTable, w dm.World) error {
	if b.readOnly {
		return dm.CheckReadOnly(dm.Table{b.line}, w)
	}
	return dm.Check(dm.Table{b.line}, w)
}

// TestBadTables expects the kernel's reason for each bad table.
func TestBadTables(t *testing.T) {
	w := bookWorld()
	list := badTables(t, refs)
	if len(list) < 400 {
		t.Errorf("only %d bad tables", len(list))
	}
	for _, b := range list {
		err := check(b, w)
		var e *dm.Error
		if !errors.As(err, &e) || e.Reason != b.reason || e.Target != b.line.Type {
			t.Errorf("%s\n got %v\nwant %s", b.line, err, b.reason)
			continue
		}
		if e.Line != 1 || !errors.Is(err, dm.ErrInvalid) && !errors.Is(err, dm.ErrDevice) {
			t.Errorf("%s: line %d, %v", b.line, e.Line, e.Err)
		}
	}
}

// worldTables are bad because of devices that no lab machine has: 8:5 and 8:6
// have zones of different sizes, 8:7 has room for 8 bytes of integrity data per
// block, 8:8 has blocks of 16 KiB, 8:9 is a large linear device.
var worldTables = []struct{ typ, params, reason string }{
	{"zoned", "8:5 8:6", "First device must be a regular device"},
	{"zoned", "8:1 8:5 8:6", "Zone nr sectors mismatch"},
	{"integrity", "8:7 0 16 I 1 internal_hash:sha256", "The integrity profile is smaller than tag size"},
	{"integrity", "8:11 0 16 I 1 internal_hash:sha256", "Too big tuple size"},
	{"integrity", "8:10 0 16 I 1 internal_hash:sha256", "Integrity profile sector size mismatch"},
	{"crypt", "capi:gcm(aes)-random " + key32 + " 0 8:10 0 1 integrity:32:aead", "Integrity profile tag size mismatch."},
	{"crypt", "capi:gcm(aes)-random " + key32 + " 0 8:10 0 1 integrity:28:aead", "Integrity profile sector size mismatch."},
	{"clone", "8:1 8:8 8:8 8", "Region size is not a multiple of device logical block size"},
	{"clone", "8:1 8:9 8:9 8", "Too many regions. Consider increasing the region size"},
	{"thin", "8:9 0", "Couldn't find pool object"},
}

// TestWorldTables judges tables on devices that no lab machine has.
func TestWorldTables(t *testing.T) {
	for _, b := range worldTables {
		l := dm.Line{Length: 32768, Type: b.typ, Params: b.params}
		if strings.HasPrefix(b.reason, "Too many") {
			l.Length = 1 << 40
		}
		var e *dm.Error
		if err := dm.Check(dm.Table{l}, bookWorld()); !errors.As(err, &e) || e.Reason != b.reason {
			t.Errorf("%s\n got %v\nwant %s", l, err, b.reason)
		}
	}
}
