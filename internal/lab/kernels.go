package lab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/mdkit/mdkit/internal/lab/fetch"
)

// The lab's kernels are named after their roles, not their releases: the release
// in a Debian suite changes, in sid every few weeks, and no test must fail
// because of that. Their releases are read from the packages.
const (
	Oldest = "oldest"
	Stable = "stable"
	Newest = "newest"
)

// Kernels lists the kernels, from the oldest to the newest.
func Kernels() []string { return []string{Oldest, Stable, Newest} }

// umlSuites says which suite each kernel comes from.
var umlSuites = map[string]string{Oldest: "bookworm", Stable: "trixie", Newest: "sid"}

// isSeries reports whether a name is a release or the beginning of one, such as
// 6.12.
func isSeries(name string) bool {
	_, err := strconv.Atoi(strings.SplitN(name, ".", 2)[0])
	return err == nil
}

// inSeries reports whether a release belongs to a series: 6.12.113 belongs to
// 6.12 and to 6, but not to 6.1.
func inSeries(release, series string) bool {
	rest, ok := strings.CutPrefix(release, series)
	return ok && (rest == "" || strings.ContainsAny(rest[:1], ".-"))
}

// numbers returns the numbers that a release begins with: 6, 12, 113 for
// "6.12.113-rc1".
func numbers(release string) []int {
	var list []int
	for {
		end := strings.IndexFunc(release, func(r rune) bool { return r < '0' || r > '9' })
		if end < 0 {
			end = len(release)
		}
		n, err := strconv.Atoi(release[:end])
		if err != nil {
			return list
		}
		list = append(list, n)
		if end == len(release) || release[end] != '.' {
			return list
		}
		release = release[end+1:]
	}
}

// AtLeast reports whether a release is least or later, by their numbers: 6.12.3
// is at least 6.12, 6.1.176 is not.
func AtLeast(release, least string) bool {
	return slices.Compare(numbers(release), numbers(least)) >= 0
}

// AtLeast reports whether the machine's kernel is of that release or a later one.
// It is for what a kernel does not show by itself: whether it has a module, an
// attribute or a target is better looked up than inferred.
func (g *Guest) AtLeast(release string) bool { return AtLeast(g.Release, release) }

// umlUnpacked is the kernel package of a suite in the cache.
type umlUnpacked struct {
	role, suite string
	dir         string
	modules     string // folder of modules
	release     string // after which that folder is named
}

// lookUML finds a kernel in the cache; ok is false if it is not there.
func lookUML(store *fetch.Store, role string) (u umlUnpacked, ok bool, err error) {
	u = umlUnpacked{role: role, suite: umlSuites[role]}
	if u.dir, ok = store.Lookup(u.suite, umlPackage); !ok {
		return u, false, nil
	}
	if _, have := store.Lookup(u.suite, libcPackage); !have && u.suite != ownLibc {
		return u, false, nil
	}
	found, err := filepath.Glob(filepath.Join(u.dir, "usr/lib/uml/modules/*"))
	if err == nil && len(found) != 1 {
		err = fmt.Errorf("%d module folders in %s, want 1", len(found), u.dir)
	}
	if err != nil {
		return u, false, fmt.Errorf("kernel %s: %w", role, err)
	}
	u.modules, u.release = found[0], filepath.Base(found[0])
	return u, true, nil
}

// needUML finds a kernel in the cache, fetching it if that is allowed.
func needUML(ctx context.Context, store *fetch.Store, role string) (umlUnpacked, error) {
	u, ok, err := lookUML(store, role)
	if ok || err != nil {
		return u, err
	}
	if !mayFetch() {
		return u, fmt.Errorf("%w: kernel %s is not in %s; run make lab", errNoLab, role, store.Dir)
	}
	if err := fetchUML(ctx, store, u.suite); err != nil {
		return u, err
	}
	if u, ok, err = lookUML(store, role); err == nil && !ok {
		err = fmt.Errorf("kernel %s: the fetched package is not in %s", role, store.Dir)
	}
	return u, err
}

// namedUML finds the kernel of that name: a role, or a release series for as
// long as a suite has a kernel of that series.
func namedUML(ctx context.Context, store *fetch.Store, name string) (umlUnpacked, error) {
	if umlSuites[name] != "" {
		return needUML(ctx, store, name)
	}
	var there []string
	var missing error
	if isSeries(name) {
		for _, role := range Kernels() {
			u, err := needUML(ctx, store, role)
			switch {
			case err != nil:
				// Another suite may have it.
				missing = errors.Join(missing, err)
			case inSeries(u.release, name):
				return u, nil
			default:
				there = append(there, u.release+" ("+role+")")
			}
		}
	}
	err := fmt.Errorf("%w: no kernel %q; the kernels are %s", errNoLab, name, strings.Join(Kernels(), ", "))
	if len(there) > 0 {
		err = fmt.Errorf("%w, here %s", err, strings.Join(there, ", "))
	}
	return umlUnpacked{}, errors.Join(err, missing)
}

// FindKernel finds a user-mode kernel by its role, or by the series of its
// release, and returns both. Like a test it fetches the kernel if MDKIT_LAB
// allows that.
func FindKernel(ctx context.Context, name string) (role, release string, err error) {
	store, err := fetch.Open()
	if err != nil {
		return "", "", err
	}
	store.Log = os.Stderr
	u, err := namedUML(ctx, store, name)
	return u.role, u.release, err
}

// latest is the last of the folders by the numbers of their releases.
func latest(dirs []string, prefix string) string {
	return slices.MaxFunc(dirs, func(a, b string) int {
		a, b = strings.TrimPrefix(filepath.Base(a), prefix), strings.TrimPrefix(filepath.Base(b), prefix)
		return cmp.Or(slices.Compare(numbers(a), numbers(b)), slices.Compare(numbers(abi(a)), numbers(abi(b))), strings.Compare(a, b))
	})
}

// abi is what follows the numbers of a stock kernel's release: 40 of
// "6.1.0-40-amd64".
func abi(release string) string {
	_, after, _ := strings.Cut(release, "-")
	return after
}
