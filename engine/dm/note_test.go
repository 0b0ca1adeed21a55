package dm_test

import (
	"strings"
	"testing"

	"github.com/mdkit/mdkit/engine/dm"
)

const key32 = "0000000000000000000000000000000000000000000000000000000000000000"

// examined returns what Examine says about one line, notes and error alike.
func examined(w dm.World, readOnly bool, typ, params string) string {
	notes, err := dm.Examine(dm.Table{{Length: 2048, Type: typ, Params: params}}, w, readOnly)
	var said []string
	for _, n := range notes {
		said = append(said, n.String())
	}
	if err != nil {
		said = append(said, err.Error())
	}
	return strings.Join(said, "\n")
}

// TestAlgorithms tells ciphers and hashes that no kernel has from those that some kernel
// may have, and both from those that this one has loaded.
func TestAlgorithms(t *testing.T) {
	w := bookWorld()
	w.algorithms = map[string][]dm.Algorithm{
		"xts(aes)":         {{Type: "skcipher", MinKey: 32, MaxKey: 64}},
		"cbc(serpent)":     {{Type: "skcipher", MinKey: 0, MaxKey: 32}},
		"cbc(twofish)":     {{Type: "skcipher", MinKey: 16, MaxKey: 24}},
		"sha256":           {{Type: "shash", Digest: 32}},
		"ctr(aes)":         {{Type: "aead"}},
		"sha256-generic":   {{Type: "shash", Digest: 32}},
		"streebog256":      {{Type: "ahash", Digest: 32}},
		"hmac(streebog99)": {{Type: "shash", Digest: 99}},
	}
	for _, c := range []struct{ typ, params, says string }{
		{"crypt", "aes-xts-plain64 " + key32 + " 0 8:1 0", ""},
		{"crypt", "serpent-cbc-plain64 " + key32 + " 0 8:1 0", ""},
		{"crypt", "twofish-cbc-plain64 " + key32 + " 0 8:1 0", "32 bytes is not a key size of cbc(twofish)"},
		{"crypt", "capi:xts(aes)-plain64 " + key32 + " 0 8:1 0", ""},
		{"crypt", "aes-ctr-plain64 " + key32 + " 0 8:1 0", "whether the kernel has ctr(aes)"},
		{"crypt", "camellia-xts-plain64 " + key32 + " 0 8:1 0", "whether the kernel has xts(camellia)"},
		{"crypt", "aes-cbc-essiv:sha256 " + key32 + " 0 8:1 0", "whether the kernel has essiv(cbc(aes),sha256)"},
		{"crypt", "capi:adiantum(xchacha12,aes)-plain64 " + key32 + " 0 8:1 0", "whether the kernel has adiantum(xchacha12,aes)"},
		{"crypt", "capi:xts-aes-aesni-plain64 " + key32 + " 0 8:1 0", "whether the kernel has xts-aes-aesni"},
		{"crypt", "aes-xts-plain64 :64:logon:k 0 8:1 0", "whether the kernel's keyring has this key"},
		{"crypt", "nosuch-xts-plain64 " + key32 + " 0 8:1 0", "Error allocating crypto tfm: no kernel has nosuch"},
		{"crypt", "aes-nosuch-plain64 " + key32 + " 0 8:1 0", "Error allocating crypto tfm: no kernel has nosuch"},
		{"crypt", "capi:adiantum(aes)-plain64 " + key32 + " 0 8:1 0", "adiantum(aes) is a cipher in no kernel"},
		{"crypt", "capi:xts(aes-plain64 " + key32 + " 0 8:1 0", "no kernel has xts(aes"},
		{"integrity", "8:1 0 - D 1 internal_hash:sha256-generic", "integrity: device: the superblock"},
		{"integrity", "8:1 0 - D 1 internal_hash:hmac(sha256):00", "whether the kernel has hmac(sha256)"},
		{"integrity", "8:1 0 - D 1 internal_hash:nosuch", "Invalid internal hash: no kernel has nosuch"},
		{"verity", "1 8:1 8:2 4096 4096 256 0 streebog256 " + key32 + " -", "digest: whether the superblock"},
		{"verity", "1 8:1 8:2 4096 4096 256 0 streebog256 00 -", "Invalid root digest"},
		{"verity", "1 8:1 8:2 4096 4096 256 0 streebog512 " + key32 + " -", "whether the kernel has streebog512"},
		{"verity", "1 8:1 8:2 4096 4096 256 0 shaw256 " + key32 + " -", "Cannot initialize hash function: no kernel has shaw256"},
	} {
		said := examined(w, c.typ == "verity", c.typ, c.params)
		if c.says == "" && said != "" || !strings.Contains(said, c.says) {
			t.Errorf("%s %s:\n%s\nwant %q", c.typ, c.params, said, c.says)
		}
	}
}

// TestOnDevices leaves open what a constructor reads from devices.
func TestOnDevices(t *testing.T) {
	w := bookWorld()
	w.algorithms = map[string][]dm.Algorithm{"sha256": {{Type: "shash", Digest: 32}}, "gcm(aes)": {{Type: "aead"}}}
	for _, c := range []struct{ typ, params, says string }{
		{"linear", "8:1 0", ""},
		{"thin-pool", "8:1 8:2 128 0", "table line 1: thin-pool: metadata: what is on this device"},
		{"thin", "8:2 0", "thin: id: whether the pool has this thin device"},
		{"snapshot", "8:1 8:2 P 8", "snapshot: cow: what is on this device"},
		{"snapshot", "8:1 8:2 N 8", ""},
		{"integrity", "8:1 0 - D 1 internal_hash:sha256", "integrity: device: the superblock"},
		{"raid", "raid1 1 0 2 - 8:1 - 8:2", ""},
		{"raid", "raid1 1 0 2 8:3 8:1 8:3 8:2", "raid: devices: what is on the metadata devices"},
		{"zoned", "8:1 8:5", "zoned: device: what is on this device"},
		{"crypt", "capi:gcm(aes)-random " + key32 + " 0 8:10 0 3 integrity:28:aead sector_size:4096 iv_large_sectors", "crypt: integrity: whether tag and IV"},
		{"verity", "1 8:1 8:2 4096 4096 256 0 sha256 " + key32 + " -", "verity: digest: whether the superblock and the tree"},
	} {
		said := examined(w, c.typ == "verity", c.typ, c.params)
		if c.says == "" && said != "" || !strings.Contains(said, c.says) || strings.Contains(said, "mismatch") {
			t.Errorf("%s %s:\n%s\nwant %q", c.typ, c.params, said, c.says)
		}
	}
}

// TestUnknownTarget leaves open what a module that is not loaded would bring.
func TestUnknownTarget(t *testing.T) {
	w := bookWorld()
	w.unknown = true
	if said := examined(w, false, "zero", ""); said != "table line 1: zero: whether the kernel has this target: it is not among those that are loaded" {
		t.Error(said)
	}
	if said := examined(w, false, "nonsense", ""); !strings.Contains(said, "unknown target type") {
		t.Error(said)
	}
}
