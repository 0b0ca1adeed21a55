// Package message judges messages to device-mapper targets before they are sent, as the
// targets' own message methods do.
package message

import (
	hexadecimal "encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/mdkit/mdkit/engine/dm"

	"github.com/mdkit/mdkit/engine/dm/lex"
)

// Receiver is what is known of the target that a message is for.
type Receiver struct {
	Line      dm.Line // as the live table has it
	Suspended bool
}

// Check says why a target refuses a message: an *dm.Error, with the kernel's reason
// where the kernel logs one. It judges the text, and what hangs on the device being
// suspended; nil means that neither is wrong, not that the message is accepted.
func Check(r Receiver, text string) error {
	m := &mail{Receiver: r, words: lex.Fields(text)}
	switch {
	case strings.Contains(text, `\`): // words are split otherwise then (dm-table.c, dm_split_args)
		return nil
	case len(m.words) == 0:
		return m.fail("", "Empty message received.")
	case strings.HasPrefix(m.words[0], "@"):
		return m.toCore()
	}
	if !slices.Contains(dm.Types(), r.Line.Type) {
		return nil
	}
	check, takes := messageChecks()[r.Line.Type]
	if !takes {
		return m.fail("", "Target type does not support messages")
	}
	return check(m)
}

// mail is a message on its way to a target.
type mail struct {
	Receiver
	words []string
}

func (m *mail) fail(field, reason string) error {
	return &dm.Error{Op: "message", Target: m.Line.Type, Field: field, Reason: reason, Err: dm.ErrInvalid}
}

// because is fail for a reason of the kernel that leaves open what is wrong.
func (m *mail) because(reason, why string) error {
	return &dm.Error{Op: "message", Target: m.Line.Type, Reason: reason, Err: &detailError{why}}
}

// detailError is of class [dm.ErrInvalid] and adds detail.
type detailError struct{ why string }

func (e *detailError) Error() string { return e.why }
func (e *detailError) Unwrap() error { return dm.ErrInvalid }

// is reports whether the first word is this one; the kernel ignores its case.
func (m *mail) is(word string) bool { return strings.EqualFold(m.words[0], word) }

// among reports whether the first word is one of these.
func (m *mail) among(words ...string) bool { return slices.ContainsFunc(words, m.is) }

// rest counts the words after the first.
func (m *mail) rest() int { return len(m.words) - 1 }

// alone refuses words after the first.
func (m *mail) alone() error {
	if m.rest() > 0 {
		return m.fail(m.words[0], "takes no argument")
	}
	return nil
}

// messageChecks are the message methods of the targets that have one.
func messageChecks() map[string]func(*mail) error {
	return map[string]func(*mail) error{
		"cache": (*mail).toCache, "clone": (*mail).toClone, "crypt": (*mail).toCrypt, "dust": (*mail).toDust,
		"era": (*mail).toEra, "log-writes": (*mail).toLogWrites, "multipath": (*mail).toMultipath,
		"pcache": (*mail).toPcache, "raid": (*mail).toRaid, "switch": (*mail).toSwitch,
		"thin-pool": (*mail).toThinPool, "vdo": (*mail).toVDO, "writecache": (*mail).toWritecache,
		"zoned": (*mail).toZoned,
	}
}

// toCache is cache_message of dm-cache-target.c, which logs no reason for most of this.
func (m *mail) toCache() error {
	switch {
	case m.is("invalidate_cblocks"):
		if !slices.Contains(lex.Fields(m.Line.Params), "passthrough") {
			return m.fail(m.words[0], "cache has to be in passthrough mode for invalidation")
		}
		return nil
	case m.rest() != 1:
		return m.fail("", "a setting is a name and a value")
	}
	bad := fmt.Sprintf("bad config value for %s: %s", m.words[0], m.words[1])
	if _, ok := lex.Kstrtou(m.words[1], 64); !ok {
		return m.because(bad, "it is not a number")
	}
	if cache, err := parsed[dm.Cache](m); !m.is("migration_threshold") && (err != nil || cache.Policy != "mq" || !m.among(mqSettings...)) {
		return m.because(bad, "neither the cache nor its policy has a setting of that name")
	}
	return nil
}

// mqSettings are what the policy mq still takes, and ignores (dm-cache-policy-smq.c,
// mq_set_config_value).
var mqSettings = []string{
	"random_threshold", "sequential_threshold",
	"discard_promote_adjustment", "read_promote_adjustment", "write_promote_adjustment",
}

// toClone is clone_message of dm-clone-target.c.
func (m *mail) toClone() error {
	switch {
	case m.among("enable_hydration", "disable_hydration"):
		return nil
	case m.rest() != 1 || !m.among("hydration_threshold", "hydration_batch_size"):
		return m.fail("", fmt.Sprintf("Unsupported message `%s'", m.words[0]))
	}
	if _, ok := lex.Kstrtou(m.words[1], 32); !ok {
		return m.fail(m.words[0], fmt.Sprintf("%s is not a number", m.words[1]))
	}
	return nil
}

// toCrypt is crypt_message of dm-crypt.c, which does not say what is wrong with a key.
func (m *mail) toCrypt() error {
	switch {
	case m.rest() == 0 || !m.is("key"):
		return m.fail("", "unrecognised message received.")
	case !m.Suspended:
		return m.fail("key", "not suspended during key manipulation.")
	case m.rest() == 1 && strings.EqualFold(m.words[1], "wipe"):
		return nil
	case m.rest() != 2 || !strings.EqualFold(m.words[1], "set"):
		return m.fail("", "unrecognised message received.")
	}
	size, ok := dm.CryptKeySize(m.words[2])
	if _, err := hexadecimal.DecodeString(m.words[2]); !ok || err != nil && m.words[2] != "-" && m.words[2][0] != ':' {
		return m.fail("key", "not a key: hexadecimal digits in pairs, or :size:type:description")
	}
	args, err := parsed[dm.Crypt](m)
	if err != nil {
		return nil //nolint:nilerr // a table of a later kernel: nothing can be said about its key
	}
	if want, ok := dm.CryptKeySize(args.Key); ok && want != size {
		return m.fail("key", fmt.Sprintf("the key has %d bytes, and that of the table %d", size, want))
	}
	return nil
}

// toDust is dust_message of dm-dust.c.
func (m *mail) toDust() error {
	switch {
	case m.rest() == 0 && m.among("addbadblock", "removebadblock", "queryblock"):
		return m.fail("", m.words[0]+" requires an additional argument")
	case m.rest() == 0 && m.among("enable", "disable", "quiet", "countbadblocks", "listbadblocks", "clearbadblocks"):
		return nil
	case m.rest() > 2:
		return m.fail("", fmt.Sprintf("invalid number of arguments '%d'", len(m.words)))
	case m.rest() == 0:
		return m.fail("", fmt.Sprintf("unrecognized message '%s' received", m.words[0]))
	}
	if _, ok := lex.ScanU64(m.words[1]); !ok {
		return m.fail(m.words[0], fmt.Sprintf("%s is not the number of a block", m.words[1]))
	}
	if m.rest() == 2 {
		n, ok := lex.ScanU32(m.words[2])
		switch {
		case !ok:
			return m.fail(m.words[0], fmt.Sprintf("%s is not a number of writes", m.words[2]))
		case n > 255:
			return m.fail(m.words[0], "selected write fail count out of range")
		}
	}
	if m.is("addbadblock") || m.rest() == 1 && m.among("removebadblock", "queryblock") {
		return nil
	}
	return m.fail("", fmt.Sprintf("unrecognized message '%s' received", m.words[0]))
}

// toEra is era_message of dm-era-target.c.
func (m *mail) toEra() error {
	switch {
	case m.rest() != 0:
		return m.fail("", "incorrect number of message arguments")
	case !m.among("checkpoint", "take_metadata_snap", "drop_metadata_snap"):
		return m.fail("", fmt.Sprintf("unsupported message '%s'", m.words[0]))
	}
	return nil
}

// toLogWrites is log_writes_message of dm-log-writes.c.
func (m *mail) toLogWrites() error {
	switch {
	case m.rest() != 1:
		return m.fail("", fmt.Sprintf("Invalid log-writes message arguments, expect 2 arguments, got %d", len(m.words)))
	case !m.is("mark"):
		return m.fail("", "Unrecognised log writes target message received: "+m.words[0])
	}
	return nil
}

// toMultipath is multipath_message of dm-mpath.c, which logs nothing for a suspended
// device, nor for a device that is no path.
func (m *mail) toMultipath() error {
	switch {
	case m.Suspended:
		return m.fail("", "the device is suspended; resume it first")
	case m.rest() == 0 && m.among("queue_if_no_path", "fail_if_no_path"):
		return nil
	case m.rest() != 1:
		return m.fail("", fmt.Sprintf("Invalid multipath message arguments. Expected 2 arguments, got %d.", len(m.words)))
	case m.among("disable_group", "enable_group", "switch_group"):
		return m.pathGroup()
	case m.among("reinstate_path", "fail_path"):
		return m.path()
	}
	return m.fail("", "Unrecognised multipath message received: "+m.words[0])
}

func (m *mail) pathGroup() error {
	mp, err := parsed[dm.Multipath](m)
	if err != nil {
		return nil //nolint:nilerr // a table of a later kernel
	}
	n, ok := lex.ScanU32(m.words[1])
	if !ok || n == 0 || int(n) > len(mp.Groups) {
		who := "bypass_pg"
		if m.is("switch_group") {
			who = "switch_pg_num"
		}
		return m.because("invalid PG number supplied to "+who, fmt.Sprintf("path groups are 1 to %d", len(mp.Groups)))
	}
	return nil
}

func (m *mail) path() error {
	mp, err := parsed[dm.Multipath](m)
	if _, _, isNumber := dm.Ref(m.words[1]).Number(); err != nil || !isNumber {
		return nil //nolint:nilerr // a table of a later kernel, or a path of the file system
	}
	for _, g := range mp.Groups {
		for _, p := range g.Paths {
			if string(p.Device) == m.words[1] {
				return nil
			}
		}
	}
	return m.fail(m.words[0], fmt.Sprintf("%s is not a path of the device", m.words[1]))
}

// parsed returns the arguments of the target.
func parsed[T dm.Args](m *mail) (T, error) {
	var none T
	args, err := dm.ParseArgs(m.Line.Type, m.Line.Params)
	if err != nil {
		return none, err
	}
	if t, ok := args.(T); ok {
		return t, nil
	}
	return none, m.fail("", "is another target")
}

// toPcache is dm_pcache_message of dm-pcache.
func (m *mail) toPcache() error {
	if m.rest() != 1 || !m.is("gc_percent") {
		return m.fail("", "takes gc_percent and a number")
	}
	if n, ok := lex.Kstrtou(m.words[1], 8); !ok || n > 90 {
		return m.fail("gc_percent", "not a number up to 90")
	}
	return nil
}

// toRaid is raid_message of dm-raid.c, which logs nothing at all.
func (m *mail) toRaid() error {
	args, err := parsed[dm.Raid](m)
	switch {
	case err == nil && args.Level == "raid0":
		return m.fail("", "raid0 has nothing to synchronise, and takes no message")
	case !m.among("idle", "frozen", "resync", "recover", "check", "repair"):
		return m.fail("action", "there is no action "+m.words[0])
	}
	return nil
}

// toSwitch is switch_message of dm-switch.c.
func (m *mail) toSwitch() error {
	if !m.is("set_region_mappings") {
		return m.fail("", "Unrecognised message received.")
	}
	return nil
}

// toThinPool is pool_message of dm-thin.c.
func (m *mail) toThinPool() error {
	want, known := map[string]int{
		"create_thin": 1, "create_snap": 2, "delete": 1, "set_transaction_id": 2,
		"reserve_metadata_snap": 0, "release_metadata_snap": 0,
	}[strings.ToLower(m.words[0])]
	switch {
	case !known:
		return m.fail("", "Unrecognised thin pool target message received: "+m.words[0])
	case m.rest() != want:
		return m.fail("", fmt.Sprintf("Message received with %d arguments instead of %d.", len(m.words), want+1))
	case m.is("set_transaction_id"):
		return m.numbers("set_transaction_id message: Unrecognised id %s.", 1<<64-1)
	}
	return m.numbers("Message received with invalid device id: %s", dm.MaxThinID)
}

// numbers refuses words after the first that are no numbers up to most; reason has a
// place for the word.
func (m *mail) numbers(reason string, most uint64) error {
	for _, w := range m.words[1:] {
		if n, ok := lex.Kstrtou(w, 64); !ok || n > most {
			return m.fail("id", fmt.Sprintf(reason, w))
		}
	}
	return nil
}

// toVDO is vdo_message of dm-vdo-target.c; the words are those of process_vdo_message.
func (m *mail) toVDO() error {
	switch {
	case m.among("stats", "config"):
		return m.alone()
	case m.rest() == 1 && m.is("compression"):
		return nil
	case m.among("dump", "compact", "index-close", "index-create", "index-disable", "index-enable"):
		return nil
	}
	return m.fail("", fmt.Sprintf("unrecognized dmsetup message '%s' received", m.words[0]))
}

// toWritecache is writecache_message of dm-writecache.c.
func (m *mail) toWritecache() error {
	switch {
	case !m.among("flush", "flush_on_suspend", "cleaner", "clear_stats"):
		return m.fail("", "unrecognised message received: "+m.words[0])
	case m.rest() > 0:
		return m.alone()
	case m.is("flush") && m.Suspended:
		return m.fail("flush", "the device is suspended; resume it first")
	}
	return nil
}

// toZoned is dmz_message of dm-zoned-target.c.
func (m *mail) toZoned() error {
	if !m.is("reclaim") {
		return m.fail("", "unrecognized message "+m.words[0])
	}
	return nil
}
