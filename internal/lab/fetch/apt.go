package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// apt is apt-get in a private folder, for one suite.
type apt struct {
	store *Store
	suite string
	dir   string // state, cache and configuration
	conf  string // configuration file, read last, so that it wins
	fresh bool   // this process has renewed the lists
}

// apt prepares the private folder of a suite.
func (s *Store) apt(ctx context.Context, suite string) (*apt, error) {
	for _, tool := range []string{"apt-get", "apt-cache", "dpkg-deb"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
		}
	}
	etc := s.Apt
	if etc == "" {
		etc = "/etc/apt"
	}
	src, err := systemSource(etc)
	if err != nil {
		return nil, err
	}
	a := &apt{store: s, suite: suite, dir: filepath.Join(s.Dir, "apt", suite)}
	a.conf = filepath.Join(a.dir, "apt.conf")
	for _, d := range []string{"state/lists/partial", "cache/archives/partial", "dpkg"} {
		if err := os.MkdirAll(filepath.Join(a.dir, d), 0o755); err != nil {
			return nil, fmt.Errorf("cache folder: %w", err)
		}
	}
	if err := os.WriteFile(a.status(), nil, 0o644); err != nil {
		return nil, fmt.Errorf("cache folder: %w", err)
	}
	list := filepath.Join(a.dir, "sources.list")
	line := src.line(suite)
	if old, err := os.ReadFile(list); err != nil || string(old) != line {
		// Lists from another mirror are no longer of use.
		os.Remove(a.stamp())
		if err := os.WriteFile(list, []byte(line), 0o644); err != nil {
			return nil, err
		}
	}
	if err := os.WriteFile(a.conf, []byte(a.config(list)), 0o644); err != nil {
		return nil, err
	}
	return a, a.renew(ctx, false)
}

// config is the private configuration. Sandbox::User root means "stay who you
// are": apt would otherwise try to become _apt, which cannot read the cache of
// an ordinary user. Expired lists will do, as long as they are signed: a mirror
// that lags behind still has kernels. The hooks are cleared because Debian's
// container images come with hooks that work on the system's own folders.
func (a *apt) config(list string) string {
	return fmt.Sprintf(`Dir::State %q;
Dir::State::status %q;
Dir::Cache %q;
Dir::Etc::sourcelist %q;
Dir::Etc::sourceparts "/dev/null";
Dir::Log %q;
APT::Sandbox::User "root";
APT::Architecture "amd64";
APT::Install-Recommends "false";
APT::Install-Suggests "false";
Acquire::Check-Valid-Until "false";
Acquire::Languages "none";
Acquire::GzipIndexes "true";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
#clear DPkg::Pre-Install-Pkgs;
`, filepath.Join(a.dir, "state"), a.status(), filepath.Join(a.dir, "cache"), list, a.dir)
}

// status is dpkg's list of installed packages, which is empty. It has a folder
// of its own because apt-get install puts its locks beside it.
func (a *apt) status() string { return filepath.Join(a.dir, "dpkg", "status") }

func (a *apt) stamp() string { return filepath.Join(a.dir, "updated") }

// renew runs apt-get update when the lists are missing or old, or when forced.
func (a *apt) renew(ctx context.Context, force bool) error {
	if a.fresh {
		return nil
	}
	if st, err := os.Stat(a.stamp()); !force && err == nil && time.Since(st.ModTime()) < listsAge {
		return nil
	}
	a.store.logf("reading the package lists of %s", a.suite)
	if _, err := a.run(ctx, "", "apt-get", "update", "-q"); err != nil {
		return fmt.Errorf("package lists of %s: %w (offline?)", a.suite, err)
	}
	a.fresh = true
	return os.WriteFile(a.stamp(), nil, 0o644)
}

// retry runs get, and runs it once more with fresh lists if it fails: a package
// may have been replaced on the mirror since the lists were read.
func (a *apt) retry(ctx context.Context, get func() ([]byte, error)) ([]byte, error) {
	out, err := get()
	if err == nil || a.fresh {
		return out, err
	}
	if err := a.renew(ctx, true); err != nil {
		return nil, err
	}
	return get()
}

// download puts one package's archive into work.
func (a *apt) download(ctx context.Context, work, name string) ([]string, error) {
	a.store.logf("downloading %s of %s", name, a.suite)
	_, err := a.retry(ctx, func() ([]byte, error) {
		return a.run(ctx, work, "apt-get", "download", "-q", name)
	})
	if err != nil {
		return nil, fmt.Errorf("package %s of %s: %w", name, a.suite, err)
	}
	debs, err := filepath.Glob(filepath.Join(work, "*.deb"))
	if err == nil && len(debs) != 1 {
		err = fmt.Errorf("package %s of %s: apt-get left %d archives", name, a.suite, len(debs))
	}
	return debs, err
}

// downloadAll puts the archives of the packages and of all they depend on into
// apt's private cache. The status file is empty, so that nothing counts as
// installed.
func (a *apt) downloadAll(ctx context.Context, names []string) ([]string, error) {
	a.store.logf("downloading %s of %s with what they depend on", strings.Join(names, " "), a.suite)
	archives := filepath.Join(a.dir, "cache", "archives")
	old, err := filepath.Glob(filepath.Join(archives, "*.deb"))
	if err != nil {
		return nil, err
	}
	for _, f := range old {
		os.Remove(f) // left by an interrupted run, perhaps for other names
	}
	_, err = a.retry(ctx, func() ([]byte, error) {
		args := append([]string{"install", "-q", "-y", "--download-only", "--no-install-recommends"}, names...)
		return a.run(ctx, "", "apt-get", args...)
	})
	if err != nil {
		return nil, fmt.Errorf("packages %s of %s: %w", strings.Join(names, " "), a.suite, err)
	}
	return filepath.Glob(filepath.Join(archives, "*.deb"))
}

// run runs one apt tool in work and returns its standard output. The error
// includes apt's own last complaint, which names the host or the file.
func (a *apt) run(ctx context.Context, work, tool string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, tool, append([]string{"-c=" + a.conf}, args...)...)
	cmd.Dir = work
	if work == "" {
		cmd.Dir = a.dir
	}
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if a.store.Log != nil && tool == "apt-get" {
		cmd.Stdout = io.MultiWriter(&out, a.store.Log)
	}
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("%s: %w", tool, complaint(errs.String(), err))
	}
	// apt-get update succeeds even if it could not reach any mirror.
	if strings.Contains(errs.String(), "Failed to fetch") {
		return nil, fmt.Errorf("%s: %w", tool, complaint(errs.String(), nil))
	}
	return out.Bytes(), nil
}

// complaint is the most informative line of apt's messages: which file could not
// be fetched from which host, or else the first error.
func complaint(text string, err error) error {
	var first string
	for line := range strings.Lines(text) {
		msg := strings.TrimSpace(line)
		if len(msg) > 3 && (strings.HasPrefix(msg, "E: ") || strings.HasPrefix(msg, "W: ")) {
			msg = msg[3:]
		}
		if strings.HasPrefix(msg, "Failed to fetch") {
			return errors.New(msg)
		}
		if first == "" && strings.HasPrefix(line, "E: ") {
			first = msg
		}
	}
	if first != "" {
		return errors.New(first)
	}
	return fmt.Errorf("%w: %s", err, lastLine([]byte(text)))
}
