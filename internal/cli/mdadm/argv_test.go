package mdadm

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/mdkit/mdkit/internal/cli/ui"
)

// TestArgv checks the grammar: each case is one command line, quoted as for a
// shell, and what it is parsed into.
func TestArgv(t *testing.T) {
	datadriven.RunTest(t, "testdata/argv.txt", func(t *testing.T, d *datadriven.TestData) string {
		t.Helper()
		var warn bytes.Buffer
		args := append([]string{"mdadm"}, words(d.Input)...)
		cmd, err := parse(args, ui.IO{Err: &warn})
		var b strings.Builder
		b.WriteString(warn.String())
		var e *exit
		switch {
		case errors.As(err, &e):
			fmt.Fprintf(&b, "%s%sexit %d\n", e.out, e.err, e.code)
		case err != nil:
			t.Fatalf("parse returned a plain error: %v", err)
		default:
			describe(&b, cmd)
		}
		return b.String()
	})
}

// words splits at blanks; two quotes stand for an empty word.
func words(line string) []string {
	all := strings.Fields(line)
	for i, w := range all {
		if w == "''" {
			all[i] = ""
		}
	}
	return all
}

// describe prints the fields that differ from those of an empty command line.
func describe(b *strings.Builder, c *Command) {
	zero := Command{
		SuperMinor: Unset,
		Shape:      Shape{Level: Unset, Layout: Unset, BitmapChunk: Unset, DataOffset: Unset},
		Watching:   Watching{Increment: 20},
	}
	diff(b, "", reflect.ValueOf(zero), reflect.ValueOf(*c))
}

func diff(b *strings.Builder, prefix string, zero, v reflect.Value) {
	for i := range v.NumField() {
		if !v.Type().Field(i).IsExported() {
			continue // the state of a run, not of the line
		}
		name := prefix + v.Type().Field(i).Name
		f := v.Field(i)
		switch {
		case f.Kind() == reflect.Struct:
			diff(b, name+".", zero.Field(i), f)
		case name == "Devices":
			for _, d := range f.Interface().([]Device) {
				fmt.Fprintf(b, "device %+v\n", d)
			}
		case !reflect.DeepEqual(f.Interface(), zero.Field(i).Interface()):
			fmt.Fprintf(b, "%s: %v\n", name, f.Interface())
		}
	}
}

// FuzzParse checks that the parser rejects command lines only by an *exit.
func FuzzParse(f *testing.F) {
	for _, line := range []string{
		"--create /dev/md0 -l5 -n3 /dev/a /dev/b missing",
		"/dev/md0 --fail /dev/a --remove /dev/a --add -W /dev/b",
		"-A /dev/md0 -U resync /dev/a", "-Dbsv", "-C -l10 -pf2 -n2", "--misc --update-subarray=1 -Uname",
	} {
		f.Add(strings.ReplaceAll(line, " ", "\x00"))
	}
	f.Fuzz(func(t *testing.T, joined string) {
		cmd, err := parse(append([]string{"mdadm"}, strings.Split(joined, "\x00")...), ui.IO{Err: &bytes.Buffer{}})
		var e *exit
		if err != nil && !errors.As(err, &e) {
			t.Errorf("plain error: %v", err)
		}
		if (cmd == nil) != (err != nil) {
			t.Errorf("command %v with error %v", cmd, err)
		}
	})
}
