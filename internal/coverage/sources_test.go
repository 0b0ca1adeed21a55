package coverage

import (
	"strings"
	"testing"
)

// sources is every .c and .h file under drivers/md of Linux v4.11, as the
// release's tree lists them.
const sources = `
bcache/alloc.c
bcache/bcache.h
bcache/bset.c
bcache/bset.h
bcache/btree.c
bcache/btree.h
bcache/closure.c
bcache/closure.h
bcache/debug.c
bcache/debug.h
bcache/extents.c
bcache/extents.h
bcache/io.c
bcache/journal.c
bcache/journal.h
bcache/movinggc.c
bcache/request.c
bcache/request.h
bcache/stats.c
bcache/stats.h
bcache/super.c
bcache/sysfs.c
bcache/sysfs.h
bcache/trace.c
bcache/util.c
bcache/util.h
bcache/writeback.c
bcache/writeback.h
bitmap.c
bitmap.h
dm-bio-prison.c
dm-bio-prison.h
dm-bio-record.h
dm-bufio.c
dm-bufio.h
dm-builtin.c
dm-cache-block-types.h
dm-cache-metadata.c
dm-cache-metadata.h
dm-cache-policy-cleaner.c
dm-cache-policy-internal.h
dm-cache-policy-smq.c
dm-cache-policy.c
dm-cache-policy.h
dm-cache-target.c
dm-core.h
dm-crypt.c
dm-delay.c
dm-era-target.c
dm-exception-store.c
dm-exception-store.h
dm-flakey.c
dm-io.c
dm-ioctl.c
dm-kcopyd.c
dm-linear.c
dm-log-userspace-base.c
dm-log-userspace-transfer.c
dm-log-userspace-transfer.h
dm-log-writes.c
dm-log.c
dm-mpath.c
dm-mpath.h
dm-path-selector.c
dm-path-selector.h
dm-queue-length.c
dm-raid.c
dm-raid1.c
dm-region-hash.c
dm-round-robin.c
dm-rq.c
dm-rq.h
dm-service-time.c
dm-snap-persistent.c
dm-snap-transient.c
dm-snap.c
dm-stats.c
dm-stats.h
dm-stripe.c
dm-switch.c
dm-sysfs.c
dm-table.c
dm-target.c
dm-thin-metadata.c
dm-thin-metadata.h
dm-thin.c
dm-uevent.c
dm-uevent.h
dm-verity-fec.c
dm-verity-fec.h
dm-verity-target.c
dm-verity.h
dm-zero.c
dm.c
dm.h
faulty.c
linear.c
linear.h
md-cluster.c
md-cluster.h
md.c
md.h
multipath.c
multipath.h
persistent-data/dm-array.c
persistent-data/dm-array.h
persistent-data/dm-bitset.c
persistent-data/dm-bitset.h
persistent-data/dm-block-manager.c
persistent-data/dm-block-manager.h
persistent-data/dm-btree-internal.h
persistent-data/dm-btree-remove.c
persistent-data/dm-btree-spine.c
persistent-data/dm-btree.c
persistent-data/dm-btree.h
persistent-data/dm-persistent-data-internal.h
persistent-data/dm-space-map-common.c
persistent-data/dm-space-map-common.h
persistent-data/dm-space-map-disk.c
persistent-data/dm-space-map-disk.h
persistent-data/dm-space-map-metadata.c
persistent-data/dm-space-map-metadata.h
persistent-data/dm-space-map.h
persistent-data/dm-transaction-manager.c
persistent-data/dm-transaction-manager.h
raid0.c
raid0.h
raid1.c
raid1.h
raid10.c
raid10.h
raid5-cache.c
raid5.c
raid5.h
`

func TestEverySourceFileHasOneRow(t *testing.T) {
	rows, err := Rows()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, row := range rows {
		for _, f := range row.Files {
			seen[f]++
		}
	}
	for f := range strings.FieldsSeq(sources) {
		if seen[f] != 1 {
			t.Errorf("%s stands in %d rows of proofs.txt, want 1", f, seen[f])
		}
		delete(seen, f)
	}
	for f := range seen {
		t.Errorf("%s is no source file of drivers/md in v4.11", f)
	}
}
