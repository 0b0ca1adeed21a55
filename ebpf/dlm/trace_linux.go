package dlm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"
)

//go:generate go tool -modfile=../../internal/tools/go.mod bpf2go -cflags "-O2 -g -Wall -Werror -mcpu=v2" -target bpfel -type event -type counters programs dlm.bpf.c

// Errors of [Open]. An error matches one of them, or is the kernel's.
var (
	ErrNoTracefs     = errors.New("tracefs is not there (mount -t tracefs tracefs /sys/kernel/tracing), or not for this user")
	ErrNoTracepoints = errors.New("this kernel shows no tracepoints of the DLM: load its module (modprobe dlm); before Linux 5.16 there are none")
	ErrPrivilege     = errors.New("needs CAP_BPF and CAP_PERFMON, or root")
)

// Probe is a tracepoint and what has become of it.
type Probe struct {
	Kind     Kind
	Missing  error    // why it is not attached; nil if it is
	Unfilled []string // fields that this kernel's tracepoint does not have
}

// Trace is the stream of a node's events. It must be closed.
type Trace struct {
	objects programsObjects
	links   []link.Link
	reader  *ringbuf.Reader
	probes  []Probe
}

// Folder is where tracefs is found.
const Folder = "/sys/kernel/tracing"

// Open attaches to all tracepoints of the DLM that this kernel has. A missing one costs
// its events, not the trace: see [Trace.Probes].
func Open(tracefs string) (*Trace, error) {
	t := &Trace{}
	if err := t.open(tracefs); err != nil {
		return nil, errors.Join(fmt.Errorf("trace the DLM: %w", err), t.Close())
	}
	return t, nil
}

func (t *Trace) open(tracefs string) error {
	if _, err := os.Stat(filepath.Join(tracefs, "events")); err != nil {
		return ErrNoTracefs
	}
	spec, err := loadPrograms()
	if err != nil {
		return err
	}
	layouts := make([]programsLayout, len(kinds))
	for i, kind := range kinds {
		layout, probe := layoutOf(tracefs, kind)
		layouts[i] = layout
		t.probes = append(t.probes, probe)
	}
	if err := spec.Variables["layouts"].Set(layouts); err != nil {
		return err
	}
	if err := spec.LoadAndAssign(&t.objects, nil); err != nil {
		return privileged(err)
	}
	if t.reader, err = ringbuf.NewReader(t.objects.Events); err != nil {
		return err
	}
	programs := [...]*ebpf.Program{
		t.objects.DlmLockStart, t.objects.DlmLockEnd, t.objects.DlmUnlockStart, t.objects.DlmUnlockEnd,
		t.objects.DlmAst, t.objects.DlmBast, t.objects.DlmSendMessage, t.objects.DlmRecvMessage,
	}
	for i := range t.probes {
		if t.probes[i].Missing != nil {
			continue
		}
		l, err := link.Tracepoint("dlm", "dlm_"+string(kinds[i]), programs[i], nil)
		if err != nil {
			return privileged(err)
		}
		t.links = append(t.links, l)
	}
	if len(t.links) == 0 {
		return ErrNoTracepoints
	}
	return nil
}

func privileged(err error) error {
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("%w: %w", ErrPrivilege, err)
	}
	return err
}

// absent is the offset of a field that a tracepoint does not have (dlm.bpf.c, ABSENT).
const absent = 0xffff

// columns are the fields that events have, in the order of the program (enum field), by
// their names in each kind of event; a name that is not there is a column that the event
// does not have.
var columns = [...]map[Kind]string{
	{LockStart: "ls_id", LockEnd: "ls_id", UnlockStart: "ls_id", UnlockEnd: "ls_id", Granted: "ls_id", Blocking: "ls_id", Sent: "h_lockspace", Received: "h_lockspace"},
	{LockStart: "lkb_id", LockEnd: "lkb_id", UnlockStart: "lkb_id", UnlockEnd: "lkb_id", Granted: "lkb_id", Blocking: "lkb_id", Sent: "m_lkid", Received: "m_lkid"},
	{LockStart: "mode", LockEnd: "mode", Blocking: "mode", Sent: "m_rqmode", Received: "m_rqmode"},
	{LockStart: "flags", LockEnd: "flags", UnlockStart: "flags", UnlockEnd: "flags", Granted: "sb_flags", Sent: "m_flags", Received: "m_flags"},
	{LockEnd: "error", UnlockEnd: "error", Granted: "sb_status", Sent: "m_result", Received: "m_result"},
	{Sent: "dst", Received: "h_nodeid"},
	{Sent: "m_type", Received: "m_type"},
	{Sent: "m_remid", Received: "m_remid"},
	{Sent: "m_grmode", Received: "m_grmode"},
}

// The columns, by their place.
const (
	colSpace = iota
	colLock
	colMode
	colFlags
	colStatus
	colNode
	colMessage
	colRemote
	colGranted
)

// layoutOf reads where a tracepoint has its fields.
func layoutOf(tracefs string, kind Kind) (programsLayout, Probe) {
	layout := programsLayout{Name: absent, Value: absent}
	for i := range layout.Fields {
		layout.Fields[i].Offset = absent
	}
	probe := Probe{Kind: kind}
	f, err := os.Open(filepath.Join(tracefs, "events/dlm/dlm_"+string(kind), "format"))
	if errors.Is(err, fs.ErrNotExist) {
		err = ErrNoTracepoints
	}
	if err != nil {
		probe.Missing = err
		return layout, probe
	}
	defer f.Close()
	fields, err := ParseFormat(f)
	if err != nil {
		probe.Missing = err
		return layout, probe
	}
	for i, column := range columns {
		name, wanted := column[kind]
		place, ok := fields[name]
		if ok {
			layout.Fields[i].Offset, layout.Fields[i].Size = place.Offset, place.Size
		} else if wanted {
			probe.Unfilled = append(probe.Unfilled, name)
		}
	}
	if place, ok := fields["res_name"]; ok {
		layout.Name = place.Offset
	}
	if place, ok := fields["m_extra"]; ok {
		layout.Value = place.Offset
	}
	return layout, probe
}

// Probes says which tracepoints are attached, and which are missing and why.
func (t *Trace) Probes() []Probe { return t.probes }

// Counts says how many events the kernel has put into the stream, and how many it had no
// room for.
func (t *Trace) Counts() (sent, lost uint64, err error) {
	var all []programsCounters
	if err := t.objects.Counts.Lookup(uint32(0), &all); err != nil {
		return 0, 0, fmt.Errorf("count the events: %w", err)
	}
	for _, c := range all {
		sent, lost = sent+c.Sent, lost+c.Lost
	}
	return sent, lost, nil
}

// Close detaches from the tracepoints. Events that have not been read are lost.
func (t *Trace) Close() error {
	var err error
	for _, l := range t.links {
		err = errors.Join(err, l.Close())
	}
	if t.reader != nil {
		err = errors.Join(err, t.reader.Close())
	}
	return errors.Join(err, t.objects.Close())
}

// Events returns the events in the order in which they went into the buffer, until ctx
// ends, which is no error; those that are in the buffer by then come first.
func (t *Trace) Events(ctx context.Context) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		stop := context.AfterFunc(ctx, func() { t.reader.SetDeadline(time.Unix(1, 0)) })
		defer stop()
		var record ringbuf.Record
		for {
			err := t.reader.ReadInto(&record)
			switch {
			case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, ringbuf.ErrClosed):
				return
			case err != nil:
				yield(Event{}, fmt.Errorf("read the trace of the DLM: %w", err))
				return
			}
			e, err := parseEvent(record.RawSample)
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// parseEvent reads an event as the program has written it.
func parseEvent(b []byte) (Event, error) {
	var raw programsEvent
	if len(b) < int(unsafe.Sizeof(raw)) {
		return Event{}, fmt.Errorf("read the trace of the DLM: an event of %d bytes, want %d", len(b), unsafe.Sizeof(raw))
	}
	if _, err := binary.Decode(b, binary.NativeEndian, &raw); err != nil {
		return Event{}, err
	}
	if int(raw.Kind) >= len(kinds) {
		return Event{}, fmt.Errorf("read the trace of the DLM: an event of kind %d", raw.Kind)
	}
	f := &raw.Fields
	e := Event{
		Time: time.Duration(raw.Time), CPU: int(raw.Cpu), PID: int(raw.Pid), TID: int(raw.Tid), Task: text(raw.Comm[:]),
		Kind: kinds[raw.Kind], Space: uint32(f[colSpace]), Lock: uint32(f[colLock]), Flags: uint32(f[colFlags]),
		Status: int(f[colStatus]), Mode: ModeNone, Granted: ModeNone,
		Resource: string(bytesOf(raw.Name[:], raw.NameLen)), NameTruncated: int(raw.NameLen) > len(raw.Name),
		Value: bytesOf(raw.Value[:], raw.ValueLen), ValueLen: int(raw.ValueLen),
	}
	if columns[colMode][e.Kind] != "" {
		e.Mode = Mode(f[colMode])
	}
	switch e.Kind {
	case Sent, Received:
		e.Granted, e.Message, e.Remote, e.Node = Mode(f[colGranted]), MessageType(f[colMessage]), uint32(f[colRemote]), int(f[colNode])
	}
	return e, nil
}

// text is a string of C.
func text(b []int8) string {
	var s []byte
	for _, c := range b {
		if c == 0 {
			break
		}
		s = append(s, byte(c))
	}
	return string(s)
}

func bytesOf(b []int8, n uint16) []byte {
	out := make([]byte, min(int(n), len(b)))
	for i := range out {
		out[i] = byte(b[i])
	}
	return out
}
