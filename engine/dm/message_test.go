package dm_test

import (
	"errors"
	"testing"

	"github.com/mdkit/mdkit/engine/dm"
)

// TestMessages prints the messages that have arguments; that targets accept
// them is tested in the lab.
func TestMessages(t *testing.T) {
	fine := func(m dm.Message, err error) dm.Message {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
		return m
	}
	for want, got := range map[dm.Message]dm.Message{
		"create_thin 3":                        fine(dm.ThinCreate(3)),
		"create_snap 4 3":                      fine(dm.ThinSnapshot(4, 3)),
		"delete 16777215":                      fine(dm.ThinDelete(1<<24 - 1)),
		"set_transaction_id 1 2":               dm.ThinTransaction(1, 2),
		"migration_threshold 8":                dm.CacheSet(dm.KeyValue{Key: "migration_threshold", Value: "8"}),
		"invalidate_cblocks 3 5-9":             fine(dm.CacheInvalidate(dm.BlockRange{Begin: 3, End: 4}, dm.BlockRange{Begin: 5, End: 9})),
		"hydration_threshold 2":                dm.CloneThreshold(2),
		"hydration_batch_size 2":               dm.CloneBatch(2),
		"key set 00":                           dm.CryptKeySet("00"),
		"check":                                fine(dm.RaidAction("check")),
		"fail_path 8:1":                        dm.MultipathPath("8:1", false),
		"reinstate_path 8:1":                   dm.MultipathPath("8:1", true),
		"disable_group 1":                      dm.MultipathGroup(1, false),
		"enable_group 1":                       dm.MultipathGroup(1, true),
		"switch_group 2":                       dm.MultipathSwitch(2),
		"set_region_mappings 0:1 :0 R1,f a0:1": dm.SwitchMappings(dm.SwitchMapping{Count: 1, Path: 1}, dm.SwitchMapping{Region: 1, Count: 16}, dm.SwitchMapping{Region: 0xa0, Count: 1, Path: 1}),
		"mark here":                            dm.LogWritesMark("here"),
		"addbadblock 5":                        dm.DustAdd(5, 0),
		"addbadblock 5 2":                      dm.DustAdd(5, 2),
		"removebadblock 5":                     dm.DustRemove(5),
		"queryblock 5":                         dm.DustQuery(5),
		"gc_percent 90":                        fine(dm.PcacheGC(90)),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	for name, err := range map[string]error{
		"thin id":      second(dm.ThinCreate(1 << 24)),
		"snap id":      second(dm.ThinSnapshot(1, 1<<24)),
		"delete id":    second(dm.ThinDelete(1 << 24)),
		"no range":     second(dm.CacheInvalidate()),
		"empty range":  second(dm.CacheInvalidate(dm.BlockRange{Begin: 4, End: 4})),
		"raid action":  second(dm.RaidAction("dance")),
		"pcache limit": second(dm.PcacheGC(91)),
	} {
		if !errors.Is(err, dm.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second(_ dm.Message, err error) error { return err }
