package dm

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// Exchange is one command that went through a [Transport]. Its JSON form holds
// requests and replies in hexadecimal, in the byte order of the machine that
// recorded them.
type Exchange struct {
	Command Command
	Request []byte        // struct dm_ioctl and payload as sent, without zeros at the end
	Reply   []byte        // as it came back, without zeros at the end; nil if Errno is set
	Result  int           // what ioctl(2) returned
	Errno   syscall.Errno // the refusal, or 0
	Poll    bool          // this is not a command but a wait for events
}

type exchangeJSON struct {
	Command string `json:"command"`
	Request string `json:"request,omitempty"`
	Reply   string `json:"reply,omitempty"`
	Result  int    `json:"result,omitempty"`
	Errno   int    `json:"errno,omitempty"`
}

const pollWord = "poll"

// MarshalJSON returns one line.
func (x Exchange) MarshalJSON() ([]byte, error) {
	j := exchangeJSON{
		Command: x.Command.String(), Request: hex.EncodeToString(x.Request), Reply: hex.EncodeToString(x.Reply),
		Result: x.Result, Errno: int(x.Errno),
	}
	if x.Poll {
		j.Command = pollWord
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (x *Exchange) UnmarshalJSON(b []byte) error {
	var j exchangeJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	req, err := hex.DecodeString(j.Request)
	if err != nil {
		return fmt.Errorf("request: %w", err)
	}
	reply, err := hex.DecodeString(j.Reply)
	if err != nil {
		return fmt.Errorf("reply: %w", err)
	}
	*x = Exchange{Request: req, Reply: reply, Result: j.Result, Errno: syscall.Errno(j.Errno)}
	if j.Command == pollWord {
		x.Poll = true
		return nil
	}
	for c := range Command(numCommands) {
		if c.String() == j.Command {
			x.Command = c
			return nil
		}
	}
	return fmt.Errorf("no command is called %q", j.Command)
}

// Recorder is a Transport that records what goes through another. Requests with
// the flag SECURE_DATA are recorded without their payload.
type Recorder struct {
	t     Transport
	notes *notes
}

type notes struct {
	mu   sync.Mutex
	list []Exchange
}

// Record records what goes through t, and through those that its Another makes.
func Record(t Transport) *Recorder { return &Recorder{t: t, notes: &notes{}} }

// Exchanges returns what has been recorded, in the order of the replies.
func (r *Recorder) Exchanges() []Exchange {
	r.notes.mu.Lock()
	defer r.notes.mu.Unlock()
	return slices.Clone(r.notes.list)
}

func (r *Recorder) note(x Exchange) {
	r.notes.mu.Lock()
	defer r.notes.mu.Unlock()
	r.notes.list = append(r.notes.list, x)
}

// Do passes a command on.
func (r *Recorder) Do(cmd Command, buf []byte) (int, error) {
	x := Exchange{Command: cmd, Request: noted(buf)}
	result, err := r.t.Do(cmd, buf)
	switch {
	case err == nil:
		x.Result, x.Reply = result, trim(buf)
	case !errors.As(err, &x.Errno):
		return result, err
	}
	r.note(x)
	return result, err
}

// noted is the part of a request that is recorded.
func noted(buf []byte) []byte {
	if len(buf) >= headerSize && Flags(native.Uint32(buf[offFlags:]))&FlagSecureData != 0 {
		buf = buf[:headerSize]
	}
	return trim(buf)
}

// trim copies buf without zeros at the end.
func trim(buf []byte) []byte { return slices.Clone(bytes.TrimRight(buf, "\x00")) }

// Poll passes the wait on.
func (r *Recorder) Poll(ctx context.Context) error {
	err := r.t.Poll(ctx)
	if err == nil {
		r.note(Exchange{Poll: true})
	}
	return err
}

// Another opens a second Transport, which is recorded in the same place.
func (r *Recorder) Another() (Transport, error) {
	t, err := r.t.Another()
	if err != nil {
		return nil, err
	}
	return &Recorder{t: t, notes: r.notes}, nil
}

// Close closes the Transport below.
func (r *Recorder) Close() error { return r.t.Close() }

// Script is a Transport that plays exchanges back, for tests without a kernel.
// Requests must be those recorded, in the same order; the lengths of buffers do
// not matter. The first difference is remembered, and every command from then
// on fails.
type Script struct {
	mu   sync.Mutex
	left []Exchange
	err  error
}

// NewScript returns a Script that plays the given exchanges.
func NewScript(exchanges []Exchange) *Script { return &Script{left: slices.Clone(exchanges)} }

// ErrScript is matched by all differences from a [Script].
var ErrScript = errors.New("not in the script")

// Done fails if a request was sent that is not in the script, or if part of the
// script has not been played.
func (s *Script) Done() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil && len(s.left) > 0 {
		return fmt.Errorf("%w: %d exchanges are left, the next is %s", ErrScript, len(s.left), s.left[0].what())
	}
	return s.err
}

func (x Exchange) what() string {
	if x.Poll {
		return pollWord
	}
	return x.Command.String()
}

func (s *Script) next(what string) (Exchange, error) {
	if s.err == nil {
		switch {
		case len(s.left) == 0:
			s.err = fmt.Errorf("%w: %s after its end", ErrScript, what)
		case s.left[0].what() != what:
			s.err = fmt.Errorf("%w: %s, where %s comes next", ErrScript, what, s.left[0].what())
		}
	}
	if s.err != nil {
		return Exchange{}, s.err
	}
	x := s.left[0]
	s.left = s.left[1:]
	return x, nil
}

// Do answers a command.
func (s *Script) Do(cmd Command, buf []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.next(cmd.String())
	if err != nil {
		return 0, err
	}
	if diff := differ(noted(buf), x.Request); diff != "" {
		s.err = fmt.Errorf("%w: %v with another %s", ErrScript, cmd, diff)
		return 0, s.err
	}
	if x.Errno != 0 {
		return 0, x.Errno
	}
	if len(x.Reply) > len(buf) {
		s.err = fmt.Errorf("%w: %v with room for %d bytes, the reply has %d", ErrScript, cmd, len(buf), len(x.Reply))
		return 0, s.err
	}
	clear(buf)
	copy(buf, x.Reply)
	return x.Result, nil
}

// differ names the first field of a request that is not as recorded.
func differ(got, want []byte) string {
	fields := []struct {
		name     string
		from, to int
	}{
		{"version", 0, offDataSize},
		{"number of targets", offTargets, offOpen},
		{"flag word", offFlags, offEventNr},
		{"event number or cookie", offEventNr, offDev - 4},
		{"device number", offDev, offName},
		{"name", offName, offUUID},
		{"UUID", offUUID, offData},
		{"payload", headerSize, max(len(got), len(want), headerSize)},
	}
	for _, f := range fields {
		if !bytes.Equal(cut(got, f.from, f.to), cut(want, f.from, f.to)) {
			return f.name
		}
	}
	return ""
}

// cut is b[from:to] of a buffer that is taken to continue with zeros.
func cut(b []byte, from, to int) []byte {
	if from >= len(b) {
		return nil
	}
	return bytes.TrimRight(b[from:min(to, len(b))], "\x00")
}

// Poll answers a wait: at once if the script has one here, or when ctx ends if
// the script has been played to its end.
func (s *Script) Poll(ctx context.Context) error {
	s.mu.Lock()
	over := s.err == nil && len(s.left) == 0
	var err error
	if !over {
		_, err = s.next(pollWord)
	}
	s.mu.Unlock()
	if over {
		<-ctx.Done()
		return ctx.Err()
	}
	return err
}

// Another returns a second Transport on the same script.
func (s *Script) Another() (Transport, error) { return s, nil }

// Close does nothing; see [Script.Done].
func (s *Script) Close() error { return nil }

// WriteExchanges writes exchanges as text, one line of JSON each.
func WriteExchanges(list []Exchange) (string, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	for _, x := range list {
		if err := enc.Encode(x); err != nil {
			return "", err
		}
	}
	return b.String(), nil
}

// ReadExchanges reads what WriteExchanges writes.
func ReadExchanges(text string) ([]Exchange, error) {
	var list []Exchange
	dec := json.NewDecoder(strings.NewReader(text))
	for dec.More() {
		var x Exchange
		if err := dec.Decode(&x); err != nil {
			return nil, fmt.Errorf("exchange %d: %w", len(list)+1, err)
		}
		list = append(list, x)
	}
	return list, nil
}
