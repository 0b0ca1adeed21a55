package lab

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Coverage of what runs in guests. A test binary built with -cover writes its
// counters at exit as files of package runtime/coverage: into the folder of
// -test.gocoverdir, or into a temporary one. It then makes its profile and its
// percentage from all counter files there that belong to it. So the counters
// of a guest, which runs the same binary, are merged by being put there too.
const coverFlag = "test.gocoverdir"

// covering says whether guests should send their counters.
func covering() bool { return testing.CoverMode() != "" && coverDir() != "" }

func coverDir() string {
	if f := flag.Lookup(coverFlag); f != nil {
		return f.Value.String()
	}
	return ""
}

// prepareCover names a folder for the counters if nobody else did, before the
// tests start. The returned function removes it after the profile was made.
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

// saveCover puts one counter file of a guest where the profile is made from.
// The host writes the meta-data file itself: it is the same binary.
func saveCover(name string, data []byte) error {
	if name != filepath.Base(name) || !strings.HasPrefix(name, "covcounters.") {
		return nil
	}
	return os.WriteFile(filepath.Join(coverDir(), name), data, 0o644)
}
