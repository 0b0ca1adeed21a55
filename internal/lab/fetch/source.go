package fetch

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// source is where the system gets Debian itself from.
type source struct {
	uri      string
	signedBy string // key file, or "" for apt's own trust
}

// line is the one-line form of sources.list(5) for another suite.
func (s source) line(suite string) string {
	opt := ""
	if s.signedBy != "" {
		opt = "[signed-by=" + s.signedBy + "] "
	}
	return fmt.Sprintf("deb %s%s %s main\n", opt, s.uri, suite)
}

// mainSuite matches a release of Debian itself: a bare code name, not
// "-updates", "-security" or a private suite with a slash.
var mainSuite = regexp.MustCompile(`^[a-z]+$`)

// debianKeys is the key ring of package debian-archive-keyring. Its keys sign
// every suite that the lab asks for, whatever suite the system runs.
const debianKeys = "/usr/share/keyrings/debian-archive-keyring.gpg"

// systemSource finds the first source of Debian under etc, which is /etc/apt,
// in both of sources.list(5)'s styles.
func systemSource(etc string) (source, error) {
	files, _ := filepath.Glob(filepath.Join(etc, "sources.list.d", "*"))
	slices.Sort(files)
	files = append([]string{filepath.Join(etc, "sources.list")}, files...)
	for _, f := range files {
		ext := filepath.Ext(f)
		if ext != ".list" && ext != ".sources" {
			continue
		}
		b, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		parse := parseOneLine
		if ext == ".sources" {
			parse = parseDeb822
		}
		if src, ok := parse(string(b)); ok {
			if src.signedBy == "" {
				if _, err := os.Stat(debianKeys); err == nil {
					src.signedBy = debianKeys
				}
			}
			return src, nil
		}
	}
	return source{}, fmt.Errorf("%w: %s names no Debian mirror", ErrUnsupported, etc)
}

// archivePath matches a mirror, including one that serves the archive of a
// certain day under a longer path.
var archivePath = regexp.MustCompile(`/debian(/|$)`)

// isDebian tells the distribution's own archive from other sources by what all
// its mirrors have in common: a path with /debian, and component main.
func isDebian(uri string, suites, components []string) bool {
	return archivePath.MatchString(uri) &&
		slices.ContainsFunc(suites, mainSuite.MatchString) &&
		slices.Contains(components, "main")
}

func parseOneLine(text string) (source, bool) {
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), "deb ")
		if !ok {
			continue
		}
		var src source
		rest = strings.TrimSpace(rest)
		if strings.HasPrefix(rest, "[") {
			opts, after, ok := strings.Cut(rest[1:], "]")
			if !ok {
				continue
			}
			rest = after
			for _, o := range strings.Fields(opts) {
				if v, ok := strings.CutPrefix(o, "signed-by="); ok && filepath.IsAbs(v) {
					src.signedBy = v
				}
			}
		}
		f := strings.Fields(rest)
		if len(f) < 3 || !isDebian(f[0], f[1:2], f[2:]) {
			continue
		}
		src.uri = f[0]
		return src, true
	}
	return source{}, false
}

func parseDeb822(text string) (source, bool) {
	stanza := map[string]string{}
	check := func() (source, bool) {
		defer clear(stanza)
		if strings.EqualFold(stanza["enabled"], "no") || !slices.Contains(strings.Fields(stanza["types"]), "deb") {
			return source{}, false
		}
		uris := strings.Fields(stanza["uris"])
		if len(uris) == 0 || !isDebian(uris[0], strings.Fields(stanza["suites"]), strings.Fields(stanza["components"])) {
			return source{}, false
		}
		src := source{uri: uris[0]}
		if key := stanza["signed-by"]; filepath.IsAbs(key) {
			src.signedBy = key
		}
		return src, true
	}
	key := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case strings.HasPrefix(line, "#"):
		case strings.TrimSpace(line) == "":
			if src, ok := check(); ok {
				return src, true
			}
			key = ""
		case line[0] == ' ' || line[0] == '\t':
			if key != "" {
				stanza[key] += "\n" + strings.TrimSpace(line)
			}
		default:
			if k, v, ok := strings.Cut(line, ":"); ok {
				key = strings.ToLower(strings.TrimSpace(k))
				stanza[key] = strings.TrimSpace(v)
			}
		}
	}
	return check()
}
