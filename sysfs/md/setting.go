package md

import (
	"strconv"

	"github.com/mdkit/mdkit/sysfs"
)

// Setting is a value for one attribute of an array or member that has not been
// written yet, so that a plan can show it first. The methods that make one,
// such as [Array.StateTo], document only what is written; unit, range and
// effect are those of the method that sets the attribute at once, such as
// [Array.SetState].
type Setting struct {
	dir   sysfs.Dir
	name  string
	value string
}

func (a attr[T]) to(d sysfs.Dir, value string) Setting {
	return Setting{dir: d, name: a.name, value: value}
}

// Name returns the attribute, such as "sync_max" or "bitmap/location".
func (s Setting) Name() string { return s.name }

// Path returns the file of the attribute.
func (s Setting) Path() string { return s.dir.Path(s.name) }

// Value returns the text that is written.
func (s Setting) Value() string { return s.value }

// Write writes the value to the attribute.
func (s Setting) Write() error { return explain(s.name, s.dir.Write(s.name, s.value)) }

// Present returns the setting that restores what the attribute shows now. If
// the attribute is empty, the error matches [sysfs.ErrEmpty].
func (s Setting) Present() (Setting, error) {
	text, err := s.dir.Read(s.name)
	if err != nil {
		return Setting{}, explain(s.name, err)
	}
	if text == "" {
		return Setting{}, &sysfs.ParseError{Path: s.Path(), Want: "a value"}
	}
	return Setting{dir: s.dir, name: s.name, value: text}, nil
}

// Custom is a setting made of a name and a text that somebody has configured
// for the array, as the SYSFS lines of mdadm.conf do.
func (a *Array) Custom(name, value string) Setting {
	return Setting{dir: a.dir, name: name, value: value}
}

// StateTo is [Array.SetState] for a plan (array_state; md.c array_state_store).
func (a *Array) StateTo(s State) Setting { return attrState.to(a.dir, formatWord(s)) }

// SyncActionTo is [Array.SetSyncAction] for a plan (sync_action; md.c
// action_store).
func (a *Array) SyncActionTo(s SyncAction) Setting { return attrSyncAction.to(a.dir, formatWord(s)) }

// SyncMinTo is [Array.SetSyncMin] for a plan, in sectors of 512 bytes (sync_min;
// md.c min_sync_store).
func (a *Array) SyncMinTo(sector uint64) Setting { return attrSyncMin.to(a.dir, formatUint(sector)) }

// SyncMaxTo is [Array.SetSyncMax] for a plan, in sectors of 512 bytes (sync_max;
// md.c max_sync_store).
func (a *Array) SyncMaxTo(sector Number) Setting { return attrSyncMax.to(a.dir, sector.text("max")) }

// ResyncStartTo is [Array.SetResyncStart] for a plan, in sectors of 512 bytes
// (resync_start; md.c resync_start_store).
func (a *Array) ResyncStartTo(sector Number) Setting {
	return attrResyncStart.to(a.dir, sector.text("none"))
}

// LevelTo is [Array.SetLevel] for a plan (level; md.c level_store).
func (a *Array) LevelTo(l Level) Setting { return attrLevel.to(a.dir, string(l)) }

// LayoutTo is [Array.SetLayout] for a plan (layout; md.c layout_store).
func (a *Array) LayoutTo(n uint32) Setting { return attrLayout.to(a.dir, formatUint(uint64(n))) }

// RaidDisksTo is [Array.SetRaidDisks] for a plan (raid_disks; md.c
// raid_disks_store).
func (a *Array) RaidDisksTo(n int) Setting { return attrRaidDisks.to(a.dir, strconv.Itoa(n)) }

// ChunkSizeTo is [Array.SetChunkSize] for a plan, in bytes (chunk_size; md.c
// chunk_size_store).
func (a *Array) ChunkSizeTo(bytes uint64) Setting { return attrChunkSize.to(a.dir, formatUint(bytes)) }

// ComponentSizeTo is [Array.SetComponentSize] for a plan, in KiB
// (component_size; md.c size_store).
func (a *Array) ComponentSizeTo(kib uint64) Setting {
	return attrComponentSize.to(a.dir, formatUint(kib))
}

// ArraySizeTo is [Array.SetArraySize] for a plan, in KiB (array_size; md.c
// array_size_store).
func (a *Array) ArraySizeTo(kib Number) Setting { return attrArraySize.to(a.dir, kib.text("default")) }

// ReshapeDirectionTo is [Array.SetReshapeDirection] for a plan
// (reshape_direction; md.c reshape_direction_store).
func (a *Array) ReshapeDirectionTo(d Direction) Setting {
	return attrReshapeDirection.to(a.dir, formatWord(d))
}

// ConsistencyPolicyTo is [Array.SetConsistencyPolicy] for a plan
// (consistency_policy; md.c consistency_policy_store).
func (a *Array) ConsistencyPolicyTo(p ConsistencyPolicy) Setting {
	return attrConsistencyPolicy.to(a.dir, formatWord(p))
}

// StripeCacheSizeTo is [Array.SetStripeCacheSize] for a plan, in stripes
// (stripe_cache_size; raid5.c raid5_store_stripe_cache_size).
func (a *Array) StripeCacheSizeTo(stripes uint64) Setting {
	return attrStripeCacheSize.to(a.dir, formatUint(stripes))
}

// BitmapLocationTo is [Array.SetBitmapLocation] for a plan, in sectors of 512
// bytes from the superblock (bitmap/location; md-bitmap.c location_store).
func (a *Array) BitmapLocationTo(p BitmapPlace) Setting {
	return attrBitmapLocation.to(a.dir, p.String())
}

// CommandTo is [Member.Command] for a plan (state; md.c state_store).
func (m *Member) CommandTo(c MemberCommand) Setting { return attrMemberState.to(m.dir, string(c)) }

// SlotTo is [Member.SetSlot] for a plan (slot; md.c slot_store).
func (m *Member) SlotTo(s Slot) Setting { return attrSlot.to(m.dir, s.String()) }

// SizeTo is [Member.SetSize] for a plan, in KiB (size; md.c rdev_size_store).
func (m *Member) SizeTo(kib uint64) Setting { return attrSize.to(m.dir, formatUint(kib)) }

// NewOffsetTo is [Member.SetNewOffset] for a plan, in sectors of 512 bytes
// (new_offset; md.c new_offset_store).
func (m *Member) NewOffsetTo(sector uint64) Setting {
	return attrNewOffset.to(m.dir, formatUint(sector))
}

// PPLSectorTo is [Member.SetPPLSector] for a plan, in sectors of 512 bytes
// (ppl_sector; md.c ppl_sector_store).
func (m *Member) PPLSectorTo(sector uint64) Setting {
	return attrPPLSector.to(m.dir, formatUint(sector))
}

// PPLSizeTo is [Member.SetPPLSize] for a plan, in sectors of 512 bytes
// (ppl_size; md.c ppl_size_store).
func (m *Member) PPLSizeTo(sectors uint32) Setting {
	return attrPPLSize.to(m.dir, formatUint(uint64(sectors)))
}

// NewArrayTo is [Params.NewArray] for a plan (new_array; md.c add_named_array).
func (p Params) NewArrayTo(name string) Setting { return paramNewArray.to(p.dir, name) }
