package probe

import (
	"hash/crc32"
	"sync"
)

// castagnoli builds crc32c's table at the first use: the ordinary commands
// never need it.
var castagnoli = sync.OnceValue(func() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) })

// crc32cRaw is the kernel's crc32c(~0, ...): crc32c from all ones without the
// final inversion.
func crc32cRaw(b []byte) uint32 { return ^crc32.Checksum(b, castagnoli()) }

// crc32cSeed is crc32c from a seed, without any inversion.
func crc32cSeed(seed uint32, b []byte) uint32 { return ^crc32.Update(^seed, castagnoli(), b) }

// crc32Raw is the kernel's crc32_le: reflected CRC-32 from seed, with no
// inversion before or after.
func crc32Raw(seed uint32, b []byte) uint32 { return ^crc32.Update(^seed, crc32.IEEETable, b) }

// crc64Table is for CRC-64/WE's polynomial, most significant bit first
// (lib/crc64.c, crc64_be).
var crc64Table = sync.OnceValue(func() *[256]uint64 {
	const poly = 0x42F0E1EBA9EA3693
	var t [256]uint64
	for i := range t {
		c := uint64(i) << 56
		for range 8 {
			if c>>63 != 0 {
				c = c<<1 ^ poly
			} else {
				c <<= 1
			}
		}
		t[i] = c
	}
	return &t
})

// crc64WE is the checksum of bcache (drivers/md/bcache/util.h, bch_crc64).
func crc64WE(b []byte) uint64 {
	t := crc64Table()
	c := ^uint64(0)
	for _, x := range b {
		c = t[byte(c>>56)^x] ^ c<<8
	}
	return ^c
}
