package mapper

import (
	"strconv"
	"strings"

	table "github.com/mdkit/mdkit/engine/dm"
	"github.com/mdkit/mdkit/sysfs"
)

// Algorithms looks a name up in /proc/crypto, which has what is loaded. Asking the kernel
// itself would make it load modules (crypto_larval_lookup).
func (w world) Algorithms(name string) []table.Algorithm {
	text, err := sysfs.ReadProc(w.m.FS.Proc("crypto"))
	if err != nil {
		return nil
	}
	return algorithms(text, name)
}

// algorithms picks the entries of a name that others than the crypto API may use, and that
// have passed its tests.
func algorithms(text, name string) []table.Algorithm {
	var list []table.Algorithm
	for entry := range strings.SplitSeq(text, "\n\n") {
		f := map[string]string{}
		for line := range strings.Lines(entry) {
			key, value, _ := strings.Cut(line, ":")
			f[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
		if f["name"] != name && f["driver"] != name || f["internal"] == "yes" || f["selftest"] != "passed" {
			continue
		}
		list = append(list, table.Algorithm{
			Type: f["type"], Digest: number0(f["digestsize"]),
			MinKey: number0(f["min keysize"]), MaxKey: number0(f["max keysize"]),
		})
	}
	return list
}

// number0 is a number, or 0 for what is none.
func number0(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}
