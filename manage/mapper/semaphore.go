package mapper

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/sysfs"
)

// cookieMagic is the upper half of every cookie (libdevmapper.h DM_COOKIE_MAGIC). A
// cookie is the key of a System V semaphore: this and sixteen random bits. The semaphore
// counts the uevents that udev has not yet answered, plus one for the waiter.
const cookieMagic = 0x0d4d

// Semaphores waits for udev by means of System V semaphores, which udev's rules for the
// device mapper count down with `dmsetup udevcomplete`.
type Semaphores struct {
	// Deadline is how long to wait for udev: a minute if 0, without limit if negative.
	Deadline time.Duration
	// Join, if set, is the cookie to use for all rounds, made by CreateCookie. Whoever
	// made it waits for it.
	Join uint32
}

const defaultDeadline = time.Minute

// ErrNoCookie marks a cookie without a semaphore.
var ErrNoCookie = errors.New("no such cookie")

// Begin opens a round. Its semaphore is made by the first Announce.
func (s Semaphores) Begin() (UdevRound, error) {
	r := &semRound{deadline: s.Deadline}
	if s.Join != 0 {
		id, err := findSemaphore(s.Join)
		if err != nil {
			return nil, err
		}
		r.cookie, r.id, r.joined, r.open = s.Join, id, true, true
	}
	return r, nil
}

type semRound struct {
	deadline time.Duration
	cookie   uint32
	id       int
	open     bool // the semaphore exists
	joined   bool // it was made by another program
}

// Announce implements [UdevRound.Announce].
func (r *semRound) Announce(flags UdevFlags) (uint32, error) {
	if !r.open {
		cookie, id, err := createSemaphore()
		if err != nil {
			return 0, err
		}
		r.cookie, r.id, r.open = cookie, id, true
	}
	if err := semop(r.id, 1, 0, nil); err != nil {
		return 0, semError("count up", r.cookie, err)
	}
	return uint32(flags|UdevPrimary)<<16 | r.cookie&0xffff, nil
}

// Retract implements [UdevRound.Retract].
func (r *semRound) Retract() error {
	if !r.open {
		return nil
	}
	if err := semop(r.id, -1, unix.IPC_NOWAIT, nil); err != nil {
		return semError("count down", r.cookie, err)
	}
	return nil
}

// Wait implements [UdevRound.Wait].
func (r *semRound) Wait(ctx context.Context) error {
	if !r.open || r.joined {
		return nil
	}
	r.open = false
	return waitSemaphore(ctx, r.cookie, r.id, r.deadline)
}

// Close implements [UdevRound.Close].
func (r *semRound) Close() error {
	if !r.open || r.joined {
		return nil
	}
	r.open = false
	return destroySemaphore(r.cookie, r.id)
}

// waitSemaphore subtracts the waiter's one, waits for zero, and removes the semaphore in
// any case.
func waitSemaphore(ctx context.Context, cookie uint32, id int, deadline time.Duration) (err error) {
	start := time.Now()
	if deadline == 0 {
		deadline = defaultDeadline
	}
	if err := semop(id, -1, unix.IPC_NOWAIT, nil); err != nil {
		return errors.Join(semError("count down", cookie, err), destroySemaphore(cookie, id))
	}
	// A semop cannot be interrupted, so the wait is done in short pieces; semop returns
	// at once when the count is zero.
	const piece = 50 * time.Millisecond
	for {
		slice := piece
		if left := deadline - time.Since(start); deadline > 0 {
			slice = max(min(slice, left), 0)
		}
		switch err := semop(id, 0, 0, &slice); {
		case err == nil:
			return destroySemaphore(cookie, id)
		case errors.Is(err, unix.EIDRM), errors.Is(err, unix.EINVAL):
			return nil // it has been removed: udevcomplete_all
		case !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR):
			return errors.Join(semError("wait", cookie, err), destroySemaphore(cookie, id))
		}
		late := deadline > 0 && time.Since(start) >= deadline
		if ctx.Err() == nil && !late {
			continue
		}
		left, _ := semctl(id, semGetVal, 0)
		gone := destroySemaphore(cookie, id)
		if !late {
			return errors.Join(ctx.Err(), gone)
		}
		return errors.Join(&UdevTimeout{Cookie: cookie, Left: left, After: time.Since(start), Why: diagnose(sysfs.Host)}, gone)
	}
}

// CreateCookie makes a cookie that several programs can join: dmsetup udevcreatecookie.
func CreateCookie() (uint32, error) {
	cookie, _, err := createSemaphore()
	return cookie, err
}

// ReleaseCookie waits until udev has answered every uevent of a cookie, and removes it:
// dmsetup udevreleasecookie. deadline is as in [Semaphores].
func ReleaseCookie(ctx context.Context, cookie uint32, deadline time.Duration) error {
	id, err := findSemaphore(cookie)
	if err != nil {
		return err
	}
	return waitSemaphore(ctx, cookie, id, deadline)
}

// CompleteCookie answers one uevent: dmsetup udevcomplete. cookie is the DM_COOKIE of
// the uevent, or what CreateCookie returned.
func CompleteCookie(cookie uint32) error {
	cookie = cookieMagic<<16 | cookie&0xffff
	id, err := findSemaphore(cookie)
	if err != nil {
		return err
	}
	if err := semop(id, -1, unix.IPC_NOWAIT, nil); err != nil {
		return semError("count down", cookie, err)
	}
	return nil
}

// Cookie is a semaphore for waiting for udev.
type Cookie struct {
	Key       uint32 // the cookie
	ID        int    // the semaphore's id in the kernel
	Value     int    // number of unanswered uevents, plus one for the waiter
	LastOp    time.Time
	LastWrite time.Time // when it was made or set
}

// Cookies lists the cookies of this IPC namespace, in the kernel's order.
func Cookies() ([]Cookie, error) {
	f, err := os.Open("/proc/sysvipc/sem")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var list []Cookie
	s := bufio.NewScanner(f)
	for s.Scan() {
		c, ok := parseSemaphore(s.Text())
		if !ok {
			continue
		}
		if c.Value, err = semctl(c.ID, semGetVal, 0); err != nil {
			if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EIDRM) {
				continue // it has been removed meanwhile
			}
			return nil, semError("read", c.Key, err)
		}
		list = append(list, c)
	}
	return list, s.Err()
}

// parseSemaphore parses a line of /proc/sysvipc/sem: key, id, mode, count, four owners,
// time of the last operation, time of the last change (ipc/sem.c sysvipc_sem_proc_show).
// It returns false for semaphores that are not cookies.
func parseSemaphore(line string) (Cookie, bool) {
	w := strings.Fields(line)
	if len(w) < 10 {
		return Cookie{}, false
	}
	key, err := strconv.ParseInt(w[0], 10, 64)
	if err != nil || uint32(key)>>16 != cookieMagic {
		return Cookie{}, false
	}
	id, err1 := strconv.Atoi(w[1])
	op, err2 := strconv.ParseInt(w[8], 10, 64)
	change, err3 := strconv.ParseInt(w[9], 10, 64)
	c := Cookie{Key: uint32(key), ID: id, LastWrite: time.Unix(change, 0)}
	if op != 0 {
		c.LastOp = time.Unix(op, 0)
	}
	return c, err1 == nil && err2 == nil && err3 == nil
}

// UntouchedCookies lists the cookies that have not been touched for that long, 0 for
// all of them, and counts the others: those that dmsetup udevcomplete_all removes.
func UntouchedCookies(untouched time.Duration) (old []Cookie, others int, err error) {
	cookies, err := Cookies()
	if err != nil {
		return nil, 0, err
	}
	limit := time.Now().Add(-untouched)
	for _, c := range cookies {
		if untouched > 0 && (c.LastWrite.After(limit) || c.LastOp.After(limit)) {
			others++
			continue
		}
		old = append(old, c)
	}
	return old, others, nil
}

// Remove removes the cookie. Programs that wait for it go on.
func (c Cookie) Remove() error { return destroySemaphore(c.Key, c.ID) }

func semError(what string, cookie uint32, err error) error {
	return fmt.Errorf("%s semaphore of cookie %#08x: %w", what, cookie, err)
}

// Commands of semctl (include/uapi/linux/ipc.h, sem.h).
const (
	semGetVal = 12
	semSetVal = 16
	semInfo   = 19
)

func createSemaphore() (cookie uint32, id int, err error) {
	for {
		var b [2]byte
		if _, err := rand.Read(b[:]); err != nil {
			return 0, 0, err
		}
		low := binary.NativeEndian.Uint16(b[:])
		if low == 0 {
			continue
		}
		cookie = cookieMagic<<16 | uint32(low)
		id, err = semget(cookie, 0o600|unix.IPC_CREAT|unix.IPC_EXCL)
		switch {
		case errors.Is(err, unix.EEXIST):
			continue
		case errors.Is(err, unix.ENOSPC):
			return 0, 0, fmt.Errorf("make a semaphore for udev: the limit is reached, see /proc/sys/kernel/sem and `dmsetup udevcookies`: %w", err)
		case err != nil:
			return 0, 0, fmt.Errorf("make a semaphore for udev: %w", err)
		}
		if _, err := semctl(id, semSetVal, 1); err != nil {
			return 0, 0, errors.Join(semError("set", cookie, err), destroySemaphore(cookie, id))
		}
		return cookie, id, nil
	}
}

func findSemaphore(cookie uint32) (int, error) {
	if cookie>>16 != cookieMagic {
		return 0, fmt.Errorf("cookie %#x: %w: cookies begin with %#x", cookie, ErrNoCookie, cookieMagic)
	}
	id, err := semget(cookie, 0)
	if errors.Is(err, unix.ENOENT) {
		return 0, fmt.Errorf("cookie %#x: %w: %w", cookie, ErrNoCookie, err)
	}
	if err != nil {
		return 0, semError("find", cookie, err)
	}
	return id, nil
}

func destroySemaphore(cookie uint32, id int) error {
	if _, err := semctl(id, unix.IPC_RMID, 0); err != nil && !errors.Is(err, unix.EIDRM) && !errors.Is(err, unix.EINVAL) {
		return semError("remove", cookie, err)
	}
	return nil
}

// semaphoresWork reports whether the kernel has System V semaphores.
func semaphoresWork() bool {
	var info [10]int32 // struct seminfo
	_, _, no := unix.Syscall6(unix.SYS_SEMCTL, 0, 0, semInfo, uintptr(unsafe.Pointer(&info)), 0, 0)
	return no == 0
}

func semget(key uint32, flags int) (int, error) {
	r, _, no := unix.Syscall(unix.SYS_SEMGET, uintptr(int32(key)), 1, uintptr(flags))
	if no != 0 {
		return 0, no
	}
	return int(r), nil
}

func semctl(id, cmd int, arg int) (int, error) {
	r, _, no := unix.Syscall6(unix.SYS_SEMCTL, uintptr(id), 0, uintptr(cmd), uintptr(arg), 0, 0)
	if no != 0 {
		return 0, no
	}
	return int(r), nil
}

// semop does one operation on the only semaphore of a set. If timeout is nil there is no
// time limit.
func semop(id int, add int16, flags int16, timeout *time.Duration) error {
	op := struct {
		num  uint16
		op   int16
		flag int16
	}{op: add, flag: flags}
	var ts *semTimespec
	if timeout != nil {
		ts = &semTimespec{Sec: int64(*timeout / time.Second), Nsec: int64(*timeout % time.Second)}
	}
	_, _, no := unix.Syscall6(sysSemtimedop, uintptr(id), uintptr(unsafe.Pointer(&op)), 1, uintptr(unsafe.Pointer(ts)), 0, 0)
	if no != 0 {
		return no
	}
	return nil
}

// semTimespec is struct __kernel_timespec, 64 bits wide everywhere.
type semTimespec struct{ Sec, Nsec int64 }
