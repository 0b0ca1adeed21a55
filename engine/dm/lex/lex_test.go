package lex_test

import (
	"slices"
	"testing"

	"github.com/mdkit/mdkit/engine/dm/lex"
)

// TestNumbers has what the two ways of the kernel to read a number make of the same
// words.
func TestNumbers(t *testing.T) {
	for _, tt := range []struct {
		word    string
		scanned uint64
		scans   bool // with sscanf
		strict  bool // with kstrtoull
		signed  bool // with kstrtoint
	}{
		{"0", 0, true, true, true},
		{"7", 7, true, true, true},
		{"+7", 0, false, true, true},
		{"-7", 0, false, false, true},
		{"", 0, false, false, false},
		{"+", 0, false, false, false},
		{"7x", 0, false, false, false},
		{" 7", 0, false, false, false},
		{"0x7", 0, false, false, false},
		{"+-7", 0, false, false, false},
		{"18446744073709551615", 1<<64 - 1, true, true, false},
		{"18446744073709551617", 1, true, false, false}, // wraps
	} {
		n, ok := lex.ScanU64(tt.word)
		if ok != tt.scans || ok && n != tt.scanned {
			t.Errorf("sscanf %q: %d, %v", tt.word, n, ok)
		}
		if _, ok := lex.Kstrtou(tt.word, 64); ok != tt.strict {
			t.Errorf("kstrtoull %q: %v", tt.word, ok)
		}
		if _, ok := lex.Kstrtoi(tt.word, 32); ok != tt.signed {
			t.Errorf("kstrtoint %q: %v", tt.word, ok)
		}
	}
	if n, ok := lex.ScanU32("4294967297"); n != 1 || !ok {
		t.Errorf("sscanf of 33 bits into 32: %d, %v", n, ok)
	}
}

func TestFields(t *testing.T) {
	if got := lex.Fields("\ta  b\vc\u00a0d\n"); !slices.Equal(got, []string{"a", "b", "c\u00a0d"}) {
		t.Errorf("%q", got)
	}
}
