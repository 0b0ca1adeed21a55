package mirrorlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"github.com/mdkit/mdkit/internal/house/fuzztest"
	"github.com/mdkit/mdkit/ioctl/dm/userlog"
)

// FuzzParseArgs parses arbitrary words as the arguments of a log. If they are accepted,
// a log can be made with that number of regions.
func FuzzParseArgs(f *testing.F) {
	f.Add("2048 clustered-core 64")
	f.Add("2048 clustered-disk 3 253:1 64 nosync")
	f.Add("18446744073709551615 clustered-core 2 nosync")
	f.Add("18446744073709551615 clustered-core 1073741824 sync")
	f.Fuzz(func(t *testing.T, text string) {
		fuzztest.Bounded(t, len(text), func() {
			a, err := ParseArgs(text)
			if err != nil {
				if !errors.Is(err, ErrArgs) {
					t.Fatal(err)
				}
				return
			}
			n := a.regions()
			if n == 0 || n > maxRegions {
				t.Fatalf("%+v has %d regions", a, n)
			}
			if before := (n - 1) * a.Region; before >= a.Sectors || a.Sectors-before > a.Region {
				t.Fatalf("%+v has %d regions", a, n)
			}
			again := fmt.Sprintf("%d clustered-core %d", a.Sectors, a.Region)
			if a.Device != "" {
				again = fmt.Sprintf("%d clustered-disk %s %d", a.Sectors, a.Device, a.Region)
			}
			b, err := ParseArgs(again)
			if err != nil || b.Sectors != a.Sectors || b.Region != a.Region || b.Device != a.Device {
				t.Fatalf("%q is %+v, and %q is %+v, %v", text, a, again, b, err)
			}
		})
	})
}

// FuzzStore starts a log with any number of regions on a device with any content.
// Only the arguments determine how many regions there are, and the log can read again
// what it then writes.
func FuzzStore(f *testing.F) {
	head := func(regions uint64, bits ...byte) []byte {
		b := make([]byte, offBits)
		binary.LittleEndian.PutUint32(b, storeMagic)
		binary.LittleEndian.PutUint32(b[4:], storeVersion)
		binary.LittleEndian.PutUint64(b[offRegions:], regions)
		return append(b, bits...)
	}
	f.Add(head(20, 0xff, 0x0f, 0x01), uint16(20), uint8(0))
	f.Add(head(1<<64-1, 0xff), uint16(40), uint8(2))
	f.Add(head(3), uint16(65535), uint8(1))
	f.Add([]byte{}, uint16(1), uint8(2))
	f.Fuzz(func(t *testing.T, content []byte, regions uint16, sync uint8) {
		a := Args{Sectors: max(uint64(regions), 1) * 2, Region: 2, Device: "x", Sync: Sync(sync % 3)}
		disk := &memory{b: make([]byte, 16<<10)}
		copy(disk.b, content)
		fuzztest.Bounded(t, len(disk.b), func() {
			l, err := New(a, disk, Owner{LUID: 1})
			if err != nil {
				if !errors.Is(err, ErrTooSmall) {
					t.Fatal(err)
				}
				return
			}
			if r := l.Handle(&userlog.Request{Type: userlog.Resume}); r.Errno != 0 {
				t.Fatalf("%+v", r)
			}
			clean := l.sync.countTo(l.n)
			if clean > l.n || a.Sync == SyncNever && clean != 0 {
				t.Fatalf("%d of %d regions are in sync", clean, l.n)
			}
			again, err := New(Args{Sectors: a.Sectors, Region: 2, Device: "x"}, disk, Owner{LUID: 1})
			if err != nil {
				t.Fatal(err)
			}
			if r := again.Handle(&userlog.Request{Type: userlog.Resume}); r.Errno != 0 || !bytes.Equal(again.sync, l.sync) {
				t.Fatalf("wrote %x, read %x", l.sync, again.sync)
			}
		})
	})
}
