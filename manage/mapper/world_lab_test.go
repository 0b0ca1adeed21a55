package mapper

import (
	"errors"
	"strings"
	"testing"

	table "github.com/mdkit/mdkit/engine/dm"
	"github.com/mdkit/mdkit/internal/lab"
	"github.com/mdkit/mdkit/ioctl/dm"
)

// TestLabWorldBelow has the kernel judge tables whose fate hangs on what the device below
// is, and compares what we say: neither do we refuse what it takes, nor is it for another
// reason.
func TestLabWorldBelow(t *testing.T) {
	lab.Run(t, lab.Spec{
		Modules: []string{"aes_generic", "xts", "cbc", "ecb", "essiv", "hmac", "sha256_generic", "ctr", "dm-mod", "dm-crypt", "dm-integrity", "dm-thin-pool", "authenc"},
		Disks:   []lab.Disk{{Size: 32 << 20}, {Size: 32 << 20}, {Size: 32 << 20}},
	}, lab.Case{Name: "kernel", Run: labBelow})
}

func labBelow(t *testing.T, g *lab.Guest) {
	m := open(t)
	create(t, m, CreateRequest{Name: "tags", Table: table.Table{{Length: 8192, Type: "integrity", Params: g.Disks[0] + " 0 48 D 0"}}})
	create(t, m, CreateRequest{Name: "flat", Table: table.Table{{Length: 8192, Type: "linear", Params: g.Disks[0] + " 0"}}})
	create(t, m, CreateRequest{Name: "pool", Table: table.Table{{Length: 8192, Type: "thin-pool", Params: g.Disks[1] + " " + g.Disks[2] + " 128 0"}}})
	_, _, err := m.Control.Message(dm.ByName("pool"), 0, "create_thin 0", dm.MessageOptions{})
	must(t, err)
	if info, err := m.World().Device("/dev/mapper/tags"); err != nil || info.IntegrityTag != 48 || info.IntegrityInterval != 512 || info.Mapped != "integrity" {
		t.Errorf("tags: %+v, %v", info, err)
	}
	key := strings.Repeat("01", 64) + strings.Repeat("02", 32)
	sealed := "capi:authenc(hmac(sha256),xts(aes))-random " + key + " 0 /dev/mapper/"
	create(t, m, CreateRequest{Name: "judge"})
	taken := 0
	for _, l := range []table.Line{
		{Type: "crypt", Params: sealed + "tags 0 1 integrity:48:aead"},
		{Type: "crypt", Params: sealed + "tags 0 1 integrity:64:aead"},
		{Type: "crypt", Params: sealed + "tags 0 2 integrity:48:aead sector_size:4096"},
		{Type: "crypt", Params: sealed + "flat 0 1 integrity:48:aead"},
		{Type: "integrity", Params: "/dev/mapper/tags 0 - I 1 internal_hash:sha256"},
		{Type: "integrity", Params: "/dev/mapper/tags 0 64 I 1 internal_hash:sha256"},
		{Type: "integrity", Params: "/dev/mapper/tags 0 - I 2 internal_hash:sha256 block_size:4096"},
		{Type: "integrity", Params: "/dev/mapper/flat 0 - I 1 internal_hash:sha256"},
		{Type: "thin", Params: "/dev/mapper/pool 0"},
		{Type: "thin", Params: "/dev/mapper/flat 0"},
		{Type: "thin", Params: g.Disks[0] + " 0"},
	} {
		l.Length = 4096
		g.KernelLog(t)
		_, loaded := m.Control.Load(dm.ByName("judge"), []dm.Target{l}, dm.LoadOptions{})
		said := strings.Join(g.KernelLog(t), "\n")
		if loaded == nil {
			taken++
			_, err := m.Control.Clear(dm.ByName("judge"))
			must(t, err)
		}
		ours := m.Check(table.Table{l}, false)
		var why *table.Error
		switch {
		case loaded == nil && ours != nil:
			t.Errorf("%s: the kernel takes it, we say %v", l, ours)
		case loaded != nil && !errors.As(ours, &why):
			t.Errorf("%s: we take it, the kernel says %v:\n%s", l, loaded, said)
		case loaded != nil && !strings.Contains(said, ": "+why.Reason) && !beforeInline(l, g):
			t.Errorf("%s: we say %q, the kernel:\n%s", l, why.Reason, said)
		}
	}
	if taken < 2 {
		t.Errorf("the kernel took %d tables", taken)
	}
}

// beforeInline reports whether the kernel does not know the mode of a line at all.
func beforeInline(l table.Line, g *lab.Guest) bool {
	return strings.Contains(l.Params, " I ") && !g.AtLeast("6.12")
}
