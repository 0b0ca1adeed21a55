package md

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// FuzzMdstat feeds any text followed by an ordinary array: nothing panics, and
// the array after the text is read as if it stood alone.
func FuzzMdstat(f *testing.F) {
	files, err := filepath.Glob("testdata/mdstat-*.txtar")
	if err != nil || len(files) == 0 {
		f.Fatalf("fixtures: %v, %v", files, err)
	}
	for _, file := range files {
		for _, text := range readArchive(f, file).files {
			f.Add(text)
		}
	}
	f.Add("md7 : active (x) raid7 sda[0](X) sdb[\n  64 blocks super 1.3 7d [2/ [_ level\n bitmap: 1/2 pages [3KB], 4 chunk\n [=] resync = 1.% (1/2) finish=\n")
	const tail = "md_last : active raid1 sdb[1] sda[0](F)\n" +
		"      8192 blocks super 1.2 [2/1] [_U]\n" +
		"      [>....................]  recovery =  1.1% (90/8192) finish=0.3min speed=90K/sec\n" +
		"      bitmap: 0/1 pages [0KB], 64KB chunk\n\nunused devices: sdc \n"
	alone := parseMdstat(tail)
	f.Fuzz(func(t *testing.T, text string) {
		m := parseMdstat(text + "\n" + tail)
		last := m.Arrays[len(m.Arrays)-1]
		if !reflect.DeepEqual(last, alone.Arrays[0]) {
			t.Errorf("got %+v", last)
		}
		kept := 0
		for _, a := range m.Arrays {
			if a.Name == "" || a.Missing() > len(a.Slots) {
				t.Errorf("array %+v", a)
			}
			for _, u := range a.Unparsed {
				kept += len(u)
			}
		}
		if kept > 2*len(text) {
			t.Errorf("%d bytes kept of %d", kept, len(text))
		}
	})
}

// FuzzAttributes hands any text to the parser of every attribute: none panics,
// a refusal says what was expected, and a value that has a String method is
// read back as the same.
func FuzzAttributes(f *testing.F) {
	for _, s := range []string{
		"", "none", "max", "default", "n/a", "0", "18446744073709551615", "-1", "5 (4)", "1000 (system)", "7 (local)",
		"1.2", "0.90", "external:/md127/0", "+8", "-16", "file", "1024 / 4096", "delayed", "0.204", "5", "2.500",
		"[write-through] write-back", "none [bitmap] llbitmap", "true", "in_sync,write_mostly", "journal", "100 8\n2048 512",
		"818ca0a2-0e43-63e9-fe4f-f39101401bd4", "unwritten 7\nneed sync 2", "write-pending", "recovery",
	} {
		f.Add(s)
	}
	attrs := append(append(Attributes(), MemberAttributes()...), ParamAttributes()...)
	f.Fuzz(func(t *testing.T, text string) {
		for _, at := range attrs {
			if at.Access&ReadOnlyAttr == 0 {
				continue
			}
			v, err := at.parse(text)
			if err != nil {
				var w wanted
				if !errors.As(err, &w) || w == "" {
					t.Errorf("%s: error %T %v", at.Name, err, err)
				}
				continue
			}
			printed, ok := v.(fmt.Stringer)
			if !ok {
				continue
			}
			if n, isNumber := v.(Number); isNumber && !n.Set {
				continue // each attribute has its own word for it
			}
			again, err := at.parse(printed.String())
			if err != nil || !reflect.DeepEqual(again, v) {
				if _, isDuration := v.(interface{ Seconds() float64 }); isDuration {
					continue // time.Duration prints in a form of its own
				}
				t.Errorf("%s: %q is %#v, prints as %q, which is %#v, %v", at.Name, text, v, printed, again, err)
			}
		}
	})
}

// Every prefix of what a kernel prints, and the text with any one line missing,
// is read without a panic and without losing whole arrays.
func TestMdstatCut(t *testing.T) {
	a := readArchive(t, "testdata/mdstat-6.1.txtar")
	for name, text := range a.files {
		for i := range text {
			parseMdstat(text[:i])
		}
		lines := strings.SplitAfter(text, "\n")
		for i, line := range lines {
			rest := strings.Join(append(append([]string{}, lines[:i]...), lines[i+1:]...), "")
			got, want := len(parseMdstat(rest).Arrays), len(parseMdstat(text).Arrays)
			if strings.HasPrefix(line, "md") {
				want--
			}
			if got != want {
				t.Errorf("%s without %q: %d arrays", name, line, got)
			}
		}
	}
}
