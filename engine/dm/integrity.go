package dm

import (
	"math"
	"strings"

	"github.com/mdkit/mdkit/engine/dm/lex"

	"github.com/mdkit/mdkit/engine/dm/crypto"
)

// Integrity keeps a tag for every block (dm-integrity.c).
type Integrity struct {
	Device           string  // "major:minor" or a path
	Start            uint64  // reserved sectors
	TagSize          uint32  // bytes; 0 takes the internal hash's size and is written as a dash
	Mode             string  // "J" journal, "B" bitmap, "D" direct, "R" recovery, "I" inline (6.11)
	MetaDevice       string  // where the tags go; empty: interleaved with the data
	BlockSize        *uint32 // bytes: a power of two from 512 to 4096
	Recalculate      bool
	ResetRecalculate bool
	AllowDiscards    bool
	DiscardsKeyed    bool // allow_discards_keyed
	JournalSectors   *uint32
	Interleave       *uint32 // interleave_sectors
	BufferSectors    *uint32
	JournalWatermark *uint32 // percent
	CommitTime       *uint32 // milliseconds
	SectorsPerBit    *uint64
	BitmapFlush      *uint32 // bitmap_flush_interval, milliseconds
	FixPadding       bool
	FixHMAC          bool
	LegacyRecalc     bool   // legacy_recalculate
	InternalHash     string // `algorithm` or `algorithm:key`, the key hexadecimal. See Mask
	JournalCrypt     string // likewise
	JournalMAC       string // likewise
	spelling         spelling
}

// Type is "integrity".
func (Integrity) Type() string { return "integrity" }

// Params is `<dev> <reserved> <tag size|-> <mode> <#options> <options>...`,
// with the keys.
func (a Integrity) Params() string { return a.spelling.of(a.text(a.options())) }

func (a Integrity) text(options []string) string {
	tag := "-"
	if a.TagSize > 0 {
		tag = utoa(a.TagSize)
	}
	return join(append([]string{a.Device, utoa(a.Start), tag, a.Mode}, counted(options)...)...)
}

func setting[T uint32 | uint64](name string, n *T) []string {
	if n == nil {
		return nil
	}
	return []string{name + ":" + utoa(*n)}
}

func text(name, value string) []string {
	if value == "" {
		return nil
	}
	return []string{name + ":" + value}
}

func (a Integrity) firstOptions() []string {
	o := append(text("meta_device", a.MetaDevice), setting("block_size", a.BlockSize)...)
	for _, f := range a.flags()[:4] {
		if *f.set {
			o = append(o, f.word)
		}
	}
	return o
}

func (a Integrity) lastOptions() []string {
	o := append(setting("sectors_per_bit", a.SectorsPerBit), setting("bitmap_flush_interval", a.BitmapFlush)...)
	for _, f := range a.flags()[4:] {
		if *f.set {
			o = append(o, f.word)
		}
	}
	o = append(o, text("internal_hash", a.InternalHash)...)
	o = append(o, text("journal_crypt", a.JournalCrypt)...)
	return append(o, text("journal_mac", a.JournalMAC)...)
}

// options are in the order of Linux 7.2.
func (a Integrity) options() []string {
	o := append(a.firstOptions(), setting("interleave_sectors", a.Interleave)...)
	o = append(o, setting("buffer_sectors", a.BufferSectors)...)
	o = append(o, setting("journal_sectors", a.JournalSectors)...)
	o = append(o, setting("journal_watermark", a.JournalWatermark)...)
	o = append(o, setting("commit_time", a.CommitTime)...)
	return append(o, a.lastOptions()...)
}

// oldOptions are in the order of Linux 6.12 and before.
func (a Integrity) oldOptions() []string {
	o := append(a.firstOptions(), setting("journal_sectors", a.JournalSectors)...)
	o = append(o, setting("interleave_sectors", a.Interleave)...)
	o = append(o, setting("buffer_sectors", a.BufferSectors)...)
	o = append(o, setting("journal_watermark", a.JournalWatermark)...)
	o = append(o, setting("commit_time", a.CommitTime)...)
	return append(o, a.lastOptions()...)
}

func (a *Integrity) flags() []flagWord {
	return []flagWord{
		{"recalculate", &a.Recalculate},
		{"reset_recalculate", &a.ResetRecalculate},
		{"allow_discards", &a.AllowDiscards},
		{"allow_discards_keyed", &a.DiscardsKeyed},
		{"fix_padding", &a.FixPadding},
		{"fix_hmac", &a.FixHMAC},
		{"legacy_recalculate", &a.LegacyRecalc},
	}
}

// Devices are the device and, if there is one, the device for the tags.
func (a Integrity) Devices() []Ref {
	refs := []Ref{Ref(a.Device)}
	if a.MetaDevice != "" {
		refs = append(refs, Ref(a.MetaDevice))
	}
	return refs
}

func parseIntegrity(c *ctr) (Args, error) {
	if len(c.args) <= 4 {
		return nil, c.fail("", "Invalid argument count")
	}
	given := join(lex.Fields(c.raw)...)
	a := Integrity{Device: c.next()}
	info, err := c.device("device", a.Device, "Device lookup failed")
	if err != nil {
		return nil, err
	}
	var ok bool
	if a.Start, ok = lex.ScanU64(c.next()); !ok {
		return nil, c.fail("start", "Invalid starting offset")
	}
	if tag := c.next(); tag != "-" {
		if a.TagSize, ok = lex.ScanU32(tag); !ok || a.TagSize == 0 {
			return nil, c.fail("tag size", "Invalid tag size")
		}
	}
	if a.Mode = c.next(); len(a.Mode) != 1 || !strings.Contains("JBDRI", a.Mode) {
		return nil, c.fail("mode", "Invalid mode (expecting J, B, D, R, I)")
	}
	if a.Mode == "I" && !c.since(1, 12, 0) {
		return nil, c.fail("mode", "Invalid mode (expecting J, B, D, R)")
	}
	n, err := c.group("options", 0, 18, "Invalid number of feature args")
	if err != nil {
		return nil, err
	}
	for range n {
		if err := a.option(c, c.next()); err != nil {
			return nil, err
		}
	}
	if err := a.judge(c, info); err != nil {
		return nil, err
	}
	if a.text(a.oldOptions()) == given {
		a.spelling = spelling{a.text(a.options()), given}
	}
	return a, nil
}

func (a *Integrity) option(c *ctr, word string) error {
	for _, f := range a.flags() {
		if f.word == word {
			*f.set = true
			return nil
		}
	}
	name, value, ok := strings.Cut(word, ":")
	if !ok {
		return c.fail("options", "Invalid argument")
	}
	switch name {
	case "meta_device":
		a.MetaDevice = value
		_, err := c.device(name, value, "Device lookup failed")
		return err
	case "internal_hash", "journal_crypt", "journal_mac":
		return a.algorithm(c, name, value)
	case "sectors_per_bit":
		n, ok := lex.ScanU64(value)
		if !ok {
			break
		}
		a.SectorsPerBit = &n
		return nil
	}
	return a.number(c, name, value)
}

// maxFlush is UINT_MAX * 1000 / HZ for HZ of 1000 or less; with a lower HZ the
// kernel accepts more.
const maxFlush = math.MaxUint32

func (a *Integrity) number(c *ctr, name, value string) error {
	n, ok := lex.ScanU32(value)
	if !ok {
		return c.fail("options", "Invalid argument")
	}
	switch name {
	case "journal_sectors":
		a.JournalSectors = &n
	case "interleave_sectors":
		a.Interleave = &n
	case "buffer_sectors":
		a.BufferSectors = &n
	case "commit_time":
		a.CommitTime = &n
	case "journal_watermark":
		if n > 100 {
			return c.fail(name, "Invalid argument")
		}
		a.JournalWatermark = &n
	case "block_size":
		if n < 512 || n > 4096 || !powerOfTwo(n) {
			return c.fail(name, "Invalid block_size argument")
		}
		a.BlockSize = &n
	case "bitmap_flush_interval":
		if n >= maxFlush {
			return c.fail(name, "Invalid bitmap_flush_interval argument")
		}
		a.BitmapFlush = &n
	default:
		return c.fail("options", "Invalid argument")
	}
	return nil
}

func (a *Integrity) algorithm(c *ctr, name, value string) error {
	if _, key, ok := strings.Cut(value, ":"); ok && !hexBytes(key) {
		return c.fail(name, "Invalid "+name+" argument")
	}
	switch name {
	case "internal_hash":
		a.InternalHash = value
	case "journal_crypt":
		a.JournalCrypt = value
	default:
		a.JournalMAC = value
	}
	return nil
}

// keyless reports whether an algorithm that needs a key lacks one.
func keyless(algorithm string) bool {
	return strings.HasPrefix(algorithm, "hmac(") && !strings.Contains(algorithm, ":")
}

// maxIntegrityTag is MAX_TAG_SIZE of dm-integrity.c.
const maxIntegrityTag = 255

// judge checks the options against each other.
func (a *Integrity) judge(c *ctr, info DeviceInfo) error {
	digest, err := a.hashes(c)
	if err != nil {
		return err
	}
	_, _, keyed := strings.Cut(a.InternalHash, ":")
	discard := a.AllowDiscards || a.DiscardsKeyed
	switch {
	case a.TagSize == 0 && a.InternalHash == "":
		return c.fail("tag size", "Unknown tag size")
	case a.TagSize > maxIntegrityTag:
		return c.fail("tag size", "Too big tag size")
	}
	if a.Mode == "I" {
		if err := a.judgeInline(c, info, discard, digest); err != nil {
			return err
		}
	}
	switch {
	case a.Mode == "B" && a.InternalHash == "":
		return c.fail("mode", "Bitmap mode can be only used with internal hash")
	case discard && a.InternalHash == "":
		return c.fail("allow_discards", "Discard can be only used with internal hash")
	case a.DiscardsKeyed && !keyed:
		return c.fail("allow_discards_keyed", "Keyed discard can only be used with keyed internal hash")
	case (a.Recalculate || a.ResetRecalculate) && a.InternalHash == "":
		return c.fail("recalculate", "Recalculate can only be specified with internal_hash")
	}
	return a.journalCipher(c)
}

// hashes judges the two hashes as get_mac does, and returns the size of the internal one, 0
// if that is not known.
func (a *Integrity) hashes(c *ctr) (digest uint32, err error) {
	for _, h := range []struct{ field, spec, lacks, key string }{
		{"internal_hash", a.InternalHash, "Invalid internal hash", "Error setting internal hash key"},
		{"journal_mac", a.JournalMAC, "Invalid journal mac", "Error setting journal mac key"},
	} {
		if h.spec == "" {
			continue
		}
		name, _, _ := strings.Cut(h.spec, ":")
		found, err := c.algorithm(h.field, name, crypto.Hash, h.lacks)
		if err != nil {
			return 0, err
		}
		if h.field == "internal_hash" {
			digest = uint32(max(found.Digest, digestBytes(name))) //nolint:gosec // a digest is short
		}
		if keyless(h.spec) {
			return 0, c.fail(h.field, h.key)
		}
	}
	return digest, nil
}

// journalCipher judges what create_journal allocates, after everything else.
func (a *Integrity) journalCipher(c *ctr) error {
	if a.JournalCrypt == "" || a.Mode == "R" {
		return nil
	}
	name, _, _ := strings.Cut(a.JournalCrypt, ":")
	_, err := c.algorithm("journal_crypt", name, crypto.Cipher, "Invalid journal cipher")
	return err
}

func (a *Integrity) judgeInline(c *ctr, info DeviceInfo, discard bool, digest uint32) error {
	switch {
	case a.MetaDevice != "":
		return c.fail("meta_device", "Metadata device not supported in inline mode")
	case a.InternalHash == "":
		return c.fail("mode", "Internal hash not set in inline mode")
	case a.JournalCrypt != "", a.JournalMAC != "":
		return c.fail("journal_crypt", "Journal crypt not supported in inline mode")
	case discard:
		return c.fail("allow_discards", "Discards not supported in inline mode")
	case c.world != nil:
		return a.judgeProfile(c, info, digest)
	}
	return nil
}

// judgeProfile judges what the device below carries in inline mode; digest is the size of
// the hash, 0 if that is not known.
func (a *Integrity) judgeProfile(c *ctr, info DeviceInfo, digest uint32) error {
	block := uint32(512)
	if a.BlockSize != nil {
		block = *a.BlockSize
	}
	tag := a.TagSize
	if tag == 0 {
		tag = digest
	}
	switch have := info.IntegrityTag; {
	case !info.integrity():
		return c.fail("device", "Integrity profile not supported")
	case have > 0 && have < tag:
		return c.fail("tag size", "The integrity profile is smaller than tag size")
	case have > pageSectors<<9/2:
		return c.fail("device", "Too big tuple size")
	case info.IntegrityInterval > 0 && info.IntegrityInterval != block:
		return c.fail("block_size", "Integrity profile sector size mismatch")
	case have == 0 || tag == 0:
		c.unchecked("tag size", "whether the device carries as many bytes as the hash has")
	}
	return nil
}

// maskIntegrity hides the keys of the three algorithms.
func maskIntegrity(words []string, hide func(string) string) {
	for i, w := range words {
		for _, name := range []string{"internal_hash:", "journal_crypt:", "journal_mac:"} {
			value, ok := strings.CutPrefix(w, name)
			if !ok {
				continue
			}
			if algorithm, key, ok := strings.Cut(value, ":"); ok {
				words[i] = name + algorithm + ":" + hide(key)
			}
		}
	}
}

// IntegrityStatus is the state of an integrity device.
type IntegrityStatus struct {
	Mismatches  uint64
	Provided    uint64  // sectors for data
	Recalculate *uint64 // the sector that recalculation has reached; nil for none
}

// Type is "integrity".
func (IntegrityStatus) Type() string { return "integrity" }

// String is `<mismatches> <provided> <recalculate|->`.
func (s IntegrityStatus) String() string {
	return join(utoa(s.Mismatches), utoa(s.Provided), dashed(s.Recalculate))
}

func parseIntegrityStatus(s *scan) (Status, error) {
	return IntegrityStatus{
		Mismatches: s.u64("mismatches"), Provided: s.u64("provided"), Recalculate: s.optional("recalculate"),
	}, nil
}
