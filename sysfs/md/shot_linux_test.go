package md

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/internal/lab"
)

var update = flag.Bool("update", false, "write testdata/mdstat-*.txtar from what the lab's kernel prints")

// TestLabMdstat runs the scenes on a real kernel and reads /proc/mdstat in
// every state. With -update it writes the texts to testdata.
func TestLabMdstat(t *testing.T) {
	mdadm := lab.Peer(t, "mdadm")
	files := maps.Clone(mdadm.Files)
	maps.Copy(files, lab.Peer(t, "e2fsprogs").Files)
	spec := lab.Spec{Modules: append([]string{"ext4"}, labModules...), Disks: labDisks(6, 16<<20), Files: files}
	var cases []lab.Case
	var names []string
	for _, sc := range scenes {
		names = append(names, sc.name)
		cases = append(cases, lab.Case{Name: sc.name, Run: func(t *testing.T, g *lab.Guest) {
			sc.play(&stage{t, g})
		}})
	}
	if !*update || lab.InGuest() {
		lab.Run(t, spec, cases...)
		return
	}
	r := lab.Cases(t, cases...).Start(t, spec, names...).Wait()
	if t.Failed() {
		return
	}
	var a archive
	a.comment = "/proc/mdstat as Linux " + r.Release + " printed it; see scene_linux_test.go.\n"
	for _, name := range slices.Sorted(maps.Keys(r.Published)) {
		if shot, ok := strings.CutPrefix(name, "mdstat/"); ok {
			a.add(shot, string(r.Published[name]))
		}
	}
	version := strings.Join(strings.SplitN(r.Release, ".", 3)[:2], ".")
	if err := os.WriteFile(filepath.Join("testdata", "mdstat-"+version+".txtar"), []byte(a.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestMdstatFixtures reads what real kernels printed, and compares it with what
// had been done to the arrays.
func TestMdstatFixtures(t *testing.T) {
	files, err := filepath.Glob("testdata/mdstat-*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("fixtures: %v, %v", files, err)
	}
	seen := map[string]bool{}
	for _, file := range files {
		a := readArchive(t, file)
		for _, name := range a.names {
			seen[name] = true
			t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar")+"/"+name, func(t *testing.T) {
				checkShot(t, name, a.files[name])
			})
		}
	}
	for name := range shots {
		if !seen[name] {
			t.Errorf("no fixture shows %s", name)
		}
	}
}

// shot is what is known about a state independently of its text.
type shot struct {
	arrays []wantArray
	unused []string
}

// wantArray is what mdstat must say about one array. Members are "name marks",
// without numbers, in any order; for progress only its kind is checked.
type wantArray struct {
	name    string
	state   string // "active" or "inactive", followed by "ro" or "auto"
	level   Level
	kib     uint64
	meta    string
	geom    MdstatGeometry
	slots   string
	sync    string // action, followed by "=" and what it waits for; "" for nothing
	bitmap  bool
	members string
}

func checkShot(t testing.TB, name, text string) {
	t.Helper()
	want, ok := shots[name]
	if !ok {
		t.Fatalf("nothing is known of state %s", name)
	}
	m, err := ParseMdstat(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if t.Failed() {
			t.Logf("%s:\n%s", name, text)
		}
	}()
	if len(m.Unparsed) != 0 || !slices.Equal(m.Unused, want.unused) || !slices.Contains(m.Personalities, "raid1") {
		t.Errorf("personalities %q, unused %q, unparsed %q", m.Personalities, m.Unused, m.Unparsed)
	}
	if len(m.Arrays) != len(want.arrays) {
		t.Fatalf("%d arrays", len(m.Arrays))
	}
	if name == "bitmap-file" {
		if b := m.Arrays[0].Bitmap; b == nil || b.File != "/run/bits/bit map" || b.Chunk != 65536 {
			t.Errorf("bitmap %+v", b)
		}
	}
	for _, w := range want.arrays {
		got := describe(m.Array(w.name))
		if name == "raid5/broken" {
			// Linux 6.12 prints "broken" where 6.1 prints "active".
			got = strings.Replace(got, " broken ", " active ", 1)
		}
		if got != w.String() {
			t.Errorf("mdstat: %s\nmade:   %s", got, w)
		}
	}
}
