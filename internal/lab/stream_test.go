package lab

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestStream feeds the channel in pieces of every size: where it is cut must not
// matter.
func TestStream(t *testing.T) {
	text := "loose\n\x16=== RUN   TestA\n\x16=== RUN   TestA/x\n    a_test.go:1: hello\nhalf\x16=== RUN   TestA/x/in\n    deep\n\x16=== NAME  TestA/x\nback\n" +
		string(note{Kind: noteCase, Name: "TestA/x", Text: "FAIL"}.encode()) +
		string(note{Kind: notePublish, Name: "k", Data: []byte("v\n\x16")}.encode()) +
		"\x16@lab not json\n\x16--- FAIL: TestA (0.10s)\n    \x16--- FAIL: TestA/x (0.00s)\n        \x16--- PASS: TestA/x/in (0.00s)\n\x16=== NAME  \ntail"
	for size := 1; size <= len(text); size += 7 {
		var notes []note
		s := stream{onNote: func(n note) { notes = append(notes, n) }}
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			s.Write([]byte(rest[:n]))
			rest = rest[n:]
		}
		s.flush()
		got := s.snapshot("TestA/x")
		if got.Status != Fail || !strings.Contains(got.Log, "    a_test.go:1: hello\nhalf\nback\n") {
			t.Fatalf("size %d: %+v", size, got)
		}
		if len(got.Sub) != 1 || got.Sub[0].Name != "TestA/x/in" || got.Sub[0].Status != Pass || got.Sub[0].Log != "    deep\n" {
			t.Fatalf("size %d: subtests %+v", size, got.Sub)
		}
		if len(notes) != 2 || string(notes[1].Data) != "v\n\x16" {
			t.Fatalf("size %d: notes %+v", size, notes)
		}
		if s.looseText() != "loose\ntail\n" {
			t.Fatalf("size %d: loose %q", size, s.looseText())
		}
		if missing := s.snapshot("TestA/y"); missing.Status != NotRun {
			t.Fatalf("size %d: %+v", size, missing)
		}
	}
}

func TestPatchInterpreter(t *testing.T) {
	for name, b := range map[string][]byte{"empty": nil, "text": []byte("#!/bin/sh\n"), "cut": append([]byte("\x7fELF\x02\x01"), make([]byte, 60)...)} {
		if _, err := patchInterpreter(b, "/x"); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	header := append([]byte("\x7fELF\x02\x01"), make([]byte, 58)...)
	for i := 32; i < 40; i++ {
		header[i] = 0xff // program headers at the end of the address space
	}
	header[54], header[56] = 56, 1
	if _, err := patchInterpreter(header, "/x"); err == nil {
		t.Error("headers outside the file: accepted")
	}
}

func TestModuleOrder(t *testing.T) {
	ms := moduleSet{files: map[string]string{}}
	dir := t.TempDir()
	for name, info := range map[string]string{
		"top": "depends=mid-one,base\x00softdep=post: late\x00", "mid_one": "depends=base\x00softdep=pre: early\x00",
		"base": "", "early": "", "late": "", "libcrc32c": "softdep=pre: crc32c\x00", "crc32c_generic": "",
	} {
		ms.files[name] = filepath.Join(dir, name+".ko")
		if err := os.WriteFile(ms.files[name], koFile(info), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	order := func(wanted ...string) string {
		list, err := ms.order(wanted)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, m := range list {
			names = append(names, strings.TrimSpace(m.name+" "+m.param))
		}
		return strings.Join(names, ",")
	}
	if got := order("top", "nothing"); got != "base,early,mid_one,top,late" && got != "early,base,mid_one,top,late" {
		t.Errorf("order %s", got)
	}
	if got := order("top", "base n=1 m=2"); !strings.HasPrefix(got, "base n=1 m=2,") {
		t.Errorf("order %s: the parameters are lost", got)
	}
	if got := order("libcrc32c"); got != "crc32c_generic,libcrc32c" {
		t.Errorf("order %s", got)
	}
}

// koFile is the smallest ELF file that has a .modinfo section.
func koFile(info string) []byte {
	names := "\x00.modinfo\x00.shstrtab\x00"
	b := make([]byte, 64)
	copy(b, "\x7fELF\x02\x01\x01")
	put := func(off int, v uint64, n int) {
		for i := range n {
			b[off+i] = byte(v >> (8 * i))
		}
	}
	b = append(append(b, info...), names...)
	shoff := len(b)
	b = append(b, make([]byte, 3*64)...)
	put(16, 1, 2)
	put(18, 62, 2)
	put(20, 1, 4)
	put(40, uint64(shoff), 8)
	put(52, 64, 2)
	put(58, 64, 2)
	put(60, 3, 2)
	put(62, 2, 2)
	section := func(i, name, off, size int) {
		put(shoff+64*i, uint64(name), 4)
		put(shoff+64*i+4, map[bool]uint64{true: 3, false: 1}[i == 2], 4)
		put(shoff+64*i+24, uint64(off), 8)
		put(shoff+64*i+32, uint64(size), 8)
	}
	section(1, 1, 64, len(info))
	section(2, 10, 64+len(info), len(names))
	return b
}
