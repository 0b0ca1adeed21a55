package mdadm

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/internal/lab"
)

func TestMain(m *testing.M) {
	if part, ok := parts[filepath.Base(os.Args[0])]; ok {
		os.Exit(part())
	}
	lab.Main(m)
}

// beside lets a test that has a machine of its own run in parallel with others: one
// machine does not keep a processor busy.
func beside(t *testing.T) {
	t.Helper()
	if !lab.InGuest() {
		t.Parallel()
	}
}

// parts are the programs that the test binary stands in for in a guest, by the name
// it is called by.
var parts = map[string]func() int{
	"mdadm":    func() int { return Main(context.Background(), os.Args, ui.Process()) },
	"alert":    recordAlert,
	"sh":       recordMail, // mdadm calls sendmail by way of a shell
	"sendmail": recordMail,
}

// The files in which the parts record what they were given.
const (
	alertRecord = "/run/told.alerts"
	mailRecord  = "/run/told.mails"
	mailEnd     = "\n-- end of mail --\n"
)

// recordAlert records its arguments in one line.
func recordAlert() int { return record(alertRecord, strings.Join(os.Args[1:], "|")+"\n") }

// recordMail records its last argument and its standard input.
func recordMail() int {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return 1
	}
	args := strings.TrimPrefix(os.Args[len(os.Args)-1], "/usr/sbin/sendmail ")
	return record(mailRecord, "sendmail "+args+"\n"+string(text)+mailEnd)
}

func record(path, text string) int {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteString(text)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
