package md

import (
	"encoding/binary"
	"fmt"
	"iter"

	"github.com/mdkit/mdkit/engine/binfmt"
	"github.com/mdkit/mdkit/engine/block"
)

// ChunkState is what a bitmap says about a chunk. Plain bitmaps have only
// ChunkClean and ChunkDirty; the numbers are those of the lockless bitmap
// (md-llbitmap.c, enum llbitmap_state).
type ChunkState uint8

// Chunk states.
const (
	ChunkUnwritten         ChunkState = 0 // never written
	ChunkClean             ChunkState = 1 // members agree
	ChunkDirty             ChunkState = 2 // being written, or was when the power failed
	ChunkNeedSync          ChunkState = 3
	ChunkSyncing           ChunkState = 4
	ChunkNeedSyncUnwritten ChunkState = 5
	ChunkSyncingUnwritten  ChunkState = 6
	ChunkCleanUnwritten    ChunkState = 7
	chunkStates                       = 8
)

var chunkStateWords = [chunkStates]string{
	"unwritten", "clean", "dirty", "need_sync", "syncing",
	"need_sync_unwritten", "syncing_unwritten", "clean_unwritten",
}

// String returns the word.
func (s ChunkState) String() string {
	if int(s) < len(chunkStateWords) {
		return chunkStateWords[s]
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// Dirty reports whether a chunk in this state is to be resynced when the array
// is assembled after a power failure: written but not known to be the same on all
// members. States that the kernel does not know count as dirty, because it
// resyncs them.
func (s ChunkState) Dirty() bool {
	switch s {
	case ChunkUnwritten, ChunkClean, ChunkCleanUnwritten, ChunkNeedSyncUnwritten, ChunkSyncingUnwritten:
		return false
	}
	return true
}

// ChunkRun is a run of chunks in the same state.
type ChunkRun struct {
	First, Count uint64 // chunk numbers
	State        ChunkState
}

// bitmapReadSize is how much of a bitmap is held in memory at a time.
const bitmapReadSize = 64 << 10

// Runs yields every chunk of the bitmap in order, as runs of equal state, read
// piece by piece from the device at v.Offset. It ends with an error if a read
// fails. If the bitmap reaches past the end of the device, it yields an error and
// reads nothing.
func (v *Bitmap) Runs(d block.Device) iter.Seq2[ChunkRun, error] {
	return func(yield func(ChunkRun, error) bool) {
		if err := v.Within(d, v.Offset, v.Len()); err != nil {
			yield(ChunkRun{}, err)
			return
		}
		var (
			run   ChunkRun
			total = v.Chunks()
			buf   []byte
			pos   = v.Offset + v.DataOffset()
			per   = uint64(8) // chunks in each byte
		)
		if v.Version == BitmapLockless {
			per = 1
		}
		for first := uint64(0); first < total; {
			n := min((total-first-1)/per+1, bitmapReadSize)
			if v.BigEndianWords() {
				n = (n + 7) &^ 7
			}
			if uint64(len(buf)) != n {
				buf = make([]byte, n)
			}
			if err := v.ReadBits(d, buf, pos); err != nil {
				yield(ChunkRun{}, err)
				return
			}
			for i := uint64(0); i < n*per && first < total; i++ {
				state := v.stateAt(buf, i)
				switch {
				case run.Count == 0:
					run = ChunkRun{first, 1, state}
				case run.State == state:
					run.Count++
				default:
					if !yield(run, nil) {
						return
					}
					run = ChunkRun{first, 1, state}
				}
				first++
			}
			pos += int64(n)
		}
		if run.Count > 0 {
			yield(run, nil)
		}
	}
}

// ReadBits fills buf with the bytes of the bits at pos, in bytes from the device's
// start. It fails without reading if they are not all on the device.
func (v *Bitmap) ReadBits(d block.Device, buf []byte, pos int64) error {
	if err := v.Within(d, pos, uint64(len(buf))); err != nil {
		return err
	}
	return block.ReadFull(d, buf, pos)
}

// Within returns an error unless n bytes from pos are on the device. Sizes from a
// header are checked here before memory is allocated for them.
func (v *Bitmap) Within(d block.Device, pos int64, n uint64) error {
	if pos >= 0 && pos <= d.Size() && n <= uint64(d.Size()-pos) {
		return nil
	}
	return &binfmt.Error{
		Op: "read", Device: block.Name(d), Format: "md-bitmap", Field: "bits", Off: pos,
		Err: binfmt.ErrTruncated, Got: fmt.Sprintf("a device of %d bytes", d.Size()),
		Want: fmt.Sprintf("%d bytes of bitmap from %#x", v.Len(), v.Offset),
	}
}

// BigEndianWords reports whether the bits are in 64-bit words with the highest
// byte first: version 3 written by a big-endian machine. (On a 32-bit machine they
// were 32-bit words; the superblock does not say which.)
func (v *Bitmap) BigEndianWords() bool {
	return v.Version == BitmapHostEndian && v.order == binary.ByteOrder(binary.BigEndian)
}

func (v *Bitmap) stateAt(buf []byte, i uint64) ChunkState {
	if v.Version == BitmapLockless {
		return ChunkState(buf[i])
	}
	at := i / 8
	if v.BigEndianWords() {
		at ^= 7
	}
	if buf[at]>>(i%8)&1 != 0 {
		return ChunkDirty
	}
	return ChunkClean
}

// BitmapCount says how many chunks are in which state.
type BitmapCount struct {
	Total, Dirty uint64
	// States counts the chunks in each state; the last entry counts all states
	// that the kernel does not know.
	States [chunkStates + 1]uint64
}

// Count reads the whole bitmap and counts its chunks by state.
func (v *Bitmap) Count(d block.Device) (BitmapCount, error) {
	var c BitmapCount
	for run, err := range v.Runs(d) {
		if err != nil {
			return c, err
		}
		c.Total += run.Count
		if run.State.Dirty() {
			c.Dirty += run.Count
		}
		c.States[min(run.State, chunkStates)] += run.Count
	}
	return c, nil
}

// BitmapOffset is where the member's internal bitmap starts, in bytes from the
// start of the device, and whether it has one. With 0.90 it is right behind the
// superblock.
func (m *Member) BitmapOffset() (off int64, ok bool) {
	if m.Super0 != nil {
		return m.Offset + Super0Size, m.Super0.State&Super0BitmapPresent != 0
	}
	return m.Offset + int64(m.Super1.BitmapOffset)*SectorSize,
		m.Super1.FeatureMap&FeatureBitmapOffset != 0
}

// ReadBitmap reads the superblock of the member's internal bitmap, or of the first
// copy if it is clustered. It returns nil and no error if the member has none.
// Like ParseBitmap, it can return both a superblock and why it is of no use.
func (m *Member) ReadBitmap(d block.Device) (*Bitmap, error) {
	off, ok := m.BitmapOffset()
	if !ok {
		return nil, nil
	}
	return m.readBitmapAt(d, off)
}

// ReadBitmapNode reads the superblock of one node's copy of a clustered bitmap,
// given the superblock of the first copy.
func (m *Member) ReadBitmapNode(d block.Device, first *Bitmap, node int) (*Bitmap, error) {
	if node < 0 || node >= first.Copies() || first.CopyLen() > uint64(d.Size()) {
		return nil, &binfmt.Error{
			Op: "read", Device: block.Name(d), Format: "md-bitmap", Field: "nodes", Off: first.Offset + 68,
			Err: binfmt.ErrCorrupt, Got: fmt.Sprintf("node %d", node), Want: fmt.Sprintf("a node below %d", first.Copies()),
		}
	}
	return m.readBitmapAt(d, first.Offset+int64(node)*int64(first.CopyLen()))
}

func (m *Member) readBitmapAt(d block.Device, off int64) (*Bitmap, error) {
	buf := make([]byte, BitmapSuperSize)
	if err := block.ReadFull(d, buf, off); err != nil {
		return nil, fmt.Errorf("bitmap of %s: %w", m.Name, err)
	}
	v, err := ParseBitmap(buf)
	if v != nil {
		v.Offset = off
		if m.Super0 != nil {
			v.order = m.Super0.order()
		}
	}
	return v, binfmt.At(err, block.Name(d), off)
}

// NativeUUID is the array's uuid as the kernel copies it to a bitmap, a PPL or
// a journal: the bytes as they are in its memory.
func (m *Member) NativeUUID() UUID {
	if m.Super0 != nil {
		return m.Super0.UUID().Native(m.Super0.order())
	}
	return m.Super1.SetUUID
}
