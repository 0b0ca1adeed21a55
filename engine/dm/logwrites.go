package dm

// LogWrites writes through to a device and logs every write to another
// (dm-log-writes.c).
type LogWrites struct {
	Device string // "major:minor" or a path
	Log    string // the log device, likewise
}

// Type is "log-writes".
func (LogWrites) Type() string { return "log-writes" }

// Params is `<dev> <log dev>`.
func (a LogWrites) Params() string { return join(a.Device, a.Log) }

// Devices are the device and the log.
func (a LogWrites) Devices() []Ref { return []Ref{Ref(a.Device), Ref(a.Log)} }

func (a LogWrites) areas(length uint64) []area { return []area{{a.Device, 0, length}} }

func parseLogWrites(c *ctr) (Args, error) {
	if len(c.args) < 2 {
		return nil, c.fail("", "Invalid argument count")
	}
	a := LogWrites{Device: c.next(), Log: c.next()}
	if _, err := c.device("device", a.Device, "Device lookup failed"); err != nil {
		return nil, err
	}
	if _, err := c.device("log", a.Log, "Log device lookup failed"); err != nil {
		return nil, err
	}
	return a, nil
}

// LogWritesStatus is the state of the log.
type LogWritesStatus struct {
	Entries  uint64
	Last     uint64 // the last sector written; all ones before the first
	Disabled bool   // set after an error of the log device
}

// Type is "log-writes".
func (LogWritesStatus) Type() string { return "log-writes" }

// String is `<entries> <last sector>[ logging_disabled]`.
func (s LogWritesStatus) String() string {
	if s.Disabled {
		return join(utoa(s.Entries), utoa(s.Last), "logging_disabled")
	}
	return join(utoa(s.Entries), utoa(s.Last))
}

func parseLogWritesStatus(s *scan) (Status, error) {
	st := LogWritesStatus{Entries: s.u64("entries"), Last: s.u64("last sector")}
	if len(s.words) > 0 {
		st.Disabled = s.either("state", "logging_disabled", "logging_disabled")
	}
	return st, nil
}
