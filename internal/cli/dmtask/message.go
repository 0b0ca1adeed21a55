package dmtask

import (
	"fmt"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	grammar "github.com/mdkit/mdkit/engine/dm"
	judge "github.com/mdkit/mdkit/engine/dm/message"
	"github.com/mdkit/mdkit/ioctl/dm"
)

// WhyRefused says why the target at a sector refuses a message; errno is 0 before it was
// sent. Nothing is said about what cannot be asked, such as a device that does not exist.
func (dr *Driver) WhyRefused(d Device, sector uint64, text string, errno syscall.Errno) []string {
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
		return aboutRegion(text, errno)
	}
	if why, ok := messageErrnos[targetErrno{to.Line.Type, errno}]; ok {
		return []string{to.Line.Type + ": " + why}
	}
	return nil
}

// aboutRegion says what an errno means for a message to the device mapper itself, which
// keeps the statistics (dm-stats.c).
func aboutRegion(text string, errno syscall.Errno) []string {
	words := append(strings.Fields(text), "", "", "")
	switch why := ""; errno {
	case unix.ENOENT:
		return []string{fmt.Sprintf("statistics: there is no region %s: dmstats list --allprograms shows those there are", words[1])}
	case unix.EOPNOTSUPP:
		why = "they are kept only for devices that are not based on requests"
		return []string{"statistics: " + why}
	case unix.ENOMEM, unix.EOVERFLOW:
		why = "in areas of " + words[2] + " sectors"
		if n, ok := strings.CutPrefix(words[2], "/"); ok {
			why = "in " + n + " areas"
		}
		return []string{fmt.Sprintf("statistics: the counters for %s %s take more memory than there is for them: larger areas take less", words[1], why)}
	}
	return nil
}

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
}
