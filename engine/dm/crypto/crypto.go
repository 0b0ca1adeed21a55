// Package crypto knows the names of the kernel's crypto API: which ciphers and hashes some
// kernel has, by itself or made from others by a template, and which none has.
package crypto

import (
	"slices"
	"strings"
)

// Kind is a set of kinds of algorithms.
type Kind uint8

const (
	// Hash is shash and ahash.
	Hash Kind = 1 << iota
	// Block encrypts single blocks; templates make the others from it.
	Block
	// Cipher encrypts whole requests: skcipher, lskcipher.
	Cipher
	// AEAD encrypts with authentication.
	AEAD

	anyKind = Hash | Block | Cipher | AEAD
)

// Has reports whether a type of /proc/crypto is of one of these kinds.
func (k Kind) Has(typ string) bool {
	switch typ {
	case "shash", "ahash":
		return k&Hash != 0
	case "cipher":
		return k&Block != 0
	case "skcipher", "lskcipher":
		return k&Cipher != 0
	case "aead":
		return k&AEAD != 0
	}
	return false
}

// plainAlgorithms are the algorithms of the folder crypto of Linux 4.11 to 7.2 and of
// the drivers for machines, without those that templates make.
var plainAlgorithms = map[Kind]string{
	Hash: "blake2b-160 blake2b-256 blake2b-384 blake2b-512 blake2s-128 blake2s-160 blake2s-224 blake2s-256" +
		" crc32 crc32c crc64 crc64-nvme crc64-rocksoft crct10dif digest_null ghash md4 md5 michael_mic nhpoly1305" +
		" poly1305 polyval rmd128 rmd160 rmd256 rmd320 sha1 sha224 sha256 sha384 sha512 sha3-224 sha3-256" +
		" sha3-384 sha3-512 sm3 streebog256 streebog512 tgr128 tgr160 tgr192 wp256 wp384 wp512 xxhash64",
	Block: "aes anubis arc4 aria blowfish camellia cast5 cast6 cipher_null des des3_ede fcrypt khazad paes" +
		" seed serpent sm4 speck128 speck64 tea tnepres twofish xeta xtea",
	Cipher: "chacha20 salsa20 xchacha12 xchacha20",
	AEAD:   "aegis128 aegis128l aegis256 morus640 morus1280",
}

// template makes algorithms of one kind from others.
type template struct {
	names string
	makes Kind
	args  []Kind
}

// templates are the templates of the folder crypto. A mode that is built on a block cipher
// takes its form as ecb too (crypto_grab_skcipher in xts.c, lrw.c).
var templates = []template{
	{"hmac phmac cryptd mcryptd", Hash, []Kind{Hash}},
	{"cmac xcbc vmac vmac64 cbcmac", Hash, []Kind{Block}},
	{"ecb cbc pcbc cfb ofb ctr xctr kw hctr2", Cipher, []Kind{Block}},
	{"xts lrw", Cipher, []Kind{Block | Cipher}},
	{"cts rfc3686 cryptd pcrypt fpu", Cipher, []Kind{Cipher}},
	{"essiv", Cipher, []Kind{Cipher, Hash}},
	{"essiv", AEAD, []Kind{AEAD, Hash}},
	{"adiantum", Cipher, []Kind{Cipher, Block}},
	{"adiantum", Cipher, []Kind{Cipher, Block, Hash}},
	{"hctr2_base", Cipher, []Kind{Cipher, Hash}},
	{"gcm ccm", AEAD, []Kind{Block}},
	{"gcm_base ccm_base", AEAD, []Kind{Cipher, Hash}},
	{"rfc4106 rfc4309 rfc4543 seqiv echainiv cryptd pcrypt", AEAD, []Kind{AEAD}},
	{"rfc7539 rfc7539esp", AEAD, []Kind{Cipher, Hash}},
	{"authenc authencesn krb5enc", AEAD, []Kind{Hash, Cipher}},
}

// listed reports whether a word is in a list.
func listed(list, word string) bool { return slices.Contains(strings.Fields(list), word) }

// maxName is CRYPTO_MAX_ALG_NAME: no longer name is one.
const maxName = 128

// Known returns the kinds of which some kernel could have an algorithm of that name, 0
// for none, and the part of the name that no kernel has.
func Known(name string) (kinds Kind, stranger string) {
	if len(name) >= maxName {
		return 0, name[:maxName] + "..."
	}
	head, rest, isTemplate := strings.Cut(name, "(")
	if !isTemplate {
		return plainKinds(name)
	}
	inner, closed := strings.CutSuffix(rest, ")")
	if !closed {
		return 0, name
	}
	args := splitArguments(inner)
	of := make([]Kind, len(args))
	for i, a := range args {
		if of[i], stranger = Known(a); stranger != "" {
			return 0, stranger
		}
	}
	known := false
	for _, t := range templates {
		if !listed(t.names, head) {
			continue
		}
		known = true
		if t.fits(of) {
			kinds |= t.makes
		}
	}
	if !known {
		return 0, head
	}
	return kinds, ""
}

// fits reports whether the arguments can be of the kinds that a template wants.
func (t template) fits(of []Kind) bool {
	if len(of) != len(t.args) {
		return false
	}
	for i, k := range of {
		if k&t.args[i] == 0 {
			return false
		}
	}
	return true
}

// plainKinds is Known for a name without arguments. Implementations have names such as
// xts-aes-aesni, of which no list is complete.
func plainKinds(name string) (kinds Kind, stranger string) {
	for k, list := range plainAlgorithms {
		if listed(list, name) {
			kinds |= k
		}
	}
	if kinds != 0 {
		return kinds, ""
	}
	parts := strings.FieldsFunc(name, func(r rune) bool { return r == '-' || r == '_' })
	if len(parts) > 1 && slices.ContainsFunc(parts, isFamily) {
		return anyKind, ""
	}
	return 0, name
}

// isFamily reports whether a word is an algorithm or a template.
func isFamily(word string) bool {
	for _, list := range plainAlgorithms {
		if listed(list, word) {
			return true
		}
	}
	return slices.ContainsFunc(templates, func(t template) bool { return listed(t.names, word) })
}

// splitArguments splits at the commas that are not within parentheses.
func splitArguments(s string) []string {
	var args []string
	depth, start := 0, 0
	for i := range len(s) {
		switch s[i] {
		case '(':
			depth++
		case ')':
			depth--
		case ',':
			if depth == 0 {
				args, start = append(args, s[start:i]), i+1
			}
		}
	}
	return append(args, s[start:])
}

// String names one kind with its article.
func (k Kind) String() string {
	switch k {
	case Hash:
		return "a hash"
	case AEAD:
		return "an authenticating cipher"
	}
	return "a cipher"
}
