package block_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/engine/block"
)

func newFault(t *testing.T, script string) (*block.Memory, *block.Fault) {
	t.Helper()
	base := block.NewMemoryFrom("ram", fill(7, 16*sector))
	f, err := block.NewFault(base, script)
	if err != nil {
		t.Fatal(err)
	}
	return base, f
}

func TestFaultErrors(t *testing.T) {
	base, f := newFault(t, "read 4096+512 error\nwrite 0+1 error; discard 512+1 error # not the rest\nsync 0+1 error")
	p := make([]byte, 100)
	for off, bad := range map[int64]bool{0: false, 3996: false, 3997: true, 4096: true, 4607: true, 4608: false} {
		if _, err := f.ReadAt(p, off); errors.Is(err, block.ErrMedium) != bad {
			t.Errorf("read at %d gave %v; want failure: %v", off, err, bad)
		}
	}
	if n, err := f.WriteAt(p, 0); n != 0 || !errors.Is(err, block.ErrMedium) {
		t.Errorf("write gave %d, %v", n, err)
	}
	if err := f.Discard(500, 100); !errors.Is(err, block.ErrMedium) {
		t.Errorf("discard gave %v", err)
	}
	if err := f.Sync(); !errors.Is(err, block.ErrMedium) {
		t.Errorf("sync gave %v", err)
	}
	wantBytes(t, base, fill(7, 16*sector))
}

func TestFaultTornAndShort(t *testing.T) {
	base, f := newFault(t, "write 0+1s torn=512; write 2s+1s short=100; read 4s+1 torn=3; read 5s+1 short=4; discard 8s+1 torn=5; discard 9s+1 short=6")
	if n, err := f.WriteAt(fill(1, 2*sector), 0); n != 2*sector || err != nil {
		t.Errorf("a torn write must report success; got %d, %v", n, err)
	}
	if n, err := f.WriteAt(fill(1, sector), 2*sector); n != 100 || !errors.Is(err, block.ErrMedium) {
		t.Errorf("a short write gave %d, %v; want 100, medium error", n, err)
	}
	p := fill(9, 10)
	if n, err := f.ReadAt(p, 4*sector); n != 10 || err != nil || !bytes.Equal(p, []byte{7, 7, 7, 0, 0, 0, 0, 0, 0, 0}) {
		t.Errorf("a torn read gave %d, %v, %v", n, err, p)
	}
	if n, err := f.ReadAt(p, 5*sector); n != 4 || !errors.Is(err, block.ErrMedium) {
		t.Errorf("a short read gave %d, %v; want 4, medium error", n, err)
	}
	if err := f.Discard(8*sector, 512); err != nil {
		t.Errorf("a torn discard must report success; got %v", err)
	}
	if err := f.Discard(9*sector, 512); !errors.Is(err, block.ErrMedium) {
		t.Errorf("a short discard gave %v; want medium error", err)
	}
	want := fill(7, 16*sector)
	copy(want, fill(1, 512))
	copy(want[2*sector:], fill(1, 100))
	clear(want[8*sector:][:5])
	clear(want[9*sector:][:6])
	wantBytes(t, base, want)
}

func TestFaultFlipsWhenItsTimeComes(t *testing.T) {
	base, f := newFault(t, "read 8+2 flip=9 after=2 times=1; write 100+1 flip=0")
	for i, want := range []byte{7, 7, 7 ^ 2, 7} {
		p := make([]byte, 32)
		if err := block.ReadFull(f, p, 0); err != nil {
			t.Fatal(err)
		}
		if p[9] != want || p[8] != 7 || p[10] != 7 {
			t.Errorf("read %d gave %v around byte 9; want %d there", i, p[8:11], want)
		}
	}
	p := fill(4, 3)
	write(t, f, p, 99)
	if got := contents(base)[99:102]; !bytes.Equal(got, []byte{4, 5, 4}) {
		t.Errorf("the base holds %v; want 4 5 4", got)
	}
	if !bytes.Equal(p, fill(4, 3)) {
		t.Error("the caller's buffer was changed")
	}
}

func TestParseScriptRefuses(t *testing.T) {
	for script, word := range map[string]string{
		"read":                             "read",
		"read * error\n\nsmell * error":    "smell",
		"read 5 error":                     "5",
		"read 5+ error":                    "5+",
		"read 5+0 error":                   "5+0",
		"read -5+1 error":                  "-5+1",
		"read 8388608T+1 error":            "8388608T+1",
		"read 9223372036854775807+1 error": "9223372036854775807+1",
		"read * error=1":                   "error=1",
		"read * torn":                      "torn",
		"read * torn=":                     "torn=",
		"read * flip=1K":                   "flip=1K",
		"read 0+1 flip=8":                  "flip=8",
		"read * explode":                   "explode",
		"read * error after=x":             "after=x",
		"read * error times=0":             "times=0",
		"read * error soon":                "soon",
	} {
		_, err := block.NewFault(block.NewMemory("ram", 0), script)
		var where *block.ScriptError
		if !errors.As(err, &where) || where.Text != word || where.Line != 1+strings.Count(script, "\n") {
			t.Errorf("%q gave %v; want an error that names %q", script, err, word)
		}
	}
}

func FuzzParseScript(f *testing.F) {
	for _, s := range []string{
		"read 4096+512 error\nwrite 0+1M torn=512; read 8192+4096 flip=3 after=2",
		"any * error after=100 # dies", "sync 0s+8T short=1G times=3", "discard *  torn=0", ";;\n#\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, script string) {
		rules, err := block.ParseScript(script)
		if err != nil {
			if rules != nil || strings.Contains(err.Error(), "\n") {
				t.Errorf("rules and an error, or an error of two lines: %v", err)
			}
			return
		}
		var text []string
		for _, r := range rules {
			text = append(text, r.String())
		}
		again, err := block.ParseScript(strings.Join(text, "\n"))
		if err != nil || !slices.Equal(rules, again) {
			t.Errorf("%q reads back as %v, %v; want %v", text, again, err, rules)
		}
	})
}
