package lab

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"testing"
)

// Main is the body of a package's TestMain:
//
//	func TestMain(m *testing.M) { lab.Main(m) }
//
// In a lab machine, where this binary is init, it sets the machine up, runs the
// requested test in a child process, and switches the machine off. Otherwise it
// runs the package's tests as usual and exits.
func Main(m *testing.M) {
	if isInit() {
		runInit()
	}
	flag.Parse()
	seedRapid()
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

// seedRapid makes property tests (pgregory.net/rapid) follow the seed as well,
// unless the user has given them a seed of their own.
func seedRapid() {
	const name = "rapid.seed"
	f := flag.Lookup(name)
	if f == nil || f.Value.String() != "0" {
		return
	}
	if n, err := seed(); err == nil {
		flag.Set(name, strconv.FormatUint(max(n, 1), 10)) //nolint:errcheck // it is a number
	}
}

// verbose and short pass the host's -v and -short on.
func verbose() bool { return testing.Verbose() }
func short() bool   { return testing.Short() }
