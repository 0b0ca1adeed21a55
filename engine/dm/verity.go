package dm

import (
	"strings"

	"github.com/mdkit/mdkit/engine/dm/lex"

	"github.com/mdkit/mdkit/engine/dm/crypto"
)

// Verity checks what it reads against a tree of hashes (dm-verity-target.c,
// dm-verity-fec.c, dm-verity-verify-sig.c). Its table must be loaded read-only.
type Verity struct {
	Version          uint32 // 0 or 1: where the salt is placed
	Data             string // "major:minor" or a path
	Hash             string // the device with the hashes
	DataBlock        uint32 // bytes: a power of two, at most a page
	HashBlock        uint32 // bytes: a power of two
	DataBlocks       uint64
	HashStart        uint64 // hash blocks
	Algorithm        string // "sha256", ...
	RootDigest       string // hexadecimal
	Salt             string // hexadecimal; "-" for none
	OnCorruption     string // "ignore_corruption", "restart_on_corruption", "panic_on_corruption"; empty: fail the read
	OnError          string // "restart_on_error", "panic_on_error"; empty: fail the read (6.12)
	IgnoreZeroBlocks bool
	CheckAtMostOnce  bool // (4.17)
	TryTasklet       bool // try_verify_in_tasklet (6.0)
	FEC              *VerityFEC
	SignatureKey     string // root_hash_sig_key_desc: a key description in the user's keyring (5.4)
}

// VerityFEC is the error correction of a verity device.
type VerityFEC struct {
	Device string // "major:minor" or a path
	Blocks uint64 // blocks covered
	Start  uint64 // blocks
	Roots  uint8  // 2 to 24
}

// Type is "verity".
func (Verity) Type() string { return "verity" }

// Params is `<version> <data dev> <hash dev> <data block> <hash block> <data
// blocks> <hash start> <algorithm> <digest> <salt> [<#options>
// <options>...]`.
func (a Verity) Params() string {
	words := []string{
		utoa(a.Version), a.Data, a.Hash, utoa(a.DataBlock), utoa(a.HashBlock), utoa(a.DataBlocks),
		utoa(a.HashStart), a.Algorithm, a.RootDigest, a.Salt,
	}
	if o := a.options(); len(o) > 0 {
		words = append(words, counted(o)...)
	}
	return join(words...)
}

func (a Verity) options() []string {
	var o []string
	for _, f := range []struct {
		set  bool
		word string
	}{
		{a.OnCorruption != "", a.OnCorruption},
		{a.OnError != "", a.OnError},
		{a.IgnoreZeroBlocks, "ignore_zero_blocks"},
		{a.CheckAtMostOnce, "check_at_most_once"},
		{a.TryTasklet, "try_verify_in_tasklet"},
	} {
		if f.set {
			o = append(o, f.word)
		}
	}
	if f := a.FEC; f != nil {
		o = append(o, "use_fec_from_device", f.Device, "fec_blocks", utoa(f.Blocks), "fec_start", utoa(f.Start), "fec_roots", utoa(f.Roots))
	}
	if a.SignatureKey != "" {
		o = append(o, "root_hash_sig_key_desc", a.SignatureKey)
	}
	return o
}

// Devices are data, hash and error correction.
func (a Verity) Devices() []Ref {
	refs := []Ref{Ref(a.Data), Ref(a.Hash)}
	if a.FEC != nil {
		refs = append(refs, Ref(a.FEC.Device))
	}
	return refs
}

func (a Verity) areas(length uint64) []area { return []area{{a.Data, 0, length}} }

// verityParser holds a verity device while its arguments are parsed.
type verityParser struct {
	Verity
	c    *ctr
	fec  VerityFEC
	hash DeviceInfo
	data DeviceInfo
	size int // bytes of a digest; 0 if not known
}

func (p *verityParser) fail(field, reason string) error { return p.c.fail(field, reason) }

// verityMaxOptions is DM_VERITY_OPTS_MAX with error correction and signatures.
const verityMaxOptions = 15

func parseVerity(c *ctr) (Args, error) {
	p := verityParser{c: c}
	if c.world != nil && !c.readOnly {
		return nil, c.fail("", "Device must be readonly")
	}
	if len(c.args) < 10 {
		return nil, c.fail("", "Not enough arguments")
	}
	if len(c.args) > 10 {
		// The kernel reads the options twice, and checks their number first.
		probe := *c
		probe.args = c.args[10:]
		if _, err := probe.group("options", 0, verityMaxOptions, "Invalid number of feature args"); err != nil {
			return nil, err
		}
	}
	for _, step := range []func() error{p.devices, p.blocks, p.digest, p.parseOptions, p.sizes} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return p.Verity, nil
}

func (p *verityParser) devices() error {
	var ok bool
	if p.Version, ok = lex.ScanU32(p.c.next()); !ok || p.Version > 1 {
		return p.fail("version", "Invalid version")
	}
	p.Data, p.Hash = p.c.next(), p.c.next()
	var err error
	if p.data, err = p.c.device("data", p.Data, "Data device lookup failed"); err != nil {
		return err
	}
	p.hash, err = p.c.device("hash", p.Hash, "Hash device lookup failed")
	return err
}

func (p *verityParser) blocks() error {
	var ok bool
	p.DataBlock, ok = lex.ScanU32(p.c.next())
	if !ok || !powerOfTwo(p.DataBlock) || uint64(p.DataBlock) < p.data.blockSectors()<<9 || p.DataBlock > pageSectors<<9 {
		return p.fail("data block", "Invalid data device block size")
	}
	p.HashBlock, ok = lex.ScanU32(p.c.next())
	if !ok || !powerOfTwo(p.HashBlock) || uint64(p.HashBlock) < p.hash.blockSectors()<<9 || p.HashBlock >= 1<<31 {
		return p.fail("hash block", "Invalid hash device block size")
	}
	if p.DataBlocks, ok = lex.ScanU64(p.c.next()); !ok || !fits(p.DataBlocks, p.DataBlock) {
		return p.fail("data blocks", "Invalid data blocks")
	}
	if p.c.length > p.DataBlocks*uint64(p.DataBlock>>9) {
		return p.fail("data blocks", "Data device is too small")
	}
	if p.HashStart, ok = lex.ScanU64(p.c.next()); !ok || !fits(p.HashStart, p.HashBlock) {
		return p.fail("hash start", "Invalid hash start")
	}
	return nil
}

// fits reports whether that many blocks can be counted in sectors.
func fits(blocks uint64, block uint32) bool {
	n := uint64(block >> 9)
	return n != 0 && blocks*n/n == blocks
}

// digestBytes are the sizes of the digests of common algorithms; 0 for others.
func digestBytes(algorithm string) int {
	switch algorithm {
	case "md5":
		return 16
	case "sha1":
		return 20
	case "sha224":
		return 28
	case "sha256":
		return 32
	case "sha384":
		return 48
	case "sha512":
		return 64
	}
	return 0
}

func hexBytes(s string) bool {
	return len(s)%2 == 0 && strings.IndexFunc(s, func(r rune) bool { return r > 0x7f || !isHex(byte(r)) }) < 0
}

func (p *verityParser) digest() error {
	p.Algorithm = p.c.next()
	found, err := p.c.algorithm("algorithm", p.Algorithm, crypto.Hash, "Cannot initialize hash function")
	if err != nil {
		return err
	}
	p.RootDigest = p.c.next()
	if p.size = found.Digest; p.size == 0 {
		p.size = digestBytes(p.Algorithm)
	}
	if n := p.size; !hexBytes(p.RootDigest) || n > 0 && len(p.RootDigest) != 2*n {
		return p.fail("digest", "Invalid root digest")
	}
	if p.Salt = p.c.next(); p.Salt != "-" && !hexBytes(p.Salt) {
		return p.fail("salt", "Invalid salt")
	}
	return nil
}

func (p *verityParser) parseOptions() error {
	if len(p.c.args) == 0 {
		return nil
	}
	n, err := p.c.group("options", 0, verityMaxOptions, "Invalid number of feature args")
	if err != nil {
		return err
	}
	for n > 0 {
		before := len(p.c.args)
		if err := p.option(strings.ToLower(p.c.next()), n-1); err != nil {
			return err
		}
		n -= before - len(p.c.args)
	}
	if p.fec.Device != "" {
		p.FEC = &p.fec
	}
	return nil
}

// option takes one option; left is how many words may belong to it.
func (p *verityParser) option(name string, left int) error {
	const conflict = "Conflicting error handling parameters"
	switch name {
	case "ignore_corruption", "restart_on_corruption", "panic_on_corruption":
		if p.OnCorruption != "" {
			return p.fail(name, conflict)
		}
		p.OnCorruption = name
	case "restart_on_error", "panic_on_error":
		if p.OnError != "" {
			return p.fail(name, conflict)
		}
		p.OnError = name
	case "ignore_zero_blocks":
		p.IgnoreZeroBlocks = true
	case "check_at_most_once":
		if p.DataBlocks > 1<<31-1 {
			return p.fail(name, "device too large to use check_at_most_once")
		}
		p.CheckAtMostOnce = true
	case "try_verify_in_tasklet":
		p.TryTasklet = true
	case "use_fec_from_device", "fec_blocks", "fec_start", "fec_roots":
		if left == 0 {
			return p.fail(name, "FEC feature arguments require a value")
		}
		return p.fecOption(name, p.c.next())
	case "root_hash_sig_key_desc":
		switch {
		case p.SignatureKey != "":
			return p.fail(name, "root_hash_sig_key_desc already specified")
		case left == 0:
			return p.fail(name, "Signature key not specified")
		}
		p.SignatureKey = p.c.next()
	default:
		return p.fail("options", "Unrecognized verity feature request")
	}
	return nil
}

func (p *verityParser) fecOption(name, value string) error {
	if name == "use_fec_from_device" {
		if p.fec.Device != "" {
			return p.fail(name, "FEC device already specified")
		}
		_, err := p.c.device(name, value, "FEC device lookup failed")
		p.fec.Device = value
		return err
	}
	n, ok := lex.ScanU64(value)
	switch name {
	case "fec_blocks":
		p.fec.Blocks, ok = n, ok && fits(n, p.DataBlock)
	case "fec_start":
		p.fec.Start, ok = n, ok && fits(n, p.DataBlock)
	case "fec_roots":
		p.fec.Roots = uint8(n) //nolint:gosec // wraps as the kernel's %hhu does
		ok = ok && p.fec.Roots >= 2 && p.fec.Roots <= 24
	}
	if !ok {
		return p.fail(name, "Invalid "+name)
	}
	return nil
}

// sizes judges the hash tree and the error correction.
func (p *verityParser) sizes() error {
	end, ok := p.hashEnd()
	known := p.c.world != nil && ok
	if !ok && p.c.world != nil {
		p.c.unchecked("digest", "whether the digest is as long as one of "+p.Algorithm+", and whether the hash device holds the tree")
	}
	if known && p.hash.Size/uint64(p.HashBlock>>9) < end {
		return p.fail("hash", "Hash device is too small")
	}
	f := p.FEC
	if f == nil {
		return nil
	}
	switch {
	case p.DataBlock != p.HashBlock:
		return p.fail("hash block", "Block sizes must match to use FEC")
	case f.Roots == 0:
		return p.fail("fec_roots", "Missing fec_roots")
	case f.Blocks == 0:
		return p.fail("fec_blocks", "Missing fec_blocks")
	}
	if !ok {
		return nil
	}
	if f.Blocks < p.DataBlocks+end-p.HashStart {
		return p.fail("fec_blocks", "Invalid fec_blocks")
	}
	if known {
		return p.fecSizes()
	}
	return nil
}

// fecSizes judges the sizes of the devices that error correction reads.
func (p *verityParser) fecSizes() error {
	f := p.FEC
	sectors := uint64(p.DataBlock >> 9)
	if p.hash.Size/sectors < p.HashStart+f.Blocks-p.DataBlocks {
		return p.fail("fec_blocks", "Hash device is too small for fec_blocks")
	}
	rsn := uint64(255 - int(f.Roots))
	rounds := (f.Blocks + rsn - 1) / rsn
	info, err := p.c.world.Device(f.Device)
	if err == nil && info.Size/sectors-min(f.Start, info.Size/sectors) < rounds*uint64(f.Roots) {
		return p.fail("use_fec_from_device", "FEC device is too small")
	}
	if p.data.Size/sectors < p.DataBlocks {
		return p.fail("data", "Data device is too small")
	}
	return nil
}

// hashEnd is the hash block after the tree, if the digest's size is known.
func (p *verityParser) hashEnd() (uint64, bool) {
	n := p.size
	if n == 0 || int(p.HashBlock) < 2*n {
		return 0, false
	}
	bits := 0
	for uint32(n)<<(bits+1) <= p.HashBlock { //nolint:gosec // a digest is short
		bits++
	}
	end := p.HashStart
	for left := p.DataBlocks; left > 1; {
		left = (left + 1<<bits - 1) >> bits
		end += left
	}
	return end, true
}

// VerityStatus is the state of a verity device.
type VerityStatus struct {
	Corrupted bool    // something that was read did not match
	Corrected *uint64 // blocks that error correction corrected; nil without it
	counts    bool    // the kernel says how many, as Linux 7.2 does
}

// Type is "verity".
func (VerityStatus) Type() string { return "verity" }

// String is `V` or `C`, followed on new kernels by the number of corrected
// blocks or a dash.
func (s VerityStatus) String() string {
	word := "V"
	if s.Corrupted {
		word = "C"
	}
	if s.counts || s.Corrected != nil {
		word += " " + dashed(s.Corrected)
	}
	return word
}

func parseVerityStatus(s *scan) (Status, error) {
	st := VerityStatus{Corrupted: s.either("state", "C", "V")}
	if len(s.words) > 0 {
		st.counts = true
		st.Corrected = s.optional("corrected")
	}
	return st, nil
}
