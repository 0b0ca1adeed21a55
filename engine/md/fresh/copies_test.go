package fresh

import (
	"bytes"
	"errors"
	"testing"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
)

// TestCopies lays out the bitmaps of the nodes of a cluster: the first has all bits set,
// the others none, and all end before the data. What mdadm writes is compared in the lab.
func TestCopies(t *testing.T) {
	a := NewArray{
		Version: md.V12, Level: 1, Size: 1 << 17, RaidDisks: 2, ActiveDisks: 2, WorkingDisks: 2,
		Bitmap: &NewBitmap{SyncSize: 1 << 17, Delay: 5, Nodes: 3, Cluster: "lab"},
	}
	members := []NewMember{
		{Sectors: 1 << 18, Bytes: 1 << 27, DataOffset: 2048},
		{Sectors: 1 << 18, Bytes: 1 << 27, Number: 1, RaidDisk: 1, DataOffset: 2048},
	}
	images, err := a.Format(members, DefaultDataOffset)
	if err != nil {
		t.Fatal(err)
	}
	var bitmaps []byte
	for _, e := range images[1] {
		if e.What == "bitmap" {
			bitmaps = append(bitmaps, e.Data...)
		}
	}
	const each = 4096
	if len(bitmaps) != 3*each {
		t.Fatalf("%d bytes of bitmaps", len(bitmaps))
	}
	for node := range 3 {
		b, fill := bitmaps[node*each:(node+1)*each], byte(0)
		if node == 0 {
			fill = 0xff
		}
		head, err := md.ParseBitmap(b)
		if err != nil || head.Version != md.BitmapClustered || head.Nodes != 3 || head.Cluster() != "lab" {
			t.Errorf("node %d: %+v, %v", node, head, err)
		}
		if bits := b[md.BitmapSuperSize:]; !bytes.Equal(bits, bytes.Repeat([]byte{fill}, len(bits))) {
			t.Errorf("node %d: other bits than %#x", node, fill)
		}
	}
	// 8 sectors of superblock and 8 of bitmap for each node: the data leaves room for two.
	for i := range members {
		members[i].DataOffset = 8 + 8 + 2*8 + 7
	}
	var tooMany *TooManyNodesError
	if _, err := a.Format(members, DefaultDataOffset); !errors.As(err, &tooMany) || tooMany.Most != 2 {
		t.Errorf("no room: %v", err)
	}
	// A number of nodes that nothing could hold is refused as well.
	for _, nodes := range []uint32{1 << 20, 1<<32 - 1} {
		a.Bitmap.Nodes = nodes
		if _, err := a.Format(members, DefaultDataOffset); !errors.As(err, &tooMany) {
			t.Errorf("%d nodes: %v", nodes, err)
		}
	}
}

// TestSpareOfCluster prepares a new member of an array that a cluster shares: it gets the
// bitmap of every node, and no bad block log, which would lie in one of them.
func TestSpareOfCluster(t *testing.T) {
	s := sampleOf(md.V12, nil).bitmapOf(64<<20, 8)
	s.Bitmap.Version, s.Bitmap.Nodes = md.BitmapClustered, 3
	copy(s.Bitmap.ClusterName[:], "lab")
	d := block.NewMemory("new", 128<<20)
	if err := s.Prepare(d, NewSpare{Number: 3}); err != nil {
		t.Fatal(err)
	}
	m, err := md.ReadMember(d, md.V12)
	if err != nil {
		t.Fatal(err)
	}
	if m.Super1.BblogSize != 0 || m.Super1.BblogOffset != 0 {
		t.Errorf("a bad block log of %d sectors at %d", m.Super1.BblogSize, m.Super1.BblogOffset)
	}
	first, err := m.ReadBitmap(d)
	if err != nil || first == nil {
		t.Fatalf("%+v, %v", first, err)
	}
	for node := range 3 {
		b, err := m.ReadBitmapNode(d, first, node)
		if err != nil || b == nil || b.Cluster() != "lab" || b.Nodes != 3 {
			t.Errorf("node %d: %+v, %v", node, b, err)
		}
	}
}
