package mdadm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/manage/array"
)

// confFiles are the places of mdadm.conf as Debian's mdadm knows them: the
// first that exists counts, and with it the folder of the same name and ".d".
var confFiles = [...]string{"/etc/mdadm/mdadm.conf", "/etc/mdadm.conf"}

// conf is what mdadm.conf says, as far as reports need it.
type conf struct {
	name        string   // of the file, for messages
	devices     []string // words of DEVICE lines, last first
	homeHost    string   // of HOMEHOST; "<none>" too
	anyHomeHost bool     // HOMEHOST <ignore>
}

// readConf reads the file or folder that --config names, or mdadm.conf if it
// names none. As mdadm does it complains about what it does not understand,
// and takes a file that cannot be read for an empty one.
func readConf(name string, std ui.IO) *conf {
	c := &conf{name: name}
	switch name {
	case "none":
	case "partitions":
		c.devices = []string{name}
	case "":
		name = confFiles[0]
		if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
			name = confFiles[1]
		}
		c.name = name
		c.read(name, std)
		c.read(name+".d", std)
	default:
		c.read(name, std)
	}
	return c
}

// read takes a file, or the files of a folder that end in ".conf", in the
// order of their names.
func (c *conf) read(name string, std ui.IO) {
	info, err := os.Stat(name)
	if err != nil {
		return
	}
	files := []string{name}
	if info.IsDir() {
		files, _ = filepath.Glob(filepath.Join(name, "?*.conf"))
		slices.Sort(files)
	}
	for _, file := range files {
		if strings.HasPrefix(filepath.Base(file), ".") {
			continue
		}
		if b, err := os.ReadFile(file); err == nil {
			for _, line := range confLines(string(b)) {
				c.line(line, std)
			}
		}
	}
}

// confKeywords are the first words of lines, in the order in which a shortened
// one is looked for.
var confKeywords = [...]string{
	"devices", "array", "mailaddr", "mailfrom", "program", "create", "homehost",
	"homecluster", "auto", "policy", "part-policy", "sysfs", "monitordelay",
}

// keyword gives the full keyword that a word of at least three letters begins.
func keyword(word string) string {
	word = strings.ToLower(word)
	for _, k := range confKeywords {
		if len(word) >= 3 && strings.HasPrefix(k, word) {
			return k
		}
	}
	return ""
}

func (c *conf) line(words []string, std ui.IO) {
	switch keyword(words[0]) {
	case "":
		fmt.Fprintf(std.Err, "mdadm: Unknown keyword %s\n", words[0])
	case "devices":
		for _, w := range words[1:] {
			if strings.HasPrefix(w, "/") || isWord(w, "partitions") || isWord(w, "containers") {
				c.devices = slices.Insert(c.devices, 0, w)
			} else {
				fmt.Fprintf(std.Err, "mdadm: unreconised word on DEVICE line: %s\n", w)
			}
		}
	case "homehost":
		for _, w := range words[1:] {
			if isWord(w, "<ignore>") {
				c.anyHomeHost = true
			} else if c.homeHost == "" {
				c.homeHost = w
			}
		}
	}
}

func isWord(s, word string) bool { return strings.EqualFold(s, word) }

// confLines splits the text of a configuration file into lines of words as
// mdadm does (lib.c, conf_word): a line that begins with a blank carries the
// one before it on, '#' at the start of a word begins a comment, and quotes
// keep blanks within a word.
func confLines(text string) [][]string {
	var lines [][]string
	for raw := range strings.Lines(text) {
		raw = strings.TrimSuffix(raw, "\n")
		words := confWords(raw)
		switch {
		case len(words) == 0:
		case (raw[0] == ' ' || raw[0] == '\t') && len(lines) > 0:
			lines[len(lines)-1] = append(lines[len(lines)-1], words...)
		default:
			lines = append(lines, words)
		}
	}
	return lines
}

func confWords(line string) []string {
	var words []string
	for i := 0; i < len(line); {
		switch line[i] {
		case ' ', '\t':
			i++
			continue
		case '#':
			return words
		}
		var word []byte
		quote := byte(0)
		for ; i < len(line) && (quote != 0 || line[i] != ' ' && line[i] != '\t'); i++ {
			switch c := line[i]; {
			case quote != 0 && c == quote:
				quote = 0
			case quote == 0 && (c == '\'' || c == '"'):
				quote = c
			default:
				word = append(word, c)
			}
		}
		words = append(words, string(word))
	}
	return words
}

// scanDevices lists the devices that --scan looks at: what the configuration
// names, or else everything the kernel knows (config.c, conf_get_devs).
func (c *conf) scanDevices(nodes *array.Nodes, std ui.IO) []string {
	words := c.devices
	if len(words) == 0 {
		words = []string{"partitions"}
	}
	var list, globbed []string
	for _, w := range words {
		switch {
		case isWord(w, "partitions"):
			parts, err := array.Partitions(nodes)
			if err != nil {
				fmt.Fprintln(std.Err, "mdadm: cannot open /proc/partitions")
			}
			list = append(list, parts...)
		case isWord(w, "containers"): // arrays of external metadata, which mdkit does not read
		default:
			matches, _ := filepath.Glob(w)
			globbed = append(globbed, matches...)
		}
	}
	slices.Reverse(globbed)
	return append(globbed, list...)
}

// homeHost is the name of this host in the names and uuids of arrays: the one
// of the command line, of the configuration, or of the system; "" if there is
// to be none.
func (c *Command) homeHost(cf *conf) string {
	name := c.HomeHost
	if name == "" && !c.AnyHomeHost {
		name = cf.homeHost
	}
	if name == "" || isWord(name, "<system>") {
		if system, err := os.Hostname(); err == nil {
			return system
		}
	}
	if isWord(name, "<none>") {
		return ""
	}
	return name
}
