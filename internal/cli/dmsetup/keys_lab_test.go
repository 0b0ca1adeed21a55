package dmsetup

import (
	"strings"
	"testing"
)

// A key that must not appear in the output of any command, and one that a message sets.
const (
	labKey   = "5ec2e70123456789abcdef00feedbeef5ec2e70123456789abcdef00feedbeef"
	otherKey = "c0ffee0123456789abcdef00c0ffee00c0ffee0123456789abcdef00c0ffee00"
)

// testKeys looks for keys in all output of the commands: for tables given in every way,
// right and wrong, in all forms of output, for messages, and for refusals.
func testKeys(t *testing.T, w *world) {
	blanks := map[string]string{"blank": " ", "two blanks": "  ", "tab": "\t", "blank and tab": " \t"}
	try := func(line string) outcome {
		o, _ := w.step(line, ours)
		for _, key := range []string{labKey, otherKey} {
			if said := o.out + o.err; strings.Contains(strings.ToLower(said), key[:16]) {
				t.Errorf("%q shows a key:\n%s", line, said)
			}
		}
		return o
	}
	forms := []string{"", " --json", " -v", " -vvvv", " --dry-run", " --dry-run --json", " --exit-codes"}
	for name, blank := range blanks {
		crypt := func(cipher, key, rest string) string {
			return strings.Join([]string{"0 64 crypt", cipher, key, rest}, blank)
		}
		good := crypt("aes-xts-plain64", labKey, "0"+blank+"1:0"+blank+"0")
		tables := []string{
			good,
			crypt("aes-xts-plain64", labKey, "0 1:0 0 1 nonsense"),
			crypt("aes-xts-plain64", labKey, "0 1:0"),
			crypt("aes-xts-plain64", labKey, "x 1:0 0"),
			crypt("aes-xts-plain64", labKey+"zz", "0 1:0 0"),
			crypt("aes-xts-plain64", labKey+"0", "0 1:0 0"),
			crypt("aes", strings.ToUpper(labKey), "0 1:0 0"),
			crypt("nosuch-xts-plain64", labKey, "0 1:0 0"),
			crypt("aes-xts-nosuch", labKey, "0 1:0 0"),
			crypt("aes-xts-plain64", labKey, "0 9:99 0"),
			strings.Join([]string{"0 64 integrity 1:0 0 32 J 1", "internal_hash:hmac(sha256):" + labKey}, blank),
			strings.Join([]string{"0 64 integrity 1:0 0 x J 2", "journal_crypt:ctr(aes):" + labKey, "journal_mac:hmac(sha256):" + labKey}, blank),
		}
		for _, table := range tables {
			for _, form := range forms {
				for _, verb := range []string{"create c --table", "check --table", "create --concise"} {
					text := table
					if strings.HasSuffix(verb, "--concise") {
						text = "c,,,rw," + table
					}
					try("dmsetup " + strings.Replace(verb, " ", form+" ", 1) + " '" + text + "'")
				}
				_, _ = w.step("dmsetup remove c", ours)
			}
		}
		w.do("dmsetup create c --table '" + good + "'")
		for _, line := range []string{
			"dmsetup table", "dmsetup table c", "dmsetup table --concise", "dmsetup table --json",
			"dmsetup status", "dmsetup info -c",
			"dmsetup load c --table '" + good + "'", "dmsetup load c --dry-run --table '" + good + "'",
			"dmsetup table --inactive c",
			"dmsetup load c --table '" + tables[2] + "'", "dmsetup check c", "dmsetup ls --tree", "dmsetup mknodes",
			"dmsetup message c 0 key set " + otherKey, "dmsetup suspend c",
			"dmsetup message --dry-run c 0 key set " + otherKey, "dmsetup message --dry-run --json c 0 KEY Set " + otherKey,
			"dmsetup message -vvvv c 0 key set " + otherKey, "dmsetup message c 0 key set " + otherKey + "00",
			"dmsetup message c 0 key set " + otherKey + " more", "dmsetup message c 99 key set " + otherKey,
			"dmsetup message nosuch 0 key set " + otherKey, "dmsetup clear c",
			"dmsetup message c 0 key set " + otherKey, "dmsetup resume c", "dmsetup table c",
		} {
			try(line)
		}
		if text := w.do("dmsetup table --showkeys c").out; !strings.Contains(text, otherKey) {
			t.Errorf("%s: the key was not set: %s", name, text)
		}
		w.do("dmsetup remove c")
	}
}
