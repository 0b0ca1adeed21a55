package array

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/sysfs"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// IncrementalRemoveRequest asks to take a device out of its array that is
// gone, or about to go.
type IncrementalRemoveRequest struct {
	Device string // the kernel's name, as "sdb1"
	Path   string // its name in /dev/disk/by-path, to know what comes there next; "" if not known
	DryRun bool
	Report Reporter
}

// IncrementalRemoveResult tells what an IncrementalRemoveRequest did.
type IncrementalRemoveResult struct {
	Array string // path of the array
	Steps []StepInfo
	Code  int // mdadm's exit code
}

// failedSlots is where it is kept which array a disk was in, by its place.
const failedSlots = "failed-slots"

// IncrementalRemove fails the device and takes it out. An array that cannot go
// on without it is stopped, if nobody uses it.
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
	if strings.Contains(r.Device, "/") {
		r.Report.say(Always, "incremental removal requires a kernel device name, not a file: %s", r.Device)
		return
	}
	there := r.arrayOf()
	if there == nil {
		r.Report.say(Normal, "%s does not appear to be a component of any array", r.Device)
		return
	}
	path, err := nodeOf(r.fs, there.Name)
	if err != nil {
		r.Report.say(Normal, "Cannot open array %s!!", there.Name)
		return
	}
	r.result.Array = path
	r.quieten(ctx, there, path)
	if r.Path != "" {
		r.remember(ctx, there)
	}
	// mdadm speaks of the array by the kernel's name.
	for _, verb := range []Verb{VerbFail, VerbRemove} {
		done, err := Manage(ctx, ManageRequest{
			Array: path, Devices: []Subdev{{Name: r.Device, Verb: verb}}, DryRun: r.DryRun, Report: r.calling(path, there.Name),
		})
		if done != nil {
			r.result.Steps = append(r.result.Steps, done.Steps...)
		}
		switch {
		case errors.Is(err, ErrLastMember) || errors.Is(err, unix.EBUSY) && verb == VerbFail:
			r.stop(ctx, there)
			return
		case err != nil && verb == VerbRemove:
			return
		case r.DryRun:
			r.result.Code = 0
			return // whether it can be removed depends on its having been failed
		}
	}
	r.result.Code = 0
}

// calling reports with the kernel's name of the array in place of its path.
func (r *remover) calling(path, name string) Reporter {
	return func(n Note) {
		n.Text = strings.ReplaceAll(n.Text, path, name)
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

func (r *remover) do(ctx context.Context, step Step) error {
	r.result.Steps = append(r.result.Steps, step.Describe())
	if r.DryRun {
		return nil
	}
	return step.Apply(ctx)
}

// quieten keeps an array that nobody uses from writing to the members that are
// left until somebody does: it may be put together again elsewhere.
func (r *remover) quieten(ctx context.Context, there *sysmd.MdstatArray, path string) {
	dir := sysfs.Dir(r.fs.Sys("block", there.Name, "md"))
	state, err := dir.Read("array_state")
	state = strings.TrimSpace(state)
	if err != nil || !strings.HasPrefix(state, "active") && state != "clean" || claimDevice(path) != nil {
		return
	}
	// The kernel refuses where it cannot be done; then the array goes on.
	_ = r.do(ctx, NewStep(StepInfo{Kind: KindSysfs, Target: dir.Path("array_state"), What: "array_state", Value: "read-auto"},
		func(context.Context) error { return dir.Write("array_state", "read-auto") }, nil))
}

// remember keeps which array the device was in (policy.c, policy_save_path).
func (r *remover) remember(ctx context.Context, there *sysmd.MdstatArray) {
	entries, _ := Map{}.Read()
	for _, e := range entries {
		if e.Name != there.Name {
			continue
		}
		file := filepath.Join(MapDir, failedSlots, r.Path)
		err := r.do(ctx, NewStep(StepInfo{Kind: KindMap, Target: file, What: "array of the place", Value: e.UUID.String()},
			func(context.Context) error {
				if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
					return err
				}
				return os.WriteFile(file, fmt.Appendf(nil, "%20s %s\n", e.Metadata, e.UUID), 0o600)
			}, nil))
		if err != nil {
			r.Report.say(Always, "can't create file to save path to old disk: %s", errnoText(err))
		}
		return
	}
}

// slotOf reads what remember has kept for any of the places.
func slotOf(paths []string) (metadata string, uuid MapUUID, ok bool) {
	for _, p := range paths {
		b, err := os.ReadFile(filepath.Join(MapDir, failedSlots, p))
		if err != nil {
			continue
		}
		w := strings.Fields(string(b))
		if len(w) != 2 {
			return "", uuid, false
		}
		uuid, ok = parseMapUUID(w[1])
		return w[0], uuid, ok
	}
	return "", uuid, false
}

// urgent passes on errors only.
func urgent(report Reporter) Reporter {
	return func(n Note) {
		if report != nil && n.Loudness <= Always {
			report(n)
		}
	}
}

// stop gives up an array that cannot go on without the device.
func (r *remover) stop(ctx context.Context, there *sysmd.MdstatArray) {
	run, err := FindRunning(r.fs, there.Name, urgent(r.Report))
	if err == nil {
		plan := run.PlanStop()
		r.result.Steps = append(r.result.Steps, described(plan.Describe())...)
		if !r.DryRun {
			err = plan.Apply(ctx, nil)
		}
	}
	if err == nil {
		r.result.Code = 0
		return
	}
	// What waits for the device learns at least that it is going.
	if dev := filepath.Join(string(sysfs.Dir(r.fs.Sys("block", there.Name))), "uevent"); !r.DryRun {
		_ = os.WriteFile(dev, []byte("remove\n"), 0)
	}
	r.Report.say(Chatty, "Fail to stop %s too.", there.Name)
	r.result.Code = 1
}
