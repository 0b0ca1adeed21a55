package dmsetup

import (
	"context"

	"github.com/mdkit/mdkit/internal/cli/report"
)

// stats is the command stats: c.sub is its subcommand.
func (s *session) stats(context.Context, call) error {
	return s.refuse("stats is not supported by this build of mdkit")
}

// statsUsage is the usage of dmstats.
func statsUsage(face) string { return "" }

// statsReport sets the columns that a subcommand shows by default.
func (s *session) statsReport(call, *report.Options) {}

// statsRows adds a device to the report, once for each of its regions where
// the columns are about those.
func (s *session) statsRows(o *object) error { return reported(s.report.Object(o)) }

// statsCommand is a subcommand that needs no device: help or version.
func (s *session) statsCommand(name string) *command {
	run := (*session).version
	if name == "help" {
		run = (*session).help
	}
	return &command{name: name, most: -1, run: run}
}
