package watch

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Priorities of syslog(3), of the facility daemon.
const (
	facilityDaemon = 3 << 3
	logCrit        = 2
	logWarning     = 4
	logInfo        = 6
)

// logSocket is where a syslog daemon listens (glibc, _PATH_LOG).
const logSocket = "/dev/log"

// Syslog sends events to the system log.
type Syslog struct {
	Tag    string // name of the program
	Socket string // of the daemon, "" for /dev/log
	Later  bool   // sentences and priorities are those of mdadm since 4.3

	conn   net.Conn
	stream bool
}

// Priority is the priority with which mdadm 4.2 logs an event. All but the gravest
// are warnings, and only SparesMissing has a lower one (Monitor.c, alert).
func Priority(e Event) int {
	switch {
	case e.Severity() == Critical:
		return logCrit
	case e.Name == SparesMissing:
		return logInfo
	}
	return logWarning
}

// severityPriority is the priority of each severity, which later mdadm goes by.
var severityPriority = map[string]int{Critical: logCrit, Warning: logWarning, Info: logInfo}

// Send logs the event. If the daemon has been restarted, it connects again.
func (s *Syslog) Send(e Event) error {
	priority, sentence := Priority(e), e.String()
	if s.Later {
		priority, sentence = severityPriority[e.Severity()], e.Message()
	}
	text := fmt.Sprintf("<%d>%s %s[%d]: %s", facilityDaemon|priority, e.Time.Format(time.Stamp), s.Tag, os.Getpid(),
		strings.TrimRight(sentence, "\n"))
	err := s.write(text)
	if err != nil && s.conn != nil {
		s.Close()
		err = s.write(text)
	}
	if err != nil {
		return fmt.Errorf("log %s of %s: %w", e.Name, e.Array, err)
	}
	return nil
}

func (s *Syslog) write(text string) error {
	if s.conn == nil {
		if err := s.dial(); err != nil {
			return err
		}
	}
	if s.stream {
		text += "\x00"
	}
	_, err := s.conn.Write([]byte(text))
	return err
}

// dial connects as glibc does: with datagrams, or with a stream if the daemon wants
// that.
func (s *Syslog) dial() error {
	socket := s.Socket
	if socket == "" {
		socket = logSocket
	}
	var err error
	s.conn, err = net.Dial("unixgram", socket)
	if s.stream = errors.Is(err, unix.EPROTOTYPE); s.stream {
		s.conn, err = net.Dial("unix", socket)
	}
	return err
}

// Close ends the connection.
func (s *Syslog) Close() {
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
}
