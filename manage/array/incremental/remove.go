package incremental

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/manage/array/device"
	"github.com/mdkit/mdkit/manage/array/live"
	"github.com/mdkit/mdkit/manage/array/member"
	"github.com/mdkit/mdkit/manage/array/node"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/manage/plan"
	"github.com/mdkit/mdkit/sysfs"
	sysblock "github.com/mdkit/mdkit/sysfs/block"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// IncrementalRemoveRequest asks to remove a device that is gone, or about to go, from
// its array.
type IncrementalRemoveRequest struct {
	Device string // the kernel's name, as "sdb1", or its node, as "/dev/sdb1"; it need not exist any more
	Path   string // its name in /dev/disk/by-path, to recognise what is plugged in there next; "" if not known
	DryRun bool
	Report note.Reporter
}

// IncrementalRemoveResult says what an IncrementalRemoveRequest did.
type IncrementalRemoveResult struct {
	Array string // path of the array
	Steps []plan.StepInfo
	Code  int // mdadm's exit code
}

// failedSlots is the folder that records, by a disk's place, which array the disk was
// in.
const failedSlots = "failed-slots"

// IncrementalRemove fails the device and removes it. An array that cannot go on without
// it is stopped, unless it is in use.
func IncrementalRemove(ctx context.Context, req IncrementalRemoveRequest) *IncrementalRemoveResult {
	r := &remover{IncrementalRemoveRequest: req, fs: sysfs.Host, result: &IncrementalRemoveResult{Code: 1}}
	r.run(ctx)
	return r.result
}

type remover struct {
	IncrementalRemoveRequest
	fs     sysfs.FS
	result *IncrementalRemoveResult
}

func (r *remover) run(ctx context.Context) {
	given := r.Device
	if r.Device = strings.TrimPrefix(given, "/dev/"); r.Device == "" && given != "" || strings.Contains(r.Device, "/") {
		r.Report.Say(note.Always, "incremental.incremental-removal-requires-kernel-device-name-not-file", given)
		return
	}
	there := r.arrayOf()
	if there == nil {
		r.Report.Say(note.Normal, "incremental.does-not-appear-be-component-any-array", r.Device)
		return
	}
	path, err := device.NodeOf(r.fs, there.Name)
	if err != nil {
		r.Report.Say(note.Normal, "incremental.cannot-open-array", there.Name)
		return
	}
	r.result.Array = path
	r.quieten(ctx, there, path)
	if r.Path != "" {
		r.remember(ctx, there)
	}
	// mdadm calls the array by its kernel name.
	for _, verb := range []member.Verb{member.VerbFail, member.VerbRemove} {
		done, err := member.Manage(ctx, member.ManageRequest{
			Array: path, Devices: []member.Subdev{{Name: r.Device, Verb: verb}},
			// A recovery that runs holds the member until it has noticed the failure
			// (md.c, remove_and_add_spares).
			Force:  verb == member.VerbRemove,
			DryRun: r.DryRun, Report: r.calling(path, there.Name),
		})
		if done != nil {
			r.result.Steps = append(r.result.Steps, done.Steps...)
		}
		switch {
		case errors.Is(err, member.ErrLastMember) || errors.Is(err, unix.EBUSY) && verb == member.VerbFail:
			r.stop(ctx, there)
			return
		case err != nil && verb == member.VerbRemove:
			return
		}
	}
	r.result.Code = 0
}

// calling returns a reporter that calls the array by its kernel name instead of its
// path.
func (r *remover) calling(path, name string) note.Reporter {
	return func(n note.Note) {
		n.Sentence = n.Renamed(path, name)
		r.Report(n)
	}
}

// arrayOf finds the array that the device is in.
func (r *remover) arrayOf() *sysmd.MdstatArray {
	stat, err := sysmd.ReadMdstat(r.fs)
	if err != nil {
		return nil
	}
	for i := len(stat.Arrays) - 1; i >= 0; i-- {
		for _, m := range stat.Arrays[i].Members {
			if m.Name == r.Device {
				return &stat.Arrays[i]
			}
		}
	}
	return nil
}

func (r *remover) do(ctx context.Context, step plan.Step) error {
	run := plan.Runner{DryRun: r.DryRun}
	err := run.Do(ctx, step)
	r.result.Steps = append(r.result.Steps, run.Steps...)
	return err
}

// quieten makes an unused array read-only until something writes to it, so that it does
// not write to the remaining members: it may be assembled again elsewhere.
func (r *remover) quieten(ctx context.Context, there *sysmd.MdstatArray, path string) {
	a := sysmd.At(r.fs, there.Name)
	state, err := a.State()
	writable := state == sysmd.Active || state == sysmd.ActiveIdle || state == sysmd.Clean
	if err != nil || !writable || device.ClaimDevice(path) != nil {
		return
	}
	// If the kernel refuses this, the array stays writable.
	_ = r.do(ctx, plan.NewSetting(a.StateTo(sysmd.ReadAuto), nil))
}

// remember records which array the device was in (policy.c, policy_save_path).
func (r *remover) remember(ctx context.Context, there *sysmd.MdstatArray) {
	entries, _ := node.Map{}.Read()
	for _, e := range entries {
		if e.Name != there.Name {
			continue
		}
		file := filepath.Join(node.MapDir, failedSlots, r.Path)
		err := r.do(ctx, plan.NewStep(plan.StepInfo{Kind: plan.KindMap, Target: file, What: "array of the place", Value: e.UUID.String()},
			func(context.Context) error {
				if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
					return err
				}
				return os.WriteFile(file, fmt.Appendf(nil, "%20s %s\n", e.Metadata, e.UUID), 0o600)
			}, nil))
		if err != nil {
			r.Report.Say(note.Always, "incremental.cant-create-file-save-path-old-disk", note.Errno{Err: err})
		}
		return
	}
}

// slotOf reads what remember has recorded for any of the places.
func slotOf(paths []string) (metadata string, uuid node.MapUUID, ok bool) {
	for _, p := range paths {
		b, err := os.ReadFile(filepath.Join(node.MapDir, failedSlots, p))
		if err != nil {
			continue
		}
		w := strings.Fields(string(b))
		if len(w) != 2 {
			return "", uuid, false
		}
		uuid, ok = node.ParseMapUUID(w[1])
		return w[0], uuid, ok
	}
	return "", uuid, false
}

// urgent returns a reporter that passes on errors only.
func urgent(report note.Reporter) note.Reporter {
	return func(n note.Note) {
		if report != nil && n.Loudness <= note.Always {
			report(n)
		}
	}
}

// stop stops an array that cannot go on without the device.
func (r *remover) stop(ctx context.Context, there *sysmd.MdstatArray) {
	array, err := live.FindRunning(r.fs, there.Name, urgent(r.Report))
	if err == nil {
		run := plan.Runner{DryRun: r.DryRun}
		_, err = run.Run(ctx, array.PlanStop())
		r.result.Steps = append(r.result.Steps, run.Steps...)
	}
	if err == nil {
		r.result.Code = 0
		return
	}
	// Whatever waits for the device is at least told that it is going.
	_ = r.do(ctx, plan.SayStep(func() {
		if b, err := sysblock.Open(r.fs, there.Name); err == nil {
			_ = b.Announce("remove")
		}
	}))
	r.Report.Say(note.Chatty, "incremental.fail-stop-too", there.Name)
	r.result.Code = 1
}
