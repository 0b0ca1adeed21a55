package probe_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/probe"
	"github.com/mdkit/mdkit/internal/lab"
	"github.com/mdkit/mdkit/internal/lab/fixture"
)

// images is where the fixtures are; other packages use them as well.
const images = "../../testdata/images"

// expected says for each fixture what is on it: type, version, offset and
// checksum. Fixtures come from the original tools and from the kernel; see the
// comment in each.
var expected = map[string][]string{
	"bcache-backing":  {"bcache/1/4096/ok"},
	"bcache-cache":    {"bcache/0/4096/ok"},
	"btrfs":           {"btrfs//65536/ok", "btrfs//67108864/ok"},
	"ddf":             {"ddf_raid_member/01.02.00/67108352/ok"},
	"dm-cache":        {"dm-cache/1/0/ok"},
	"dm-clone":        {"dm-clone/1/0/ok"},
	"dm-era":          {"dm-era/1/0/ok"},
	"dm-era-restored": {"dm-era/1/0/ok"},
	"dm-integrity":    {"DM_integrity/1/0/none"},
	"dm-log-writes":   {"dm-log-writes/1/0/none"},
	"dm-mirror-log":   {"dm-mirror-log/2/0/none"},
	"dm-raid":         {"dm-raid/1.9.0/0/none"},
	"dm-snapshot":     {"DM_snapshot_cow/1/0/none"},
	"dm-thin":         {"dm-thin/1/0/ok"},
	"dm-writecache":   {"dm-writecache/1/0/none"},
	"ext2":            {"ext2/1.0/1024/none"},
	"ext4":            {"ext4/1.0/1024/ok"},
	"f2fs":            {"f2fs/1.15/1024/none"},
	"gpt":             {"gpt/1.0/512/ok", "gpt/1.0/4193792/ok"},
	"isw":             {"isw_raid_member/1.0.00/67107840/ok"},
	"luks1":           {"crypto_LUKS/1/0/none"},
	"luks2":           {"crypto_LUKS/2/0/ok", "crypto_LUKS/2/16384/ok"},
	"lvm2":            {"LVM2_member/LVM2 001/512/ok"},
	"mbr":             {"dos//0/none"},
	"md-0.90":         {"linux_raid_member/0.90/16711680/ok"},
	"md-1.0-bitmap":   {"linux_raid_bitmap/4/16760832/none", "linux_raid_member/1.0/16769024/ok"},
	"md-1.1":          {"linux_raid_member/1.1/0/ok"},
	"md-1.2-bitmap":   {"linux_raid_member/1.2/4096/ok", "linux_raid_bitmap/4/8192/none"},
	"md-1.2-journal":  {"linux_raid_member/1.2/4096/ok", "linux_raid_journal/1/2592768/ok"},
	"md-1.2-ppl":      {"linux_raid_member/1.2/4096/ok", "linux_raid_ppl//8192/ok"},
	"ntfs":            {"ntfs//0/none"},
	"swap":            {"swap/1/0/none"},
	"verity":          {"DM_verity_hash/1/0/none"},
	"vfat16":          {"vfat/FAT16/0/none"},
	"vfat32":          {"vfat/FAT32/0/none"},
	"xfs":             {"xfs/5/0/ok"},
}

func brief(found []probe.Signature) []string {
	var out []string
	for _, s := range found {
		out = append(out, fmt.Sprintf("%s/%s/%d/%s", s.Type, s.Version, s.Off, s.Checksum))
	}
	return out
}

func load(t testing.TB, name string) (*fixture.Image, *block.Memory) {
	t.Helper()
	img, err := fixture.Read(filepath.Join(images, name+".txtar"))
	if err != nil {
		t.Fatal(err)
	}
	d, err := img.Device(name)
	if err != nil {
		t.Fatal(err)
	}
	return img, d
}

func TestFixtures(t *testing.T) {
	files, err := filepath.Glob(images + "/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".txtar")
		t.Run(name, func(t *testing.T) {
			want, ok := expected[name]
			if !ok {
				t.Fatal("no expectation for this fixture")
			}
			img, d := load(t, name)
			found, err := probe.Probe(d)
			if err != nil {
				t.Fatal(err)
			}
			if got := brief(found); !slices.Equal(got, want) {
				t.Errorf("found %q, want %q", got, want)
			}
			if len(found) > 0 {
				agreeWithBlkid(t, found, img.Said["blkid"])
			}
		})
	}
	if len(files) != len(expected) {
		t.Errorf("%d fixtures, %d expectations", len(files), len(expected))
	}
}

// agreeWithBlkid compares with what blkid -p -o export printed about the whole
// image; it prints nothing for types it does not know.
func agreeWithBlkid(t *testing.T, found []probe.Signature, said string) {
	t.Helper()
	get := make(map[string]string)
	for line := range strings.Lines(said) {
		k, v, _ := strings.Cut(strings.TrimSpace(line), "=")
		get[k] = strings.ReplaceAll(strings.TrimSpace(v), `\ `, " ")
	}
	typ, uuid := get["TYPE"], get["UUID"]
	if typ == "" {
		typ, uuid = get["PTTYPE"], get["PTUUID"]
	}
	if typ == "" {
		return
	}
	i := slices.IndexFunc(found, func(s probe.Signature) bool { return s.Type == typ })
	if i < 0 {
		t.Fatalf("blkid says %s, we say %q", typ, brief(found))
	}
	s := found[i]
	plain := strings.NewReplacer("-", "", ":", "")
	// blkid takes DDF's 24 binary bytes for text.
	if got := plain.Replace(s.UUID); got != plain.Replace(uuid) && typ != "ddf_raid_member" {
		t.Errorf("uuid %s, blkid says %s", s.UUID, uuid)
	}
	// NTFS keeps its label in a file, where only blkid looks.
	if s.Label != get["LABEL"] && typ != "ntfs" {
		t.Errorf("label %q, blkid says %q", s.Label, get["LABEL"])
	}
	// blkid gives 0.90 the patch level that nobody else prints.
	if v := strings.Replace(get["VERSION"], "0.90.0", "0.90", 1); v != "" && s.Version != v {
		t.Errorf("version %q, blkid says %q", s.Version, v)
	}
}

// TestChecksums damages one byte covered by each checksum, and nothing else.
func TestChecksums(t *testing.T) {
	inside := map[string]int64{ // bytes into the structure
		"bcache-cache": 72, "btrfs": 300, "ddf": 40, "dm-cache": 240, "dm-clone": 180, "dm-era": 180, "dm-thin": 48,
		"ext4": 120, "gpt": 60, "isw": 44, "luks2": 24, "lvm2": 40, "md-0.90": 20, "md-1.1": 33, "md-1.2-bitmap": 33, "xfs": 108,
	}
	for name, off := range inside {
		t.Run(name, func(t *testing.T) {
			_, d := load(t, name)
			before, err := probe.Probe(d)
			if err != nil || before[0].Checksum != probe.ChecksumOK {
				t.Fatalf("%v, %v", before, err)
			}
			flip(t, d, before[0].Off+off)
			after, err := probe.Probe(d)
			if err != nil || len(after) != len(before) {
				t.Fatalf("%v, %v", after, err)
			}
			if after[0].Checksum != probe.ChecksumBad {
				t.Errorf("damaged byte %d, found %v with checksum %s", off, after[0], after[0].Checksum)
			}
		})
	}
}

func flip(t *testing.T, d block.Device, off int64) {
	t.Helper()
	b := make([]byte, 1)
	if err := block.ReadFull(d, b, off); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 0x40
	if _, err := d.WriteAt(b, off); err != nil {
		t.Fatal(err)
	}
}

// TestControllers builds the metadata of RAID controllers by hand, as their
// formats are documented in libblkid and dmraid: no tool makes them.
func TestControllers(t *testing.T) {
	const size = 4 << 20
	sum16 := func(b []byte) (sum uint16) {
		for i := 0; i < len(b); i += 2 {
			sum += uint16(b[i]) | uint16(b[i+1])<<8
		}
		return sum
	}
	via := make([]byte, 51)
	copy(via, "\x55\xaa\x01\x02\x03")
	for _, c := range via[:50] {
		via[50] += c
	}
	silicon := make([]byte, 512)
	copy(silicon[0x60:], "\x00\x00\x00\x2f")
	s := -sum16(silicon[:0x13e])
	silicon[0x13e], silicon[0x13f] = byte(s), byte(s>>8)
	jmicron := make([]byte, 128)
	copy(jmicron, "JM\x01\x00")
	copy(jmicron[32:], "raid0")
	s = -sum16(jmicron)
	jmicron[4], jmicron[5] = byte(s), byte(s>>8)
	for typ, c := range map[string]struct {
		off  int64
		data string
	}{
		"lsi_mega_raid_member":          {size - 512, "$XIDE$"},
		"via_raid_member":               {size - 512, string(via)},
		"silicon_medley_raid_member":    {size - 512, string(silicon)},
		"nvidia_raid_member":            {size - 1024, "NVIDIA  \x1e\x00\x00\x00\xf9\x63\x78\x63\x64\x00\x00\x00"},
		"adaptec_raid_member":           {size - 512, "\x37\xfc\x4d\x1e" + strings.Repeat("\x00", 252) + "DPTM"},
		"jmicron_raid_member":           {size - 512, string(jmicron)},
		"promise_fasttrack_raid_member": {size - 399*512, "Promise Technology, Inc."},
		"hpt45x_raid_member":            {size - 11*512, "\xf3\x16\x78\x5a"},
		"hpt37x_raid_member":            {4640, "\xf0\x16\x78\x5a"},
		"drbd":                          {size - 4096 + 60, "\x83\x74\x02\x6d"},
	} {
		d := block.NewMemory(typ, size)
		if _, err := d.WriteAt([]byte(c.data), c.off); err != nil {
			t.Fatal(err)
		}
		found, err := probe.Probe(d)
		if err != nil || len(found) != 1 || found[0].Type != typ {
			t.Errorf("%s: found %v, %v", typ, found, err)
		}
	}
}

// TestAmbivalent puts two things on one device: both are returned, the RAID first.
func TestAmbivalent(t *testing.T) {
	_, under := load(t, "ext4")
	d := block.NewMemory("both", 16<<20)
	copyDevice(t, d, under, 0, 8<<10)
	_, over := load(t, "md-1.0-bitmap")
	copyDevice(t, d, over, 16700000, 16<<20-16700000)
	found, err := probe.Probe(d)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"linux_raid_bitmap/4/16760832/none", "linux_raid_member/1.0/16769024/ok", "ext4/1.0/1024/ok"}
	if got := brief(found); !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}

func copyDevice(t *testing.T, to, from block.Device, off, n int64) {
	t.Helper()
	b := make([]byte, n)
	if err := block.ReadFull(from, b, off); err != nil {
		t.Fatal(err)
	}
	if _, err := to.WriteAt(b, off); err != nil {
		t.Fatal(err)
	}
}

// TestNothing shows that neither empty devices nor noise are taken for
// something.
func TestNothing(t *testing.T) {
	for _, size := range []int64{0, 1, 511, 512, 4096, 12287, 65536, 1 << 20, 1<<50 + 3} {
		found, err := probe.Probe(block.NewMemory("empty", size))
		if err != nil || len(found) != 0 {
			t.Errorf("%d zero bytes: found %v, %v", size, found, err)
		}
	}
	seed := lab.Seed(t)
	rng := rand.New(rand.NewPCG(seed, 0))
	noise := make([]byte, 5<<20)
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	found, err := probe.Probe(block.NewMemoryFrom("noise", noise))
	if err != nil || len(found) != 0 {
		t.Errorf("noise: found %v, %v", found, err)
	}
}

// meter counts the bytes read and fails reads that touch [bad, bad+512).
type meter struct {
	block.Device
	read int64
	bad  int64
}

func (m *meter) ReadAt(p []byte, off int64) (int, error) {
	m.read += int64(len(p))
	if m.bad >= 0 && off < m.bad+512 && off+int64(len(p)) > m.bad {
		return 0, &block.Error{Op: "read", Device: "bad", Off: m.bad, Len: 512, Err: block.ErrMedium}
	}
	return m.Device.ReadAt(p, off)
}

func TestReadsAreBounded(t *testing.T) {
	m := &meter{Device: block.NewMemory("huge", 1<<50), bad: -1}
	if _, err := probe.Probe(m); err != nil {
		t.Fatal(err)
	}
	if m.read > 4<<20 {
		t.Errorf("read %d bytes of an empty device", m.read)
	}
}

// TestBadSector shows that everything elsewhere is still found, and that the
// failure is reported.
func TestBadSector(t *testing.T) {
	_, d := load(t, "md-1.0-bitmap")
	found, err := probe.Probe(&meter{Device: d, bad: 0})
	if !errors.Is(err, block.ErrMedium) {
		t.Errorf("error %v, want a medium error", err)
	}
	if got := brief(found); len(got) != 2 {
		t.Errorf("found %q, want the superblock and the bitmap at the other end", got)
	}
}

// FuzzProbe puts bytes at some place of a device of some size. The seeds are
// the structures of all fixtures.
func FuzzProbe(f *testing.F) {
	for _, name := range slices.Sorted(maps.Keys(expected)) {
		_, d := load(f, name)
		found, err := probe.Probe(d)
		if err != nil {
			f.Fatal(err)
		}
		for _, s := range found {
			b := make([]byte, min(s.Len, 4096))
			if err := block.ReadFull(d, b, s.Off); err != nil {
				f.Fatal(err)
			}
			f.Add(b, s.Off, d.Size())
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, off, size int64) {
		d := block.NewMemory("fuzz", size&(1<<40-1))
		off = min(max(off, 0), d.Size())
		data = data[:min(int64(len(data)), d.Size()-off)]
		if _, err := d.WriteAt(data, off); err != nil {
			t.Fatal(err)
		}
		m := &meter{Device: d, bad: -1}
		found, err := probe.Probe(m)
		if err != nil {
			t.Fatal(err)
		}
		if m.read > 17<<20 {
			t.Errorf("read %d bytes", m.read)
		}
		for _, s := range found {
			if s.Off < 0 || s.Len <= 0 || s.Off+s.Len > d.Size() {
				t.Errorf("%v (%d bytes) lies outside of %d bytes", s, s.Len, d.Size())
			}
			_ = s.String()
		}
	})
}
