package cluster

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/dlm"
	"github.com/mdkit/mdkit/sysfs"
)

// kernel does to the DLM what the protocol says.
type kernel struct {
	root   sysfs.FS
	config dlm.Config
	file   *File
	self   int

	mu    sync.Mutex
	comms map[int]string // the boot of the node whose addresses the kernel has
}

// work does one job.
func (k *kernel) work(ctx context.Context, a Action) error {
	ls := dlm.NewLockspace(k.root, a.Space)
	switch a.Job {
	case JobStop:
		return ls.Stop(ctx)
	case JobUpdate:
		return k.update(a)
	case JobStart:
		return k.start(ctx, ls, a.First)
	case JobDepart:
		return errors.Join(ls.Stop(ctx), k.config.RemoveSpace(a.Space), ls.Done(ctx, 0))
	case JobDrop:
		return k.drop(ctx, a.Space)
	}
	return nil
}

// update gives a lockspace its members. Of a node that has crashed the addresses go
// first: by that the kernel tells a crash from a leave ([dlm.Config.RemoveComm]).
func (k *kernel) update(a Action) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	now, err := k.config.Members(a.Space)
	if err != nil {
		return err
	}
	for _, m := range now {
		if slices.ContainsFunc(a.Members, func(l Life) bool { return l.Node == m.Node && !slices.Contains(a.Fresh, l) }) {
			continue
		}
		if boot := k.comms[m.Node]; boot != "" && !slices.Contains(a.Live, Life{m.Node, boot}) {
			if err := k.config.RemoveComm(m.Node); err != nil {
				return err
			}
			delete(k.comms, m.Node)
		}
		if err := k.config.RemoveMember(a.Space, m.Node); err != nil {
			return err
		}
	}
	for _, l := range a.Members {
		if err := k.admit(a.Space, l); err != nil {
			return err
		}
	}
	return nil
}

// admit makes a node a member, and its addresses those of this life of it.
func (k *kernel) admit(space string, l Life) error {
	if boot, known := k.comms[l.Node]; known && boot != "" && boot != l.Boot {
		if err := k.config.RemoveComm(l.Node); err != nil {
			return err
		}
		delete(k.comms, l.Node)
	}
	if _, known := k.comms[l.Node]; !known {
		if err := k.addComm(l.Node); err != nil {
			return err
		}
	}
	k.comms[l.Node] = l.Boot
	members, err := k.config.Members(space)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(members, func(m dlm.Member) bool { return m.Node == l.Node }) {
		return nil
	}
	return k.config.AddMember(space, dlm.Member{Node: l.Node})
}

func (k *kernel) addComm(node int) error {
	err := k.config.AddComm(dlm.Comm{Node: node, Local: node == k.self, Addrs: []netip.Addr{k.file.node(node).Addrs[0]}})
	if errors.Is(err, dlm.ErrExist) {
		return nil
	}
	return err
}

// start resumes a lockspace. One that runs already (dlm_ls_start refuses it) was
// started by a controller that did not live to say so.
func (k *kernel) start(ctx context.Context, ls dlm.Lockspace, first bool) error {
	if first {
		if err := ls.SetID(ctx, dlm.GlobalID(ls.Name)); err != nil {
			return err
		}
	}
	if err := ls.Start(ctx); err != nil && !errors.Is(err, unix.EINVAL) {
		return err
	}
	if first {
		return ls.Done(ctx, 0)
	}
	return nil
}

// drop removes a lockspace by force. The other nodes' addresses go before, or the
// kernel waits minutes for them to say goodbye (midcomms_shutdown).
func (k *kernel) drop(ctx context.Context, space string) error {
	k.mu.Lock()
	for node := range k.comms {
		if node == k.self {
			continue
		}
		if err := k.config.RemoveComm(node); err != nil {
			k.mu.Unlock()
			return err
		}
		delete(k.comms, node)
	}
	k.mu.Unlock()
	control, err := dlm.OpenControl(k.root)
	if err != nil {
		return err
	}
	defer control.Close()
	return control.Remove(ctx, space, true)
}

// lives returns what is known of whose addresses the kernel has.
func (k *kernel) lives() map[int]string {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := map[int]string{}
	for n, b := range k.comms {
		all[n] = b
	}
	return all
}
