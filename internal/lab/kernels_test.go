package lab

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// cacheOf makes a cache folder with kernel packages of these releases, by suite.
func cacheOf(t *testing.T, releases map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for suite, release := range releases {
		for _, file := range []string{
			"user-mode-linux/usr/bin/linux.uml",
			"user-mode-linux/usr/lib/uml/modules/" + release + "/kernel/drivers/md/raid1.ko",
			"libc6/usr/lib64/ld-linux-x86-64.so.2",
		} {
			path := filepath.Join(dir, "pkg", suite, file)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Setenv("MDKIT_CACHE", dir)
	t.Setenv(labEnv, "")
}

// TestRollingKernel gives suites other releases than they have today.
func TestRollingKernel(t *testing.T) {
	cacheOf(t, map[string]string{"bookworm": "6.1.999", "trixie": "6.12.3", "sid": "9.9.1"})
	for _, c := range []struct{ name, role, release string }{
		{Oldest, Oldest, "6.1.999"},
		{Stable, Stable, "6.12.3"},
		{Newest, Newest, "9.9.1"},
		{"6.1", Oldest, "6.1.999"},
		{"6.12", Stable, "6.12.3"},
		{"6.12.3", Stable, "6.12.3"},
		{"9.9", Newest, "9.9.1"},
		{"9", Newest, "9.9.1"},
	} {
		role, release, err := FindKernel(t.Context(), c.name)
		if err != nil || role != c.role || release != c.release {
			t.Errorf("%s: %s, %s, %v", c.name, role, release, err)
		}
	}
	for name, want := range map[string]string{"7.2": "9.9.1 (newest)", "sid": "oldest, stable, newest", "": "no kernel"} {
		_, _, err := FindKernel(t.Context(), name)
		if !errors.Is(err, errNoLab) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestKernelMissing checks that a kernel is found even if the others are missing.
func TestKernelMissing(t *testing.T) {
	cacheOf(t, map[string]string{"sid": "9.9.1-rc2"})
	if role, release, err := FindKernel(t.Context(), "9.9"); err != nil || role != Newest || release != "9.9.1-rc2" {
		t.Errorf("%s, %s, %v", role, release, err)
	}
	for _, name := range []string{Oldest, "6.1"} {
		if _, _, err := FindKernel(t.Context(), name); !errors.Is(err, errNoLab) || !strings.Contains(err.Error(), "make lab") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReleases(t *testing.T) {
	// Each is at least as new as those before it, and older than those after it.
	order := []string{"5", "6.1", "6.1.0-9-amd64", "6.1.176", "6.8", "6.12", "6.12.113", "7.2.7", "7.3-rc1", "8.0", "10.0.0"}
	for i, a := range order {
		for j, b := range order {
			if AtLeast(a, b) != (i >= j) {
				t.Errorf("AtLeast(%s, %s) = %v", a, b, AtLeast(a, b))
			}
		}
	}
	for _, c := range []struct {
		release, series string
		want            bool
	}{
		{"6.12.3", "6.1", false},
		{"6.1.176", "6.1", true},
		{"6.1", "6.1", true},
		{"6.1-rc1", "6.1", true},
		{"7.2.7", "7.2.7", true},
		{"7.2.71", "7.2.7", false},
	} {
		if inSeries(c.release, c.series) != c.want {
			t.Errorf("%s in %s: %v", c.release, c.series, !c.want)
		}
	}
	stock := []string{"p/linux-image-6.1.0-9-amd64", "p/linux-image-6.1.0-40-amd64", "p/linux-image-6.1.0-13-amd64"}
	for range 3 {
		if got := latest(stock, "linux-image-"); got != "p/linux-image-6.1.0-40-amd64" {
			t.Errorf("the latest is %s", got)
		}
		stock = slices.Concat(stock[1:], stock[:1])
	}
}
