package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/array"
	"github.com/mdkit/mdkit/internal/cli/native"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/internal/lab/fixture"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"mdkit":   func() { os.Exit(run(append([]string{"mdkit"}, os.Args[1:]...), ui.Process())) },
		"dmsetup": func() { os.Exit(run(append([]string{"dmsetup"}, os.Args[1:]...), ui.Process())) },
		"mdadm":   func() { os.Exit(run(append([]string{"/sbin/mdadm"}, os.Args[1:]...), ui.Process())) },
	})
}

// TestManPage checks that the manual page describes this program; with
// UPDATE_SCRIPTS it rewrites the page.
func TestManPage(t *testing.T) {
	const path = "../../docs/mdkit.8"
	want, err := native.ManPage(faces()...)
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("UPDATE_SCRIPTS") != "" {
		if err := os.WriteFile(path, []byte(want), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is out of date: UPDATE_SCRIPTS=1 go test ./cmd/mdkit writes it", path)
	}
}

// TestFacesOfOtherSystems checks that a tool that exists here exists everywhere,
// if only to say that it needs Linux.
func TestFacesOfOtherSystems(t *testing.T) {
	src, err := os.ReadFile("faces_other.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faces() {
		if !strings.Contains(string(src), fmt.Sprintf("ui.NeedsLinux(%q)", f.Name)) {
			t.Errorf("faces_other.go does not have %s", f.Name)
		}
	}
}

// TestScripts runs the program as people do. Besides the usual commands, scripts
// have:
//
//	fixture NAME OUT    write the image NAME of the shared ones, /testdata/images, to OUT
//	array NAME          write the members of the array NAME, of our testdata/images,
//	                    to NAME.0.img, NAME.1.img, ...
//	untouched NAME      fail if a member of the array differs from what array wrote
//	same NAME FILE      fail unless FILE is what the kernel read from the array
//	put FILE NAME       write FILE to the start of the array NAME
//	exitcode N CMD...   run CMD, which must end with exit code N
//	pick OFF LEN IN OUT copy a part of a file
//	poke FILE OFF TEXT  overwrite a part of a file
func TestScripts(t *testing.T) {
	s := scripts{
		probes: mustAbs(t, "../../testdata/images"),
		images: mustAbs(t, "testdata/images"),
	}
	testscript.Run(t, testscript.Params{
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Dir:           "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"fixture": func(ts *testscript.TestScript, _ bool, args []string) {
				s.write(ts, filepath.Join(s.probes, args[0]+".txtar"), args[1])
			},
			"array":     s.array,
			"untouched": s.untouched,
			"same":      s.same,
			"put":       s.put,
			"exitcode":  exitcode,
			"pick":      pick,
			"poke":      poke,
		},
	})
}

func mustAbs(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

type scripts struct{ probes, images string }

func (s scripts) write(ts *testscript.TestScript, fixturePath, out string) *fixture.Image {
	img, err := fixture.Read(fixturePath)
	ts.Check(err)
	ts.Check(img.WriteFile(ts.MkAbs(out)))
	return img
}

// members lists the fixtures of an array.
func (s scripts) members(ts *testscript.TestScript, name string) []string {
	list, err := filepath.Glob(filepath.Join(s.images, name+".*.txtar"))
	ts.Check(err)
	if len(list) == 0 {
		ts.Fatalf("there is no array %s", name)
	}
	return list
}

func imageName(fixturePath string) string {
	return strings.TrimSuffix(filepath.Base(fixturePath), ".txtar") + ".img"
}

func (s scripts) array(ts *testscript.TestScript, _ bool, args []string) {
	for _, m := range s.members(ts, args[0]) {
		s.write(ts, m, imageName(m))
	}
}

func (s scripts) untouched(ts *testscript.TestScript, _ bool, args []string) {
	for _, m := range s.members(ts, args[0]) {
		was := imageName(m) + ".was"
		s.write(ts, m, was)
		if !bytes.Equal([]byte(ts.ReadFile(was)), []byte(ts.ReadFile(imageName(m)))) {
			ts.Fatalf("%s was changed", imageName(m))
		}
	}
}

func (s scripts) same(ts *testscript.TestScript, _ bool, args []string) {
	img, err := fixture.Read(s.members(ts, args[0])[0])
	ts.Check(err)
	got := fmt.Sprintf("%x", sha256.Sum256([]byte(ts.ReadFile(args[1]))))
	if want := strings.TrimSpace(img.Said["sha256"]); got != want {
		ts.Fatalf("sha256 of %s is %s, the kernel read %s", args[1], got, want)
	}
}

func (s scripts) put(ts *testscript.TestScript, _ bool, args []string) {
	data := []byte(ts.ReadFile(args[0]))
	devices := make(map[*md.Member]block.Device)
	var members []*md.Member
	for _, path := range s.members(ts, args[1]) {
		d, err := block.OpenFile(ts.MkAbs(imageName(path)), block.ForWriting)
		ts.Check(err)
		defer d.Close()
		m, err := md.ReadMember(d)
		ts.Check(err)
		members, devices[m] = append(members, m), d
	}
	a, err := array.Open(md.Assess(members, md.Strict), devices, array.Options{})
	ts.Check(err)
	_, err = a.WriteAt(data, 0)
	ts.Check(err)
	ts.Check(a.Close()) // marks it clean
}

func exitcode(ts *testscript.TestScript, _ bool, args []string) {
	got := "0"
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("%s: exit code %s, want %s", strings.Join(args[1:], " "), got, args[0])
	}
}

func pick(ts *testscript.TestScript, _ bool, args []string) {
	var off, n int
	_, err := fmt.Sscan(args[0]+" "+args[1], &off, &n)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[3]), []byte(ts.ReadFile(args[2]))[off:off+n], 0o666))
}

func poke(ts *testscript.TestScript, _ bool, args []string) {
	var off int64
	_, err := fmt.Sscan(args[1], &off)
	ts.Check(err)
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_WRONLY, 0)
	ts.Check(err)
	_, err = f.WriteAt([]byte(args[2]), off)
	ts.Check(err)
	ts.Check(f.Close())
}
