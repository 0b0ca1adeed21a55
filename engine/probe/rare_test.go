package probe_test

import (
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/probe"
	"github.com/mdkit/mdkit/internal/lab"
)

// rare are images of formats that no tool of Debian makes, as the documents of the
// format or libblkid describe them: what is written where.
var rare = []struct {
	name string
	put  func(b []byte)
	want string // type/version/label/uuid
}{
	{"befs", func(b []byte) {
		sb := b[512:]
		copy(sb, "volume")
		copy(sb[32:], "1SFBEGIB")
		put32(sb, 40, 1024, 10)
		put32(sb, 68, 0xdd121031)
		put32(sb, 112, 0x15b6830e)
	}, "befs/little-endian/volume/"},
	{"hpfs", func(b []byte) {
		copy(b[54:], "HPFS    ")
		b[38] = 0x28
		put32(b, 39, 0x3bc232d5)
		copy(b[43:], "LABEL      ")
		copy(b[510:], "\x55\xaa")
		copy(b[0x2000:], "\x49\xe8\x95\xf9\xc5\xe9\x53\xfa\x02")
		copy(b[0x2200:], "\x49\x18\x91\xf9\xe1\x29\x99\xfa")
	}, "hpfs/2/LABEL/3BC2-32D5"},
	{"minix", func(b []byte) { minixSuper(b[1024:], binary.LittleEndian) }, "minix/1//"},
	{"minix of the other byte order", func(b []byte) { minixSuper(b[1024:], binary.BigEndian) }, "minix/1//"},
	{"minix 3", func(b []byte) {
		sb := b[1024:]
		put32(sb, 0, 32)
		binary.LittleEndian.PutUint16(sb[6:], 1)
		binary.LittleEndian.PutUint16(sb[8:], 1)
		binary.LittleEndian.PutUint16(sb[10:], 8)
		put32(sb, 20, 60)
		copy(sb[24:], "\x5a\x4d")
		binary.LittleEndian.PutUint16(sb[28:], 1024)
	}, "minix/3//"},
	{"ext that looks like minix", func(b []byte) {
		minixSuper(b[1024:], binary.LittleEndian)
		copy(b[1024+56:], "\x53\xef")
	}, "ext2/0.0//"},
	{"mpool", func(b []byte) {
		copy(b, "mpoolDevpool")
		copy(b[40:], sixteen)
		put32(b, 62, crc32.Checksum(b[:62], crc32.MakeTable(crc32.Castagnoli)))
	}, "mpool//pool/" + sixteenText},
	{"nss", func(b []byte) {
		copy(b[4096:], "SPB5")
		binary.LittleEndian.PutUint16(b[4096+8:], 43)
		binary.LittleEndian.PutUint16(b[4096+10:], 2)
		copy(b[4096+348:], sixteen)
	}, "nss/43.02//" + sixteenText},
	{"scoutfs meta", func(b []byte) { scoutSuper(b[0x10000:], 1) }, "scoutfs_meta/2//" + sixteenText},
	{"scoutfs data", func(b []byte) { scoutSuper(b[0x10000:], 0) }, "scoutfs_data/2//" + sixteenText},
	{"cs_fvault2", func(b []byte) {
		binary.LittleEndian.PutUint16(b[8:], 1)
		binary.LittleEndian.PutUint16(b[10:], 0x10)
		copy(b[88:], "CS")
		put32(b, 90, 1)
		put32(b, 168, 16, 2)
		copy(b[304:], sixteen)
		put32(b, 0, ^crc32.Update(^uint32(0), crc32.MakeTable(crc32.Castagnoli), b[8:512]))
	}, "cs_fvault2/1//" + sixteenText},
	{"drbdmanage", func(b []byte) {
		copy(b, "$DRBDmgr=q\n8765f402dcb246529acee269b0ba8f2e\n")
		copy(b[4096:], "\x1a\xdb\x98\xa2\x00\x00\x00\x01")
	}, "drbdmanage_control_volume/1//8765f402dcb246529acee269b0ba8f2e"},
	{"drbd proxy", func(b []byte) {
		copy(b, "DRBDdlh*\x02")
		copy(b[16:], sixteen)
	}, "drbdproxy_datalog/v2//" + sixteenText},
	{"oracleasm", func(b []byte) { copy(b[32:], "ORCLDISK") }, "oracleasm///"},
	{"ocfs", func(b []byte) { copy(b[0x2000:], "OracleCFS") }, "ocfs///"},
	{"suspended to swap", func(b []byte) {
		copy(b[4096-10:], "S1SUSPEND\x00")
		put32(b, 1024, 1, 0xff)
		copy(b[1036:], sixteen)
	}, "swsuspend/s1suspend//" + sixteenText},
	{"suspended to swap with pages of 64 KiB", func(b []byte) {
		copy(b[65536-10:], "LINHIB0001")
		put32(b, 1024, 1, 0xff)
		copy(b[1036:], sixteen)
	}, "swsuspend/linhib0001//" + sixteenText},
	{"tuxonice", func(b []byte) {
		copy(b, "\xed\xc3\x02\xe9\x98\x56\xe5\x0c")
		copy(b[4096-10:], "SWAPSPACE2")
		put32(b, 1024, 1, 0xff)
		copy(b[1036:], sixteen)
	}, "swsuspend/tuxonice//" + sixteenText},
	{"udf beside iso9660", func(b []byte) {
		for i, id := range []string{"CD001", "BEA01", "NSR02", "TEA01"} {
			copy(b[0x8000+2048*i+1:], id)
		}
	}, "iso9660///+udf///"},
	{"squashfs 3", func(b []byte) {
		copy(b, "hsqs")
		binary.LittleEndian.PutUint16(b[28:], 3)
		binary.LittleEndian.PutUint16(b[30:], 1)
	}, "squashfs3/3.1//"},
	{"atari", func(b []byte) {
		binary.BigEndian.PutUint32(b[450:], 1<<11)
		copy(b[454:], "\x01GEM\x00\x00\x00\x02\x00\x00\x01\x00")
	}, "atari///"},
	{"dasd", func(b []byte) { copy(b[8192+4:], "\xe5\xd6\xd3\xf1") }, "dasd///"},
}

const (
	sixteen     = "\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef"
	sixteenText = "01234567-89ab-cdef-0123-456789abcdef"
)

func put32(b []byte, at int, values ...uint32) {
	for i, v := range values {
		binary.LittleEndian.PutUint32(b[at+4*i:], v)
	}
}

// minixSuper is the superblock of version 1 of a disk of 60 zones.
func minixSuper(sb []byte, order binary.ByteOrder) {
	for i, v := range []uint16{32, 60, 1, 1, 5, 0} {
		order.PutUint16(sb[2*i:], v)
	}
	order.PutUint16(sb[16:], 0x138f)
	order.PutUint16(sb[18:], 1)
}

func scoutSuper(sb []byte, flags uint64) {
	copy(sb[4:], "\x8b\x42\x3c\x10")
	binary.LittleEndian.PutUint64(sb[40:], 2)
	binary.LittleEndian.PutUint64(sb[48:], flags)
	copy(sb[56:], sixteen)
	put32(sb, 0, ^crc32.Checksum(sb[4:4096], crc32.MakeTable(crc32.Castagnoli)))
}

const rareSize = 1 << 20

// TestRare finds each, and nothing else beside it.
func TestRare(t *testing.T) {
	for _, c := range rare {
		b := make([]byte, rareSize)
		c.put(b)
		found, err := probe.Probe(block.NewMemoryFrom(c.name, b))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range found {
			got = append(got, strings.Join([]string{s.Type, s.Version, s.Label, s.UUID}, "/"))
			if s.Checksum == probe.ChecksumBad {
				t.Errorf("%s: the checksum is found to be wrong", c.name)
			}
		}
		if text := strings.Join(got, "+"); text != c.want {
			t.Errorf("%s: %s, want %s", c.name, text, c.want)
		}
	}
}

// TestRareLikeBlkid asks libblkid about the same images: what it names, we name so
// too.
func TestRareLikeBlkid(t *testing.T) {
	tool := lab.Peer(t, "util-linux")
	asked := 0
	for _, c := range rare {
		b := make([]byte, rareSize)
		c.put(b)
		path := filepath.Join(t.TempDir(), "image")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		out, _ := tool.Program(t.Context(), "blkid", "-p", "-o", "export", path).Output() // nothing found is an error of its
		said := make(map[string]string)
		for line := range strings.Lines(string(out)) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			said[key] = value
		}
		typ := said["TYPE"]
		if typ == "" {
			typ = said["PTTYPE"]
		}
		if typ == "" {
			t.Logf("%s: not known to this libblkid, or held for something ambiguous", c.name)
			continue
		}
		asked++
		if !strings.Contains("+"+c.want, "+"+typ+"/") || !strings.Contains(strings.ReplaceAll(c.want, "-", ""), strings.ReplaceAll(said["UUID"], "-", "")) {
			t.Errorf("%s: we say %s, blkid\n%s", c.name, c.want, out)
		}
	}
	t.Logf("blkid named %d of %d", asked, len(rare))
	if asked < len(rare)/2 {
		t.Errorf("blkid named only %d of %d", asked, len(rare))
	}
}
