package fetch

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// etc makes a folder like /etc/apt of these files.
func etc(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestSystemSource(t *testing.T) {
	for _, c := range []struct {
		name, file, text string
		want             source
	}{
		{"one line", "sources.list", "# deb http://old.example/debian bookworm main\ndeb-src http://mirror.example/debian bookworm main\ndeb http://mirror.example/debian bookworm main contrib\n", source{uri: "http://mirror.example/debian"}},
		{"options", "sources.list.d/x.list", "deb [arch=amd64 signed-by=/keys/a.gpg] http://mirror.example/debian/ trixie main # c\n", source{"http://mirror.example/debian/", "/keys/a.gpg"}},
		{"others first", "sources.list", "deb http://mirror.example/debian-security bookworm-security main\ndeb http://tools.example/apt stable main\ndeb http://mirror.example/debian bookworm main\n", source{uri: "http://mirror.example/debian"}},
		{"deb822", "sources.list.d/debian.sources", "Types: deb\n# why\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\nComponents: main\nSigned-By: /keys/b.gpg\n\nTypes: deb\nURIs: http://mirror.example/debian-security\nSuites: bookworm-security\nComponents: main\n", source{"http://mirror.example/debian", "/keys/b.gpg"}},
		{"deb822, disabled", "sources.list.d/debian.sources", "Enabled: no\nTypes: deb\nURIs: http://no.example/debian\nSuites: sid\nComponents: main\n\nTypes: deb deb-src\nURIs: http://yes.example/debian\nSuites: sid\nComponents:\n main\n contrib\n", source{uri: "http://yes.example/debian"}},
		{"key in place", "sources.list.d/debian.sources", "Types: deb\nURIs: http://mirror.example/debian\nSuites: sid\nComponents: main\nSigned-By:\n -----BEGIN\n .\n x\n", source{uri: "http://mirror.example/debian"}},
		{"an archive of some day", "sources.list", "deb http://snap.example/archive/debian/20250101T000000Z bookworm main\n", source{uri: "http://snap.example/archive/debian/20250101T000000Z"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := systemSource(etc(t, map[string]string{c.file: c.text}))
			if err != nil {
				t.Fatal(err)
			}
			if got.signedBy == debianKeys {
				got.signedBy = ""
			}
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
	_, err := systemSource(etc(t, map[string]string{"sources.list": "deb http://mirror.example/ubuntu noble main\n"}))
	if !errors.Is(err, ErrUnsupported) {
		t.Errorf("another distribution: %v", err)
	}
}

// TestOffline wants one clear line, and nothing half done in the store.
func TestOffline(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := &Store{Dir: t.TempDir(), Log: &log, Apt: etc(t, map[string]string{
		"sources.list": "deb http://127.0.0.1:1/debian bookworm main\n",
	})}
	_, err := s.Package(t.Context(), "bookworm", "hello")
	if errors.Is(err, ErrUnsupported) {
		t.Skip(err)
	}
	if err == nil {
		t.Fatal("offline: no error")
	}
	text := err.Error()
	if strings.Contains(text, "\n") || !strings.Contains(text, "bookworm") || !strings.Contains(text, "127.0.0.1") {
		t.Errorf("offline: %v", err)
	}
	t.Log(err)
	if _, ok := s.Lookup("bookworm", "hello"); ok {
		t.Error("the package is there")
	}
	if left, _ := filepath.Glob(filepath.Join(s.Dir, "pkg", "*", "*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestNames(t *testing.T) {
	s := &Store{Dir: t.TempDir()}
	for _, bad := range []string{"", "../x", "-o", "a b", "A"} {
		if _, err := s.Package(t.Context(), "bookworm", bad); err == nil {
			t.Errorf("package %q was accepted", bad)
		}
		if _, err := s.Tree(t.Context(), bad, "key", "hello"); err == nil {
			t.Errorf("suite %q was accepted", bad)
		}
	}
}
