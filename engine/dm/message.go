package dm

import (
	"fmt"
	"strings"
)

// Message is the text of a message to a target: what DM_TARGET_MSG takes.
type Message string

func badMessage(target, field, reason string) error {
	return &Error{Op: "message", Target: target, Field: field, Reason: reason, Err: ErrInvalid}
}

// ThinCreate makes a thin device; id is at most 16777215. Sent to a thin-pool.
func ThinCreate(id uint32) (Message, error) { return thinIDs("create_thin", id) }

// ThinSnapshot makes a thin device that begins as a copy of another one, which
// must be suspended meanwhile if it is in use.
func ThinSnapshot(id, origin uint32) (Message, error) { return thinIDs("create_snap", id, origin) }

// ThinDelete deletes a thin device that is not in use.
func ThinDelete(id uint32) (Message, error) { return thinIDs("delete", id) }

func thinIDs(word string, ids ...uint32) (Message, error) {
	for _, id := range ids {
		if id > MaxThinID {
			return "", badMessage("thin-pool", "id", fmt.Sprintf("Message received with invalid device id: %d", id))
		}
		word += " " + utoa(id)
	}
	return Message(word), nil
}

// ThinTransaction changes the transaction number of a thin-pool, if its current
// value is the expected one.
func ThinTransaction(from, to uint64) Message {
	return Message("set_transaction_id " + utoa(from) + " " + utoa(to))
}

// Messages to a thin-pool that preserve its metadata as it is, for another
// reader, and release it again.
const (
	ThinReserveSnap Message = "reserve_metadata_snap"
	ThinReleaseSnap Message = "release_metadata_snap"
)

// CacheSet changes a setting of a cache, such as migration_threshold, or of its
// policy.
func CacheSet(kv KeyValue) Message { return Message(kv.Key + " " + kv.Value) }

// BlockRange is the cache blocks from Begin up to, but not including, End.
type BlockRange struct {
	Begin, End uint64
}

// CacheInvalidate drops cache blocks; the cache must be in passthrough mode.
func CacheInvalidate(ranges ...BlockRange) (Message, error) {
	if len(ranges) == 0 {
		return "", badMessage("cache", "range", "no cache blocks given")
	}
	words := []string{"invalidate_cblocks"}
	for _, r := range ranges {
		switch {
		case r.Begin >= r.End:
			return "", badMessage("cache", "range", fmt.Sprintf("invalid cblock range: %d-%d", r.Begin, r.End))
		case r.End == r.Begin+1:
			words = append(words, utoa(r.Begin))
		default:
			words = append(words, utoa(r.Begin)+"-"+utoa(r.End))
		}
	}
	return Message(join(words...)), nil
}

// Messages to an era: begin a new era, preserve its metadata as it is for
// another reader, release it again.
const (
	EraCheckpoint Message = "checkpoint"
	EraTakeSnap   Message = "take_metadata_snap"
	EraDropSnap   Message = "drop_metadata_snap"
)

// Messages to a clone: turn copying in the background on or off.
const (
	CloneHydrate     Message = "enable_hydration"
	CloneStopHydrate Message = "disable_hydration"
)

// CloneThreshold limits how many regions a clone copies at a time.
func CloneThreshold(regions uint32) Message { return Message("hydration_threshold " + utoa(regions)) }

// CloneBatch sets how many adjacent regions a clone copies at once.
func CloneBatch(regions uint32) Message { return Message("hydration_batch_size " + utoa(regions)) }

// CryptKeyWipe makes a suspended crypt device forget its key.
const CryptKeyWipe Message = "key wipe"

// CryptKeySet gives a suspended crypt device a key of the size its table says.
func CryptKeySet(key string) Message { return Message("key set " + key) }

// RaidAction changes what an array is doing: "idle", "frozen", "resync",
// "recover", "check" or "repair". Linux 6.12 and 7.2 obey "idle" and "frozen" and
// then answer EINVAL (dm-raid.c, raid_message).
func RaidAction(action string) (Message, error) {
	switch action {
	case "idle", "frozen", "resync", "recover", "check", "repair":
		return Message(action), nil
	}
	return "", badMessage("raid", "action", "there is no action "+action)
}

// Messages to a multipath device: whether to queue or to fail requests while
// there is no path.
const (
	MultipathQueue Message = "queue_if_no_path"
	MultipathFail  Message = "fail_if_no_path"
)

// MultipathPath takes a path out of use, or back into it.
func MultipathPath(dev string, use bool) Message {
	if use {
		return Message("reinstate_path " + dev)
	}
	return Message("fail_path " + dev)
}

// MultipathGroup enables or disables a path group; groups count from 1.
func MultipathGroup(group uint32, enable bool) Message {
	if enable {
		return Message("enable_group " + utoa(group))
	}
	return Message("disable_group " + utoa(group))
}

// MultipathSwitch makes a path group the next one to be used.
func MultipathSwitch(group uint32) Message { return Message("switch_group " + utoa(group)) }

// SwitchMapping is a run of regions that take the same path.
type SwitchMapping struct {
	Region uint64 // the first
	Count  uint64 // at least 1
	Path   uint32 // from 0
}

// SwitchMappings tells a switch where regions go, in the target's short form
// for consecutive regions.
func SwitchMappings(mappings ...SwitchMapping) Message {
	words := []string{"set_region_mappings"}
	next, follows := uint64(0), false
	for _, m := range mappings {
		index := hex(m.Region)
		if follows && m.Region == next {
			index = ""
		}
		words = append(words, index+":"+hex(uint64(m.Path)))
		if m.Count > 1 {
			words = append(words, "R1,"+hex(m.Count-1))
		}
		next, follows = m.Region+max(m.Count, 1), true
	}
	return Message(strings.Join(words, " "))
}

// LogWritesMark puts a mark in the log.
func LogWritesMark(text string) Message { return Message("mark " + text) }

// Messages to a dust device: fail reads of bad blocks or pass them, log quietly
// or verbosely, list or clear the bad blocks.
const (
	DustEnable  Message = "enable"
	DustDisable Message = "disable"
	DustQuiet   Message = "quiet"
	DustCount   Message = "countbadblocks"
	DustList    Message = "listbadblocks"
	DustClear   Message = "clearbadblocks"
)

// DustAdd makes a block bad. If writes is above zero, that many writes to it
// fail before one repairs it; otherwise the first one does.
func DustAdd(block uint64, writes uint8) Message {
	if writes > 0 {
		return Message("addbadblock " + utoa(block) + " " + utoa(writes))
	}
	return Message("addbadblock " + utoa(block))
}

// DustRemove makes a block good again.
func DustRemove(block uint64) Message { return Message("removebadblock " + utoa(block)) }

// DustQuery asks whether a block is bad.
func DustQuery(block uint64) Message { return Message("queryblock " + utoa(block)) }

// Messages to a writecache: write everything back now, or at the next suspend;
// stop caching new writes; reset the counters.
const (
	WritecacheFlush          Message = "flush"
	WritecacheFlushOnSuspend Message = "flush_on_suspend"
	WritecacheClean          Message = "cleaner"
	WritecacheClearStats     Message = "clear_stats"
)

// ZonedReclaim makes a zoned device free zones.
const ZonedReclaim Message = "reclaim"

// VDOStats asks a VDO device for its statistics, VDOConfig for its
// configuration.
const (
	VDOStats  Message = "stats"
	VDOConfig Message = "config"
)

// PcacheGC sets the percentage of used segments, at most 90, at which a pcache
// begins to free them.
func PcacheGC(percent uint32) (Message, error) {
	if percent > 90 {
		return "", badMessage("pcache", "gc_percent", "more than 90 percent")
	}
	return Message("gc_percent " + utoa(percent)), nil
}
