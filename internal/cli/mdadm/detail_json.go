package mdadm

import (
	"time"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/internal/cli/mdadm/examine"
	"github.com/mdkit/mdkit/internal/cli/ui"
	mdctl "github.com/mdkit/mdkit/ioctl/md"
	"github.com/mdkit/mdkit/manage/array/report"
	sysmd "github.com/mdkit/mdkit/sysfs/md"
)

// detailDocument is what --detail --json prints.
type detailDocument struct {
	ui.Document
	Arrays []arrayDetailJSON `json:"arrays"`
}

type arrayDetailJSON struct {
	Device    string `json:"device"`
	Name      string `json:"kernel_name"`
	Major     uint32 `json:"major"`
	Minor     uint32 `json:"minor"`
	Metadata  string `json:"metadata"` // the kernel's word: "1.2", "none", "external:imsm"
	Container string `json:"container,omitempty"`
	Member    string `json:"container_member,omitempty"`
	// Running says whether the array serves reads; State is array_state.
	Running    bool   `json:"running"`
	State      string `json:"array_state"`
	Clean      bool   `json:"clean"`
	Degraded   bool   `json:"degraded"`
	Failed     bool   `json:"failed"` // has lost more devices than its redundancy covers
	Clustered  bool   `json:"clustered"`
	Persistent bool   `json:"persistent"`

	Level         string     `json:"level,omitempty"`
	LevelNumber   *int32     `json:"level_number,omitempty"`
	Layout        string     `json:"layout,omitempty"`
	LayoutNumber  *int32     `json:"layout_number,omitempty"`
	ChunkSize     int64      `json:"chunk_size"`
	Size          int64      `json:"size"`
	UsedSize      int64      `json:"used_size"` // of each member
	Created       *time.Time `json:"created,omitempty"`
	Updated       *time.Time `json:"update_time,omitempty"`
	Policy        string     `json:"consistency_policy,omitempty"`
	Bitmap        string     `json:"bitmap,omitempty"` // "internal", "clustered", or a path
	PreferredNode *int32     `json:"preferred_minor,omitempty"`

	RaidDevices    int32 `json:"raid_devices"`
	TotalDevices   int32 `json:"total_devices"`
	ActiveDevices  int32 `json:"active_devices"`
	WorkingDevices int32 `json:"working_devices"`
	FailedDevices  int32 `json:"failed_devices"`
	SpareDevices   int32 `json:"spare_devices"`

	Sync    *syncJSON    `json:"sync,omitempty"`
	Reshape *reshapeJSON `json:"reshape,omitempty"`

	// From the superblock of a member.
	UUID      string  `json:"uuid,omitempty"`
	ArrayName string  `json:"name,omitempty"`
	Local     bool    `json:"local"` // made on this host
	Cluster   string  `json:"cluster,omitempty"`
	Events    *uint64 `json:"events,omitempty"`
	MapPath   string  `json:"map_path,omitempty"` // the name udev gave it

	Devices []detailDeviceJSON `json:"devices"`
	Arrays  []string           `json:"member_arrays,omitempty"` // of a container
}

type syncJSON struct {
	Action        string   `json:"action"` // "resync", "recovery", "reshape", "check"
	State         string   `json:"state"`  // "running", "delayed", "pending", "remote"
	Percent       *float64 `json:"percent,omitempty"`
	Done          *int64   `json:"done,omitempty"` // of the work to be done, per member
	Total         *int64   `json:"total,omitempty"`
	Speed         *int64   `json:"speed,omitempty"` // bytes a second
	FinishSeconds *int64   `json:"finish_seconds,omitempty"`
}

type detailDeviceJSON struct {
	Device  string   `json:"device,omitempty"` // absent where it has no node any more
	Major   int32    `json:"major"`
	Minor   int32    `json:"minor"`
	Number  *int32   `json:"number,omitempty"`
	Slot    *int32   `json:"slot,omitempty"`
	Missing bool     `json:"missing"` // an empty slot
	State   []string `json:"state"`   // mdadm's words
	Flags   []string `json:"flags"`   // the kernel's, from sysfs
}

func (t *detailer) document(d *report.Detail) arrayDetailJSON {
	info := d.Info
	doc := arrayDetailJSON{
		Device: d.Path, Name: d.Name, Major: d.Number.Major, Minor: d.Number.Minor,
		Metadata: d.Metadata.String(), Running: !d.Inactive(), State: d.State,
		Clean: info.State&mdctl.ArrayClean != 0, Clustered: info.State&mdctl.ArrayClustered != 0,
		Persistent: d.HasInfo && info.NotPersistent == 0, Level: detailLevel(d), ChunkSize: int64(info.ChunkSize),
		Size: d.Size, UsedSize: d.ComponentSize, Policy: d.Policy,
		RaidDevices: info.RaidDisks, TotalDevices: info.NrDisks, ActiveDevices: info.ActiveDisks,
		WorkingDevices: info.WorkingDisks, FailedDevices: info.FailedDisks, SpareDevices: info.SpareDisks,
		Sync: syncDocument(d.Sync), Devices: t.deviceDocuments(d),
	}
	doc.Container, doc.Member, _ = t.container(d)
	if d.HasInfo && info.RaidDisks > 0 {
		doc.LevelNumber, doc.LayoutNumber = ptr(int32(info.Level)), ptr(info.Layout)
		doc.Layout, _ = md.LayoutName(md.Level(info.Level), info.Layout)
		doc.Degraded = redundancy(d) != ""
		doc.Failed = !d.Enough()
	}
	if info.CTime != 0 {
		doc.Created = ptr(time.Unix(int64(info.CTime), 0).UTC())
	}
	if info.UTime != 0 {
		doc.Updated = ptr(time.Unix(int64(info.UTime), 0).UTC())
	}
	switch {
	case d.BitmapFile != "":
		doc.Bitmap = d.BitmapFile
	case doc.Clustered:
		doc.Bitmap = "clustered"
	case info.State&mdctl.ArrayBitmapPresent != 0:
		doc.Bitmap = "internal"
	}
	if d.Metadata.Kind == sysmd.MetadataNative && d.Metadata.Major == 0 && d.HasInfo {
		doc.PreferredNode = ptr(info.MDMinor)
	}
	if d.Entry != nil {
		doc.MapPath = d.Entry.Path
	}
	if x := d.Super; x != nil {
		doc.UUID, doc.ArrayName, doc.Cluster = x.UUID().String(), x.SetName(), x.ClusterName()
		doc.Events, doc.Reshape = ptr(x.Events()), reshapeDocument(x.Member)
		if x.Super0 != nil {
			doc.Local = examine.LocalTo0(x.Super0, t.homeHost) != ""
		} else {
			doc.Local = examine.LocalTo1(x.Super1, t.homeHost) != ""
		}
	}
	if d.Container() {
		for _, name := range t.reports.ArraysIn(d.Name) {
			doc.Arrays = append(doc.Arrays, t.reports.ArrayNode(name, t.cmd.Prefer))
		}
	}
	return doc
}

func syncDocument(s *sysmd.MdstatSync) *syncJSON {
	switch {
	case s == nil:
		return nil
	case s.Delayed:
		return &syncJSON{Action: s.Action, State: "delayed"}
	case s.Pending:
		return &syncJSON{Action: s.Action, State: "pending"}
	case s.Remote:
		return &syncJSON{Action: s.Action, State: "remote"}
	}
	return &syncJSON{
		Action: s.Action, State: "running", Percent: ptr(float64(s.PerMille) / 10),
		Done: ptr(int64(s.Done) << 10), Total: ptr(int64(s.Total) << 10), Speed: ptr(s.SpeedKiB << 10),
		FinishSeconds: ptr(int64(s.FinishTenths) * 6),
	}
}

func (t *detailer) deviceDocuments(d *report.Detail) []detailDeviceJSON {
	flags := make(map[[2]int32][]string)
	for _, b := range d.Members {
		flags[[2]int32{int32(b.Number.Major), int32(b.Number.Minor)}] = b.State
	}
	docs := []detailDeviceJSON{}
	for _, r := range tableRows(d) {
		doc := detailDeviceJSON{
			Device: t.reports.Nodes.Name(uint32(r.Major), uint32(r.Minor), t.cmd.Prefer),
			Major:  r.Major, Minor: r.Minor, Missing: r.Empty(), State: rowWords(d, r),
			Flags: flags[[2]int32{r.Major, r.Minor}],
		}
		if doc.Flags == nil {
			doc.Flags = []string{}
		}
		if r.Number >= 0 {
			doc.Number = ptr(r.Number)
		}
		if r.RaidDisk >= 0 && r.State&mdctl.DiskJournal == 0 {
			doc.Slot = ptr(r.RaidDisk)
		}
		docs = append(docs, doc)
	}
	return docs
}
