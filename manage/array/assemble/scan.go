package assemble

import (
	"context"
	"errors"

	"github.com/mdkit/mdkit/manage/array/node"
	"github.com/mdkit/mdkit/manage/note"
	"github.com/mdkit/mdkit/manage/plan"
)

// ScanResult says what AssembleScan did, with one entry for each array that was
// attempted and found.
type ScanResult struct {
	Arrays []*AssembleResult
	// Code is mdadm's exit code: 0 if all went well, with bit 0 for failures and bit 1
	// for arrays of which no member was found.
	Code int
}

// AssembleScan assembles every array of the configuration or, if it lists none and this
// host has a name, every array found on the devices that req.List returns (mdadm.c,
// scan_assemble). Arrays may be built on other arrays: as long as one more starts, those
// that failed are tried again.
//
// req says how; its Array, Devices and Identity are not used.
func AssembleScan(ctx context.Context, req AssembleRequest) *ScanResult {
	r := &ScanResult{}
	if twice := req.Conf.Twice(); twice != "" {
		req.Report.Say(note.Always, note.Reason, twice)
		req.Report.Say(note.Always, "assemble.duplicate-md-device-names-conf-file-were-found")
		r.Code = 1
		return r
	}
	devices := req.List()
	if len(devices) == 0 {
		req.Report.Say(note.Always, "assemble.no-devices-listed-conf-file-were-found")
		r.Code = 1
		return r
	}
	// A map that is missing is there from now on, whether an array starts or not (mdadm.c,
	// scan_assemble, map_lock).
	run := plan.Runner{DryRun: req.DryRun}
	_ = run.Do(ctx, plan.SayStep(func() { node.Map{}.Ensure(req.Home, req.Conf) }))
	s := &scanner{req: req, result: r}
	s.req.probes = &probes{}
	s.req.probes.prefetch(newPool(devices), req.Version, req.Newest1)
	tried := s.listed(ctx)
	switch {
	case tried > 0:
	case req.Home.Host != "":
		if s.found(ctx, devices) > 0 {
			r.Code = 0
		} else if r.Code == 0 {
			req.Report.Say(note.Always, "assemble.no-arrays-found-config-file-or-automatically")
			r.Code = 1
		}
	case r.Code == 0:
		req.Report.Say(note.Always, "assemble.no-arrays-found-config-file")
		r.Code = 1
	}
	return r
}

// scanner carries out one scan.
type scanner struct {
	req    AssembleRequest
	result *ScanResult
	made   int // arrays that were assembled, on which others may be built
}

// one assembles one array, and returns mdadm's code for the outcome.
func (s *scanner) one(ctx context.Context, req AssembleRequest) int {
	result, err := Assemble(ctx, req)
	if result != nil {
		s.result.Arrays = append(s.result.Arrays, result)
		for _, m := range result.Members {
			s.req.probes.forget(m.Device)
		}
		if result.applied {
			s.made++
		}
	}
	switch {
	case err == nil:
		return 0
	case errors.Is(err, ErrNoMembers):
		return 2
	}
	if !note.WasReported(err) {
		req.Report.Say(note.Always, note.Reason, err)
	}
	return 1
}

// listed assembles the arrays of the ARRAY lines, and returns the number of attempts.
func (s *scanner) listed(ctx context.Context) (tried int) {
	done := make(map[int]bool)
	for {
		failures := 0
		s.made, s.result.Code = 0, 0
		for i, line := range s.req.Conf.Arrays {
			if done[i] || line.Ignored() || ctx.Err() != nil {
				continue
			}
			req := s.req
			if err := req.ForLine(line); err != nil {
				req.Report.Say(note.Always, note.Reason, err)
				failures, tried, s.result.Code = failures+1, tried+1, s.result.Code|1
				continue
			}
			code := s.one(ctx, req)
			if code == 0 {
				done[i] = true
			} else {
				failures++
			}
			s.result.Code |= code
			tried++
		}
		if failures == 0 || s.made == 0 || ctx.Err() != nil {
			return tried
		}
	}
}

// found assembles whatever arrays there are, and returns how many started.
func (s *scanner) found(ctx context.Context, devices []string) (up int) {
	for {
		req := s.req
		req.pool = newPool(devices)
		s.made = 0
		for ctx.Err() == nil {
			code := s.one(ctx, req)
			if code == 2 {
				break
			}
			if code == 0 {
				up++
			}
		}
		if s.made == 0 || ctx.Err() != nil {
			return up
		}
		devices = s.req.List()
	}
}
