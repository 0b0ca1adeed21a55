package mdadm

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/mdkit/mdkit/internal/cli/mdadm/mdtext"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/manage/mdconf"
	"github.com/mdkit/mdkit/manage/watch"
)

// alerts passes events on.
type alerts struct {
	std     ui.IO
	json    bool
	mail    *watch.Mailer
	program *watch.Program
	syslog  watch.Syslog
	logging bool
	later   bool // the words are those of mdadm since 4.3
}

func (c *Command) newAlerts(std ui.IO, cf *mdconf.Config) *alerts {
	later := c.compat >= mdtext.Mdadm46
	a := &alerts{std: std, json: c.JSON, logging: c.Watching.Syslog, later: later, syslog: watch.Syslog{Tag: "mdadm", Later: later}}
	if c.Watching.Mail != "" {
		host, _ := os.Hostname()
		a.mail = &watch.Mailer{
			To: c.Watching.Mail, From: cf.MailFrom, Host: host,
			Mdstat: func() ([]byte, error) { return os.ReadFile("/proc/mdstat") },
			Later:  later,
		}
	}
	if c.Watching.Program != "" {
		a.program = &watch.Program{Path: c.Watching.Program, Stdout: std.Out, Stderr: std.Err, Later: later}
	}
	return a
}

// alert passes one event on, to standard output if there is no other destination; later
// versions always say it on the error stream instead.
// It fails if standard output has lost its reader; if another destination cannot be
// reached, it only complains.
func (a *alerts) alert(ctx context.Context, e watch.Event) error {
	var err error
	switch {
	case a.json:
		err = a.std.JSONLine(eventDocument(e))
	case a.later:
		_, err = fmt.Fprintf(a.std.Err, "mdadm: %s\n", e.Message())
	case a.program == nil && a.mail == nil && !a.logging:
		detail := e.Detail()
		if detail == "" {
			detail = "unknown device"
		}
		_, err = fmt.Fprintf(a.std.Out, "%s: %s on %s %s\n", e.Time.Format(time.Stamp), e.Name, e.Array, detail)
	}
	complain := func(err error) {
		if err != nil {
			fmt.Fprintf(a.std.Err, "mdadm: %v\n", err)
		}
	}
	if a.program != nil {
		complain(a.program.Run(ctx, e))
	}
	if a.mail != nil {
		complain(a.mail.Send(ctx, e))
	}
	if a.logging {
		complain(a.syslog.Send(e))
	}
	return err
}

// eventJSON is one line of --monitor --json.
type eventJSON struct {
	ui.Document
	Time      string         `json:"time"` // RFC 3339, UTC
	Event     string         `json:"event"`
	Severity  string         `json:"severity"` // "critical", "warning", "info"
	Array     string         `json:"array"`
	Name      string         `json:"name,omitempty"` // the kernel's
	Component string         `json:"component,omitempty"`
	Extra     string         `json:"extra,omitempty"`
	State     eventStateJSON `json:"state"`
}

type eventStateJSON struct {
	Level       string `json:"level,omitempty"`
	RaidDevices int    `json:"raid_devices"`
	Active      int    `json:"active"`
	Working     int    `json:"working"`
	Failed      int    `json:"failed"`
	Spare       int    `json:"spare"`
	Slots       string `json:"slots,omitempty"`
	Action      string `json:"action,omitempty"`
	Percent     int    `json:"percent"`
}

func eventDocument(e watch.Event) eventJSON {
	return eventJSON{
		Document: ui.Schema("monitor"), Time: e.Time.UTC().Format(time.RFC3339Nano), Event: e.Name, Severity: e.Severity(),
		Array: e.Array, Name: e.Kernel, Component: e.Component, Extra: e.Extra,
		State: eventStateJSON{
			Level: e.State.Level, RaidDevices: e.State.RaidDisks, Active: e.State.Active, Working: e.State.Working,
			Failed: e.State.Failed, Spare: e.State.Spare, Slots: e.State.Slots, Action: e.State.Action, Percent: e.State.Percent,
		},
	}
}
