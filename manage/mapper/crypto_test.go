package mapper

import (
	"slices"
	"testing"

	table "github.com/mdkit/mdkit/engine/dm"
)

// procCrypto is some of what Linux 6.12 says in /proc/crypto.
const procCrypto = `name         : xts(aes)
driver       : xts-aes-aesni
module       : aesni_intel
priority     : 401
refcnt       : 1
selftest     : passed
internal     : no
type         : skcipher
async        : yes
blocksize    : 16
min keysize  : 32
max keysize  : 64
ivsize       : 16
chunksize    : 16
walksize     : 16

name         : __xts(aes)
driver       : __xts-aes-aesni
module       : aesni_intel
selftest     : passed
internal     : yes
type         : skcipher

name         : sha256
driver       : sha256-generic
module       : kernel
priority     : 100
refcnt       : 1
selftest     : passed
internal     : no
type         : shash
blocksize    : 64
digestsize   : 32

name         : md4
driver       : md4-generic
selftest     : unknown
internal     : no
type         : shash
digestsize   : 16
`

func TestProcCrypto(t *testing.T) {
	for name, want := range map[string][]table.Algorithm{
		"xts(aes)":       {{Type: "skcipher", MinKey: 32, MaxKey: 64}},
		"xts-aes-aesni":  {{Type: "skcipher", MinKey: 32, MaxKey: 64}},
		"sha256":         {{Type: "shash", Digest: 32}},
		"sha256-generic": {{Type: "shash", Digest: 32}},
		"__xts(aes)":     nil,
		"md4":            nil,
		"sha":            nil,
	} {
		if got := algorithms(procCrypto, name); !slices.Equal(got, want) {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
}
