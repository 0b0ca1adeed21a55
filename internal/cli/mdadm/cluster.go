package mdadm

import (
	"context"
	"fmt"
	"time"

	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/manage/array/clustered"
	"github.com/mdkit/mdkit/manage/mdconf"
	"github.com/mdkit/mdkit/sysfs"
)

// cluster is the name of the cluster, "" for none.
func (c *Command) cluster(cf *mdconf.Config) string {
	name := c.HomeCluster
	if name == "" {
		name = cf.HomeCluster
	}
	switch {
	case isWord(name, "<none>"):
		return ""
	case name == "":
		return clustered.Name(sysfs.Host)
	}
	return name
}

// clusterPatience is how long a command waits for another node's to end: as long as
// mdadm, which tries eleven times, ten seconds apart.
const clusterPatience = 100 * time.Second

// lockCluster takes the lock that one command in the cluster has at a time. A dry run
// changes nothing, and needs none.
func (c *Command) lockCluster(ctx context.Context, std ui.IO, cluster string) (unlock func(), code int) {
	if c.DryRun {
		return func() {}, 0
	}
	brief, stop := context.WithTimeout(ctx, clusterPatience)
	defer stop()
	lock, err := clustered.Acquire(brief, sysfs.Host, cluster)
	if err != nil {
		fmt.Fprintf(std.Err, "mdadm: failed to lock cluster\n       %v\n", err)
		return nil, 1
	}
	return func() {
		if err := lock.Release(ctx); err != nil {
			fmt.Fprintf(std.Err, "mdadm: %v\n", err)
		}
	}, 0
}
