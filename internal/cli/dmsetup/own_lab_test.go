package dmsetup

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/internal/cli/dmtask"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/internal/lab"
	"github.com/mdkit/mdkit/manage/mapper"
	"github.com/mdkit/mdkit/sysfs"
)

// TestBeyond tests what the original does not have.
func TestBeyond(t *testing.T) {
	files := lab.Peer(t, "dmsetup").Files
	var cases []lab.Case
	for _, c := range []struct {
		name string
		run  func(t *testing.T, w *world)
	}{
		{"dry runs", testDryRuns},
		{"json", testJSON},
		{"check", testCheck},
		{"exit codes", testExitCodes},
		{"reasons", testReasons},
		{"restore", testRestore},
		{"keys", testKeys},
		{"events", testEvents},
		{"udev timeout", testUdevTimeout},
		{"interrupted", testInterrupted},
		{"lost output", testLostOutput},
	} {
		cases = append(cases, lab.Case{Name: c.name, Run: func(t *testing.T, _ *lab.Guest) {
			reset(t)
			defer reset(t)
			w := &world{t: t}
			defer w.release()
			c.run(t, w)
		}})
	}
	lab.Run(t, lab.Spec{Files: files, Modules: labModules()}, cases...)
}

// do runs a step that must succeed.
func (w *world) do(line string) outcome {
	w.t.Helper()
	o, compared := w.step(line, ours)
	if compared && o.code != 0 {
		o.line = line
		w.t.Fatalf("%v", o)
	}
	return o
}

// fails runs a step that must fail.
func (w *world) fails(line string) outcome {
	w.t.Helper()
	o, _ := w.step(line, ours)
	o.line = line
	if o.code == 0 {
		w.t.Fatalf("%v", o)
	}
	return o
}

// changing returns command lines that change something, on the devices a (live), b (with
// an inactive table) and c (suspended).
func changing() []string {
	return []string{
		"dmsetup create d --table '0 8 zero'", "dmsetup create d --notable",
		"dmsetup create --concise 'd,,,,0 8 zero;e,,,,0 8 error'",
		"dmsetup create d --readahead 64 --addnodeoncreate --verifyudev --table '0 8 zero'",
		"dmsetup remove a", "dmsetup remove -f a b", "dmsetup remove_all", "dmsetup remove_all --force",
		"dmsetup suspend a", "dmsetup resume c",
		"dmsetup load a --table '0 8 error'", "dmsetup clear b", "dmsetup wipe_table a", "dmsetup rename a z",
		"dmsetup rename a --setuuid UU",
		"dmsetup message a 0 @stats_create - /1", "dmsetup setgeometry a 1 2 3 0", "dmsetup mknodes",
		"dmsetup mknodes a", "dmsetup remove -S name=a",
		"dmsetup mangle a",
	}
}

func (w *world) three() {
	w.t.Helper()
	w.do("dmsetup create a --table '0 64 linear 1:0 0'")
	w.do("dmsetup create b --table '0 64 linear 1:0 0'")
	w.do("dmsetup load b --table '0 8 error'")
	w.do("dmsetup create c --table '0 64 linear 1:0 0'")
	w.do("dmsetup suspend c")
}

func testDryRuns(t *testing.T, w *world) {
	w.three()
	before := state(t)
	for _, line := range changing() {
		if o := w.do(line + " --dry-run"); o.out == "" {
			t.Errorf("%s: nothing is said", line)
		}
		if after := state(t); after != before {
			t.Fatalf("%s --dry-run:\n%s\nbefore:\n%s", line, after, before)
		}
	}
}

// decoded is what all documents have in common.
type decoded struct {
	Schema string            `json:"schema"`
	Result []json.RawMessage `json:"result"`
}

func decode(t *testing.T, line, out string) decoded {
	t.Helper()
	var doc decoded
	dec := json.NewDecoder(strings.NewReader(out))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&doc); err != nil {
		t.Fatalf("%s: %v in\n%s", line, err, out)
	}
	if dec.More() {
		t.Fatalf("%s: more than one document:\n%s", line, out)
	}
	return doc
}

func testJSON(t *testing.T, w *world) {
	w.three()
	asked := []string{
		"dmsetup info", "dmsetup info a", "dmsetup info -c", "dmsetup ls", "dmsetup ls --tree",
		"dmsetup ls --tree -o inverted", "dmsetup ls --target linear",
		"dmsetup table", "dmsetup status a", "dmsetup deps", "dmsetup deps a", "dmsetup targets",
		"dmsetup target-version linear", "dmsetup version",
		"dmsetup udevcookies", "dmsetup udevflags 0x410000", "dmsetup splitname vg-lv",
		"dmsetup message a 0 @stats_list", "dmsetup wait a 7", "dmsetup check --table '0 8 zero'",
		"dmsetup table --concise", "dmsetup udevcomplete_all -y", "dmsetup udevcomplete 0xd4d1234",
		"dmsetup table -S name=a", "dmsetup measure a",
	}
	for _, line := range append(asked, changing()...) {
		dry := ""
		if slices.Contains(changing(), line) {
			dry = " --dry-run"
		}
		o := w.do(line + " --json" + dry)
		doc := decode(t, line, o.out)
		if want := "mdkit.dmsetup." + strings.Fields(line)[1] + "/1"; doc.Schema != want {
			t.Errorf("%s: schema %s, want %s", line, doc.Schema, want)
		}
		if o.err != "" {
			t.Errorf("%s: standard error: %s", line, o.err)
		}
	}
	var info struct {
		Name      string `json:"name"`
		Suspended bool   `json:"suspended"`
		ReadAhead int64  `json:"read_ahead"`
	}
	doc := decode(t, "info", w.do("dmsetup info --json c").out)
	if err := json.Unmarshal(doc.Result[0], &info); err != nil || info.Name != "c" || !info.Suspended || info.ReadAhead%1024 != 0 || info.ReadAhead == 0 {
		t.Errorf("info: %+v, %v", info, err)
	}
	var change struct {
		dmtask.Changed
		Info *infoDoc `json:"info"`
	}
	doc = decode(t, "create", w.do("dmsetup create n --json --table '0 8 zero'").out)
	if err := json.Unmarshal(doc.Result[0], &change); err != nil || !change.Applied || len(change.Steps) < 3 || change.Info == nil || !change.Info.LiveTable {
		t.Errorf("create: %+v, %v", change, err)
	}
}

// testCheck compares check with the kernel: what it accepts can be loaded, what it
// refuses is refused, for the kernel's own reason.
func testCheck(t *testing.T, w *world) {
	w.do("dmsetup create a --notable")
	for _, table := range []string{
		"0 8 zero", "0 64 linear 1:0 0", "0 64 linear 1:0 16320", "0 64 striped 2 8 1:0 0 1:1 0",
		"0 8 zero\n8 8 error", "0 64 linear /dev/ram1 8",
	} {
		w.do("dmsetup check --table '" + table + "'")
		w.do("dmsetup load a --table '" + table + "'")
	}
	for _, table := range []string{
		"0 8 nosuch", "8 8 zero", "0 0 zero", "0 8 linear 1:0", "0 8 linear 1:0 x", "0 8 linear 9:99 0",
		"0 64 linear 1:0 16321", "0 8 zero\n9 8 error",
		"0 65 striped 2 8 1:0 0 1:1 0", "0 8 linear /dev/none 0",
		"0 64 crypt nosuch-xts-plain64 " + strings.Repeat("0", 64) + " 0 1:0 0",
		"0 64 integrity 1:0 0 - D 1 internal_hash:nosuch",
	} {
		checked, loaded := w.fails("dmsetup check --table '"+table+"'"), w.fails("dmsetup create b --table '"+table+"'")
		if lines := strings.Count(checked.err, "\n"); lines < 2 {
			t.Errorf("%v says no reason", checked)
		}
		reason, _, _ := strings.Cut(checked.err, "\n")
		if i := strings.LastIndex(reason, ": "); !strings.Contains(loaded.err, reason[i+1:]) {
			t.Logf("%q: check says %q, the kernel %q", table, reason, loaded.err)
		}
	}
	doc := decode(t, "check", w.fails("dmsetup check --json --table '0 8 linear 1:0 x'").out)
	var found checkJSON
	if err := json.Unmarshal(doc.Result[0], &found); err != nil || found.Valid || len(found.Errors) != 1 ||
		found.Errors[0].Line != 1 || found.Errors[0].Target != "linear" || found.Errors[0].Reason != "Invalid device sector" {
		t.Errorf("%+v, %v", found, err)
	}
	w.do("dmsetup check --concise 'x,,,,0 8 zero;y,,,,0 8 error'")
	w.fails("dmsetup check --concise 'x,,,,0 8 zero;y,,,,0 0 error'")
	if list := w.do("dmsetup ls").out; list != "a\t("+fmt.Sprint(mapper.Major(sysfs.Host))+":0)\n" {
		t.Errorf("check has left %s", list)
	}
}

func testExitCodes(t *testing.T, w *world) {
	w.three()
	w.do("hold /dev/dm-0")
	for _, c := range []struct {
		line string
		code int
	}{
		{"info a", 0},
		{"info x", exitMissing},
		{"table x", exitMissing},
		{"remove x", exitMissing},
		{"remove a", exitBusy},
		{"create a --table '0 8 zero'", exitExists},
		{"rename a b", exitExists},
		{"load a --table '0 8 linear 1:0'", exitInvalid},
		{"load a --table 'nonsense'", exitInvalid},
		{"check --table '0 8 linear 1:0'", exitInvalid},
		{"target-version nosuch", exitUnsupported},
		{"nonsense", exitUsage},
		{"info --nonsense", exitUsage},
		{"remove", exitUsage},
		{"udevflags x", exitUsage},
	} {
		o, _ := w.step("dmsetup "+c.line+" --exit-codes", ours)
		if o.code != c.code {
			t.Errorf("%s: exit code %d, want %d\n%s", c.line, o.code, c.code, o.err)
		}
		if o, _ = w.step("dmsetup "+c.line, ours); o.code != min(c.code, 1) {
			t.Errorf("%s without --exit-codes: exit code %d", c.line, o.code)
		}
	}
}

// testReasons checks the lines below a refusal.
func testReasons(t *testing.T, w *world) {
	w.do("dmsetup create a --table '0 64 linear 1:0 0'")
	w.do("dmsetup create b --table '0 8 linear MAJ:0 0'")
	for _, c := range [][2]string{
		{"dmsetup load a --table '0 8 linear 1:0'", "  kernel: device-mapper: table: "},
		{"dmsetup load a --table '0 8 linear 1:0 x'", "  table line 1: linear: offset: Invalid device sector\n"},
		{"dmsetup create c --table '0 8 zero\n8 8 linear 1:0 x'", "  table line 2: linear: offset: Invalid device sector\n"},
		{"dmsetup create c --table '0 8 linear 9:99 0'", "linear: Device lookup failed"},
		{"dmsetup remove a", "dm-0 is held by dm-1"},
	} {
		o := w.fails(c[0])
		want := strings.ReplaceAll(c[1], "dm-0", "a")
		if !strings.Contains(o.err, c[1]) && !strings.Contains(o.err, want) {
			t.Errorf("%v\nlacks %q", o, c[1])
		}
	}
	if o := w.do("dmsetup create c --dry-run --table '0 8 linear 1:0 x'"); !strings.Contains(o.err, "Invalid device sector") {
		t.Errorf("%v", o)
	}
	w.do("dmsetup remove b")
	w.do("hold /dev/dm-0")
	if o := w.fails("dmsetup remove a"); !strings.Contains(o.err, fmt.Sprint(os.Getpid())) {
		t.Errorf("%v\nlacks this process, %d", o, os.Getpid())
	}
}

// testRestore dumps devices whose names are in the wrong order, and recreates them from
// the dump.
func testRestore(t *testing.T, w *world) {
	w.do("dmsetup create z -u base --table '0 1024 linear 1:0 0'")
	w.do("dmsetup create m --table '0 512 linear MAJ:0 0'")
	w.do("dmsetup create n --table '0 512 linear MAJ:0 512'")
	w.do("dmsetup create a --table '0 1024 striped 2 8 MAJ:1 0 MAJ:2 0'")
	w.do("dmsetup create b -r --table '0 64 crypt aes-xts-plain64 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff 0 1:1 0'")
	if text := w.do("dmsetup table --concise").out + w.do("dmsetup table --json b").out; strings.Contains(text, "00112233") {
		t.Errorf("the key shows: %s", text)
	}
	dump := w.do("dmsetup table --concise --showkeys").out
	before := state(t)
	if reset(t); state(t) == before {
		t.Fatal("nothing has been removed")
	}
	if o := ours(t, []string{"dmsetup", "create", "--concise"}, strings.TrimSpace(dump)); o.code != 0 {
		t.Fatalf("create --concise of %s: %v", dump, o)
	}
	if after := state(t); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

func testEvents(t *testing.T, w *world) {
	w.do("dmsetup create a --table '0 8 zero'")
	r, pipe, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan int, 1)
	var errs bytes.Buffer
	go func() {
		done <- Main(ctx, []string{"dmsetup", "events"}, ui.IO{In: strings.NewReader(""), Out: pipe, Err: &errs})
		pipe.Close()
	}()
	dec := json.NewDecoder(r)
	next := func(event, name string) {
		t.Helper()
		var e eventJSON
		err := dec.Decode(&e)
		for err == nil && e.Event == "event" { // the targets regard a rename as an event too
			err = dec.Decode(&e)
		}
		if err != nil || e.Event != event || e.Name != name || e.Schema != "mdkit.dmsetup.events/1" {
			t.Fatalf("%+v, %v; want %s of %s", e, err, event, name)
		}
	}
	next("present", "a")
	w.do("dmsetup create b --table '0 8 zero'")
	next("appeared", "b")
	w.do("dmsetup rename b c")
	next("renamed", "c")
	w.do("dmsetup remove a")
	next("vanished", "a")
	w.do("dmsetup remove c")
	next("vanished", "c")
	cancel()
	if code := <-done; code != 0 {
		t.Errorf("exit code %d: %s", code, errs.String())
	}
}

// testUdevTimeout makes it look as if udev were running, which then never answers.
func testUdevTimeout(t *testing.T, w *world) {
	w.do("mkdir /run/udev")
	w.do("file /run/udev/control x")
	o := w.do("dmsetup create a --udev-timeout 1 --table '0 8 zero'")
	if !strings.Contains(o.err, "udev did not answer") {
		t.Errorf("%v", o)
	}
	o = w.fails("dmsetup udevreleasecookie --exit-codes --udev-timeout 1 " + joinedCookie(t, w))
	if o.code != exitTimeout {
		t.Errorf("%v", o)
	}
	if list, err := mapper.Cookies(); err != nil || len(list) != 0 {
		t.Errorf("cookies are left: %v, %v", list, err)
	}
}

// joinedCookie makes a cookie that a command joins, and returns it.
func joinedCookie(t *testing.T, w *world) string {
	t.Helper()
	cookie := strings.TrimSpace(w.do("dmsetup udevcreatecookie").out)
	w.do("dmsetup rename a b --udevcookie " + cookie)
	return cookie
}

// testInterrupted interrupts the wait for a udev that never answers.
func testInterrupted(t *testing.T, w *world) {
	w.do("mkdir /run/udev")
	w.do("file /run/udev/control x")
	before := state(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan outcome, 1)
	go func() {
		var out, errs bytes.Buffer
		code := Main(ctx, []string{"dmsetup", "create", "a", "--table", "0 8 zero"}, ui.IO{In: strings.NewReader(""), Out: &out, Err: &errs})
		done <- outcome{line: "create", code: code, out: out.String(), err: errs.String()}
	}()
	lab.Until(t, "something to happen", func() bool { return state(t) != before })
	cancel()
	if o := <-done; o.code != 1 || !strings.Contains(o.err, "Interrupted.") {
		t.Errorf("%v", o)
	}
	if after := state(t); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

func testLostOutput(t *testing.T, w *world) {
	f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var errs bytes.Buffer
	code := Main(t.Context(), []string{"dmsetup", "version"}, ui.IO{In: strings.NewReader(""), Out: f, Err: &errs})
	if code != 1 || !strings.Contains(errs.String(), "standard output") {
		t.Errorf("exit code %d: %s", code, errs.String())
	}
	w.release()
}
