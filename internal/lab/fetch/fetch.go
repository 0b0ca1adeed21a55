// Package fetch downloads Debian packages into the user's own cache folder and
// unpacks them there: lab kernels, the tools mdkit is compared with, QEMU.
//
// Nothing is installed and no root is needed. apt-get runs with private state
// and cache folders, dpkg-deb unpacks, and the mirror is the one the system
// itself uses: the first Debian line of /etc/apt with its suite replaced.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// ErrUnsupported means that this system has no way to fetch Debian packages:
// no apt-get, no dpkg-deb, or no Debian source line in /etc/apt.
var ErrUnsupported = errors.New("no Debian package source on this system")

// listsAge is how old apt's package lists may be before they are renewed.
const listsAge = 12 * time.Hour

// Store is one cache folder. Several processes may use it at once: every
// fetch holds a lock file, and a finished tree appears by rename.
type Store struct {
	Dir string    // the cache folder
	Apt string    // folder of apt's own configuration; "" means /etc/apt
	Log io.Writer // progress, one line per step; nil means none
}

// Open returns the store at $MDKIT_CACHE, or else at "mdkit" in
// os.UserCacheDir. The folder need not exist yet.
func Open() (*Store, error) {
	dir := os.Getenv("MDKIT_CACHE")
	if dir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("cache folder: %w; set MDKIT_CACHE", err)
		}
		dir = filepath.Join(base, "mdkit")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("cache folder: %w", err)
	}
	return &Store{Dir: dir}, nil
}

func (s *Store) logf(format string, args ...any) {
	if s.Log != nil {
		fmt.Fprintf(s.Log, "fetch: "+format+"\n", args...)
	}
}

// Lookup returns the folder into which package name of suite was unpacked
// earlier, and whether it is there. It never touches the network.
func (s *Store) Lookup(suite, name string) (string, bool) {
	dir := s.path("pkg", suite, name)
	st, err := os.Stat(dir)
	return dir, err == nil && st.IsDir()
}

// LookupTree is Lookup for the folders that Tree makes.
func (s *Store) LookupTree(suite, key string) (string, bool) {
	dir := s.path("tree", suite, key)
	st, err := os.Stat(dir)
	return dir, err == nil && st.IsDir()
}

func (s *Store) path(kind, suite, name string) string {
	return filepath.Join(s.Dir, kind, suite, name)
}

// nameOK is what Debian Policy 5.6.7 allows in a package name; the same letters
// are used for suites. It keeps anything else out of file names and apt's
// arguments.
var nameOK = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]*$`)

func checkNames(suite string, names ...string) error {
	for _, n := range append([]string{suite}, names...) {
		if !nameOK.MatchString(n) {
			return fmt.Errorf("%q is not a Debian package or suite name", n)
		}
	}
	return nil
}

// Package makes sure that the named package of suite is unpacked in the
// store and returns its folder. Its dependencies are not fetched.
func (s *Store) Package(ctx context.Context, suite, name string) (string, error) {
	if err := checkNames(suite, name); err != nil {
		return "", err
	}
	if dir, ok := s.Lookup(suite, name); ok {
		return dir, nil
	}
	dir := s.path("pkg", suite, name)
	err := s.locked(suite, func() error {
		if _, ok := s.Lookup(suite, name); ok {
			return nil // another process fetched it while we waited
		}
		a, err := s.apt(ctx, suite)
		if err != nil {
			return err
		}
		return a.intoTree(dir, func(work string) ([]string, error) {
			return a.download(ctx, work, name)
		})
	})
	return dir, err
}

// Tree makes sure that the named packages of suite and everything they depend
// on (not what they recommend) are unpacked together in one folder of the
// store, known by key, and returns that folder.
func (s *Store) Tree(ctx context.Context, suite, key string, names ...string) (string, error) {
	if err := checkNames(suite, append(slices.Clone(names), key)...); err != nil {
		return "", err
	}
	if dir, ok := s.LookupTree(suite, key); ok {
		return dir, nil
	}
	dir := s.path("tree", suite, key)
	err := s.locked(suite, func() error {
		if _, ok := s.LookupTree(suite, key); ok {
			return nil
		}
		a, err := s.apt(ctx, suite)
		if err != nil {
			return err
		}
		return a.intoTree(dir, func(string) ([]string, error) {
			return a.downloadAll(ctx, names)
		})
	})
	return dir, err
}

// Resolve returns the name of the first package that meta depends on and whose
// name begins with prefix: this is how a metapackage such as linux-image-amd64
// leads to the current image.
func (s *Store) Resolve(ctx context.Context, suite, meta, prefix string) (string, error) {
	if err := checkNames(suite, meta); err != nil {
		return "", err
	}
	var found string
	err := s.locked(suite, func() error {
		a, err := s.apt(ctx, suite)
		if err != nil {
			return err
		}
		out, err := a.retry(ctx, func() ([]byte, error) {
			out, err := a.run(ctx, "", "apt-cache", "depends", meta)
			if err == nil && !strings.Contains(string(out), "Depends:") {
				err = fmt.Errorf("%s: not in %s", meta, suite)
			}
			return out, err
		})
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(out)) {
			if _, name, ok := strings.Cut(strings.TrimSpace(line), "Depends: "); ok && strings.HasPrefix(name, prefix) {
				found = name
				return nil
			}
		}
		return fmt.Errorf("%s in %s depends on no package named %s*", meta, suite, prefix)
	})
	return found, err
}

// intoTree unpacks the archives that get names into a temporary folder beside
// dir and renames it to dir. get may use the work folder it is given.
func (a *apt) intoTree(dir string, get func(work string) ([]string, error)) error {
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp(parent, ".new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	debs, err := get(work)
	if err != nil {
		return err
	}
	root := filepath.Join(work, "root")
	if err := os.Mkdir(root, 0o755); err != nil {
		return err
	}
	for _, deb := range debs {
		out, err := exec.Command("dpkg-deb", "--extract", deb, root).CombinedOutput()
		if err != nil {
			return fmt.Errorf("unpack %s: %w: %s", filepath.Base(deb), err, lastLine(out))
		}
		os.Remove(deb)
	}
	if err := os.Rename(root, dir); err != nil {
		return err
	}
	a.store.logf("unpacked in %s", dir)
	return nil
}

func lastLine(b []byte) string {
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
