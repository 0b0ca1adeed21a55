package watch

import (
	"bytes"
	"context"
	"fmt"
	"net/mail"
	"os/exec"
)

// Sendmail is the program that sends mail to the recipients named in its text.
const Sendmail = "/usr/sbin/sendmail"

// Mailer sends mail about the events that mdadm sends mail about.
type Mailer struct {
	To   string
	From string // "" for mdadm's own
	Host string // name of this host, for the text
	// Mdstat returns the current text of /proc/mdstat, which the mail quotes; if it
	// is nil or fails, the mail quotes nothing.
	Mdstat func() ([]byte, error)
	Later  bool // the text is that of mdadm since 4.3
}

// Message is the mail about an event, word for word as mdadm writes it
// (Monitor.c, alert; with Debian's sender).
func (m *Mailer) Message(e Event) []byte {
	var b bytes.Buffer
	from := m.From
	if from == "" {
		from = "mdadm monitoring <root@" + m.Host + ">"
	}
	fmt.Fprintf(&b, "From: %s\nTo: %s\nSubject: %s event on %s:%s\n\n", from, m.To, e.Name, e.Array, m.Host)
	if m.Later {
		m.later(&b, e)
		return b.Bytes()
	}
	fmt.Fprintf(&b, "This is an automatically generated mail message from mdadm\nrunning on %s\n\n", m.Host)
	fmt.Fprintf(&b, "A %s event had been detected on md device %s.\n\n", e.Name, e.Array)
	switch {
	case e.Component != "":
		fmt.Fprintf(&b, "It could be related to component device %s.\n\n", e.Component)
	case e.Extra != "":
		fmt.Fprintf(&b, "Extra information: %s.\n\n", e.Extra)
	}
	b.WriteString("Faithfully yours, etc.\n")
	if m.Mdstat == nil {
		return b.Bytes()
	}
	if stat, err := m.Mdstat(); err == nil {
		b.WriteString("\nP.S. The /proc/mdstat file currently contains the following:\n\n")
		b.Write(stat)
	}
	return b.Bytes()
}

// later writes the text of later versions (mdmonitor.c, send_event_email).
func (m *Mailer) later(b *bytes.Buffer, e Event) {
	fmt.Fprintf(b, "This is an automatically generated mail message.\n%s\n", e.Message())
	if m.Mdstat == nil {
		return
	}
	if stat, err := m.Mdstat(); err == nil {
		b.WriteString("The /proc/mdstat file currently contains the following:\n\n")
		b.Write(stat)
	}
}

// Args are the arguments for sendmail. Relays may refuse mail whose envelope sender is
// a local user, so that of a From is given, too; mdadm does so since 4.5.
func (m *Mailer) Args() []string {
	if from, err := mail.ParseAddress(m.From); err == nil {
		return []string{"-f" + from.Address, "-t"}
	}
	return []string{"-t"}
}

// Send sends mail about the event, if it is one that mdadm sends mail about, and
// waits until sendmail has taken it.
func (m *Mailer) Send(ctx context.Context, e Event) error {
	if !e.Mailed() {
		return nil
	}
	cmd := exec.CommandContext(ctx, Sendmail, m.Args()...)
	cmd.Stdin = bytes.NewReader(m.Message(e))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("mail to %s about %s of %s: %s: %w%s", m.To, e.Name, e.Array, Sendmail, err, said(out))
	}
	return nil
}

// said formats the output of a failed program, to follow its error.
func said(out []byte) string {
	if out = bytes.TrimSpace(out); len(out) == 0 {
		return ""
	}
	first, _, _ := bytes.Cut(out, []byte("\n"))
	return ": " + string(first)
}
