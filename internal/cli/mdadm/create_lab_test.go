package mdadm

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/internal/lab"
)

// image is what was written to a device, except for zeroes.
type image map[int64][]byte

const piece = 4096

// readImage reads all of a device that is not zero.
func readImage(t *testing.T, path string) image {
	t.Helper()
	f := openDirect(t, path)
	defer f.Close()
	img, buf := image{}, make([]byte, 1<<20)
	for off := int64(0); ; {
		n, err := f.ReadAt(buf, off)
		for at := 0; at < n && !blank(buf[:n]); at += piece {
			if b := buf[at:min(at+piece, n)]; !blank(b) {
				img[off+int64(at)] = slices.Clone(b)
			}
		}
		if off += int64(n); err != nil {
			return img
		}
	}
}

// openDirect opens a device for reading past the cache, which takes a fraction of
// the time; buffers must be aligned, as those of a mebibyte are.
func openDirect(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECT, 0)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

var zeroes [1 << 20]byte

// blank reports whether b, at most a mebibyte, is all zeroes.
func blank(b []byte) bool { return bytes.Equal(b, zeroes[:len(b)]) }

// blankOut zeroes on the device what the image has.
func (img image) blankOut(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for off, b := range img {
		if _, err := f.WriteAt(make([]byte, len(b)), off); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
}

// write puts bytes into the image as a device would.
func (img image) write(off int64, data []byte) {
	for len(data) > 0 {
		base := off &^ (piece - 1)
		if img[base] == nil {
			img[base] = make([]byte, piece)
		}
		n := copy(img[base][off-base:], data)
		if blank(img[base]) {
			delete(img, base)
		}
		off, data = off+int64(n), data[n:]
	}
}

// forget zeroes a range.
func (img image) forget(off, length int64) {
	img.write(off, make([]byte, length))
}

// forgetChance zeroes what differs from run to run in the structure at off:
// times, random uuids and checksums.
func (img image) forgetChance(what string, off int64) {
	type span struct{ at, n int64 }
	var spans []span
	switch {
	case what == "superblock 0.90":
		spans = []span{{24, 4}, {128, 4}, {152, 4}}
	case strings.HasPrefix(what, "superblock 1."):
		spans = []span{{64, 8}, {168, 16}, {192, 8}, {216, 4}}
	case what == "journal":
		spans = []span{{4, 4}, {16, 8}}
	}
	for _, s := range spans {
		img.forget(off+s.at, s.n)
	}
}

// diffImages describes the first place where two images differ.
func diffImages(want, got image) string {
	seen := map[int64]bool{}
	for _, img := range []image{want, got} {
		for off := range img {
			seen[off] = true
		}
	}
	var offs []int64
	for off := range seen {
		offs = append(offs, off)
	}
	slices.Sort(offs)
	zero := make([]byte, piece)
	for _, off := range offs {
		w, g := want[off], got[off]
		if w == nil {
			w = zero
		}
		if g == nil {
			g = zero
		}
		for i := range min(len(w), len(g)) {
			if w[i] != g[i] {
				at := i &^ 15
				return fmt.Sprintf("at %d: mdadm % x, ours % x", off+int64(at),
					w[at:min(at+16, len(w))], g[at:min(at+16, len(g))])
			}
		}
	}
	return ""
}

// planned is the document of a dry run.
func planned(t *testing.T, args ...string) planDoc {
	t.Helper()
	o := ours(append([]string{"--dry-run", "--json"}, args...)...)
	var doc planDoc
	if err := json.Unmarshal([]byte(o.out), &doc); err != nil {
		t.Fatalf("%v in %v", err, o)
	}
	return doc
}

// layouts are command lines of --create, without the devices. They are run where no
// personality is loaded, so that mdadm writes its metadata and the kernel then
// refuses to start the array: what is on the devices afterwards is mdadm's work
// alone.
func layouts() []string {
	var lines []string
	for _, e := range []string{"0.90", "1.0", "1.1", "1.2"} {
		for _, l := range []string{
			"-llinear -n3", "-l1 -n2", "-l1 -n3 --bitmap=internal", "-l4 -n3", "-l5 -n3", "-l5 -n3 -x1",
			"-l5 -n4 -b internal --bitmap-chunk=4M", "-l6 -n4", "-l6 -n5 --assume-clean -c 64", "-l10 -n4",
			"-l10 -n3 -p f2 -b internal", "-l10 -n4 -p o2 -c 128", "-lmultipath -n2", "-lfaulty -n1 -f",
			"-l5 -n3 -c 32 -p ra -z 20000", "-l5 -n3 -f", "-l1 -n2 --size=10M --name=tiny",
		} {
			lines = append(lines, "-e "+e+" "+l)
		}
		if e != "0.90" {
			lines = append(lines, "-e "+e+" -l0 -n3", "-e "+e+" -l0 -n2 -c 16 -p alternate",
				"-e "+e+" -l5 -n3 --consistency-policy=ppl", "-e "+e+" -l1 -n2 --data-offset=4M",
				"-e "+e+" -l0 -n2 -p dangerous")
		}
	}
	return append(
		lines,
		"-l5 -n3", "-l10 -n2 -W", "-l1 -n2 --failfast", "-l1 -n2 -b internal --write-behind=300 -W",
		"-l6 -n4 -c 1024", "-l5 -n3 -d 12 -b internal", "-l1 -n2 --homehost=elsewhere", "-l1 -n2 --homehost=<none>",
		"-l1 -n2 --name=other:name", "-l1 -n2 --name=a-name-that-is-31-bytes-long-xx", "-llinear -n2 --rounding=128",
		"-l5 -n3 -k resync", "-l1 -n2 --assume-clean",
	)
}

const testUUID = "01234567:89abcdef:fedcba98:76543210"

// devicesOf lists the devices for a line: as many as it asks for.
func devicesOf(line string) []string {
	n := 0
	for _, w := range strings.Fields(line) {
		var k int
		if c, _ := fmt.Sscanf(w, "-n%d", &k); c == 1 {
			n += k
		}
		if c, _ := fmt.Sscanf(w, "-x%d", &k); c == 1 {
			n += k
		}
	}
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf("/dev/ram%d", i))
	}
	return list
}

// sameLayout lets mdadm write, and compares that with what ours plans to write.
func sameLayout(t *testing.T, line string, devices []string) {
	t.Helper()
	args := append([]string{"--create", "/dev/md0", "--run", "--uuid=" + testUUID}, strings.Fields(line)...)
	args = append(args, devices...)
	doc := planned(t, args...)
	mdadm := peers
	if strings.Contains(line, "-l0") && !strings.Contains(line, "dangerous") {
		mdadm = next // since 4.3 the layout of every raid0 is recorded (6af520a5)
	}
	want := mdadm(t, args...)
	if !strings.Contains(want.err, "RUN_ARRAY failed") {
		t.Fatalf("mdadm %s: %v", line, want)
	}
	if doc.Exit != 0 {
		t.Fatalf("mdadm %s: ours: %v", line, doc.Notes)
	}
	for _, dev := range devices {
		if dev == "missing" {
			continue
		}
		theirs, got := readImage(t, dev), image{}
		theirs.blankOut(t, dev)
		for _, s := range doc.Steps {
			if s.Kind != "write" || s.Target != dev {
				continue
			}
			data := s.Data
			if s.Fill != "" {
				b, _ := hex.DecodeString(s.Fill)
				data = bytes.Repeat(b, int(s.Length))
			}
			if int64(len(data)) != s.Length {
				t.Fatalf("step without its bytes: %v", s)
			}
			got.write(s.Offset, data)
			got.forgetChance(s.What, s.Offset)
			theirs.forgetChance(s.What, s.Offset)
		}
		if len(theirs) == 0 {
			t.Errorf("mdadm %s: nothing on %s", line, dev)
		}
		if d := diffImages(theirs, got); d != "" {
			t.Errorf("mdadm %s: %s %s", line, dev, d)
		}
	}
}

// TestCreateWritesLikeMdadm compares every byte that --create writes.
func TestCreateWritesLikeMdadm(t *testing.T) {
	beside(t)
	mdadm := lab.Peer(t, "mdadm")
	cases := []lab.Case{{Name: "setup", Run: func(t *testing.T, _ *lab.Guest) { do(t, "hostname labhost") }}}
	for _, line := range lab.Sample(t, layouts(), 8) {
		cases = append(cases, lab.Case{
			Name: strings.ReplaceAll(line, "/", "_"),
			Run:  func(t *testing.T, _ *lab.Guest) { sameLayout(t, line, devicesOf(line)) },
		})
	}
	files := maps.Clone(mdadm.Files)
	maps.Copy(files, lab.Peer(t, "mdadm-next").Aside(nextDir))
	lab.Run(t, lab.Spec{
		Modules: []string{"md-mod", fmt.Sprintf("brd rd_nr=%d rd_size=%d", devs, ramSize>>10)},
		Files:   files,
		Memory:  1 << 30,
	}, cases...)
}
