package ondisk

import (
	"bytes"
	"fmt"

	"github.com/mdkit/mdkit/engine/dm"
)

// The superblock of dm-writecache (struct wc_memory_superblock), and the size of one of
// the entries that follow.
const (
	writecacheMagic   = 0x23489321
	writecacheVersion = 1
	writecacheBytes   = 64
	writecacheEntry   = 16
)

// writecache is what writecache_ctr makes of a cache on a disk.
func (e *exam) writecache(a dm.Writecache) error {
	if a.Persistent {
		return nil
	}
	start := uint64(0)
	if a.StartSector != nil {
		start = *a.StartSector
	}
	b := e.read("cache", a.Cache, writecacheBytes, int64(start)<<9) //nolint:gosec // beyond the end it cannot be read
	info, err := e.world.Device(a.Cache)
	if b == nil || err != nil {
		return nil //nolint:nilerr // judged with the table
	}
	n := le.Uint64(b[16:])
	size, room := uint64(a.Block), info.Size<<9-start<<9
	head := (writecacheBytes + n*writecacheEntry + size - 1) &^ (size - 1)
	for _, c := range []struct {
		wrong       bool
		reason, why string
	}{
		{le.Uint32(b) == 0 && le.Uint32(b[4:]) == 0, "", ""},
		{le.Uint32(b) != writecacheMagic, "Invalid magic in the superblock", fmt.Sprintf("%#x", le.Uint32(b))},
		{le.Uint32(b[4:]) != writecacheVersion, "Invalid version in the superblock", fmt.Sprint(le.Uint32(b[4:]))},
		{le.Uint32(b[8:]) != a.Block, "Block size does not match superblock", fmt.Sprintf("%d there, %d here", le.Uint32(b[8:]), a.Block)},
		{n > 1<<47, "Overflow in size calculation", fmt.Sprintf("%d blocks", n)},
		{head+n*size > room, "Memory area is too small", fmt.Sprintf("%d blocks", n)},
	} {
		if c.wrong && c.reason == "" {
			e.settle("cache")
			e.saw("cache", "there is no cache on this device: it is formatted")
			return nil
		}
		if c.wrong {
			return e.refuse("cache", c.reason, c.why)
		}
	}
	e.settle("cache")
	return nil
}

// verity compares the superblock that veritysetup writes with the table. The kernel goes
// by the table alone, so whatever differs is only told.
func (e *exam) verity(a dm.Verity) error {
	if a.HashStart == 0 {
		return nil
	}
	b := make([]byte, 512)
	at := int64((a.HashStart - 1) * uint64(a.HashBlock)) //nolint:gosec // beyond the end it cannot be read
	if err := e.world.Read(a.Hash, b, at); err != nil || !bytes.HasPrefix(b, []byte("verity\x00\x00")) {
		return nil //nolint:nilerr // there need not be one
	}
	salt := "-"
	if n := le.Uint16(b[80:]); n > 0 && n <= 256 {
		salt = fmt.Sprintf("%x", b[88:88+int(n)])
	}
	for _, f := range []struct{ name, there, here string }{
		{"version", fmt.Sprint(le.Uint32(b[12:])), fmt.Sprint(a.Version)},
		{"algorithm", string(bytes.TrimRight(b[32:64], "\x00")), a.Algorithm},
		{"data block size", fmt.Sprint(le.Uint32(b[64:])), fmt.Sprint(a.DataBlock)},
		{"hash block size", fmt.Sprint(le.Uint32(b[68:])), fmt.Sprint(a.HashBlock)},
		{"number of data blocks", fmt.Sprint(le.Uint64(b[72:])), fmt.Sprint(a.DataBlocks)},
		{"salt", salt, a.Salt},
	} {
		if f.there != f.here {
			e.saw("hash", fmt.Sprintf("the superblock there has another %s: %s, not %s", f.name, f.there, f.here))
		}
	}
	return nil
}
