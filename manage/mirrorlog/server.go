package mirrorlog

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/ioctl/dm/userlog"
)

// Server answers the requests for all userspace mirror logs of a machine.
type Server struct {
	// Open opens the device of a log, named as in the table.
	Open func(name string) (Disk, error)
	// Report is called for each log that is made or goes away, and for problems. It
	// may be nil.
	Report func(Report)
	// Boot tells this run of the kernel from others; BootID returns it.
	Boot [16]byte

	logs map[string]*Log // by UUID
	id   map[string]uint64
}

// Report is something that happened to a log.
type Report struct {
	UUID    string       // the log's name in the table
	Request userlog.Type // what the kernel asked
	Args    string       // of a new log
	Err     error        // why the kernel was refused; nil if it was not
}

// Serve answers requests until ctx ends or the socket fails.
func (s *Server) Serve(ctx context.Context, c *userlog.Conn) error {
	for {
		req, err := c.Receive(ctx)
		if err != nil {
			return err
		}
		if err := c.Answer(req, s.Handle(req)); err != nil {
			return err
		}
	}
}

// Close closes the devices of all logs.
func (s *Server) Close() error {
	var failed []error
	for _, l := range s.logs {
		failed = append(failed, l.Close())
	}
	s.logs, s.id = nil, nil
	return errors.Join(failed...)
}

// Handle answers one request.
func (s *Server) Handle(req *userlog.Request) userlog.Reply {
	switch req.Type {
	case userlog.Construct:
		return s.construct(req)
	case userlog.Destroy:
		return s.destroy(req)
	}
	l, ok := s.logs[req.UUID]
	if !ok {
		// After ESRCH, as if there were no server, the kernel makes the log anew and
		// repeats its request (dm-log-userspace-base.c userspace_do_request): that is
		// how a restarted server gets a log in use.
		return s.refuse(req, fmt.Errorf("there is no log %s: %w", req.UUID, unix.ESRCH))
	}
	r := l.Handle(req)
	if r.Errno != 0 {
		s.report(Report{UUID: req.UUID, Request: req.Type, Err: unix.Errno(r.Errno)})
	}
	return r
}

// construct makes a log, replacing one of the same name: for a reloaded table, the
// kernel makes the new log before it gives up the old one.
func (s *Server) construct(req *userlog.Request) userlog.Reply {
	if s.logs[req.UUID] != nil && s.id[req.UUID] == req.LUID {
		// This is a retry: the kernel looks for a server that has gone away, and
		// now, unlike the first time, it has no room for the device's number and
		// takes that for an error (dm-log-userspace-base.c userspace_do_request,
		// dm-log-userspace-transfer.c fill_pkg).
		return userlog.Reply{}
	}
	a, err := ParseArgs(req.Text())
	if err != nil {
		return s.refuse(req, errors.Join(err, unix.EINVAL))
	}
	var disk Disk
	if a.Device != "" {
		if disk, err = s.Open(a.Device); err != nil {
			return s.refuse(req, err)
		}
	}
	l, err := New(a, disk, Owner{LUID: req.LUID, Boot: s.Boot})
	if err != nil {
		if disk != nil {
			err = errors.Join(err, disk.Close())
		}
		return s.refuse(req, errors.Join(err, unix.EINVAL))
	}
	if s.logs == nil {
		s.logs, s.id = make(map[string]*Log), make(map[string]uint64)
	}
	if old, ok := s.logs[req.UUID]; ok {
		s.trouble(req, errors.Join(old.flush(), old.Close()))
	}
	s.logs[req.UUID], s.id[req.UUID] = l, req.LUID
	s.report(Report{UUID: req.UUID, Request: req.Type, Args: req.Text()})
	if disk == nil {
		return userlog.Reply{}
	}
	return userlog.Text(disk.Number())
}

// destroy removes a log, unless another table has taken its name meanwhile.
func (s *Server) destroy(req *userlog.Request) userlog.Reply {
	l, ok := s.logs[req.UUID]
	if !ok || s.id[req.UUID] != req.LUID {
		return userlog.Reply{}
	}
	delete(s.logs, req.UUID)
	delete(s.id, req.UUID)
	s.trouble(req, errors.Join(l.flush(), l.disown(), l.Close()))
	s.report(Report{UUID: req.UUID, Request: req.Type})
	return userlog.Reply{}
}

func (s *Server) refuse(req *userlog.Request, err error) userlog.Reply {
	s.trouble(req, err)
	return result(err)
}

func (s *Server) trouble(req *userlog.Request, err error) {
	if err != nil {
		s.report(Report{UUID: req.UUID, Request: req.Type, Err: err})
	}
}

func (s *Server) report(r Report) {
	if s.Report != nil {
		s.Report(r)
	}
}
