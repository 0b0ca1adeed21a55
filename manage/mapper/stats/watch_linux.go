package stats

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	table "github.com/mdkit/mdkit/engine/dm/stats"
)

// Watch watches a file and keeps the regions of its group in line with the file's
// extents, as dmfilemapd(8) does.
type Watch struct {
	File       *os.File // the file; Run closes it
	Path       string   // absolute
	Group      uint64
	FollowPath bool                    // watch the file that now has the path, not the original one
	Mapped     func(major uint32) bool // reports whether a major number is that of mapped devices
	Every      time.Duration           // time between two checks; 0 means half a second
	Log        func(string)            // is told what happens; may be nil

	blocks int64 // of the file at the last check; -1 before the first
}

// lookEvery is the default time between checks of a file; pathTries is how many times
// its path may be missing.
const (
	lookEvery = time.Second / 2
	pathTries = 5
)

func (w *Watch) log(format string, args ...any) {
	if w.Log != nil {
		w.Log(fmt.Sprintf(format, args...))
	}
}

// Run watches the file until its group is removed, the file is gone or has no extents,
// or ctx ends.
func (w *Watch) Run(ctx context.Context, h *Handle) error {
	defer func() { w.File.Close() }()
	w.blocks = -1
	every := w.Every
	if every == 0 {
		every = lookEvery
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	missing := 0
	for {
		if _, err := h.List(""); err != nil {
			return err
		}
		if leader := h.Table.Region(w.Group); leader == nil || leader.Group == nil {
			w.log("Filemap group removed: exiting.")
			return nil
		}
		there, err := w.look()
		if err != nil {
			return err
		}
		if there {
			missing = 0
			if done, err := w.update(h); done || err != nil {
				return err
			}
		} else if missing++; !w.FollowPath || missing >= pathTries {
			w.log("File unlinked and closed: exiting.")
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// look finds out whether there is still a file to watch.
func (w *Watch) look() (there bool, err error) {
	at, err := os.Stat(w.Path)
	now, err2 := w.File.Stat()
	if err2 != nil {
		return false, err2
	}
	if err == nil && os.SameFile(at, now) {
		return true, nil
	}
	if w.FollowPath {
		f, err := os.Open(w.Path)
		if errors.Is(err, os.ErrNotExist) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		w.File.Close()
		w.File, w.blocks = f, -1
		return true, nil
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(w.File.Fd()), &st); err != nil {
		return false, err
	}
	return st.Nlink > 0 || openElsewhere(w.File), nil
}

// openElsewhere reports whether another process has the file open.
func openElsewhere(f *os.File) bool {
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return false
	}
	self := filepath.Join("/proc", strconv.Itoa(os.Getpid()), "fd")
	for _, link := range links {
		if filepath.Dir(link) == self {
			continue
		}
		if other, err := os.Stat(link); err == nil && os.SameFile(mine, other) {
			return true
		}
	}
	return false
}

// update adapts the group if the file has grown or shrunk; done says that there is
// nothing left to watch.
func (w *Watch) update(h *Handle) (done bool, err error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(w.File.Fd()), &st); err != nil {
		return false, err
	}
	if st.Blocks == w.blocks {
		return false, nil
	}
	w.blocks = st.Blocks
	ranges, err := FileRanges(w.File, w.Mapped)
	if err != nil && !errors.Is(err, ErrNoExtents) {
		return false, err
	}
	ids, err := h.UpdateFile(w.Group, ranges)
	var member *table.MemberError
	if errors.Is(err, ErrNoGroup) || errors.As(err, &member) {
		w.log("Filemap group removed: exiting.") // since the last check
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if len(ids) == 0 {
		w.log("File contains no extents: exiting.")
		return true, nil
	}
	if h.Table.Region(w.Group) == nil || h.Table.Region(w.Group).Group == nil {
		leader := h.Table.Leader(ids[0])
		if leader == nil {
			return true, nil
		}
		w.log("group_id changed from %d to %d", w.Group, leader.ID)
		w.Group = leader.ID
	}
	return false, nil
}
