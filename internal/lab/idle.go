package lab

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// ArraysIdle waits until no md array does anything or is about to: no sync is
// running or pending, a spare that will be used is in use, failures are recorded
// as far as they can be, and arrays that were written to are marked clean again.
// An array that stays as it is (frozen, read-only, failed, waiting for a first
// write) is idle. Comparing two runs of the same story makes sense only after
// this: right after a command sync_action may still say "idle", because md's
// thread has yet to find out what there is to do. For use in a guest only.
func ArraysIdle(t testing.TB) {
	t.Helper()
	if !InGuest() {
		t.Fatal("lab: this waits for a guest's kernel")
	}
	for range 2 { // the first answer may have been true only for a moment
		// Let the threads that have been woken run.
		time.Sleep(2 * time.Millisecond)
		Poll(t, func() string {
			if busy := kernelBusy(); busy != "" {
				return busy
			}
			return arraysBusy("/sys/block")
		})
	}
}

// taskStat reads "1 (name) S 2 ...": name, state, parent. A name may hold
// anything, so its end is the last parenthesis.
func taskStat(b []byte) (name, state, parent string) {
	open, end := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if open < 0 || end < open {
		return "", "", ""
	}
	rest := strings.Fields(string(b[end+1:]))
	if len(rest) < 2 {
		return "", "", ""
	}
	return string(b[open+1 : end]), rest[0], rest[1]
}

// arraysBusy says what an array under the folder (/sys/block) is busy with, ""
// if none is busy.
func arraysBusy(blocks string) string {
	arrays, err := filepath.Glob(filepath.Join(blocks, "md*", "md"))
	if err != nil {
		return err.Error()
	}
	for _, dir := range arrays {
		if why := arrayBusy(dir); why != "" {
			return filepath.Base(filepath.Dir(dir)) + ": " + why
		}
	}
	return ""
}

func arrayBusy(dir string) string {
	get := func(name string) string {
		b, _ := os.ReadFile(filepath.Join(dir, name))
		return strings.TrimSpace(string(b))
	}
	if a := get("sync_action"); a != "" && a != "idle" && a != "frozen" {
		return "sync_action is " + a
	}
	// "write-pending", and "blocked" for a failed member, do not count: with its
	// threads asleep the kernel has nothing more to write. On 6.1, a raid5 that
	// lost its second member while it was being written to stays like that.
	if s := get("array_state"); s == "active" || s == "active-idle" {
		// The kernel marks it clean when nothing has been written for
		// safe_mode_delay (drivers/md/md.c:md_safemode_timeout).
		if delay := get("safe_mode_delay"); strings.Trim(delay, "0.") != "" {
			return "array_state is " + s
		}
	}
	return ""
}
