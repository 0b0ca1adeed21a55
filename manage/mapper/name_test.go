package mapper

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestMangle has the cases of libdm-common.c, and more.
func TestMangle(t *testing.T) {
	for _, c := range []struct {
		mode    Mangling
		name    string
		mangled string
		err     error
	}{
		{MangleAuto, "plain-1.x:y@z", "plain-1.x:y@z", nil},
		{MangleAuto, "a b", `a\x20b`, nil},
		{MangleAuto, `a\x20b`, `a\x20b`, nil},
		{MangleAuto, `a\b`, `a\x5cb`, nil},
		{MangleAuto, `a\x20b c`, "", ErrMixedName},
		{MangleAuto, `a b\x20c`, "", ErrMixedName},
		{MangleAuto, `a\x2`, "", ErrMixedName},
		{MangleAuto, `a\x5cx20b`, "", ErrTwiceName},
		{MangleAuto, "ž", `\xc5\xbe`, nil},
		{MangleAuto, strings.Repeat(" ", 32), "", ErrLongName},
		{MangleHex, `a\x20b`, `a\x5cx20b`, nil},
		{MangleHex, "a b", `a\x20b`, nil},
		{MangleHex, strings.Repeat("x", 127), strings.Repeat("x", 127), nil},
		{MangleHex, strings.Repeat("x", 128), "", ErrLongName},
		{MangleNone, `a b\x20`, `a b\x20`, nil},
		{MangleNone, strings.Repeat("x", 128), "", ErrLongName},
	} {
		got, err := Mangle(WhatName, c.name, c.mode)
		if got != c.mangled || !errors.Is(err, c.err) {
			t.Errorf("%v %q: %q, %v; want %q, %v", c.mode, c.name, got, err, c.mangled, c.err)
		}
	}
	if _, err := Unmangle(WhatName, "a b", MangleAuto); !errors.Is(err, ErrRawName) {
		t.Errorf("a name that should be encoded: %v", err)
	}
	if s, err := Unmangle(WhatName, `a b\x20c\xzz`, MangleNone); s != `a b c\xzz` || err != nil {
		t.Errorf("mode none: %q, %v", s, err)
	}
}

func TestMangleBackAndForth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringN(0, 20, 30).Draw(t, "name")
		mangled, err := Mangle(WhatName, name, MangleHex)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Unmangle(WhatName, mangled, MangleHex)
		if err != nil || back != name {
			t.Fatalf("%q became %q and then %q, %v", name, mangled, back, err)
		}
		again, err := Mangle(WhatName, mangled, MangleAuto)
		if !strings.Contains(mangled, mangledTwice) && (err != nil || again != mangled) {
			t.Fatalf("%q is not left alone: %q, %v", mangled, again, err)
		}
	})
}

func TestManglingWords(t *testing.T) {
	for _, m := range []Mangling{MangleAuto, MangleHex, MangleNone} {
		if got, ok := ParseMangling(m.String()); !ok || got != m {
			t.Errorf("%v is read as %v, %t", m, got, ok)
		}
	}
	if _, ok := ParseMangling("some"); ok {
		t.Error("some is no mode")
	}
}

// TestReadAheadWords shows how plans describe the read-ahead.
func TestReadAheadWords(t *testing.T) {
	for want, r := range map[string]ReadAhead{
		"auto": {},
		"none": {Set: true},
		"256":  {Set: true, Sectors: 256},
		"+64":  {Set: true, Sectors: 64, AtLeast: true},
	} {
		if got := r.String(); got != want {
			t.Errorf("%+v is %s, want %s", r, got, want)
		}
	}
}
