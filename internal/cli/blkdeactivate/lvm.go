package blkdeactivate

import (
	"context"
	"path"
	"strings"

	"github.com/mdkit/mdkit/manage/blocktree"
)

// splitLVM splits the name of a logical volume's device: a hyphen separates group and
// volume, and hyphens within them are doubled.
func splitLVM(name string) (group, volume string) {
	part := func() string {
		var b strings.Builder
		for i := 0; i < len(name); i++ {
			if name[i] == '-' && i+1 < len(name) {
				if name[i+1] != '-' {
					name = name[i+1:]
					return b.String()
				}
				i++
			}
			b.WriteByte(name[i])
		}
		name = ""
		return b.String()
	}
	group = part()
	return group, part()
}

// retryConfig returns LVM's setting for retries.
func (r *run) retryConfig() string {
	if r.lvmRetry {
		return "activation{retry_deactivation=1}"
	}
	return "activation{retry_deactivation=0}"
}

// volume deactivates a logical volume, or its whole group, with the lvm command.
func (r *run) volume(ctx context.Context, d *blocktree.Device) (bool, error) {
	group, volume := splitLVM(d.Name)
	if !r.do.HasNode(path.Join("/dev", group, volume)) {
		return true, nil
	}
	if r.skippedV[group] {
		return false, nil
	}
	if r.wholeVG {
		return r.group(ctx, group)
	}
	if !r.do.HasLVM() {
		return r.skip(d), nil
	}
	if ok, err := r.holders(ctx, d.Kernel); !ok || err != nil {
		return r.skip(d), err
	}
	r.say("  [LVM]: deactivating Logical Volume %s/%s... ", group, volume)
	ok := r.try(event{Kind: "lvm", Device: d.Kernel, Name: group + "/" + volume}, func() bool {
		_, ok := r.do.LVM(ctx, "lvchange", "--config", `log{prefix=""} `+r.retryConfig(), "-aln", group+"/"+volume)
		return ok
	}, skipping)
	return ok || r.skip(d), nil
}

func (r *run) group(ctx context.Context, group string) (bool, error) {
	fail := func() bool {
		r.skippedV[group] = true
		return false
	}
	if !r.do.HasLVM() {
		return fail(), nil
	}
	list, _ := r.do.LVM(ctx, "vgs", "--config", r.retryConfig(), "--noheadings", "--rows", "-o", "lv_name", group)
	tree, err := blocktree.Read(r.fs)
	if err != nil {
		return false, err
	}
	for _, volume := range strings.Fields(list) {
		d := r.find(tree, path.Join("/dev", group, volume))
		if d == nil {
			continue
		}
		if ok, err := r.holders(ctx, d.Kernel); !ok || err != nil {
			return fail(), err
		}
	}
	r.say("  [LVM]: deactivating Volume Group %s... ", group)
	ok := r.try(event{Kind: "lvm", Name: group}, func() bool {
		_, ok := r.do.LVM(ctx, "vgchange", "--config", `log{prefix="    "} `+r.retryConfig(), "-aln", group)
		return ok
	}, skipping)
	return ok || fail(), nil
}
