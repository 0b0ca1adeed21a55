package mdadm

import (
	"context"
	"errors"
	"os"
	"slices"

	"github.com/mdkit/mdkit/internal/cli/mdadm/mdtext"
	"github.com/mdkit/mdkit/internal/cli/ui"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/array/live"
	"github.com/mdkit/mdkit/manage/array/member"
	"github.com/mdkit/mdkit/manage/plan"
)

// verbs maps actions on members to the library's verbs.
var verbs = map[Op]member.Verb{
	Add:      member.VerbAdd,
	AddSpare: member.VerbAddSpare,
	ReAdd:    member.VerbReAdd,
	Remove:   member.VerbRemove,
	Fail:     member.VerbFail,
	Replace:  member.VerbReplace,
	With:     member.VerbWith,

	ClusterConfirm: member.VerbConfirm,
}

// settings are the per-device flags in the library's terms.
var settings = map[Flag]member.Setting{FlagUnset: member.Keep, FlagSet: member.On, FlagClear: member.Off}

// manage is manage mode: changes to the members of a running array.
func (c *Command) manage(ctx context.Context, std ui.IO) int {
	t := c.messages(std)
	name := c.Devices[0].Name
	clustered, err := c.openManaged(t, name)
	if err != nil || !c.superUser(std) {
		return c.managed(t, nil, 1)
	}
	if c.Update != "" {
		return c.notBuilt(std, "--re-add --update="+c.Update)
	}
	if clustered && !c.confirms() { // the node that waits to be confirmed has the lock
		unlock, code := c.lockCluster(ctx, std, c.cluster(c.readConf(std)))
		if code != 0 {
			return c.managed(t, nil, code)
		}
		defer unlock()
	}
	req := member.ManageRequest{
		Array: name, Force: c.Force, Overwrite: c.RunStop > 0, Confirm: c.confirmAdd(std),
		BackupDir: c.BackupMetadata, DryRun: c.DryRun, Report: t.report,
	}
	for _, d := range c.Devices[1:] {
		verb, ok := verbs[d.Op]
		if !ok {
			return c.notBuilt(std, opWord(d.Op))
		}
		req.Devices = append(req.Devices, member.Subdev{
			Name: d.Name, Verb: verb,
			WriteMostly: settings[d.WriteMostly], FailFast: settings[d.FailFast],
		})
	}
	result := &member.ManageResult{}
	code := 0
	whole := func(wanted bool, pl func(*live.Running) (*plan.Plan, error)) {
		if code == 0 && wanted {
			var steps []plan.StepInfo
			_, steps, code = c.act(ctx, t, name, pl)
			result.Steps = append(result.Steps, steps...)
		}
	}
	whole(c.ReadOnly, planReadOnly(true))
	if code == 0 && len(req.Devices) > 0 {
		before := result.Steps
		result, err = member.Manage(ctx, req)
		t.failed(err)
		code = c.manageCode(result, err)
		if result != nil {
			result.Steps = append(before, result.Steps...)
		}
	}
	whole(c.RunStop > 0, (*live.Running).PlanRun)
	whole(c.RunStop < 0, planStop)
	return c.managed(t, result, code)
}

// confirmAdd asks before a device is added that holds something else; nil if there
// is nobody to ask.
func (c *Command) confirmAdd(std ui.IO) func() bool {
	if !std.CanAsk() {
		return nil
	}
	return func() bool { return c.DryRun || c.ask(std, "Continue adding device") }
}

// manageCode is mdadm's exit code: 2 for a member that could not be failed
// because it is needed, for a device that holds something else, and, with --test, for
// a command that changed nothing.
func (c *Command) manageCode(r *member.ManageResult, err error) int {
	switch {
	case errors.Is(err, member.ErrLastMember) && !c.Test, errors.Is(err, member.ErrOccupied):
		return 2
	case err != nil:
		return 1
	case c.Test && r.Changed == 0:
		return 2
	}
	return 0
}

// openManaged checks that the name is that of an array, and reports whether a
// cluster shares it.
func (c *Command) openManaged(t *messages, name string) (clustered bool, err error) {
	dev, err := mdctl.Open(name, os.O_RDONLY)
	var refused *mdctl.Error
	switch {
	case err == nil:
	case errors.Is(err, mdctl.ErrNotArray):
		t.say("%s does not appear to be an md device", name)
		return false, err
	case errors.As(err, &refused):
		t.say("error opening %s: %s", name, mdtext.Errno(refused))
		return false, err
	default:
		t.say("error opening %s: %v", name, err)
		return false, err
	}
	defer dev.Close()
	if _, err := dev.Version(); err != nil {
		t.say("%s does not appear to be an md device", name)
		return false, err
	}
	info, err := dev.ArrayInfo()
	return err == nil && info.State&mdctl.ArrayClustered != 0, nil
}

// confirms reports whether the command answers another node.
func (c *Command) confirms() bool {
	return slices.ContainsFunc(c.Devices, func(d Device) bool { return d.Op == ClusterConfirm })
}

// opWord names an action that is not among the verbs.
func opWord(op Op) string {
	switch op {
	case AddJournal:
		return "--add-journal"
	}
	return "this action in --manage mode"
}

// manageDocument is what --manage --json prints.
type manageDocument struct {
	change
	Array   string `json:"array"`
	Changed int    `json:"changed"` // devices acted upon
}

// managed ends the command.
func (c *Command) managed(t *messages, r *member.ManageResult, code int) int {
	if r == nil {
		r = &member.ManageResult{}
	}
	switch {
	case c.JSON:
		t.document(manageDocument{
			change: t.change(c, "manage", code, r.Steps),
			Array:  c.Devices[0].Name, Changed: r.Changed,
		})
	case c.DryRun:
		printPlan(t.std.Out, r.Steps)
	}
	return code
}
