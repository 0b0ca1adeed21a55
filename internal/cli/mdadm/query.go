package mdadm

import (
	"fmt"

	"github.com/mdkit/mdkit/internal/cli/mdadm/examine"
	"github.com/mdkit/mdkit/internal/cli/mdadm/mdtext"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/manage/array/report"
)

// query is --query for the named devices: for each a line that says what it is, and
// one that says what it is a member of (Query.c).
func (c *Command) query(std ui.IO, names ...string) int {
	reports := report.NewReports()
	doc := queryDocument{Document: ui.Schema("query"), Devices: []queriedJSON{}}
	code := 0
	for _, name := range names {
		q, err := reports.Query(name)
		if err != nil {
			fmt.Fprintf(std.Err, "mdadm: cannot open %s: %s\n", name, openReason(err))
			code = 1
			continue
		}
		if c.JSON {
			doc.Devices = append(doc.Devices, queriedDocument(name, q))
			continue
		}
		fmt.Fprint(std.Out, queryArrayLine(name, q.Array))
		if q.Member != nil {
			fmt.Fprint(std.Out, queryMemberLine(name, q.Member))
		}
	}
	if c.JSON {
		code |= printDocument(std, doc)
	}
	return code
}

func queryArrayLine(name string, a *report.QueryArray) string {
	if a == nil {
		return name + ": is not an md array\n"
	}
	level := "(null)" // what C prints for a level mdadm has no word for
	if a.HasLevel {
		level = examine.ExportLevel(a.Level)
	}
	plural := "s"
	if a.Spares == 1 {
		plural = ""
	}
	return fmt.Sprintf("%s: %s %s %d devices, %d spare%s. Use mdadm --detail for more detail.\n",
		name, mdtext.HumanSizeIEC(a.Size), level, a.RaidDisks, a.Spares, plural)
}

func queryMemberLine(name string, m *report.QueryMember) string {
	path := m.Path
	if path == "" {
		path = "array"
	}
	return fmt.Sprintf("%s: device %d in %d device %s %s %s.  Use mdadm --examine for more detail.\n",
		name, int32(m.DevNumber()), m.Slots(), m.Activity, examine.ExportLevel(m.Level()), path)
}

// queryDocument is what --query --json prints.
type queryDocument struct {
	ui.Document
	Devices []queriedJSON `json:"devices"`
}

type queriedJSON struct {
	Device string           `json:"device"`
	Array  *queryArrayJSON  `json:"array,omitempty"`  // if it is an array
	Member *queryMemberJSON `json:"member,omitempty"` // if it carries a superblock
}

type queryArrayJSON struct {
	Size        int64  `json:"size"`
	Level       string `json:"level,omitempty"`
	RaidDevices int    `json:"raid_devices"`
	Spares      int    `json:"spares"`
}

type queryMemberJSON struct {
	Number      uint32 `json:"number"`
	Role        string `json:"role"`
	Slot        *int   `json:"slot,omitempty"`
	UUID        string `json:"uuid"`
	Name        string `json:"name"`
	Metadata    string `json:"metadata"`
	Level       string `json:"level"`
	RaidDevices int    `json:"raid_devices"`
	Activity    string `json:"activity"` // "active", "inactive", "mismatch", "undetected"
	Array       string `json:"array,omitempty"`
}

func queriedDocument(name string, q *report.Query) queriedJSON {
	doc := queriedJSON{Device: name}
	if a := q.Array; a != nil {
		doc.Array = &queryArrayJSON{Size: a.Size, RaidDevices: a.RaidDisks, Spares: a.Spares}
		if a.HasLevel {
			doc.Array.Level = a.Level.String()
		}
	}
	if m := q.Member; m != nil {
		doc.Member = &queryMemberJSON{
			Number: m.DevNumber(), UUID: m.UUID().String(), Name: m.SetName(), Metadata: m.Version.String(),
			Level: m.Level().String(), RaidDevices: m.RaidDisks(), Activity: string(m.Activity), Array: m.Path,
		}
		doc.Member.Role, doc.Member.Slot = roleText(m.Role(), m.Replacement())
	}
	return doc
}
