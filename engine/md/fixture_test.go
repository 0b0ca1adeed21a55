package md_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/mdkit/mdkit/engine/binfmt"
	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
)

// update makes TestKernelLife write the images it saw to testdata, and
// TestFixtures its verdicts:
// go test ./engine/md -run 'TestKernelLife|TestFixtures' -update
var update = flag.Bool("update", false, "rewrite the images and verdicts in testdata")

// A fixture is the metadata of all members of an array as annotated text: a
// txtar archive with one file for each member, named "NAME SIZE" (bytes). Its
// lines are those of binfmt.Dumper, "OFFSET: HEX # note", and more of the same
// kind for what Parts leaves out, "OFFSET: HEX * TIMES" where bytes repeat. Bytes
// that no line mentions are zero. The archive's comment says where it comes from.

const fixtureDir = "testdata/images"

// region is a part of a member worth keeping, in bytes.
type region struct{ off, length int64 }

// regionsOf lists where the member's metadata is, including the parts of Parts.
func regionsOf(d block.Device, m *md.Member) []region {
	list := []region{{m.Offset, int64(len(m.AppendSuper(nil)))}}
	if b, _ := m.ReadBitmap(d); b != nil {
		list = append(list, region{b.Offset, int64(b.Len())})
	}
	if off, length, ok := m.BadBlockLog(); ok {
		list = append(list, region{off, length})
	}
	if off, _, ok := m.PPLLog(); ok {
		list = append(list, region{off, 32 << 10})
	}
	if m.Role() == md.RoleJournal {
		list = append(list, region{int64(m.DataOffset()+m.Super1.JournalTail()) * md.SectorSize, 512 << 10})
	}
	return list
}

// dumpMember writes annotated hex of all parts of a member.
func dumpMember(w io.Writer, d block.Device, m *md.Member) error {
	dump := binfmt.Dumper{W: w}
	for part := range m.Parts(d) {
		if part.Err != nil {
			return part.Err
		}
		if _, err := fmt.Fprintf(w, "# %s (%s) at byte %d\n", part.Kind, part.Format, part.Off); err != nil {
			return err
		}
		for _, p := range binfmt.Fold(part.Pieces) {
			dump.Piece(p)
		}
	}
	return dump.Err
}

// formatMember returns the text of one member.
func formatMember(d block.Device, m *md.Member) ([]byte, error) {
	var text bytes.Buffer
	if err := dumpMember(&text, d, m); err != nil {
		return nil, err
	}
	kept := block.NewMemory("kept", d.Size())
	if err := applyLines(kept, text.Bytes()); err != nil {
		return nil, err
	}
	text.WriteString("# more\n")
	const line = 32
	for _, at := range regionsOf(d, m) {
		var last []byte
		var start, count int64
		flush := func() {
			if count > 0 {
				fmt.Fprintf(&text, "%08x: %x * %d\n", start, last, count)
			}
			last, count = nil, 0
		}
		for off := at.off; off < min(at.off+at.length, d.Size()); off += line {
			n := min(line, at.off+at.length-off)
			buf, have := make([]byte, n), make([]byte, n)
			if err := errors.Join(block.ReadFull(d, buf, off), block.ReadFull(kept, have, off)); err != nil {
				return nil, err
			}
			switch {
			case bytes.Equal(buf, have):
				flush()
			case bytes.Equal(buf, last):
				count++
			default:
				flush()
				last, start, count = buf, off, 1
			}
		}
		flush()
	}
	return text.Bytes(), nil
}

// applyLines writes the bytes that the lines state to a device.
func applyLines(d block.Device, text []byte) error {
	var last []byte // the line before, and where it ends
	var end int64
	folded := false
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), "#")
		folded = folded || line == "*"
		at, data, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		off, err := strconv.ParseInt(at, 16, 64)
		if err != nil {
			return err
		}
		data, times, repeats := strings.Cut(data, "*")
		b, err := hex.DecodeString(strings.TrimSpace(data))
		if err != nil {
			return fmt.Errorf("%s: %w", line, err)
		}
		if repeats {
			n, err := strconv.Atoi(strings.TrimSpace(times))
			if err != nil {
				return fmt.Errorf("%s: %w", line, err)
			}
			b = bytes.Repeat(b, n)
		}
		if folded && len(last) > 0 {
			if _, err := d.WriteAt(bytes.Repeat(last, int(off-end)/len(last)), end); err != nil {
				return err
			}
		}
		last, end, folded = b, off+int64(len(b)), false
		if _, err := d.WriteAt(b, off); err != nil {
			return err
		}
	}
	return nil
}

// image is one member of a fixture, as a device.
type image struct {
	*block.Memory
	text []byte
}

type fixture struct {
	name   string
	images []image
}

// reformat writes the images of a fixture again, with the same bytes, after a
// change of the annotations.
func reformat(t *testing.T, f fixture) {
	t.Helper()
	path := filepath.Join(fixtureDir, f.name+".txtar")
	ar, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, img := range f.images {
		m, err := md.ReadMember(img)
		if err != nil {
			t.Fatal(err)
		}
		if ar.Files[i].Data, err = formatMember(img, m); err != nil {
			t.Fatal(err)
		}
		f.images[i].text = ar.Files[i].Data
	}
	if err := os.WriteFile(path, txtar.Format(ar), 0o644); err != nil {
		t.Fatal(err)
	}
}

// loadFixtures reads all fixtures, and fails the test if there are none.
func loadFixtures(t testing.TB) []fixture {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(fixtureDir, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures in %s: %v", fixtureDir, err)
	}
	var list []fixture
	for _, file := range files {
		ar, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		f := fixture{name: strings.TrimSuffix(filepath.Base(file), ".txtar")}
		for _, member := range ar.Files {
			name, size, _ := strings.Cut(member.Name, " ")
			n, err := strconv.ParseInt(size, 10, 64)
			if err != nil {
				t.Fatalf("%s: %s: %v", file, member.Name, err)
			}
			d := block.NewMemory(name, n)
			if err := applyLines(d, member.Data); err != nil {
				t.Fatalf("%s: %s: %v", file, member.Name, err)
			}
			f.images = append(f.images, image{d, member.Data})
		}
		list = append(list, f)
	}
	return list
}

// TestFixtures reads the images that real kernels left behind. It allows only the
// findings that a file's verdicts list, and wants the bytes reproduced and the
// annotated text as committed. The verdicts are golden files: they were compared
// with the story of each image when it was made.
func TestFixtures(t *testing.T) {
	for _, f := range loadFixtures(t) {
		t.Run(f.name, func(t *testing.T) {
			if *update {
				reformat(t, f)
			}
			var members []*md.Member
			var got strings.Builder
			for _, img := range f.images {
				m, err := md.ReadMember(img)
				if err != nil {
					t.Fatal(err)
				}
				members = append(members, m)
				var dump bytes.Buffer
				if err := dumpMember(&dump, img, m); err != nil {
					t.Fatal(err)
				}
				if !bytes.HasPrefix(img.text, dump.Bytes()) {
					t.Errorf("%s: the dump is no longer that of the fixture:\n%s", m.Name, dump.Bytes())
				}
				want := m.AppendSuper(nil)
				have := make([]byte, len(want))
				if err := block.ReadFull(img, have, m.Offset); err != nil || !bytes.Equal(have, want) {
					t.Errorf("%s: AppendSuper does not give the bytes on disk (%v)", m.Name, err)
				}
				for f := range md.Check(img, m) {
					fmt.Fprintln(&got, f)
				}
			}
			a := md.Assess(members, md.Strict)
			for _, v := range a.Verdicts {
				fmt.Fprintln(&got, v)
			}
			fmt.Fprintln(&got, "start:", a.Startable())
			golden := filepath.Join(fixtureDir, f.name+".verdict")
			if *update {
				if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got.String() != string(want) {
				t.Errorf("got\n%swant\n%s", got.String(), want)
			}
		})
	}
}

// supers returns the bytes of all superblocks of the fixtures as seeds.
func supers(t testing.TB) [][]byte {
	var list [][]byte
	for _, f := range loadFixtures(t) {
		for _, img := range f.images {
			m, err := md.ReadMember(img)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, m.AppendSuper(nil))
		}
	}
	return list
}

// bigEndian turns a little-endian 0.90 superblock into what a big-endian
// machine would have written.
func bigEndian(t testing.TB, b []byte) []byte {
	s, err := md.ParseSuper0(b)
	if err != nil {
		t.Fatal(err)
	}
	s.Order = binary.BigEndian
	return s.AppendTo(nil)
}
