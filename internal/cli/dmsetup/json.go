package dmsetup

import (
	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/manage/mapper"
	"github.com/mdkit/mdkit/sysfs"
)

// sectorSize is the size of a sector in bytes.
const sectorSize = 512

// infoDoc is a device's state.
type infoDoc struct {
	Name            string `json:"name"`
	UUID            string `json:"uuid"`
	Major           uint32 `json:"major"`
	Minor           uint32 `json:"minor"`
	Suspended       bool   `json:"suspended"`
	ReadOnly        bool   `json:"read_only"`
	DeferredRemove  bool   `json:"deferred_remove"`
	InternalSuspend bool   `json:"internal_suspend"`
	LiveTable       bool   `json:"live_table"`
	InactiveTable   bool   `json:"inactive_table"`
	OpenCount       int32  `json:"open_count"`
	EventNr         uint32 `json:"event_nr"`
	Targets         uint32 `json:"targets"`
	ReadAhead       *int64 `json:"read_ahead,omitempty"`
}

func (r *reports) infoJSON(i *dm.Info) infoDoc {
	doc := infoDoc{
		Name: i.Name, UUID: i.UUID, Major: i.Number.Major, Minor: i.Number.Minor,
		Suspended: i.Suspended(), ReadOnly: i.ReadOnly(), DeferredRemove: i.DeferredRemove(),
		InternalSuspend: i.InternalSuspend(), LiveTable: i.LiveTable(), InactiveTable: i.InactiveTable(),
		OpenCount: i.OpenCount, EventNr: i.EventNr, Targets: i.TargetCount,
	}
	if sectors, ok := r.readAhead(i); ok {
		bytes := int64(sectors) * sectorSize
		doc.ReadAhead = &bytes
	}
	return doc
}

// entryJSON is a device in a list.
type entryJSON struct {
	Name    string `json:"name"`
	UUID    string `json:"uuid,omitempty"`
	Major   uint32 `json:"major"`
	Minor   uint32 `json:"minor"`
	EventNr uint32 `json:"event_nr"`
}

// targetsJSON are the targets of a device, as table or as status.
type targetsJSON struct {
	Name    string       `json:"name"`
	UUID    string       `json:"uuid"`
	Major   uint32       `json:"major"`
	Minor   uint32       `json:"minor"`
	Targets []targetJSON `json:"targets"`
}

type targetJSON struct {
	Start  uint64 `json:"start"`
	Length uint64 `json:"length"`
	Type   string `json:"type"`
	Params string `json:"params"`
}

func (v *targetsView) json(targets []dm.Target) targetsJSON {
	doc := targetsJSON{
		Name: v.name, UUID: v.info.UUID, Major: v.info.Number.Major, Minor: v.info.Number.Minor, Targets: []targetJSON{},
	}
	for _, t := range targets {
		doc.Targets = append(doc.Targets, targetJSON{
			Start: t.Start * sectorSize, Length: t.Length * sectorSize, Type: t.Type, Params: v.params(t),
		})
	}
	return doc
}

// numberJSON is a device given by number, with its names if it has any.
type numberJSON struct {
	Major      uint32 `json:"major"`
	Minor      uint32 `json:"minor"`
	KernelName string `json:"kernel_name,omitempty"`
}

func jsonNumber(n dm.Number) numberJSON {
	name, _ := mapper.KernelName(sysfs.Host, n)
	return numberJSON{Major: n.Major, Minor: n.Minor, KernelName: name}
}

// depsDoc is a device and those that it uses.
type depsDoc struct {
	Name  string       `json:"name"`
	Major uint32       `json:"major"`
	Minor uint32       `json:"minor"`
	Uses  []numberJSON `json:"uses"`
}

func depsJSON(i *dm.Info, deps []dm.Number) depsDoc {
	doc := depsDoc{Name: i.Name, Major: i.Number.Major, Minor: i.Number.Minor, Uses: []numberJSON{}}
	for _, n := range deps {
		doc.Uses = append(doc.Uses, jsonNumber(n))
	}
	return doc
}

// treeNodeJSON is a device in a tree, and the devices below it.
type treeNodeJSON struct {
	numberJSON
	Name      string         `json:"name,omitempty"`
	UUID      string         `json:"uuid,omitempty"`
	Suspended bool           `json:"suspended"`
	ReadOnly  bool           `json:"read_only"`
	OpenCount int32          `json:"open_count"`
	Below     []treeNodeJSON `json:"below"`
}

func nodeJSON(n *mapper.TreeNode, below func(*mapper.TreeNode) []*mapper.TreeNode) treeNodeJSON {
	doc := treeNodeJSON{numberJSON: jsonNumber(n.Number), Name: n.Name(), UUID: n.UUID(), Below: []treeNodeJSON{}}
	if n.Info != nil {
		doc.Suspended, doc.ReadOnly, doc.OpenCount = n.Info.Suspended(), n.Info.ReadOnly(), n.Info.OpenCount
	}
	for _, next := range below(n) {
		doc.Below = append(doc.Below, nodeJSON(next, below))
	}
	return doc
}

// splitJSON is a name split into its parts.
type splitJSON struct {
	Subsystem string `json:"subsystem"`
	Group     string `json:"vg_name"`
	Volume    string `json:"lv_name"`
	Layer     string `json:"lv_layer"`
}
