package lab

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// coverFlag names the folder for coverage counters. A test binary built with
// -cover writes its counters there at exit, or into a temporary folder, as files
// of package runtime/coverage, and makes its profile and its percentage from all
// counter files in that folder that belong to it. So the counters of a guest,
// which runs the same binary, are merged by putting them there too.
const coverFlag = "test.gocoverdir"

// covering reports whether guests should send their counters.
func covering() bool { return testing.CoverMode() != "" && coverDir() != "" }

func coverDir() string {
	if f := flag.Lookup(coverFlag); f != nil {
		return f.Value.String()
	}
	return ""
}

// prepareCover chooses a folder for the counters before the tests start, unless
// one is set already. The returned function removes it once the profile is made.
func prepareCover() (func(), error) {
	if testing.CoverMode() == "" || coverDir() != "" {
		return func() {}, nil
	}
	dir, err := os.MkdirTemp("", "mdkit-cover-")
	if err != nil {
		return nil, err
	}
	if err := flag.Set(coverFlag, dir); err != nil {
		return nil, fmt.Errorf("coverage folder: %w", err)
	}
	return func() { os.RemoveAll(dir) }, nil
}

// saveCover stores one counter file of a guest in the folder from which the
// profile is made. The host writes the meta-data file itself: it is the same
// binary.
func saveCover(name string, data []byte) error {
	if name != filepath.Base(name) || !strings.HasPrefix(name, "covcounters.") {
		return nil
	}
	return os.WriteFile(filepath.Join(coverDir(), name), data, 0o644)
}
