package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/block/blocktest"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/array"
	"github.com/mdkit/mdkit/engine/md/fresh"
)

// The number of members of the arrays that are read, and the data on each.
const (
	readMembers = 6
	readData    = 256 << 20 // bytes
	readRounds  = 7
)

// ScrubRAID6 measures `mdkit verify --scrub` of a RAID6 in the page cache, against
// cat of all members to /dev/null on as many processors. mdkit is the path of our
// program.
func ScrubRAID6(mdkit string) Benchmark {
	return Benchmark{
		Name: "scrub.raid6", PeerName: "cat of all members", Unit: "MB/s", Better: "higher",
		Run: func(ctx context.Context, dir string) (float64, float64, error) {
			paths, err := makeReadArray(dir, md.LevelRAID6)
			if err != nil {
				return 0, 0, err
			}
			ours := Command{Path: mdkit, Args: append([]string{"verify", "--scrub", "--quiet"}, paths...)}
			return raceRead(ctx, ours, paths)
		},
	}
}

// ReadDegraded measures `mdkit open --cat` of a RAID5 without one of its
// members, against cat of the others.
func ReadDegraded(mdkit string) Benchmark {
	return Benchmark{
		Name: "read.raid5.degraded", PeerName: "cat of the members left", Unit: "MB/s", Better: "higher",
		Run: func(ctx context.Context, dir string) (float64, float64, error) {
			paths, err := makeReadArray(dir, md.LevelRAID5)
			if err != nil {
				return 0, 0, err
			}
			ours := Command{Path: mdkit, Args: append([]string{"open", "--cat", "--quiet"}, paths[1:]...)}
			return raceRead(ctx, ours, paths[1:])
		},
	}
}

// raceRead runs ours and cat, and returns how many MB of members' data each of
// them reads in a second.
func raceRead(ctx context.Context, ours Command, paths []string) (float64, float64, error) {
	if _, err := exec.LookPath("xargs"); err != nil {
		return 0, 0, err
	}
	cat := Command{Path: "sh", Args: append([]string{
		"-c", fmt.Sprintf(`printf '%%s\0' "$@" | xargs -0 -n1 -P%d cat >/dev/null`, runtime.GOMAXPROCS(0)), "sh",
	}, paths...)}
	mine, theirs, err := Race(ctx, readRounds, ours, cat)
	if err != nil {
		return 0, 0, err
	}
	mb := float64(len(paths)) * readData / 1e6
	return mb / mine * 1000, mb / theirs * 1000, nil
}

// makeReadArray makes the image files of an array full of data.
func makeReadArray(dir string, level md.Level) (paths []string, err error) {
	const size = readData + 4<<20
	arr := fresh.NewArray{
		Version: md.V12, Level: level, Layout: 2, Chunk: 128, Size: readData / block.SectorSize,
		RaidDisks: readMembers, ActiveDisks: readMembers, WorkingDisks: readMembers,
		Name: "bench:0", UUID: md.UUID{1}, CTime: time.Unix(1_700_000_000, 0), Clean: true,
	}
	var members []fresh.NewMember
	for i := range readMembers {
		members = append(members, fresh.NewMember{
			Sectors: size / block.SectorSize, Bytes: size, Number: i, RaidDisk: i, DataOffset: 4096, UUID: md.UUID{2, byte(i)},
		})
	}
	extents, err := arr.Format(members, 4096)
	if err != nil {
		return nil, err
	}
	devs := make(map[*md.Member]block.Device)
	var list []*md.Member
	for i, e := range extents {
		path := filepath.Join(dir, fmt.Sprintf("member%d.img", i))
		paths = append(paths, path)
		f, err := makeImage(path, size, e)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		m, err := md.ReadMember(f)
		if err != nil {
			return nil, err
		}
		devs[m], list = f, append(list, m)
	}
	a, err := array.Open(md.Assess(list, md.Strict), devs, array.Options{})
	if err != nil {
		return nil, err
	}
	return paths, errors.Join(fill(a), a.Close())
}

// makeImage makes a file of the given size that holds the extents.
func makeImage(path string, size int64, extents []fresh.Extent) (*block.File, error) {
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		return nil, err
	}
	if err := os.Truncate(path, size); err != nil {
		return nil, err
	}
	f, err := block.OpenFile(path, block.ForWriting)
	if err != nil {
		return nil, err
	}
	for _, e := range extents {
		if _, err := f.WriteAt(e.Data, e.Off); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return f, nil
}

// fill writes all of a device.
func fill(d block.Device) error {
	const step = 8 << 20
	p := blocktest.Pattern(1, step)
	for off := int64(0); off < d.Size(); off += step {
		if _, err := d.WriteAt(p[:min(step, d.Size()-off)], off); err != nil {
			return err
		}
	}
	return nil
}
