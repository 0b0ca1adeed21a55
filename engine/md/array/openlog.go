package array

import (
	"fmt"

	"github.com/mdkit/mdkit/engine/md"
)

// openLog recovers the content of a parity array's log as patches of the members,
// and returns the log for writes unless the array is opened read-only. It writes
// nothing.
func (a *Array) openLog(f *md.Member, p *parityArray) (writeLog, error) {
	ppl := f.Features()&(md.FeaturePPL|md.FeatureMultiplePPLs) != 0
	switch {
	case !ppl && a.journal == nil:
		return nil, nil
	case p.geometry.Chunk()%patchSize != 0:
		return nil, fmt.Errorf("%w: a log of an array with chunks of %d bytes", ErrUnsupported, p.geometry.Chunk())
	case ppl:
		return a.openPPL(f, p)
	}
	return a.openJournal(f, p)
}

func (a *Array) openPPL(f *md.Member, p *parityArray) (writeLog, error) {
	homes, err := pplHomes(a.slots)
	if err != nil {
		return nil, err
	}
	complete := false
	if !f.Clean() {
		found, err := recoverPPL(p, homes, f.NativeUUID())
		if err != nil {
			return nil, err
		}
		if complete = found.complete(f); complete {
			p.pending = nil
		}
	}
	if a.opt.ReadOnly {
		return nil, nil
	}
	w := newPPLWriter(p, homes, f.NativeUUID(), complete)
	p.log = w
	return w, nil
}

func (a *Array) openJournal(f *md.Member, p *parityArray) (writeLog, error) {
	j, err := newJournalDevice(a.journal, f.NativeUUID())
	if err != nil {
		return nil, err
	}
	found, err := recoverJournal(p, j)
	if err != nil || a.opt.ReadOnly {
		return nil, err
	}
	w := newJournalWriter(p, j, found)
	p.log = w
	return w, nil
}

// keepRecords makes the writer of superblocks, and connects it and the log to the
// array.
func (a *Array) keepRecords(f *md.Member, log writeLog) (err error) {
	if a.super, err = newSuperWriter(f, a.slots, a.journal); err != nil {
		return err
	}
	a.super.log = log
	switch log := log.(type) {
	case *bitmapLog:
		switch how := a.how.(type) {
		case *mirrored:
			how.log = log
		case *parityArray:
			how.log = log
		}
	case *pplWriter:
		log.super = a.super
	case *journalWriter:
		log.super = a.super
	}
	return nil
}
