package reshape

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/raid"
	"github.com/mdkit/mdkit/manage/array/device"
	"github.com/mdkit/mdkit/manage/array/live"
	"github.com/mdkit/mdkit/manage/array/node"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// guard makes sure that a reshape in place can be continued wherever it is interrupted:
// it suspends writes to a section, backs up its data, lets the kernel reshape it, and
// goes on to the next section (Grow.c, child_monitor).
func (g *Grower) guard(ctx context.Context) error {
	r, err := g.reshaping()
	if err != nil || r == nil {
		return err
	}
	if r.aside {
		step, err := g.paceOf(r)
		if err != nil || step == 0 {
			return err
		}
		return g.pace(ctx, r, step)
	}
	if g.BackupFile == "" {
		if path, err := os.Readlink(g.backupLink()); err == nil {
			g.BackupFile = path
		}
	}
	w := &Guard{G: g, R: r, array: g.live.Sysfs, blocks: r.T.blocks(r.now.size)}
	if err := w.prepare(); err != nil {
		return err
	}
	err = w.run(ctx)
	if ended(ctx, err) {
		err = w.leave(ctx)
	}
	switch {
	case stopped(err):
		return nil // its backups are needed to assemble it again
	case ended(ctx, err):
		return err
	case err != nil:
		// The kernel stays at the limit it was given.
		return errors.Join(g.Report.Fail(err, "reshape.reshape-held-until-mdadm-grow-continue", g.Array, err), w.unsuspend())
	}
	err = w.release()
	if err == nil && g.BackupFile != "" {
		err = g.dropBackup(g.BackupFile)
		g.BackupFile = ""
	}
	return err
}

// Guard accompanies one reshape in place: it backs up what the kernel is about to
// overwrite, and lets the kernel go no further than that.
type Guard struct {
	G      *Grower
	R      *Running
	array  *sysmd.Array
	Parity *raid.Parity // of the old shape
	blocks uint64       // sectors of data to back up at a time
	places []backupPlace
	head   md.Backup
	next   int    // index of the section to use next
	most   uint64 // how far the kernel may go, in sectors of each member
}

func (w *Guard) prepare() error {
	s := live.ReadSample(w.G.live)
	if s == nil {
		return w.G.refuse("reshape.cannot-find-superblock")
	}
	if w.G.BackupFile != "" {
		w.places = []backupPlace{{path: w.G.BackupFile, at: BackupHead}}
		if err := enlarge(w.G.BackupFile, backupSize(w.blocks)); err != nil {
			return fmt.Errorf("make room for data of the reshape in %s: %w", w.G.BackupFile, err)
		}
	} else {
		var err error
		if w.places, err = w.G.sparePlaces(w.R.now.disks, w.blocks); err != nil {
			return err
		}
	}
	if len(w.places) == 0 {
		return w.G.refuse("reshape.need-backup-file-complete-reshape-this-array", w.G.Array)
	}
	now := &w.R.now
	w.settle()
	var err error
	w.Parity, err = raid.NewParity(int(now.level), now.disks, int64(now.size)*md.SectorSize, int64(now.chunk), int(now.layout))
	w.head = md.Backup{UUID: s.Member.NativeUUID(), Offset2: w.blocks, MTime: uint64(time.Now().Unix())}
	if err != nil {
		return err
	}
	// The previous contents of a backup are no longer needed, and must not be taken for
	// what is about to be written in their place.
	for _, k := range w.places {
		if err := k.forget(w.head); err != nil {
			return fmt.Errorf("keep data of the reshape on %s: %w", k.path, err)
		}
	}
	return nil
}

// settle waits until a reshape that was held at a limit has reached it: only then do the
// superblocks say how far it is.
func (w *Guard) settle() {
	limit, err := w.array.SyncMax()
	if err != nil || limit.N == 0 {
		return // no limit, or the start
	}
	for range 500 {
		if done, total, err := w.completed(); err != nil || total > 0 && done >= limit.N {
			break
		}
		if at, err := w.array.ReshapePosition(); err != nil || !at.Set {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if at, err := w.array.ReshapePosition(); err == nil && at.Set {
		w.R.position = at.N
	}
}

// advancing reports whether the reshape begins at the start of the array.
func (w *Guard) advancing() bool { return w.R.T.After.Data >= w.R.T.Before.Data }

// run guards the reshape for as long as it needs that.
func (w *Guard) run(ctx context.Context) error {
	t := &w.R.T
	if !w.advancing() {
		return w.retreat(ctx)
	}
	need := t.Backup
	if t.Before.Data == t.After.Data {
		need = w.R.now.size * uint64(t.Before.Data)
	}
	kept := w.R.position
	if err := w.suspend(kept, kept); err != nil {
		return err
	}
	for done := kept; done < need; {
		for kept < need && w.head.Sections[w.next].Length == 0 {
			length := min(w.blocks, w.total(t.Before.Data)-kept)
			if err := w.keep(kept, length); err != nil {
				return err
			}
			kept += length
			if t.Before.Data != t.After.Data {
				break // a single section is enough
			}
		}
		var err error
		if done, err = w.advance(ctx, kept, w.oldest()); err != nil {
			return err
		}
		if done == finished {
			return nil
		}
		if err := w.drop(done); err != nil {
			return err
		}
	}
	return nil
}

func (w *Guard) total(data int) uint64 { return w.R.now.size * uint64(data) }

// retreat guards a reshape that begins at the end of the array. Only near the start does
// it overwrite what it still has to read.
func (w *Guard) retreat(ctx context.Context) error {
	t := &w.R.T
	need := t.Backup
	if w.R.position > need {
		done, err := w.advance(ctx, need, need)
		if err != nil || done == finished {
			return err
		}
	}
	if err := w.keep(0, need); err != nil {
		return err
	}
	_, err := w.advance(ctx, 0, 0)
	return err
}

// oldest returns the end of the section that was backed up first.
func (w *Guard) oldest() uint64 {
	end := uint64(math.MaxUint64)
	for _, s := range w.head.Sections {
		if s.Length > 0 {
			end = min(end, s.End())
		}
	}
	return end
}

// suspend suspends writes to a range of the array, in sectors.
func (w *Guard) suspend(from, to uint64) error {
	// To shrink the suspended range, move it away first: older kernels allow nothing
	// else.
	low, err := w.array.SuspendLo()
	if err != nil {
		return err
	}
	if low > from || to <= from {
		_ = w.array.SetSuspendLo(math.MaxInt64)
	}
	return errors.Join(
		w.array.SetSuspendHi(to),
		w.array.SetSuspendLo(from))
}

// keep suspends writes to a section and backs up its data.
func (w *Guard) keep(start, length uint64) error {
	low := start
	for _, s := range w.head.Sections {
		if s.Length > 0 {
			low = min(low, s.Start)
		}
	}
	if err := w.suspend(low, start+length); err != nil {
		return err
	}
	data, err := w.read(start, length)
	if err != nil {
		return err
	}
	part := w.next
	w.head.Sections[part] = md.BackupSection{Start: start, Length: length}
	w.head.Second = w.head.Second || part == 1
	w.head.MTime = uint64(time.Now().Unix())
	for _, k := range w.places {
		if err := k.write(w.head, part, data); err != nil {
			return fmt.Errorf("keep data of the reshape on %s: %w", k.path, err)
		}
	}
	w.next = 1 - part
	return nil
}

// drop drops the sections that the reshape has completed, and resumes writes to them.
func (w *Guard) drop(done uint64) error {
	if err := w.forget(done); err != nil {
		return err
	}
	if _, err := w.array.SuspendLo(); err != nil {
		return err
	}
	return w.array.SetSuspendLo(done)
}

// forget takes the sections that the reshape has completed out of the backups.
func (w *Guard) forget(done uint64) error {
	changed := false
	for i := range w.head.Sections {
		s := &w.head.Sections[i]
		if s.Length > 0 && s.End() <= done {
			*s, changed = md.BackupSection{}, true
		}
	}
	if !changed {
		return nil
	}
	for _, k := range w.places {
		if err := k.forget(w.head); err != nil {
			return err
		}
	}
	return nil
}

// finished is the position of a reshape that is done.
const finished = math.MaxUint64

// advance lets the reshape go as far as limit and waits until it has reached until, both
// in sectors of the array. It returns the position according to the metadata.
func (w *Guard) advance(ctx context.Context, limit, until uint64) (uint64, error) {
	after := uint64(w.R.T.After.Data)
	toMember := func(pos uint64) uint64 { // completed sectors of each member
		if pos = min(pos/after, w.R.now.size); !w.advancing() {
			pos = w.R.now.size - pos
		}
		return pos
	}
	w.most = toMember(limit)
	for _, chunk := range []uint64{w.R.T.ToChunk, w.R.now.chunk} {
		w.most -= w.most % (chunk / md.SectorSize)
	}
	stop := sysmd.Some(w.most)
	if !w.advancing() && limit == 0 {
		stop = sysmd.None
	}
	if err := w.array.SetSyncMax(stop); err != nil {
		return 0, err
	}
	return w.reach(ctx, min(w.most, toMember(until)))
}

// reach waits until the goal has been completed on each member. It returns the position
// according to the metadata.
func (w *Guard) reach(ctx context.Context, goal uint64) (uint64, error) {
	for {
		done, total, err := w.completed()
		if err != nil {
			return 0, err
		}
		if total > 0 && (done >= goal && done > 0 || done >= w.most) {
			return w.position(done), nil
		}
		if over, err := w.over(ctx); over || err != nil {
			return finished, err
		}
		if !node.Pause(ctx, 20*time.Millisecond) {
			return 0, ctx.Err()
		}
	}
}

// patience is how long a guard that was told to end waits for the kernel to get past what
// has been backed up. A service manager kills what has not ended after 90 seconds.
const patience = time.Minute

// leave ends the guarding because ctx has ended, and resumes suspended writes. What has
// been backed up it first lets the kernel get past, to the limit at which it writes
// superblocks: until then a power cut would bring the backup back over what is written
// from now on. It returns nil if there is nothing left to guard.
func (w *Guard) leave(ctx context.Context) error {
	if w.oldest() == math.MaxUint64 {
		return errors.Join(ctx.Err(), w.unsuspend())
	}
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	done, err := w.reach(wait, w.most)
	switch {
	case err == nil && (done == finished || !w.advancing()):
		return nil
	case err == nil:
		err = w.forget(done)
	case ended(wait, err): // writers must not hang for as long as the kernel does
		err = nil
	}
	if err = errors.Join(err, w.unsuspend()); err != nil {
		return err
	}
	return ctx.Err()
}

// ended reports whether err says that ctx has ended.
func ended(ctx context.Context, err error) bool { return ctx.Err() != nil && errors.Is(err, ctx.Err()) }

// position converts completed sectors of each member to sectors of the array.
func (w *Guard) position(done uint64) uint64 {
	chunk := w.R.T.ToChunk / md.SectorSize
	done -= done % chunk
	if !w.advancing() {
		done = w.R.now.size - done
	}
	return done * uint64(w.R.T.After.Data)
}

// over reports whether the reshape is done. It fails if the kernel has given up.
func (w *Guard) over(ctx context.Context) (bool, error) {
	for range 100 {
		if action, err := w.array.SyncAction(); err != nil || action == sysmd.Reshape {
			return false, err
		}
		if at, err := w.array.ReshapePosition(); err != nil || !at.Set {
			return err == nil, errors.Join(err, w.alive())
		}
		// Perhaps the failure of a member has only interrupted it.
		if !node.Pause(ctx, 100*time.Millisecond) {
			return false, ctx.Err()
		}
	}
	return false, w.G.Report.Fail(unix.EIO, "reshape.reshape-has-stopped-before-its-end", w.G.Array)
}

// alive fails if the array has been stopped: that looks like the end of a reshape, but
// is not.
func (w *Guard) alive() error {
	state, err := w.array.State()
	if err == nil && !state.Running() {
		err = fs.ErrNotExist
	}
	return err
}

// stopped reports whether an error says that the array no longer exists.
func stopped(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) }

// release lets the kernel go on without limits.
func (w *Guard) release() error {
	err := w.unsuspend()
	_ = w.array.SetSyncMin(0)
	if limit, readErr := w.array.SyncMax(); readErr == nil && limit.Set {
		err = errors.Join(err, w.array.SetSyncMax(sysmd.None))
	}
	return err
}

// unsuspend resumes suspended writes.
func (w *Guard) unsuspend() error {
	_ = w.array.SetSuspendLo(math.MaxInt64)
	_ = w.array.SetSuspendHi(0)
	return w.array.SetSuspendLo(0)
}

// read reads a section of the array, whole stripes of the old shape, from the members:
// the array itself may have newer data in memory, and would wait for the suspended
// writes.
func (w *Guard) read(start, length uint64) ([]byte, error) {
	members, err := w.G.live.Members()
	if err != nil {
		return nil, err
	}
	devs := make([]*device.Device, w.R.now.disks)
	offsets := make([]int64, w.R.now.disks)
	defer func() {
		for _, d := range devs {
			if d != nil {
				d.Close()
			}
		}
	}()
	for _, m := range members {
		if m.Slot < 0 || m.Slot >= len(devs) || m.Is(sysmd.MemberFaulty) || !m.Is(sysmd.MemberInSync) {
			continue
		}
		d, err := device.Open(m.Path, block.ForReading)
		if err != nil {
			return nil, err
		}
		devs[m.Slot], offsets[m.Slot] = d, int64(m.Offset)*md.SectorSize
	}
	chunk := int64(w.R.now.chunk)
	row := chunk * int64(w.R.T.Before.Data)
	data := make([]byte, 0, length*md.SectorSize)
	first := int64(start) * md.SectorSize / row
	for n := range int64(length) * md.SectorSize / row {
		stripe, err := w.readStripe(devs, offsets, first+n, chunk)
		if err != nil {
			return nil, err
		}
		data = append(data, stripe...)
	}
	return data, nil
}

// readStripe reads the data of one row of chunks, and computes missing chunks.
func (w *Guard) readStripe(devs []*device.Device, offsets []int64, row, chunk int64) ([]byte, error) {
	s := w.Parity.Stripe(row)
	blocks := make([][]byte, len(s.Blocks))
	var lost []int
	for i, slot := range s.Blocks {
		blocks[i] = make([]byte, chunk)
		if slot < 0 {
			continue // no member is here: counts as zeroes
		}
		if devs[slot] == nil || block.ReadFull(devs[slot], blocks[i], offsets[slot]+row*chunk) != nil {
			lost = append(lost, i)
		}
	}
	switch {
	case len(lost) > w.R.T.Parity:
		return nil, fmt.Errorf("%s: %w: stripe %d", w.G.Array, unix.EIO, row)
	case len(lost) > 0 && w.R.T.Parity == 2:
		raid.RecoverPQ(blocks, lost[0], lost[len(lost)-1])
	case len(lost) > 0:
		raid.RecoverP(blocks, lost[0])
	}
	out := make([]byte, 0, chunk*int64(len(s.Data)))
	for _, slot := range s.Data {
		out = append(out, blocks[s.Index[slot]]...)
	}
	return out, nil
}
