package assemble

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/raid"
	"github.com/mdkit/mdkit/manage/array/node"
	"github.com/mdkit/mdkit/manage/array/reshape"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/manage/plan"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// restored is how an assembly restores the critical section of a reshape before the
// array starts (Grow.c, Grow_restart).
type restored struct {
	writes   []updateWrite // stripes, by candidate
	position uint64        // of the reshape afterwards, in sectors of the array
	moved    bool          // position differs from that in the superblocks
	by       string        // the backup file that stays in use; "" for none
}

// planRestore decides what to restore from a backup. It changes nothing. It fails, or
// sets a.s.Start, if the array cannot start without a backup.
func (a *assembler) planRestore() error {
	r := a.s.Lead().Reshape()
	if a.s.Start != md.StartNow || !r.NeedsBackup() {
		return nil
	}
	a.Report.Say(note.Chatty, "assemble.has-active-reshape-checking-if-critical-section-needs", a.node.Chosen)
	if a.BackupFile == "" {
		link := filepath.Join(node.MapDir, "backup_file-"+a.node.Kernel)
		if st, err := os.Stat(link); err == nil && st.Mode().IsRegular() {
			a.BackupFile = link
			if path, err := os.Readlink(link); err == nil {
				a.BackupFile = path
			}
		}
	}
	t, err := a.transition()
	if err != nil {
		return err
	}
	a.restore = &restored{position: r.Position, by: a.BackupFile}
	if !a.fromBackups(t) && !t.Beyond(r.Position) {
		a.Report.Say(note.Chatty, "assemble.failed-find-backup-critical-section")
		if !a.InvalidBackup {
			a.Report.Say(note.Always, "assemble.failed-restore-critical-section-for-reshape-sorry")
			if a.BackupFile == "" {
				a.Report.More(note.Always, "assemble.possibly-you-needed-specify-backup-file")
			}
			return &note.Reported{Err: ErrNotStarted}
		}
		a.Report.Say(note.Chatty, "assemble.continuing-without-restoring-backup")
	}
	if r.InPlace() && a.BackupFile == "" {
		a.s.Start = md.StartNeedBackup
	}
	return nil
}

// transition returns what the superblocks say about the reshape in progress.
func (a *assembler) transition() (*reshape.Transition, error) {
	c := a.s.Lead()
	r := c.Reshape()
	parity := 1
	if c.Level() == md.LevelRAID6 {
		parity = 2
	}
	before, after := c.Slots()-r.Delta, c.Slots()
	if r.Delta < 0 {
		before, after = c.Slots(), c.Slots()+r.Delta
	}
	t := &reshape.Transition{
		Level: c.Level(), ToLevel: c.Level(), Parity: parity, ToChunk: uint64(r.Chunk) * md.SectorSize, Delta: r.Delta,
		Before: reshape.Arrangement{Data: before - parity, Layout: c.Layout()},
		After:  reshape.Arrangement{Data: after - parity, Layout: r.Layout},
	}
	if !c.Level().Parity() || t.Before.Data < 1 || t.After.Data < 1 || r.Chunk == 0 || a.chunk() == 0 {
		return nil, a.Report.Fail(ErrNotStarted, "assemble.no-reshape-can-be-from-data-devices", a.node.Chosen, t.Before.Data, t.After.Data, reshape.LevelWord(c.Level()))
	}
	t.Unit(a.chunk())
	return t, nil
}

// inSlot returns the index of the up-to-date member in a slot, or -1.
func (a *assembler) inSlot(slot int) int {
	if j := a.s.At(2 * slot); j >= 0 && a.s.Verdicts[j].In {
		return j
	}
	return -1
}

// chunk returns the array's chunk size before the reshape, in bytes.
func (a *assembler) chunk() uint64 {
	return uint64(a.s.Lead().ChunkSectors()) * md.SectorSize
}

// fromBackups looks for backups in the backup file and on the former spares, and takes
// the first that fits. It reports whether there was one.
func (a *assembler) fromBackups(t *reshape.Transition) bool {
	if a.BackupFile != "" {
		f, err := os.Open(a.BackupFile)
		if err != nil {
			a.Report.Say(note.Always, "assemble.backup-file-inaccessible", a.BackupFile, note.Errno{Err: err})
		} else {
			ok := a.fromBackup(t, f, a.BackupFile, 0)
			_ = f.Close()
			if ok {
				return true
			}
		}
	}
	if t.Delta <= 0 {
		return false
	}
	for slot := t.Before.Data + t.Parity; slot < t.After.Data+t.Parity; slot++ {
		j := a.inSlot(slot)
		if j < 0 {
			continue
		}
		m := a.found[j].Member
		f, err := os.Open(a.memberPath(j))
		if err != nil {
			continue
		}
		ok := a.fromBackup(t, f, a.memberPath(j), int64(m.DataOffset()+m.UsedSize()-reshape.BackupHead)*md.SectorSize)
		_ = f.Close()
		if ok {
			return true
		}
	}
	return false
}

// fromBackup plans the restoration from one backup, whose header is at a byte offset of
// f. It reports whether the backup belongs to this reshape and lacks nothing that is
// needed.
func (a *assembler) fromBackup(t *reshape.Transition, f *os.File, name string, at int64) bool {
	h := a.backupHeader(f, name, at)
	if h == nil {
		return false
	}
	first := a.s.Lead()
	if h.UUID != first.NativeUUID() {
		a.Report.Say(note.Chatty, "assemble.wrong-uuid-on-backup-metadata", name)
		return false
	}
	if kept, used := int64(h.MTime), first.UTime().Unix(); used > kept+int64(2*time.Hour/time.Second) || used < kept-int64(10*time.Minute/time.Second) {
		if !a.AllowOldBackup {
			a.Report.Say(note.Always, "assemble.too-old-timestamp-on-backup-metadata", name)
			a.Report.Say(note.Always, "assemble.if-you-think-it-should-be-safe-try")
			return false
		}
		a.Report.Say(note.Always, "assemble.accepting-backup-with-timestamp-for-array-with-timestamp", kept, used)
	}
	lo, hi := h.Span()
	progress := a.s.Lead().Reshape().Position
	if lo == hi || progress < lo || progress > hi {
		a.Report.Say(note.Chatty, "assemble.backup-metadata-found-on-but-not-needed", name)
		return lo != hi || t.Delta == 0
	}
	again := a.backupHeader(f, name, int64(h.DevStart-reshape.BackupHead)*md.SectorSize)
	if again == nil || *again != *h {
		a.Report.Say(note.Chatty, "assemble.failed-verify-secondary-backup-metadata-block", name)
		return false
	}
	writes, err := a.restripe(t, h, f)
	if err != nil {
		a.Report.Say(note.Chatty, "assemble.error-restoring-backup", name)
		a.Report.Extra(note.Always, note.Reason, err)
		return false
	}
	// A reshape towards fewer devices gets its section back in the old shape, and does
	// it again: the kernel does not start such a reshape at sector 0.
	a.restore.writes, a.restore.position = writes, hi
	a.restore.moved = hi != progress
	return true
}

// backupHeader reads the header of a backup. It returns nil if there is none.
func (a *assembler) backupHeader(f *os.File, name string, at int64) *md.Backup {
	raw := make([]byte, md.BackupSize)
	if _, err := f.ReadAt(raw, at); err != nil {
		a.Report.Say(note.Chatty, "assemble.cannot-read", name)
		return nil
	}
	h, err := md.ParseBackup(raw)
	switch {
	case errors.Is(err, md.ErrBackupSum):
		a.Report.Say(note.Chatty, "assemble.bad-backup-metadata-checksum", name)
	case err != nil:
		a.Report.Say(note.Chatty, "assemble.no-backup-metadata", name)
	case h.DevStart < reshape.BackupHead:
		return nil
	}
	if err != nil {
		return nil
	}
	return h
}

// restripe lays out the sections of a backup on the members: in the new shape or, for a
// reshape towards fewer devices, in the old one.
func (a *assembler) restripe(t *reshape.Transition, h *md.Backup, f *os.File) ([]updateWrite, error) {
	shape, chunk := t.After, int64(t.ToChunk)
	if t.Delta < 0 {
		shape, chunk = t.Before, int64(a.chunk())
	}
	used := int64(a.s.Lead().UsedSize()) * md.SectorSize
	p, err := raid.NewParity(int(t.Level), shape.Data+t.Parity, used, chunk, int(shape.Layout))
	if err != nil {
		return nil, err
	}
	var writes []updateWrite
	at := int64(h.DevStart) * md.SectorSize
	for i, s := range h.Sections {
		if i == 1 {
			at += int64(h.Offset2) * md.SectorSize
		}
		if s.Length == 0 {
			continue
		}
		row := chunk * int64(shape.Data)
		start, length := int64(s.Start)*md.SectorSize, int64(s.Length)*md.SectorSize
		if start%row != 0 || length%row != 0 || start < 0 || length < 0 || start > p.Size()-length {
			return nil, errors.New("the backup holds no whole stripes of the array")
		}
		data := make([]byte, length)
		if err := readAll(f, data, at); err != nil {
			return nil, err
		}
		columns := layOut(p, data, start/row, chunk)
		for slot, column := range columns {
			j := a.inSlot(slot)
			if j < 0 {
				continue
			}
			off := int64(a.found[j].Member.DataOffset())*md.SectorSize + start/row*chunk
			writes = append(writes, updateWrite{cand: j, what: "critical section", off: off, data: column})
		}
	}
	return writes, nil
}

func readAll(f *os.File, b []byte, at int64) error {
	_, err := f.ReadAt(b, at)
	return err
}

// layOut spreads data, whole stripes from the given row on, over the members and adds
// parity. It returns the data of each slot.
func layOut(p *raid.Parity, data []byte, first, chunk int64) [][]byte {
	stripe := p.Stripe(first)
	slots := len(stripe.Index)
	rows := int64(len(data)) / (chunk * int64(len(stripe.Data)))
	columns := make([][]byte, slots)
	for i := range columns {
		columns[i] = make([]byte, rows*chunk)
	}
	for n := range rows {
		s := p.Stripe(first + n)
		at := func(slot int) []byte { return columns[slot][n*chunk : (n+1)*chunk] }
		for _, slot := range s.Data {
			data = data[copy(at(slot), data[:chunk]):]
		}
		var blocks [][]byte
		for _, slot := range s.Blocks {
			switch {
			case slot == s.P || slot == s.Q && slot >= 0:
			case slot < 0:
				blocks = append(blocks, make([]byte, chunk))
			default:
				blocks = append(blocks, at(slot))
			}
		}
		if s.Q < 0 {
			raid.GenP(at(s.P), blocks)
		} else {
			raid.GenPQ(at(s.P), at(s.Q), blocks)
		}
	}
	return columns
}

// restoreSteps restore the critical section, and then update the superblocks.
func (a *assembler) restoreSteps() (steps []plan.Step) {
	if a.restore == nil || a.s.Start != md.StartNow {
		return nil
	}
	if len(a.restore.writes) > 0 {
		steps = append(steps, plan.SayStep(func() { a.Report.Print(note.Always, "assemble.mdadm-restoring-critical-section") }))
	}
	for _, w := range a.restore.writes {
		steps = append(steps, plan.NewDataWrite(a.memberPath(w.cand), w.what, w.off, w.data, a.found[w.cand].Included))
	}
	if !a.restore.moved {
		return steps
	}
	for slot := range (len(a.s.Places) + 1) / 2 {
		j := a.inSlot(slot)
		if j < 0 {
			continue
		}
		m := a.found[j].Member
		edit, ok := a.s.Edits[j]
		if !ok {
			edit = md.EditSuper(m)
		}
		edit.SetPosition(a.restore.position)
		steps = append(steps, a.writeStep(j, "superblock "+m.Version.String(), m.Offset, edit.Bytes()))
	}
	return steps
}

// guardSteps hand a reshape in place, which has been started read-only, over to the
// process that backs up its critical sections. Until then the reshape does not advance.
func (a *assembler) guardSteps() []plan.Step {
	set := func(s sysmd.Setting) plan.Step {
		return plan.NewStep(plan.SettingInfo(s),
			func(context.Context) error {
				if err := s.Write(); err != nil {
					return a.Report.Fail(err, "assemble.cannot-continue-reshape", a.node.Chosen)
				}
				return nil
			}, nil)
	}
	next := reshape.GrowRequest{Array: a.node.Chosen, Continue: true, BackupFile: a.restore.by, Report: a.Report}
	info := plan.StepInfo{Kind: plan.KindDevice, Target: a.node.Chosen, What: "see the reshape through"}
	see := plan.NewStep(info, func(ctx context.Context) error {
		next.Array = a.node.Chosen
		if a.FreezeReshape {
			a.Report.Say(note.Always, "assemble.reshape-has-be-continued-from-location-when-root", a.restore.position)
			return nil
		}
		err := touch(next.BackupFile)
		if err == nil && a.Background != nil {
			err = a.Background(next)
		} else if err == nil {
			_, err = reshape.Grow(ctx, next)
		}
		if err != nil {
			a.Report.Say(note.Always, "assemble.reshape-waits-for-mdadm-grow-continue", a.node.Chosen, err)
		}
		return nil
	}, nil)
	return []plan.Step{set(a.sysfs().SyncMaxTo(sysmd.Some(0))), set(a.sysfs().StateTo(sysmd.Active)), see}
}

// touch makes a file if it does not exist.
func touch(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), reshape.SyncDir(filepath.Dir(path)))
}
