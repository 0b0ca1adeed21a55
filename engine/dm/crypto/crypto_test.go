package crypto

import (
	"strings"
	"testing"
)

func TestKnown(t *testing.T) {
	for _, c := range []struct {
		name     string
		kinds    Kind
		stranger string
	}{
		{"sha256", Hash, ""},
		{"aes", Block, ""},
		{"xts(aes)", Cipher, ""},
		{"xts(ecb(aes))", Cipher, ""},
		{"hmac(sha3-512)", Hash, ""},
		{"gcm(aes)", AEAD, ""},
		{"authenc(hmac(sha256),cbc(aes))", AEAD, ""},
		{"essiv(authenc(hmac(sha256),cbc(aes)),sha256)", AEAD, ""},
		{"cryptd(xts(aes))", Cipher, ""},
		{"cryptd(sha1)", Hash, ""},
		{"xts(sha256)", 0, ""},
		{"hmac(sha256,sha256)", 0, ""},
		{"cbc-aes-aesni", anyKind, ""},
		{"cbc(nosuch)", 0, "nosuch"},
		{"nosuch(aes)", 0, "nosuch"},
		{"no-such", 0, "no-such"},
		{"SHA256", 0, "SHA256"},
		{"xts(aes", 0, "xts(aes"},
		{"", 0, ""},
		{strings.Repeat("hmac(", 100), 0, strings.Repeat("hmac(", 100)[:maxName] + "..."},
	} {
		if kinds, stranger := Known(c.name); kinds != c.kinds || stranger != c.stranger {
			t.Errorf("%q: %b, %q", c.name, kinds, stranger)
		}
	}
}
