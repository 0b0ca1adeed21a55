package reshape

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/array/node"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/manage/plan"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// BackupHead is the space for a backup's header before its data, in sectors, aligned so
// that every disk writes the header in one piece.
const BackupHead = 4096 / md.SectorSize

// blocks returns how much to back up at a time, in sectors of data: a multiple of the
// smallest unit.
func (t *Transition) blocks(size uint64) uint64 {
	blocks := t.Backup
	if t.Before.Data == t.After.Data {
		const enough = 16 << 20 / md.SectorSize
		for blocks*32 < size && blocks < enough {
			blocks *= 2
		}
	}
	return blocks
}

// restripeInPlace restripes within the space that the data occupies. What would be
// overwritten before it has been written elsewhere is backed up on spares, or in a file.
func (g *Grower) restripeInPlace(ctx context.Context, now geometry, t *Transition, _ uint64) error {
	blocks := t.blocks(now.size)
	if t.Before.Data != t.After.Data {
		g.Report.Say(note.Always, "reshape.need-backup-k-critical-section", blocks/2)
	}
	if blocks >= now.size/2 {
		return g.failed(ctx, errGrow, "reshape.something-wrong-reshape-aborted", g.Array)
	}
	if g.BackupFile == "" {
		spares, err := g.sparePlaces(t.Before.Data+t.Parity, blocks)
		switch {
		case err != nil:
			return err
		case t.After.Data <= t.Before.Data:
			g.Report.Say(note.Always, "reshape.cannot-grow-need-backup-file", g.Array)
			return g.failed(ctx, errGrow, "reshape.please-provide-one-with-backup")
		case len(spares) == 0 && !g.hasSpare():
			return g.failed(ctx, errGrow, "reshape.cannot-grow-need-spare-or-backup-file-backup", g.Array)
		}
	} else if err := g.do(ctx, g.makeBackup(blocks)); err != nil {
		return g.failed(ctx, err, "reshape.cannot-create-backup-file", g.Array, g.BackupFile, note.Errno{Err: err})
	}
	if err := g.cache(ctx, now, t, blocks); err != nil {
		return g.failed(ctx, err, "reshape.cannot-enlarge-stripe-cache", g.Array)
	}
	if err := g.announce(ctx, now, t); err != nil {
		return err
	}
	// mdadm lets the kernel start before it limits it; here nothing moves until the
	// first section has been backed up.
	a := g.live.Sysfs
	err := g.do(ctx, set(a.SyncMinTo(0)), swap(a.SyncMaxTo(sysmd.Some(0)), a.SyncMaxTo(sysmd.None)))
	for tries := 50; err == nil; tries-- {
		if err = g.start(ctx); !errors.Is(err, unix.EBUSY) || tries == 0 || !node.Pause(ctx, 100*time.Millisecond) {
			break
		}
		err = nil
	}
	if err != nil {
		return g.failed(ctx, err, "reshape.cannot-start-reshape", g.Array)
	}
	return g.carryOn(ctx, t, g.BackupFile)
}

// backupPlace is where a backup is stored: a file, or the end of a spare.
type backupPlace struct {
	path string
	at   uint64 // where data starts, after a header, in sectors
	tail bool   // a second header follows the data
}

// sparePlaces returns the members without data of the old shape: the end of the space
// they will use is free until the reshape gets there.
func (g *Grower) sparePlaces(oldDisks int, blocks uint64) ([]backupPlace, error) {
	members, err := g.live.Members()
	if err != nil {
		return nil, err
	}
	var list []backupPlace
	for _, m := range members {
		if m.Is(sysmd.MemberFaulty) || m.Is(sysmd.MemberJournal) || m.Slot >= 0 && m.Slot < oldDisks {
			continue
		}
		list = append(list, backupPlace{path: m.Path, at: m.Offset + g.live.Size - blocks - BackupHead, tail: true})
	}
	return list, nil
}

// hasSpare reports whether there is a member without a slot, or will be.
func (g *Grower) hasSpare() bool {
	return slices.ContainsFunc(g.live.Disks, func(d mdctl.DiskInfo) bool {
		return d.RaidDisk < 0 && d.State&(mdctl.DiskFaulty|mdctl.DiskJournal) == 0
	})
}

// makeBackup returns a step that makes the file for backups of two sections, and the
// link by which the reshape finds it again.
func (g *Grower) makeBackup(blocks uint64) plan.Step {
	path := g.BackupFile
	info := plan.StepInfo{Kind: plan.KindDevice, Target: path, What: "make the backup file", Length: backupSize(blocks)}
	return plan.NewStep(info, func(context.Context) error {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		err = g.elsewhere(f)
		if err == nil {
			_, err = f.Write(make([]byte, info.Length))
		}
		if err := errors.Join(err, f.Sync(), f.Close(), SyncDir(filepath.Dir(path))); err != nil {
			return errors.Join(err, os.Remove(path))
		}
		if strings.HasPrefix(path, node.MapDir+"/") {
			return nil
		}
		link := g.backupLink()
		_ = os.Remove(link)
		if err := os.Symlink(path, link); err != nil {
			g.Report.Say(note.Always, "reshape.recording-backup-file-failed", node.MapDir, note.Errno{Err: err})
		}
		return nil
	}, func(context.Context) error { return g.dropBackup(path) })
}

// backupSize is the size in bytes of a file for backups of two sections of blocks.
func backupSize(blocks uint64) int64 { return int64(2*blocks+BackupHead) * md.SectorSize }

// enlarge writes zeroes behind the end of a file that is shorter than size: one that
// --assemble was given, and has made, or one that was made for a reshape which is now
// reverted. Space that is only promised could be gone when it is needed.
func enlarge(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil || !stat.Mode().IsRegular() || stat.Size() >= size {
		return err
	}
	_, err = f.WriteAt(make([]byte, size-stat.Size()), stat.Size())
	return errors.Join(err, f.Sync())
}

// backupLink returns where mdadm records the backup file of an array.
func (g *Grower) backupLink() string { return filepath.Join(node.MapDir, "backup_file-"+g.live.Name) }

// dropBackup removes a backup that is no longer needed.
func (g *Grower) dropBackup(path string) error {
	if linked, err := os.Readlink(g.backupLink()); err == nil {
		_ = os.Remove(linked)
		_ = os.Remove(g.backupLink())
	}
	return plan.RemoveIfThere(path)
}

// elsewhere fails if the file is on the array itself. Devices in between are not seen
// through.
func (g *Grower) elsewhere(f *os.File) error {
	var file, array unix.Stat_t
	err := errors.Join(unix.Fstat(int(f.Fd()), &file), unix.Fstat(int(g.dev.File().Fd()), &array))
	if err == nil && file.Dev == array.Rdev {
		g.Report.Say(note.Always, "reshape.backup-file-must-not-be-on-array-being")
		return unix.EINVAL
	}
	return err
}

// SyncDir makes changes to the names in a folder durable.
func SyncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// write writes data to the place, as the given section, and makes it durable: first the
// data, then the header that makes it valid.
func (k backupPlace) write(h md.Backup, part int, data []byte) error {
	f, err := block.OpenFile(k.path, block.ForWriting)
	if err != nil {
		return err
	}
	at := int64(k.at) * md.SectorSize
	if part == 1 {
		at += int64(h.Offset2) * md.SectorSize
	}
	_, err = f.WriteAt(data, at)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = k.head(f, h, int64(len(data)))
	}
	return errors.Join(err, f.Close())
}

// head writes the header and makes it durable. A copy goes after the data if length, the
// size of the data in bytes, is not 0.
func (k backupPlace) head(f *block.File, h md.Backup, length int64) error {
	h.DevStart = k.at
	raw := h.AppendTo(nil)
	_, err := f.WriteAt(raw, int64(k.at-BackupHead)*md.SectorSize)
	if err == nil && k.tail && length > 0 {
		_, err = f.WriteAt(raw, int64(k.at)*md.SectorSize+length)
	}
	if err != nil {
		return err
	}
	return f.Sync()
}

// forget writes a header that no longer lists what was dropped.
func (k backupPlace) forget(h md.Backup) error {
	f, err := block.OpenFile(k.path, block.ForWriting)
	if err != nil {
		return err
	}
	return errors.Join(k.head(f, h, 0), f.Close())
}
