package bench

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/fresh"
	"github.com/mdkit/mdkit/internal/lab"
)

// rounds is how often each command of a pair is run.
const rounds = 300

// ExamineOne times `mdadm --examine IMG` on one image, which shows how fast the
// tool starts. mdadm is the path of our program.
func ExamineOne(mdadm string) Benchmark {
	return Benchmark{
		Name: "examine.one", PeerName: "mdadm 4.2", Unit: "ms", Better: "lower",
		Run: func(ctx context.Context, dir string) (float64, float64, error) {
			img := filepath.Join(dir, "member.img")
			if err := makeMember(img); err != nil {
				return 0, 0, err
			}
			tool, err := lab.OpenTool(ctx, "mdadm")
			if err != nil {
				return 0, 0, err
			}
			peer := tool.Command(ctx, "--examine", img)
			return Race(ctx, rounds,
				Command{Path: mdadm, Args: []string{"--examine", img}},
				Command{Path: peer.Path, Args: peer.Args[1:], Env: peer.Env})
		},
	}
}

// memberSize is the size of the image to examine, in bytes.
const memberSize = 64 << 20

// makeMember makes an image that holds one member of a RAID1.
func makeMember(path string) error {
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		return err
	}
	if err := os.Truncate(path, memberSize); err != nil {
		return err
	}
	array := fresh.NewArray{
		Version: md.V12, Level: md.LevelRAID1, Size: 64 << 10, RaidDisks: 2, ActiveDisks: 2, WorkingDisks: 2,
		Name: "bench:0", UUID: md.UUID{1}, CTime: time.Unix(1_700_000_000, 0), Clean: true,
	}
	const sectors = memberSize / block.SectorSize
	members := []fresh.NewMember{{Sectors: sectors, Bytes: memberSize, DataOffset: fresh.DefaultDataOffset, UUID: md.UUID{2}}}
	extents, err := array.Format(members, fresh.DataOffsetFor(array.Version, sectors, 0, false))
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	for _, e := range extents[0] {
		if _, err := f.WriteAt(e.Data, e.Off); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return f.Close()
}
