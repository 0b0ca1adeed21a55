package coverage

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestTimesAddUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "times")
	if list, err := LoadTimes(path); err != nil || list != nil {
		t.Errorf("no file: %v, %v", list, err)
	}
	units := []Time{{"unit", "engine/md", 1.5, 0}, {"unit", "", 3, 0}}
	kernel := []Time{{"kernel", "engine/md", 1.5, 2}, {"kernel", "engine/dm", 8, 3}, {"kernel", "a", 0.5, 0}, {"kernel", "b", 0.25, 0}, {"kernel", "", 9, 0}}
	for _, part := range [][]Time{units, kernel} {
		if err := SaveTimes(path, part); err != nil {
			t.Fatal(err)
		}
	}
	list, err := LoadTimes(path)
	if err != nil || !slices.Equal(list, slices.Concat(units, kernel)) {
		t.Fatalf("%v, %v", list, err)
	}
	var out bytes.Buffer
	if err := PrintTimes(&out, list); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(out.String()) {
		got = append(got, strings.Join(strings.Fields(line), " "))
	}
	want := []string{
		"stage package seconds machines",
		"unit 3.0 0", "1 others 1.5 0",
		"kernel 9.0 5", "engine/dm 8.0 3", "engine/md 1.5 2", "2 others 0.8 0",
		"all 12.0 5",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s", out.String())
	}
}

// TestRunCountsMachines has a package whose tests boot two machines.
func TestRunCountsMachines(t *testing.T) {
	run, _ := readStream(t, `{"Action":"output","Package":"github.com/mdkit/mdkit/engine/md","Test":"TestA","Output":"    x_test.go:3: lab: booted 6.1 (uml)\n"}
{"Action":"output","Package":"github.com/mdkit/mdkit/engine/md","Test":"TestA/b","Output":"    x_test.go:9: lab: booted 6.1 (uml)\n"}
{"Action":"pass","Package":"github.com/mdkit/mdkit/engine/md","Test":"TestA/b"}
{"Action":"pass","Package":"github.com/mdkit/mdkit/engine/md","Test":"TestA"}
{"Action":"pass","Package":"github.com/mdkit/mdkit/engine/md","Elapsed":1.5}
`)
	if want := []Time{{Package: "engine/md", Seconds: 1.5, Machines: 2}}; !slices.Equal(run.Times, want) {
		t.Errorf("%v", run.Times)
	}
}
