package dmsetup

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	grammar "github.com/mdkit/mdkit/engine/dm"
	judge "github.com/mdkit/mdkit/engine/dm/message"
	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/internal/cli/dmtask"
	"github.com/mdkit/mdkit/ioctl/dm"
)

// message is the command message.
func (dr *drivers) message(ctx context.Context, c dmtask.Call) error {
	d, words, err := dr.DeviceAside(c)
	if err != nil {
		return err
	}
	sector, rest, overflow := dmopt.Strtoull(words[0])
	if overflow || rest != "" {
		return dr.Refuse("Invalid sector.")
	}
	if words = words[1:]; len(words) == 0 {
		dr.Warn("No message supplied.")
	}
	m, err := dr.manager(false)
	if err != nil {
		return err
	}
	text := strings.Join(words, " ")
	message := m.PlanMessage(d.Selector(), sector, text)
	applied, err := dr.Run(ctx, d.String(), &message.Plan)
	if err != nil {
		return dr.messageRefused(d, sector, text, refusal(err))
	}
	if !applied {
		for _, why := range dr.whyRefused(d, sector, text, 0) {
			dr.Warn("WARNING: %s", why)
		}
		return nil
	}
	reply, replied := message.Reply, message.Replied
	if dr.Line.Has(dmopt.JSON) {
		dr.Show(replyJSON{Device: d.String(), Replied: replied, Reply: reply})
		return nil
	}
	dr.Out.WriteString(reply)
	if reply != "" && !strings.HasSuffix(reply, "\n") {
		dr.Out.WriteByte('\n')
	}
	return nil
}

type replyJSON struct {
	Device  string `json:"device"`
	Replied bool   `json:"replied"`
	Reply   string `json:"reply"`
}

// messageRefused returns the error for a refused message: why, as far as that can be
// told from the target, comes before what the kernel has logged.
func (dr *drivers) messageRefused(d dmtask.Device, sector uint64, text string, err error) error {
	if errors.Is(err, dm.ErrNoTable) && dmtask.Errno(err) == 0 { // as kernels after 6.1 answer
		err = &dmtask.TaskError{Task: dmtask.TaskMessage, Label: d.Label(), Errno: unix.EINVAL, Err: errors.Join(err, dm.ErrInvalid)}
	}
	out := dmtask.Failed(dmtask.TaskMessage, d, err)
	var refused *dmtask.TaskError
	if errors.As(out, &refused) {
		refused.More = append(dr.whyRefused(d, sector, text, refused.Errno), refused.More...)
	}
	return out
}

// whyRefused says why the target at a sector refuses a message; errno is 0 before it was
// sent. Nothing is said about what cannot be asked, such as a device that does not exist.
func (dr *drivers) whyRefused(d dmtask.Device, sector uint64, text string, errno syscall.Errno) []string {
	ctl, err := dr.Control()
	if err != nil {
		return nil
	}
	info, lines, err := ctl.TableStatus(d.Selector(), dm.TableStatusOptions{Kind: dm.KindTable, NoFlush: true})
	if err != nil {
		return nil
	}
	toCore := strings.HasPrefix(text, "@")
	switch size := grammar.Table(lines).Sectors(); {
	case toCore:
	case !info.LiveTable() && info.InactiveTable():
		return []string{fmt.Sprintf("its table is not live yet: dmsetup resume %s", info.Name)}
	case !info.LiveTable():
		return []string{fmt.Sprintf("it has no table: load one, then dmsetup resume %s", info.Name)}
	case sector >= size:
		return []string{fmt.Sprintf("sector %d is beyond its end, it has %d", sector, size)}
	}
	to := judge.Receiver{Suspended: info.Suspended()}
	for _, l := range lines {
		if sector-l.Start < l.Length {
			to.Line = l
		}
	}
	if wrong := judge.Check(to, text); wrong != nil {
		return []string{wrong.Error()}
	}
	if toCore {
		to.Line.Type = statsCore
	}
	if why, ok := messageErrnos[targetErrno{to.Line.Type, errno}]; ok {
		return []string{to.Line.Type + ": " + why}
	}
	return nil
}

// statsCore stands for the device mapper itself, which keeps the statistics.
const statsCore = "statistics"

type targetErrno struct {
	target string
	errno  syscall.Errno
}

// messageErrnos says what an errno means where the message is right and the state of the
// target is not: the message functions of drivers/md, which log little of it.
var messageErrnos = map[targetErrno]string{
	{"thin-pool", unix.EEXIST}:     "there is a thin device of that id already",
	{"thin-pool", unix.ENODATA}:    "there is no thin device of that id",
	{"thin-pool", unix.EBUSY}:      "the thin device is in use, or a snapshot of the metadata is reserved already",
	{"thin-pool", unix.EINVAL}:     "the state of the pool does not allow it: see its status",
	{"thin-pool", unix.EOPNOTSUPP}: "the pool is read-only, out of metadata space or has failed: see its status",
	{"cache", unix.EOPNOTSUPP}:     "the cache is read-only or has failed: see its status",
	{"cache", unix.EINVAL}:         "the range is not one of blocks of the cache",
	{"crypt", unix.ENOKEY}:         "the key is not in the keyring",
	{"crypt", unix.EINVAL}:         "the cipher does not take that key",
	{"dust", unix.EINVAL}:          "the block is outside of the device, or is in that state already",
	{"era", unix.EINVAL}:           "there is a snapshot of the metadata already, or none to drop",
	{"multipath", unix.EINVAL}:     "the device is not one of its paths",
	{"raid", unix.EBUSY}:           "an action is under way, or the device is suspended: send idle, or resume it",
	{"raid", unix.EINVAL}:          "since Linux 6.12 idle and frozen are obeyed and then answered like that",
	{"switch", unix.EINVAL}:        "a region or a path that it does not have",
	{"writecache", unix.EIO}:       "the cache device has failed",
	{statsCore, unix.ENOENT}:       "there is no region of that id: see @stats_list",
	{statsCore, unix.EOPNOTSUPP}:   "they are kept only for devices that are not based on requests",
	{statsCore, unix.EINVAL}:       "the region or its step makes no sense for this device",
}
