package dm

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mdkit/mdkit/engine/dm/lex"

	"github.com/mdkit/mdkit/engine/dm/crypto"
)

// Crypt encrypts what it stores on a device (dm-crypt.c).
type Crypt struct {
	// Cipher is `cipher[:keycount]-chainmode-ivmode[:ivopts]`, such as
	// "aes-xts-plain64", or `capi:cipher_api_spec-ivmode[:ivopts]`.
	Cipher string
	// Key is in hexadecimal, "-" for none, or `:<bytes>:<type>:<description>`
	// for one in the kernel's keyring. See Mask.
	Key      string
	IVOffset uint64 // sectors added to the sector for the IV
	Span
	AllowDiscards       bool
	SameCPU             bool   // same_cpu_crypt
	HighPriority        bool   // high_priority (6.10)
	SubmitFromCryptCPUs bool   // submit_from_crypt_cpus
	NoReadWorkqueue     bool   // no_read_workqueue (5.9)
	NoWriteWorkqueue    bool   // no_write_workqueue (5.9)
	Integrity           uint32 // bytes of tag per sector, at most 480; 0 for none (4.12)
	IntegrityProfile    string // "aead" or "none"; with Integrity
	SectorSize          uint16 // bytes: 512, 1024, 2048 or 4096; 0 means 512 (4.12)
	IVLargeSectors      bool   // the IV counts sectors of SectorSize (4.12)
	IntegrityKeySize    uint32 // bytes; 0 means the digest's size (6.11)
}

// Type is "crypt".
func (Crypt) Type() string { return "crypt" }

// Params is `<cipher> <key> <iv offset> <dev> <offset> [<#options>
// <options>...]`, with the key.
func (a Crypt) Params() string {
	words := append([]string{a.Cipher, a.Key, utoa(a.IVOffset)}, a.Span.words()...)
	if o := a.options(); len(o) > 0 {
		words = append(append(words, utoa(uint64(len(o)))), o...)
	}
	return join(words...)
}

func (a Crypt) options() []string {
	var o []string
	for _, f := range a.flags() {
		if *f.set && f.word != "iv_large_sectors" {
			o = append(o, f.word)
		}
	}
	if a.Integrity > 0 {
		o = append(o, fmt.Sprintf("integrity:%d:%s", a.Integrity, a.IntegrityProfile))
	}
	if a.SectorSize != 0 && a.SectorSize != 512 {
		o = append(o, "sector_size:"+utoa(a.SectorSize))
	}
	if a.IVLargeSectors {
		o = append(o, "iv_large_sectors")
	}
	if a.IntegrityKeySize > 0 {
		o = append(o, "integrity_key_size:"+utoa(a.IntegrityKeySize))
	}
	return o
}

// flagWord is a word and the field it sets.
type flagWord struct {
	word string
	set  *bool
}

func (a *Crypt) flags() []flagWord {
	return []flagWord{
		{"allow_discards", &a.AllowDiscards},
		{"same_cpu_crypt", &a.SameCPU},
		{"high_priority", &a.HighPriority},
		{"submit_from_crypt_cpus", &a.SubmitFromCryptCPUs},
		{"no_read_workqueue", &a.NoReadWorkqueue},
		{"no_write_workqueue", &a.NoWriteWorkqueue},
		{"iv_large_sectors", &a.IVLargeSectors},
	}
}

// setFlag sets the field that belongs to a word, ignoring case.
func setFlag(flags []flagWord, word string) bool {
	for _, f := range flags {
		if strings.EqualFold(f.word, word) {
			*f.set = true
			return true
		}
	}
	return false
}

// Devices is the one device.
func (a Crypt) Devices() []Ref { return []Ref{Ref(a.Device)} }

func (a Crypt) areas(length uint64) []area { return []area{{a.Device, a.Offset, length}} }

func parseCrypt(c *ctr) (Args, error) {
	if len(c.args) < 5 {
		return nil, c.fail("", "Not enough arguments")
	}
	a := Crypt{Cipher: c.next(), Key: c.next()}
	keySize, ok := CryptKeySize(a.Key)
	if !ok {
		return nil, c.fail("key", "Cannot parse key size")
	}
	ivOffset := c.next()
	a.Device = c.next()
	offset := c.next()
	if len(c.args) > 0 {
		if err := a.parseOptions(c); err != nil {
			return nil, err
		}
	}
	if err := a.judge(c, keySize); err != nil {
		return nil, err
	}
	if a.IVOffset, ok = lex.ScanU64(ivOffset); !ok || a.IVOffset%a.sectors() != 0 {
		return nil, c.fail("iv offset", "Invalid iv_offset sector")
	}
	info, err := c.device("device", a.Device, "Device lookup failed")
	if err != nil {
		return nil, err
	}
	if a.Offset, ok = lex.ScanU64(offset); !ok {
		return nil, c.fail("offset", "Invalid device sector")
	}
	if c.world != nil && (a.aead() || a.ivMode() == "random") {
		return a, a.profile(c, info)
	}
	return a, nil
}

// profile judges the device below as crypt_integrity_ctr does. Before 6.11 the sizes had to
// be equal.
func (a Crypt) profile(c *ctr, info DeviceInfo) error {
	tag := info.IntegrityTag
	switch {
	case !info.integrity():
		return c.fail("integrity", "Integrity profile not supported.")
	case tag > 0 && (tag < a.Integrity || tag != a.Integrity && !c.since(1, 27, 0)):
		return c.fail("integrity", "Integrity profile tag size mismatch.")
	case info.IntegrityInterval > 0 && uint64(info.IntegrityInterval) != a.sectors()<<9:
		return c.fail("sector_size", "Integrity profile sector size mismatch.")
	case tag == 0:
		c.unchecked("integrity", "how many bytes of tag the device carries")
	}
	c.unchecked("integrity", "whether tag and IV of "+a.Cipher+" take that many bytes")
	return nil
}

// sectors is the encryption sector in 512-byte sectors.
func (a Crypt) sectors() uint64 { return max(1, uint64(a.SectorSize)>>9) }

func (a Crypt) aead() bool { return strings.EqualFold(a.IntegrityProfile, "aead") }

func (a *Crypt) parseOptions(c *ctr) error {
	n, err := c.group("options", 0, 9, "Invalid number of feature args")
	if err != nil {
		return err
	}
	for range n {
		if err := a.option(c, c.next()); err != nil {
			return err
		}
	}
	return nil
}

// maxTag is MAX_TAG_SIZE of dm-crypt.c.
const maxTag = 480

func (a *Crypt) option(c *ctr, word string) error {
	if setFlag(a.flags(), word) {
		return nil
	}
	name, value, _ := strings.Cut(word, ":")
	switch name {
	case "integrity":
		size, profile, ok := strings.Cut(value, ":")
		n, digits := lex.ScanU32(size)
		if !digits || !ok {
			return c.fail("options", "Invalid feature arguments")
		}
		if n == 0 || n > maxTag {
			return c.fail("integrity", "Invalid integrity arguments")
		}
		if !strings.EqualFold(profile, "aead") && !strings.EqualFold(profile, "none") {
			return c.fail("integrity", "Unknown integrity profile")
		}
		a.Integrity, a.IntegrityProfile = n, profile
		return nil
	case "integrity_key_size":
		n, ok := lex.ScanU32(value)
		if !ok {
			break
		}
		if a.IntegrityKeySize = n; n == 0 {
			return c.fail(name, "Invalid integrity_key_size argument")
		}
		return nil
	case "sector_size":
		n, ok := scanU16(value)
		if !ok {
			break
		}
		a.SectorSize = n
		switch {
		case n < 512 || n > 4096 || !powerOfTwo(uint32(n)):
			return c.fail(name, "Invalid feature value for sector_size")
		case c.length%a.sectors() != 0:
			return c.fail(name, "Device size is not multiple of sector_size feature")
		}
		return nil
	}
	return c.fail("options", "Invalid feature arguments")
}

// CryptKeySize is the size in bytes of a key as a crypt table writes it, in hexadecimal
// digits or as :size:type:description (dm-crypt.c get_key_size). ok is false if the
// description has no size.
func CryptKeySize(key string) (int, bool) {
	if !strings.HasPrefix(key, ":") {
		return len(key) / 2, true
	}
	size, _, ok := strings.Cut(key[1:], ":")
	n, digits := lex.ScanU32(size)
	return int(n), ok && digits && int32(n) >= 0 //nolint:gosec // an int in the kernel
}

// cipher is a cipher specification taken apart.
type cipher struct {
	api      string // what is requested from the kernel's crypto API, without essiv
	ivMode   string // empty for none
	ivOption string
	hasOpt   bool
	keys     uint32 // how many keys the key consists of
}

// ivMode is the IV mode of the cipher.
func (a Crypt) ivMode() string {
	spec, _ := a.parseCipher()
	return spec.ivMode
}

// parseCipher splits the specification as crypt_ctr_cipher_new and
// crypt_ctr_cipher_old do, or gives the kernel's reason for refusing it.
func (a Crypt) parseCipher() (cipher, string) {
	if rest, ok := strings.CutPrefix(a.Cipher, "capi:"); ok {
		return a.parseNewCipher(rest)
	}
	return a.parseOldCipher()
}

func (a Crypt) parseNewCipher(s string) (cipher, string) {
	spec := cipher{keys: 1}
	if i := strings.LastIndexByte(s, ':'); i >= 0 {
		s, spec.ivOption, spec.hasOpt = s[:i], s[i+1:], true
	}
	if i := strings.LastIndexByte(s, '-'); i >= 0 {
		s, spec.ivMode = s[:i], s[i+1:]
	}
	spec.api = s
	if a.aead() && strings.HasPrefix(s, "authenc(") && !strings.Contains(s, ",") {
		return spec, "Invalid AEAD cipher spec"
	}
	if spec.ivMode == "lmk" {
		if a.aead() {
			return spec, "AEAD transforms not supported for LMK"
		}
		spec.keys = 64
	}
	if spec.ivMode == "essiv" {
		switch {
		case !spec.hasOpt:
			return spec, "Digest algorithm missing for ESSIV mode"
		case len("essiv("+spec.api+","+spec.ivOption+")") >= maxAlgName:
			return spec, "Cannot allocate cipher string"
		}
	}
	return spec, ""
}

func (a Crypt) parseOldCipher() (cipher, string) {
	spec := cipher{keys: 1}
	if strings.Contains(a.Cipher, "(") || a.aead() {
		return spec, "Bad cipher specification"
	}
	name, rest, hasChain := strings.Cut(a.Cipher, "-")
	name, count, counted := strings.Cut(name, ":")
	if counted {
		var ok bool
		if spec.keys, ok = lex.ScanU32(count); !ok || !powerOfTwo(spec.keys) {
			return spec, "Bad cipher key count specification"
		}
	}
	chain, rest, hasIV := strings.Cut(rest, "-")
	if hasIV {
		spec.ivMode, spec.ivOption, spec.hasOpt = strings.Cut(rest, ":")
	}
	if !hasChain || chain == "plain" && !hasIV {
		chain, spec.ivMode, hasIV = "cbc", "plain", true
	}
	if chain != "ecb" && !hasIV {
		return spec, "IV mechanism required"
	}
	if spec.ivMode == "essiv" && !spec.hasOpt {
		return spec, "Digest algorithm missing for ESSIV mode"
	}
	spec.api = chain + "(" + name + ")"
	if len(spec.api) >= maxAlgName {
		return spec, "Cannot allocate cipher strings"
	}
	return spec, ""
}

// maxAlgName is CRYPTO_MAX_ALG_NAME.
const maxAlgName = 128

// ivModes are the IV generators of dm-crypt.c.
var ivModes = []string{
	"plain", "plain64", "plain64be", "essiv", "benbi", "null", "eboiv", "elephant", "lmk", "tcw", "random",
}

// judge judges cipher and key as crypt_ctr_cipher does.
func (a Crypt) judge(c *ctr, keySize int) error {
	spec, reason := a.parseCipher()
	if reason != "" {
		return c.fail("cipher", reason)
	}
	if err := a.allocate(c, spec, keySize); err != nil {
		return err
	}
	if spec.ivMode != "" && !slices.Contains(ivModes, spec.ivMode) && cipherHasIV(spec.api) {
		return c.fail("cipher", "Invalid IV mode")
	}
	if why := a.judgeKey(spec, keySize); why != "" {
		return c.because("key", "Error decoding and setting key", why)
	}
	if why := a.judgeIV(spec, keySize); why != "" {
		return c.because("cipher", "Error creating IV", why)
	}
	return nil
}

// allocate judges the cipher as crypt_alloc_tfms does, and notes what the key depends on.
func (a Crypt) allocate(c *ctr, spec cipher, keySize int) error {
	name, want := spec.api, crypto.Cipher
	if a.aead() {
		want = crypto.AEAD
	}
	if spec.ivMode == "essiv" {
		name = "essiv(" + name + "," + spec.ivOption + ")"
	}
	found, err := c.algorithm("cipher", name, want, "Error allocating crypto tfm")
	switch {
	case err != nil || c.world == nil:
		return err
	case strings.HasPrefix(a.Key, ":"):
		c.unchecked("key", "whether the kernel's keyring has this key")
	case a.aead() || !spec.plainKey():
		c.unchecked("key", "whether "+strconv.Itoa(keySize)+" bytes suit "+a.Cipher)
	case found.Type != "":
		per := keySize / int(spec.keys)
		if per < found.MinKey || per > found.MaxKey {
			return c.because("key", "Error decoding and setting key", strconv.Itoa(per)+" bytes is not a key size of "+name)
		}
	case found.Type == "" && keySizes(spec.api) == nil:
		c.unchecked("key", "whether "+strconv.Itoa(keySize)+" bytes is a key size of "+name)
	}
	return nil
}

// plainKey reports whether all of the key is for the cipher.
func (spec cipher) plainKey() bool {
	return !slices.Contains([]string{"lmk", "tcw", "elephant"}, spec.ivMode)
}

// cipherHasIV reports whether a mode takes an IV; ecb does not, and its IV mode
// is ignored.
func cipherHasIV(api string) bool { return !strings.HasPrefix(api, "ecb(") }

// judgeKey says what is wrong with the key, as crypt_set_key finds it.
func (a Crypt) judgeKey(spec cipher, keySize int) string {
	if keySize == 0 && a.Key != "-" {
		return "the key is empty; a dash means no key"
	}
	if ref, ok := strings.CutPrefix(a.Key, ":"); ok {
		_, ref, _ = strings.Cut(ref, ":")
		typ, desc, ok := strings.Cut(ref, ":")
		if !ok || desc == "" || !slices.Contains([]string{"logon", "user", "encrypted", "trusted"}, typ) {
			return "the key reference is not :<bytes>:logon|user|encrypted|trusted:<description>"
		}
		return ""
	}
	for i := range keySize * 2 {
		if !isHex(a.Key[i]) {
			return "the key is not hexadecimal"
		}
	}
	sizes := keySizes(spec.api)
	if sizes == nil || a.aead() || !spec.plainKey() {
		return ""
	}
	if per := keySize / int(spec.keys); keySize%int(spec.keys) != 0 || !slices.Contains(sizes, per) {
		return strconv.Itoa(keySize) + " bytes is not a key size of " + spec.api
	}
	return ""
}

func isHex(b byte) bool { return lex.IsDigit(b) || b|0x20 >= 'a' && b|0x20 <= 'f' }

// keySizes are the key sizes in bytes of ciphers that have a fixed set of
// sizes; nil for all others.
func keySizes(api string) []int {
	switch api {
	case "cbc(aes)", "ecb(aes)", "ctr(aes)":
		return []int{16, 24, 32}
	case "xts(aes)":
		return []int{32, 48, 64}
	case "cbc(cipher_null)", "ecb(cipher_null)", "ecb-cipher_null":
		return []int{0}
	}
	return nil
}

// judgeIV says what the IV generator's constructor objects to. The kernel
// overwrites these reasons with its own.
func (a Crypt) judgeIV(spec cipher, keySize int) string {
	switch large := a.sectors() > 1; {
	case spec.ivMode == "lmk" && large:
		return "Unsupported sector size for LMK"
	case spec.ivMode == "tcw" && large:
		return "Unsupported sector size for TCW"
	case spec.ivMode == "tcw" && spec.api == "cbc(aes)" && keySize <= 16+tcwWhitening:
		return "Wrong key size for TCW"
	case spec.ivMode == "eboiv" && a.aead():
		return "AEAD transforms not supported for EBOIV"
	}
	return ""
}

// tcwWhitening is TCW_WHITENING_SIZE.
const tcwWhitening = 16

// maskCrypt hides the key, which is the second word.
func maskCrypt(words []string, hide func(string) string) {
	if len(words) > 1 {
		words[1] = hideKey(words[1], hide)
	}
}
