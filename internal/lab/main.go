package lab

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

// Main is the body of a package's TestMain:
//
//	func TestMain(m *testing.M) { lab.Main(m) }
//
// In a lab machine, where this binary is init, it sets the machine up, runs
// the test asked for in a child, and switches the machine off. Else it runs the
// package's tests as usual and exits.
func Main(m *testing.M) {
	if isInit() {
		runInit()
	}
	flag.Parse()
	if InGuest() {
		os.Exit(m.Run())
	}
	cleanup, err := prepareCover()
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(2)
	}
	code := m.Run()
	cleanup()
	os.Remove(plainPath())
	os.Exit(code)
}

// verbose and short pass the host's -v and -short on.
func verbose() bool { return testing.Verbose() }
func short() bool   { return testing.Short() }
