package dmsetup

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/internal/cli/dmtask"
	"github.com/mdkit/mdkit/manage/mapper"
	"github.com/mdkit/mdkit/manage/plan"
)

// A cookie is the key of a semaphore, with this value in its upper half; in a uevent,
// flags for udev's rules are in its place.
const (
	cookieMagic = 0x0D4D
	cookieBase  = 0xFFFF
)

// udevFlagName returns the name of a flag in udev's rules.
func udevFlagName(bit int) string {
	names := []string{
		"DISABLE_DM_RULES", "DISABLE_SUBSYSTEM_RULES", "DISABLE_DISK_RULES", "DISABLE_OTHER_RULES",
		"LOW_PRIORITY", "DISABLE_LIBRARY_FALLBACK", "PRIMARY_SOURCE",
	}
	const own = 8 // lower bits belong to the device mapper, the others to a subsystem
	switch {
	case bit < len(names):
		return "DM_UDEV_" + names[bit] + "_FLAG"
	case bit < own:
		return fmt.Sprintf("DM_UDEV_FLAG%d", bit)
	}
	return fmt.Sprintf("DM_SUBSYSTEM_UDEV_FLAG%d", bit-own)
}

// cookies works with udev by means of the semaphores for waiting for it; a cookie is the
// key of one.
type cookies struct {
	*dmtask.Devices
	cookie uint32 // the transaction to join, 0 for none
}

// cookieWord parses a cookie on the command line.
func (k *cookies) cookieWord(word string) (uint32, error) {
	cookie, err := dmopt.CookieValue(word)
	if err != nil {
		return 0, k.Refuse("%v", err)
	}
	return cookie, nil
}

// showUdevFlags is the command udevflags: the flags of a cookie, as udev's rules
// import them.
func (k *cookies) showUdevFlags(_ context.Context, c dmtask.Call) error {
	cookie, err := k.cookieWord(c.Args[0])
	if err != nil {
		return err
	}
	for bit := range 16 {
		if cookie>>16&(1<<bit) == 0 {
			continue
		}
		if k.Line.Has(dmopt.JSON) {
			k.Show(udevFlagName(bit))
		} else {
			k.Printf("%s='1'\n", udevFlagName(bit))
		}
	}
	return nil
}

// udevComplete is the command udevcomplete, which is the last thing that udev's rules
// do.
func (k *cookies) udevComplete(ctx context.Context, c dmtask.Call) error {
	cookie, err := k.cookieWord(c.Args[0])
	if err != nil {
		return err
	}
	if !k.Line.Has(dmopt.JSON) {
		k.Printf("DM_COOKIE_COMPLETED=0x%-10x\n", cookie)
	}
	base := cookie & cookieBase
	if base == 0 || !k.synchronises() {
		return nil // nobody is waiting
	}
	key := base | cookieMagic<<16
	_, err = k.take(ctx, cookieStep(key, "decrement"), func(context.Context) error { return mapper.CompleteCookie(key) })
	return k.cookieError(err, key)
}

// cookieStep describes what is done to the semaphore of a cookie.
func cookieStep(key uint32, what string) plan.StepInfo {
	return plan.StepInfo{Kind: kindSemaphore, Target: fmt.Sprintf("0x%x", key), What: what}
}

// kindSemaphore is the kind of the steps that change semaphores.
const kindSemaphore = "semaphore"

// take takes one step or, under --dry-run, shows it. It returns whether the step was
// taken.
func (k *cookies) take(ctx context.Context, info plan.StepInfo, do func(context.Context) error) (taken bool, err error) {
	r := plan.Runner{DryRun: k.Line.Has(dmopt.DryRun)}
	err = r.Do(ctx, plan.NewStep(info, func(ctx context.Context) error {
		taken = true
		return do(ctx)
	}, nil))
	if err == nil && !taken {
		k.ShowSteps("", r.Steps...)
	}
	return taken, err
}

// cookiePrefix refuses a value that is not the key of a cookie.
func (k *cookies) cookiePrefix(cookie uint32) error {
	if cookie>>16 == cookieMagic {
		return nil
	}
	return k.Refuse("Could not continue to access notification semaphore identified by cookie value %d (0x%x). Incorrect cookie prefix.",
		cookie, cookie)
}

// cookieError returns an error about a cookie in the words of the original.
func (k *cookies) cookieError(err error, key uint32) error {
	if errors.Is(err, mapper.ErrNoCookie) {
		return k.Complain(&dmopt.UsageError{Lines: []string{fmt.Sprintf(
			"Could not find notification semaphore identified by cookie value %d (0x%x)", key, key)}, Class: err})
	}
	return err
}

// udevCreateCookie is the command udevcreatecookie. If udev is not running there is
// nothing to join, and it prints nothing.
func (k *cookies) udevCreateCookie(ctx context.Context, _ dmtask.Call) error {
	if !k.synchronises() {
		return nil
	}
	var cookie uint32
	taken, err := k.take(ctx, plan.StepInfo{Kind: kindSemaphore, Target: "new", What: "create"}, func(context.Context) (err error) {
		cookie, err = mapper.CreateCookie()
		return err
	})
	if err != nil || !taken {
		return err
	}
	if k.Line.Has(dmopt.JSON) {
		k.Show(cookieJSON{Cookie: fmt.Sprintf("0x%08X", cookie)})
		return nil
	}
	k.Printf("0x%08X\n", cookie)
	return nil
}

// udevReleaseCookie is the command udevreleasecookie: it waits for udev.
func (k *cookies) udevReleaseCookie(ctx context.Context, c dmtask.Call) error {
	if word, ok := c.First(); ok {
		cookie, err := k.cookieWord(word)
		if err != nil {
			return err
		}
		k.cookie = cookie
	}
	if k.cookie == 0 {
		return k.Refuse("No udev transaction cookie given.")
	}
	if !k.synchronises() {
		return nil
	}
	if err := k.cookiePrefix(k.cookie); err != nil {
		return err
	}
	ctx, stop := k.Std.Cancellable(ctx)
	defer stop()
	_, err := k.take(ctx, cookieStep(k.cookie, "wait for udev, remove"), func(ctx context.Context) error {
		return mapper.ReleaseCookie(ctx, k.cookie, k.Line.Timeout)
	})
	return k.cookieError(err, k.cookie)
}

// udevCompleteAll is the command udevcomplete_all: it removes cookies, after asking.
func (k *cookies) udevCompleteAll(ctx context.Context, c dmtask.Call) error {
	age := 0
	if word, ok := c.First(); ok {
		n, rest, _ := dmopt.Strtol(word, 10)
		if rest == word {
			return k.Refuse("Failed to read age_in_minutes parameter.")
		}
		age = int(uint32(n))
	}
	r := plan.Runner{DryRun: k.Line.Has(dmopt.DryRun)}
	ask := plan.AsideStep(func(context.Context) error { return k.mayCompleteAll(age) })
	old, skipped, err := mapper.UntouchedCookies(time.Duration(age) * time.Minute)
	if err != nil {
		return err
	}
	if err := r.Do(ctx, ask); err != nil {
		k.Printf("Semaphores with keys prefixed by %d (0x%x) NOT destroyed.\n", cookieMagic, cookieMagic)
		return nil
	}
	removed := 0
	var failed []error
	for _, cookie := range old {
		failed = append(failed, r.Do(ctx, plan.NewStep(cookieStep(cookie.Key, "remove"), func(context.Context) error {
			removed++
			return cookie.Remove()
		}, nil)))
	}
	if err := errors.Join(failed...); err != nil {
		return err
	}
	switch {
	case removed < len(old):
		k.ShowSteps("", r.Steps...)
	case k.Line.Has(dmopt.JSON):
		k.Show(completedJSON{Removed: removed, Skipped: skipped})
	default:
		k.Printf("%d semaphores with keys prefixed by %d (0x%x) destroyed. %d skipped.\n", removed, cookieMagic, cookieMagic, skipped)
	}
	return nil
}

// errDeclined is a no to a question.
var errDeclined = errors.New("not confirmed")

// mayCompleteAll asks before cookies are removed, unless --yes has answered.
func (k *cookies) mayCompleteAll(age int) error {
	if k.Line.Has(dmopt.Yes) {
		return nil
	}
	older := ""
	if age > 0 {
		older = fmt.Sprintf("older than %d minutes ", age)
	}
	k.Warn("WARNING: This operation will destroy all semaphores %swith keys that have a prefix %d (0x%x).",
		older, cookieMagic, cookieMagic)
	if !k.confirm("Do you really want to continue? [y/n]: ") {
		return errDeclined
	}
	return nil
}

// confirm asks on standard output until the answer is y or n. The end of the input
// counts as n.
func (k *cookies) confirm(question string) bool {
	in := bufio.NewReader(k.Std.In)
	for {
		k.Printf("%s", question)
		if err := k.Out.Flush(); err != nil {
			return false
		}
		line, err := in.ReadString('\n')
		answer := byte(0)
		for _, c := range []byte(line) {
			if c |= 0x20; c == 'y' || c == 'n' {
				answer = c
			}
		}
		if errors.Is(err, io.EOF) || err != nil {
			k.Printf("\n")
			return false
		}
		if answer != 0 {
			return answer == 'y'
		}
	}
}

// udevCookies is the command udevcookies.
func (k *cookies) udevCookies(context.Context, dmtask.Call) error {
	list, err := mapper.Cookies()
	if err != nil {
		return err
	}
	if !k.Line.Has(dmopt.JSON) {
		k.Printf("Cookie       Semid      Value      Last semop time           Last change time\n")
	}
	for _, c := range list {
		if k.Line.Has(dmopt.JSON) {
			k.Show(cookieJSON{
				Cookie: fmt.Sprintf("0x%08X", c.Key), ID: c.ID, Value: c.Value,
				LastOp: c.LastOp.UTC().Format(time.RFC3339), LastChange: c.LastWrite.UTC().Format(time.RFC3339),
			})
			continue
		}
		k.Printf("0x%-10x %-10d %-10d %s  %s\n", c.Key, c.ID, c.Value,
			c.LastOp.Local().Format(time.ANSIC), c.LastWrite.Local().Format(time.ANSIC))
	}
	return nil
}

type cookieJSON struct {
	Cookie     string `json:"cookie"`
	ID         int    `json:"semid,omitempty"`
	Value      int    `json:"value,omitempty"`
	LastOp     string `json:"last_operation,omitempty"`
	LastChange string `json:"last_change,omitempty"`
}

type completedJSON struct {
	Removed int `json:"removed"`
	Skipped int `json:"skipped"`
}

// udevFlags returns what the options say to udev's rules. Without --verifyudev, only
// udev makes nodes, provided that they are in its folder.
func (k *cookies) udevFlags() mapper.UdevFlags {
	var f mapper.UdevFlags
	if k.Line.Has(dmopt.NoUdevRules) {
		f |= mapper.UdevNoDMRules | mapper.UdevNoSubsystemRules
	}
	if k.Folder() == dmtask.MapperFolder && (k.cookie != 0 || !k.Line.Has(dmopt.VerifyUdev)) {
		f |= mapper.UdevNoFallback
	}
	if k.NoUdev {
		f &^= mapper.UdevNoFallback
		f |= mapper.UdevNoDMRules | mapper.UdevNoSubsystemRules
	}
	return f
}

// synchronises reports whether to wait for udev.
func (k *cookies) synchronises() bool {
	return !k.NoUdev && !k.Line.Has(dmopt.NoUdevSync) && mapper.UdevRunning()
}

// checkCookie refuses to join a transaction that does not exist.
func (k *cookies) checkCookie() error {
	if k.cookie == 0 {
		return nil
	}
	if err := k.cookiePrefix(k.cookie); err != nil {
		return err
	}
	list, err := mapper.Cookies()
	if err == nil && !slices.ContainsFunc(list, func(c mapper.Cookie) bool { return c.Key == k.cookie }) {
		return k.cookieError(mapper.ErrNoCookie, k.cookie)
	}
	return err
}

// joinCookie takes the cookie of a transaction from the environment, unless an option
// gives one.
func (k *cookies) joinCookie() {
	k.cookie = k.Line.Cookie
	if k.cookie != 0 || k.Environment.Cookie == "" {
		return
	}
	cookie, err := dmopt.CookieValue(k.Environment.Cookie)
	if err != nil {
		k.Warn("%v", err)
	}
	k.cookie = cookie
}
