package dlmtool

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mdkit/mdkit/dlm"
)

// debugDir is where the original looks.
const debugDir = "/sys/kernel/debug/dlm/"

// unreadable says which file could not be read, in the original's words.
func (t *tool) unreadable(suffix string, err error) {
	why := "No such file or directory"
	if errors.Is(err, dlm.ErrPermission) {
		why = "Permission denied"
	}
	t.warn("can't open %s%s%s: %s\n", debugDir, t.name, suffix, why)
}

// lockDump lists the locks of a lockspace.
func (t *tool) lockDump(context.Context) (any, error) {
	all, err := dlm.NewDebug(t.sys).Locks(t.name)
	if err != nil {
		t.unreadable("_locks", err)
		return []lockDoc{}, err
	}
	docs := []lockDoc{}
	for i := range all {
		l := &all[i]
		copied := l.Master == 0 && l.Node != 0
		if copied && !t.copies {
			continue
		}
		docs = append(docs, lockDocOf(l))
		t.say("%s\n", dumpLine(l, copied))
	}
	return docs, nil
}

// lockDoc is a lock, for documents.
type lockDoc struct {
	ID       uint32 `json:"id"`
	Node     int    `json:"node"`
	RemoteID uint32 `json:"remote_id"`
	Thread   int    `json:"pid"`
	Queue    string `json:"queue"`
	Held     string `json:"held"`
	Wanted   string `json:"wanted"`
	Master   int    `json:"master"`
	Resource string `json:"resource,omitempty"`
}

func lockDocOf(l *dlm.LockInfo) lockDoc {
	return lockDoc{
		ID: l.ID, Node: l.Node, RemoteID: l.RemoteID, Thread: l.Thread, Queue: l.Queue.String(),
		Held: modeWord(l.Held), Wanted: modeWord(l.Wanted), Master: l.Master, Resource: l.Resource,
	}
}

// dumpLine prints a lock. A granted one wants nothing, though the kernel leaves the mode
// of a conversion that it has refused.
func dumpLine(l *dlm.LockInfo, copied bool) string {
	wanted := l.Wanted
	if l.Queue == dlm.Granted && !copied {
		wanted = dlm.ModeNone
	}
	where := fmt.Sprintf("master %d", l.Node)
	if copied {
		where = fmt.Sprintf("MSTCPY %d", l.Node)
	}
	return fmt.Sprintf("id %08x gr %s rq %s pid %d %s %s", l.ID, modeWord(l.Held), modeWord(wanted), uint32(l.Thread), where, quoted(l.Resource))
}

// quoted is a name up to a quote, at which the original ends it.
func quoted(name string) string {
	name, _, _ = strings.Cut(name, `"`)
	return `"` + name + `"`
}

func modeWord(m dlm.Mode) string {
	switch {
	case m == dlm.ModeNone:
		return "IV"
	case m < dlm.ModeNone || m > dlm.EX:
		return "??"
	}
	return m.String()
}

// lockDebug shows resources with their locks, resources that are kept unused, and
// requests that await a reply.
func (t *tool) lockDebug(context.Context) (any, error) {
	debug := dlm.NewDebug(t.sys)
	used, err := debug.Resources(t.name)
	if err != nil {
		t.unreadable("", err)
		return debugDoc{}, err
	}
	unused, err := debug.Unused(t.name)
	waiters, werr := debug.Waiters(t.name)
	t.say("%s", t.debugText(used, unused, waiters))
	return debugDocOf(used, unused, waiters), errors.Join(err, werr)
}

// debugText is what lockdebug prints.
func (t *tool) debugText(used []dlm.Resource, unused []dlm.UnusedResource, waiters []dlm.WaiterInfo) string {
	var b strings.Builder
	for i := range used {
		b.WriteString("\n")
		t.resource(&b, &used[i])
	}
	b.WriteString("\n")
	for i := range unused {
		unusedText(&b, &unused[i])
	}
	for i, w := range waiters {
		if i == 0 {
			b.WriteString("\nExpecting reply\n")
		}
		fmt.Fprintf(&b, "nodeid %2d msg %s lkid %08x resource \"%s\"\n", w.Node, messageWord(w.Type), w.ID, w.Resource)
	}
	if t.summary {
		summarize(used, len(unused), len(waiters)).print(&b)
	}
	return b.String()
}

// nameText prints a resource's name as letters, or in hex if it has others.
func nameText(name string) string {
	for i := range len(name) {
		if name[i] < ' ' || name[i] > '~' {
			return fmt.Sprintf("Resource len %2d hex % x\n", len(name), name)
		}
	}
	return fmt.Sprintf("Resource len %2d  \"%s\"\n", len(name), name)
}

func (t *tool) resource(b *strings.Builder, r *dlm.Resource) {
	b.WriteString(nameText(r.Name))
	master := ""
	switch {
	case r.Master > 0:
		master = fmt.Sprintf("Master:%d", r.Master)
	case r.Master == 0:
		master = "Master"
	case r.Master == -1:
		master = "Lookup"
	}
	extra := ""
	if c := r.Recovery; r.Flags != 0 || r.FirstID != 0 || c != (dlm.Recovery{}) {
		extra = fmt.Sprintf("flags %08x first_lkid %x root %d recover %d locks %d", r.Flags, r.FirstID, bit(c.Root), bit(c.List), c.Locks)
	}
	fmt.Fprintf(b, "%-16s %s\n", master, extra)
	if r.Value != nil {
		t.value(b, r)
	}
	heads := map[string]bool{}
	for i := range r.Locks {
		t.lock(b, r, &r.Locks[i], heads)
	}
	if len(r.Locks) == 0 {
		b.WriteString("no locks\n")
	}
}

func bit(on bool) int {
	if on {
		return 1
	}
	return 0
}

// value prints the value block, 16 bytes a line unless -w is given.
func (t *tool) value(b *strings.Builder, r *dlm.Resource) {
	fmt.Fprintf(b, "LVB len %d seq %d\n", len(r.Value), r.ValueSeq)
	const row = 16
	for i, v := range r.Value {
		fmt.Fprintf(b, "%02x", v)
		last := i == len(r.Value)-1
		if !last {
			b.WriteString(" ")
		}
		if !last && !t.wide && i%row == row-1 {
			b.WriteString("\n")
		}
	}
	b.WriteString("\n")
}

// lock prints a lock, under the head of its queue if it is the first there.
func (t *tool) lock(b *strings.Builder, r *dlm.Resource, l *dlm.ResourceLock, heads map[string]bool) {
	head := func(word string, is bool) {
		if is && !heads[word] {
			heads[word] = true
			b.WriteString(word + "\n")
		}
	}
	head("Granted", l.Queue == dlm.Granted)
	head("Convert", l.Queue == dlm.Converting)
	head("Waiting", l.Queue == dlm.Waiting)
	head("Lookup", l.Lookup)
	details := fmt.Sprintf("time %016d flags %08x %08x bast %d %d pid %d",
		uint64(l.Since), uint32(l.Flags), l.Internal, l.Blocked, uint64(l.BlockedSince), l.Thread)
	end := ""
	if t.verbose && t.wide {
		end = details
	}
	fmt.Fprintf(b, "%08x %s %s %s %s %s\n", l.ID, heldText(l), wantedText(l), remoteText(r, l), waitingText(l), end)
	if t.verbose && !t.wide {
		b.WriteString(details + "\n")
	}
}

func heldText(l *dlm.ResourceLock) string {
	switch {
	case l.Queue == dlm.Granted, l.Queue == dlm.Converting:
		return modeWord(l.Held)
	case l.Queue == dlm.Waiting, l.Lookup:
		return "--"
	}
	return "XX"
}

func wantedText(l *dlm.ResourceLock) string {
	switch {
	case l.Queue == dlm.Granted:
		return "    "
	case l.Queue == dlm.Converting, l.Queue == dlm.Waiting, l.Lookup:
		return "(" + modeWord(l.Wanted) + ")"
	}
	return "(XX)"
}

func remoteText(r *dlm.Resource, l *dlm.ResourceLock) string {
	switch l.Node {
	case 0:
		return strings.Repeat(" ", 20)
	case r.Master:
		return fmt.Sprintf("Master: %3d %08x", l.Node, l.RemoteID)
	}
	return fmt.Sprintf("Remote: %3d %08x", l.Node, l.RemoteID)
}

func waitingText(l *dlm.ResourceLock) string {
	if l.WaitType == 0 {
		return strings.Repeat(" ", 8)
	}
	return fmt.Sprintf(" wait %02d", l.WaitType)
}

func unusedText(b *strings.Builder, u *dlm.UnusedResource) {
	b.WriteString(nameText(u.Name) + "Master")
	if u.Master != u.Own {
		fmt.Fprintf(b, ":%d", u.Master)
	}
	b.WriteString(" Dir")
	if u.Directory != u.Own {
		fmt.Fprintf(b, ":%d", u.Directory)
	}
	if u.Master == u.Own && u.Node != 0 {
		fmt.Fprintf(b, " res_nodeid %d", u.Node)
	}
	b.WriteString("\n\n")
}

// messageWord names the kernel's messages (DLM_MSG_*), padded as in the original.
func messageWord(kind int) string {
	words := []string{
		"request", "convert", "unlock ", "cancel ", "r_reply", "c_reply", "u_reply", "c_reply", "grant  ", "bast   ",
		"lookup ", "remove ", "l_reply", "purge  ",
	}
	if kind < 1 || kind > len(words) {
		return "unknown"
	}
	return words[kind-1]
}
