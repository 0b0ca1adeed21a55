package create

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/fresh"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/array/device"
	"github.com/mdkit/mdkit/manage/array/node"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/manage/plan"
	"github.com/mdkit/mdkit/sysfs"
)

// BuildRequest asks for an array of devices without metadata.
type BuildRequest struct {
	Device      string
	Level       md.Level
	Layout      *int32
	Chunk       int    // KiB, 0 for the default; for linear the rounding unit
	Size        uint64 // KiB to use on each device, 0 for all
	RaidDisks   int
	Members     []CreateMember
	AssumeClean bool

	FS     sysfs.FS
	Report note.Reporter
}

// Building is a planned array without metadata.
type Building struct {
	Creation
	layout int32
	chunk  int // KiB
	size   uint64
	clean  bool
	level  md.Level
	slots  int
	here   int // number of devices that are not missing
}

// PlanBuild checks the devices, as far as there is anything to check, and returns the
// plan that makes the array. Its errors are those of PlanCreate.
func PlanBuild(req BuildRequest) (*Building, error) {
	b := &Building{
		level: req.Level, chunk: req.Chunk, size: req.Size, clean: req.AssumeClean, slots: req.RaidDisks,
		Creation: Creation{report: req.Report, fs: req.FS, log: note.NoKernelLog()},
	}
	for _, m := range req.Members {
		if m.Path == Missing {
			continue
		}
		b.here++
		if _, _, err := device.StatDevice(m.Path); err != nil {
			if errors.Is(err, block.ErrNotDevice) {
				return nil, req.Report.Fail(err, "create.not-block-device", m.Path)
			}
			return nil, req.Report.Fail(err, "create.stat-failed", m.Path, note.Errno{Err: err})
		}
	}
	if req.RaidDisks != len(req.Members) {
		err := fmt.Errorf("%w: %d devices for %d slots", ErrRefused, len(req.Members), req.RaidDisks)
		return nil, req.Report.Fail(err, "create.requested-devices-array-but-listed", req.RaidDisks, len(req.Members))
	}
	b.chooseLayout(req)
	if b.chunk == 0 && (b.level == md.LevelRAID0 || b.level == md.LevelLinear) {
		b.chunk = 64
	}
	var err error
	if b.Node, err = node.PlanNode(req.FS, node.NodeRequest{Device: req.Device}, req.Report); err != nil {
		return nil, err
	}
	if err := b.fitBlocks(req.Members); err != nil {
		return nil, err
	}
	b.Array.Level, b.Array.Chunk = b.level, uint32(b.chunk*2)
	b.Steps = append(b.Node.Steps(), b.mapStep("none", node.MapUUID{}), b.describeStep())
	for slot, m := range req.Members {
		if m.Path != Missing {
			b.Steps = append(b.Steps, b.memberStep(slot, m))
		}
	}
	b.Steps = append(b.Steps, b.runStep())
	return b, nil
}

// chooseLayout takes mdadm's default. Unlike in a new array with metadata, a raid0 gets
// no layout.
func (b *Building) chooseLayout(req BuildRequest) {
	switch {
	case req.Layout != nil:
		b.layout = *req.Layout
	case b.level == md.LevelRAID10:
		b.layout = fresh.DefaultLayout(b.level)
		req.Report.Say(note.Chatty, "create.layout-defaults-n1")
	case b.level == md.LevelFaulty:
		b.layout = fresh.DefaultLayout(b.level)
		req.Report.Say(note.Chatty, "create.layout-defaults-clear")
	}
}

// describeStep gives the driver a full description of the array. Its sizes have 32 bits,
// which limits arrays without metadata.
func (b *Building) describeStep() plan.Step {
	info := mdctl.ArrayInfo{
		Level: mdctl.Level(b.level), Layout: b.layout, ChunkSize: int32(b.chunk * 1024),
		Size: int32(min(b.size, math.MaxInt32)), RaidDisks: int32(b.slots), NrDisks: int32(b.slots),
		NotPersistent: 1, ActiveDisks: int32(b.here), WorkingDisks: int32(b.here), FailedDisks: int32(b.slots - b.here),
	}
	if b.clean {
		info.State = mdctl.ArrayClean
	}
	what := fmt.Sprintf("%v, %d devices, no metadata", b.level, b.slots)
	return b.ioctlStep("SET_ARRAY_INFO", what, func(dev *mdctl.Device) error {
		err := dev.SetArrayInfo(&info)
		if err != nil {
			b.report.Say(note.Always, "create.md-set-array-info-failed", b.Node.Chosen, note.Errno{Err: err})
			b.sayKernel()
			return &note.Reported{Err: err}
		}
		return nil
	}, b.stop)
}

func (b *Building) memberStep(slot int, m CreateMember) plan.Step {
	state := mdctl.DiskSync | mdctl.DiskActive
	if m.WriteMostly {
		state |= mdctl.DiskWriteMostly
	}
	what := fmt.Sprintf("%s as slot %d", m.Path, slot)
	return b.ioctlStep("ADD_NEW_DISK", what, func(dev *mdctl.Device) error {
		f, err := device.Open(m.Path, block.ForReading|block.Exclusive)
		if err != nil {
			b.report.Say(note.Always, "create.cannot-open", m.Path, note.Errno{Err: err})
			b.report.Holders(note.Always, m.Path, err)
			return &note.Reported{Err: err}
		}
		disk := mdctl.DiskInfo{
			Number: int32(slot), RaidDisk: int32(slot), State: state, Major: int32(f.Major), Minor: int32(f.Minor),
		}
		if err := f.Close(); err != nil {
			return err
		}
		if err = dev.AddNewDisk(disk); err != nil {
			b.report.Say(note.Always, "create.add-new-disk-failed", m.Path, note.Errno{Err: err})
			b.sayKernel()
			return &note.Reported{Err: err}
		}
		return nil
	}, nil)
}

func (b *Building) runStep() plan.Step {
	return b.ioctlStep("RUN_ARRAY", "", func(dev *mdctl.Device) error {
		err := dev.RunArray()
		if err != nil {
			b.report.Say(note.Always, "create.run-array-failed", note.Errno{Err: err})
			if b.chunk&(b.chunk-1) != 0 {
				b.report.More(note.Always, "create.problem-may-be-that-chunk-size-not-power")
			}
			b.sayKernel()
			return &note.Reported{Err: err}
		}
		return nil
	}, nil)
}

// Finish reports that the array has started, waits for its name to appear, and closes
// it.
func (b *Building) Finish(ctx context.Context) error {
	b.report.Say(note.Normal, "create.array-built-and-started", b.Node.Chosen)
	node.WaitForName(ctx, b.Node.Chosen, b.report)
	return b.Node.Close()
}
