package md

import (
	"iter"
	"strconv"

	"github.com/mdkit/mdkit/sysfs"
)

// Params are the parameters of the md modules (/sys/module/*/parameters). They
// hold for all arrays.
type Params struct {
	dir sysfs.Dir
}

// ModuleParams returns the parameters below fs. Those of a module that is not
// loaded give [sysfs.ErrNotSupported].
func ModuleParams(fs sysfs.FS) Params { return Params{dir: sysfs.Dir(fs.Sys("module"))} }

var (
	paramStartRO         = rw("md_mod/parameters/start_ro", parseBool)
	paramStartDirty      = rw("md_mod/parameters/start_dirty_degraded", parseBool)
	paramNewArray        = wo("md_mod/parameters/new_array")
	paramCreateOnOpen    = rw("md_mod/parameters/create_on_open", parseBool)
	paramLegacyDelete    = rw("md_mod/parameters/legacy_async_del_gendisk", parseBool)
	paramCheckNewFeature = rw("md_mod/parameters/check_new_feature", parseBool)
	paramRaid0Layout     = rw("raid0/parameters/default_layout", parseInt)
	paramDiscardSafely   = rw("raid456/parameters/devices_handle_discard_safely", parseBool)
)

var paramAttrs = []describer{
	paramStartRO, paramStartDirty, paramNewArray, paramCreateOnOpen, paramLegacyDelete,
	paramCheckNewFeature, paramRaid0Layout, paramDiscardSafely,
}

// ParamAttributes returns every parameter this package knows, by path below
// /sys/module.
func ParamAttributes() []Attribute { return describeAll(paramAttrs) }

// All reads every parameter the kernel shows, as [Array.All].
func (p Params) All() iter.Seq2[string, any] { return allOf(p.dir, ParamAttributes()) }

// StartReadOnly says whether arrays start as read-auto (start_ro).
func (p Params) StartReadOnly() (bool, error) { return paramStartRO.get(p.dir) }

// SetStartReadOnly switches that.
func (p Params) SetStartReadOnly(on bool) error { return paramStartRO.set(p.dir, formatBool(on)) }

// StartDirtyDegraded says whether a raid4, 5 or 6 that was not stopped cleanly
// and misses a member starts all the same (start_dirty_degraded).
func (p Params) StartDirtyDegraded() (bool, error) { return paramStartDirty.get(p.dir) }

// SetStartDirtyDegraded switches that.
func (p Params) SetStartDirtyDegraded(on bool) error {
	return paramStartDirty.set(p.dir, formatBool(on))
}

// NewArray creates the device of an array (new_array): name is "md_" and more,
// or "md" and a number of at least 512. It fails with EEXIST when there is one.
func (p Params) NewArray(name string) error { return p.NewArrayTo(name).Write() }

// CreateOnOpen says whether opening the node of a number that is not in use
// creates the device (create_on_open).
func (p Params) CreateOnOpen() (bool, error) { return paramCreateOnOpen.get(p.dir) }

// SetCreateOnOpen switches that.
func (p Params) SetCreateOnOpen(on bool) error { return paramCreateOnOpen.set(p.dir, formatBool(on)) }

// LegacyDelete says whether a stopped array's device goes away some time after
// the last close, and not with it (legacy_async_del_gendisk; after Linux 6.12).
func (p Params) LegacyDelete() (bool, error) { return paramLegacyDelete.get(p.dir) }

// SetLegacyDelete switches that.
func (p Params) SetLegacyDelete(on bool) error { return paramLegacyDelete.set(p.dir, formatBool(on)) }

// CheckNewFeature says whether superblocks with unknown features are refused
// (check_new_feature; after Linux 6.12).
func (p Params) CheckNewFeature() (bool, error) { return paramCheckNewFeature.get(p.dir) }

// SetCheckNewFeature switches that.
func (p Params) SetCheckNewFeature(on bool) error {
	return paramCheckNewFeature.set(p.dir, formatBool(on))
}

// Raid0Layout returns the layout of a raid0 of unequal members whose metadata
// does not say: 1 as before Linux 3.14, 2 as since, 0 for refusing to start
// (raid0 default_layout).
func (p Params) Raid0Layout() (int, error) { return paramRaid0Layout.get(p.dir) }

// SetRaid0Layout sets that.
func (p Params) SetRaid0Layout(layout int) error {
	return paramRaid0Layout.set(p.dir, strconv.Itoa(layout))
}

// DiscardSafely says whether raid4, 5 and 6 pass discards on, which is safe
// only where discarded blocks read as zeroes (raid456
// devices_handle_discard_safely).
func (p Params) DiscardSafely() (bool, error) { return paramDiscardSafely.get(p.dir) }

// SetDiscardSafely switches that.
func (p Params) SetDiscardSafely(on bool) error {
	return paramDiscardSafely.set(p.dir, formatBool(on))
}
