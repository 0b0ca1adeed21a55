package md

import (
	"iter"
	"strconv"

	"github.com/mdkit/mdkit/sysfs"
)

// Params are the parameters of the md modules (/sys/module/*/parameters). They
// apply to all arrays.
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

// All reads every parameter the kernel shows, like [Array.All].
func (p Params) All() iter.Seq2[string, any] { return allOf(p.dir, ParamAttributes()) }

// StartReadOnly reports whether arrays start as read-auto (start_ro).
func (p Params) StartReadOnly() (bool, error) { return paramStartRO.get(p.dir) }

// SetStartReadOnly sets whether arrays start as read-auto.
func (p Params) SetStartReadOnly(on bool) error { return paramStartRO.set(p.dir, formatBool(on)) }

// StartDirtyDegraded reports whether a raid4, 5 or 6 starts even if it was not
// stopped cleanly and lacks a member (start_dirty_degraded).
func (p Params) StartDirtyDegraded() (bool, error) { return paramStartDirty.get(p.dir) }

// SetStartDirtyDegraded sets whether it does.
func (p Params) SetStartDirtyDegraded(on bool) error {
	return paramStartDirty.set(p.dir, formatBool(on))
}

// NewArray creates the device of an array (new_array): name is "md_" followed
// by a name, or "md" and a number of at least 512. It fails with EEXIST if the
// device exists.
func (p Params) NewArray(name string) error { return p.NewArrayTo(name).Write() }

// CreateOnOpen reports whether opening a node whose number is not in use
// creates the device (create_on_open).
func (p Params) CreateOnOpen() (bool, error) { return paramCreateOnOpen.get(p.dir) }

// SetCreateOnOpen sets whether it does.
func (p Params) SetCreateOnOpen(on bool) error { return paramCreateOnOpen.set(p.dir, formatBool(on)) }

// LegacyDelete reports whether the device of a stopped array goes away some
// time after the last close, not together with it (legacy_async_del_gendisk;
// after Linux 6.12).
func (p Params) LegacyDelete() (bool, error) { return paramLegacyDelete.get(p.dir) }

// SetLegacyDelete sets when it goes away.
func (p Params) SetLegacyDelete(on bool) error { return paramLegacyDelete.set(p.dir, formatBool(on)) }

// CheckNewFeature reports whether superblocks with unknown features are refused
// (check_new_feature; after Linux 6.12).
func (p Params) CheckNewFeature() (bool, error) { return paramCheckNewFeature.get(p.dir) }

// SetCheckNewFeature sets whether they are refused.
func (p Params) SetCheckNewFeature(on bool) error {
	return paramCheckNewFeature.set(p.dir, formatBool(on))
}

// Raid0Layout returns the layout of a raid0 with members of different sizes
// whose metadata does not say: 1 as before Linux 3.14, 2 as since then, 0 to
// refuse to start (raid0 default_layout).
func (p Params) Raid0Layout() (int, error) { return paramRaid0Layout.get(p.dir) }

// SetRaid0Layout sets that layout.
func (p Params) SetRaid0Layout(layout int) error {
	return paramRaid0Layout.set(p.dir, strconv.Itoa(layout))
}

// DiscardSafely reports whether raid4, 5 and 6 pass discards on, which is safe
// only if discarded blocks read as zeroes (raid456
// devices_handle_discard_safely).
func (p Params) DiscardSafely() (bool, error) { return paramDiscardSafely.get(p.dir) }

// SetDiscardSafely sets whether they do.
func (p Params) SetDiscardSafely(on bool) error {
	return paramDiscardSafely.set(p.dir, formatBool(on))
}
