package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/internal/lab/fixture"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"mdkit": func() { os.Exit(run(append([]string{"mdkit"}, os.Args[1:]...), ui.Process())) },
		"mdadm": func() { os.Exit(run(append([]string{"/sbin/mdadm"}, os.Args[1:]...), ui.Process())) },
	})
}

// TestScripts runs the program as people do. Besides the usual commands,
// scripts have:
//
//	fixture NAME OUT   write the image of engine/probe's fixture NAME to OUT
//	exitcode N CMD...  run CMD, which must end with exit code N
func TestScripts(t *testing.T) {
	probes, err := filepath.Abs("../../engine/probe/testdata")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"fixture": func(ts *testscript.TestScript, _ bool, args []string) {
				img, err := fixture.Read(filepath.Join(probes, args[0]+".txtar"))
				ts.Check(err)
				ts.Check(img.WriteFile(ts.MkAbs(args[1])))
			},
			"exitcode": func(ts *testscript.TestScript, _ bool, args []string) {
				err := ts.Exec(args[1], args[2:]...)
				got := "0"
				if err != nil {
					got = strings.TrimPrefix(fmt.Sprint(err), "exit status ")
				}
				if got != args[0] {
					ts.Fatalf("%s: exit code %s, want %s", strings.Join(args[1:], " "), got, args[0])
				}
			},
		},
	})
}
