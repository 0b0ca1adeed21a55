package getopt

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// table is a selection of mdadm's options with one of every kind, and synonyms.
func table() []Long {
	return []Long{
		{Name: "manage", Val: 300},
		{Name: "detail", Val: 'D'},
		{Name: "detail-platform", Val: 301},
		{Name: "daemonise", Val: 302},
		{Name: "daemonize", Val: 302},
		{Name: "chunk", Arity: RequiredArgument, Val: 303},
		{Name: "write-behind", Arity: OptionalArgument, Val: 304},
		{Name: "raid-disks", Arity: RequiredArgument, Val: 'n'},
		{Name: "raid-devices", Arity: RequiredArgument, Val: 'n'},
		{Name: "dry-run", Val: 305, Exact: true},
	}
}

const shorts = "CDb:n:o::c;"

// TestNext has command lines as its cases; the results are their options and words,
// one a line. The complaints are those that glibc 2.36 prints for the same lines.
func TestNext(t *testing.T) {
	datadriven.RunTest(t, "testdata/next.txt", func(t *testing.T, d *datadriven.TestData) string {
		t.Helper()
		var b strings.Builder
		p := New("prog", strings.Fields(d.Input))
		for {
			o, err := p.Next(shorts, table())
			if errors.Is(err, io.EOF) {
				return b.String() + "end\n"
			}
			switch {
			case err != nil:
				fmt.Fprintf(&b, "%v\n", err)
			case o.Val == Word:
				fmt.Fprintf(&b, "word %q\n", o.Arg)
			default:
				fmt.Fprintf(&b, "option %d name=%q arg=%q has=%v\n", o.Val, o.Name, o.Arg, o.HasArg)
			}
		}
	})
}

// TestTablesMayChange checks that the same letter takes an argument or not when the
// caller switches tables between two steps, even within one cluster.
func TestTablesMayChange(t *testing.T) {
	p := New("prog", []string{"-Cbfile", "-b", "x"})
	var got []string
	short := "Cb"
	for {
		o, err := p.Next(short, nil)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if o.Val == 'C' {
			short = "Cb:"
		}
		got = append(got, fmt.Sprintf("%c=%s", o.Val, o.Arg))
	}
	if want := "C= b=file b=x"; strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

// FuzzNext checks that parsing ends, and returns only what was put in.
func FuzzNext(f *testing.F) {
	for _, s := range []string{"-Cn3 x", "--chunk=4 --", "--da -o -ofoo", "--raid-d 3 -"} {
		f.Add(strings.ReplaceAll(s, " ", "\x00"), shorts)
	}
	f.Fuzz(func(t *testing.T, joined, short string) {
		args := strings.Split(joined, "\x00")
		p := New("prog", args)
		for range len(joined) + len(args) + 1 {
			o, err := p.Next(short, table())
			if errors.Is(err, io.EOF) {
				return
			}
			if err == nil && !strings.Contains(joined, o.Arg) {
				t.Fatalf("argument %q is not in %q", o.Arg, joined)
			}
		}
		t.Fatalf("no end for %q", joined)
	})
}
