package dlmtool

import (
	"context"
	"strings"
	"time"

	"github.com/mdkit/mdkit/manage/cluster/controld"
)

// lines is a dump, for documents.
func lines(text string) []string {
	all := []string{}
	for line := range strings.Lines(text) {
		all = append(all, strings.TrimSuffix(line, "\n"))
	}
	return all
}

// dumpOf prints a dump; most end with a line's end more.
func (t *tool) dumpOf(ctx context.Context, what controld.Command, name, end string) (string, error) {
	text, err := controld.Text(ctx, what, name)
	t.say("%s%s", text, end)
	return text, err
}

// dump prints the daemon's log.
func (t *tool) dump(ctx context.Context) (any, error) {
	text, err := t.dumpOf(ctx, controld.DumpDebug, "", "\n")
	return lines(text), err
}

// logLocks prints the daemon's log of POSIX locks.
func (t *tool) logLocks(ctx context.Context) (any, error) {
	text, err := t.dumpOf(ctx, controld.DumpLockLog, "", "\n")
	return lines(text), err
}

// posixLocks prints the POSIX locks of a lockspace.
func (t *tool) posixLocks(ctx context.Context) (any, error) {
	text, err := t.dumpOf(ctx, controld.DumpLocks, t.name, "")
	return lines(text), err
}

// listRuns prints the commands that nodes run.
func (t *tool) listRuns(ctx context.Context) (any, error) {
	text, err := t.dumpOf(ctx, controld.DumpRuns, "", "\n")
	return lines(text), err
}

// setting is one of the daemon's, for documents.
type setting struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Source string `json:"source,omitempty"` // in the daemon's words; nothing for a default
}

// dumpConfig prints the daemon's settings.
func (t *tool) dumpConfig(ctx context.Context) (any, error) {
	text, err := t.dumpOf(ctx, controld.DumpConfig, "", "\n")
	return settings(text), err
}

// settings reads lines such as "log_debug=1 (set_config)".
func settings(text string) []setting {
	all := []setting{}
	for _, line := range lines(text) {
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			continue
		}
		s := setting{Name: name, Value: value}
		if i := strings.LastIndex(value, " ("); i >= 0 && strings.HasSuffix(value, ")") {
			s.Value, s.Source = value[:i], value[i+2:len(value)-1]
		}
		all = append(all, s)
	}
	return all
}

// order gives an order that is not answered.
func (t *tool) order(ctx context.Context, what controld.Command, name, text string) (any, error) {
	err := controld.Order(ctx, what, name, text)
	return map[string]bool{"sent": err == nil}, err
}

// told says whether the daemon was told.
func (t *tool) told(result any, err error) (any, error) {
	if err != nil {
		t.say("%s failed\n", t.verb.name)
	} else {
		t.say("%s done\n", t.verb.name)
	}
	return result, err
}

// reloadConfig has the daemon read its file again.
func (t *tool) reloadConfig(ctx context.Context) (any, error) {
	return t.told(t.order(ctx, controld.ReloadConfig, "", ""))
}

// setConfig changes settings of the daemon.
func (t *tool) setConfig(ctx context.Context) (any, error) {
	return t.told(t.order(ctx, controld.SetConfig, "", t.command))
}

// ackFence tells the daemon that a node was fenced by hand.
func (t *tool) ackFence(ctx context.Context) (any, error) {
	return t.order(ctx, controld.AckFence, t.name, "")
}

// checkDeadlock has the daemon look for deadlocks, which no released one does.
func (t *tool) checkDeadlock(ctx context.Context) (any, error) {
	return t.order(ctx, controld.CheckDeadlock, t.name, "")
}

// runResult is a command that nodes run, for documents.
type runResult struct {
	ID     string   `json:"uuid"`
	Status []string `json:"status,omitempty"`
}

func (t *tool) startRun(ctx context.Context) (any, error) {
	id, err := controld.Run(ctx, t.command, t.nodes)
	t.say("run_uuid: %s\n", id)
	return runResult{ID: id}, err
}

func (t *tool) checkRun(ctx context.Context) (any, error) { return t.result(ctx, t.name, false) }

func (t *tool) cancelRun(ctx context.Context) (any, error) { return t.result(ctx, t.name, true) }

func (t *tool) runAndCheck(ctx context.Context) (any, error) {
	started, err := t.startRun(ctx)
	if err != nil {
		t.say("check_status: \n")
		return started, err
	}
	return t.result(ctx, started.(runResult).ID, false)
}

func (t *tool) result(ctx context.Context, id string, cancel bool) (any, error) {
	result, err := controld.Result(ctx, id, time.Duration(t.wait)*time.Second, cancel)
	r := runResult{ID: id, Status: []string{}}
	t.say("check_status: ")
	for _, s := range []struct {
		flag controld.RunResult
		word string
	}{{controld.RunWaiting, "waiting"}, {controld.RunDone, "done"}, {controld.RunFailed, "failed"}} {
		if result&s.flag != 0 {
			r.Status = append(r.Status, s.word)
			t.say("%s ", s.word)
		}
	}
	t.say("\n")
	return r, err
}
