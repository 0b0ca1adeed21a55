package dmsetup

import (
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/internal/cli/ui"
	"github.com/mdkit/mdkit/manage/mapper"
	"github.com/mdkit/mdkit/sysfs"

	"golang.org/x/term"
)

// symbols are the pieces from which the lines of a tree are made.
type symbols struct {
	empty, branch, vertical, last string // two columns each
	single, first                 string // three columns, in compact drawings
	graphic                       bool   // has escapes: do not ask for the width of the terminal
}

func asciiSymbols() symbols {
	return symbols{empty: "  ", branch: "|-", vertical: "| ", last: "`-", single: "---", first: "-+-"}
}

func utfSymbols() symbols {
	return symbols{empty: "  ", branch: "├─", vertical: "│ ", last: "└─", single: "───", first: "─┬─"}
}

func vt100Symbols() symbols {
	graphic := func(letters string) string { return "\x1b(0\x0f" + letters + "\x1b(B" }
	return symbols{
		empty: "  ", branch: graphic("tq"), vertical: graphic("x") + " ", last: graphic("mq"),
		single: graphic("qqq"), first: graphic("qwq"), graphic: true,
	}
}

// treeStyle is how -o asks for a tree to be drawn.
type treeStyle struct {
	symbols
	device, kernelName       bool // other names of a node to show
	active, rw, open, uuid   bool // attributes of a node to show
	targets                  bool // -o table and -o status: they turn compact off and show nothing
	compact, notrunc, upward bool
	width                    int // columns
}

// attributes reports whether nodes are followed by attributes in brackets.
func (s treeStyle) attributes() bool { return s.active || s.rw || s.open || s.uuid }

// isCompact reports whether the first child goes on its parent's line.
func (s treeStyle) isCompact() bool { return s.compact && !s.attributes() && !s.targets }

// treeOptions parses -o of ls --tree: words, which may be abbreviated.
func treeOptions(options string, out io.Writer) (treeStyle, error) {
	s := treeStyle{symbols: asciiSymbols(), device: true, width: 80}
	if localeIsUTF8() {
		s.symbols = utfSymbols()
	}
	for rest := options; rest != ""; {
		word, more, _ := strings.Cut(rest, ",")
		if !s.set(word) {
			return s, dmopt.Wrong("Tree options not recognised: %s.", rest)
		}
		rest = more
	}
	if f, ok := out.(*os.File); ok && !s.graphic {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 3 {
			s.width = w - 3
		}
	}
	return s, nil
}

func (s *treeStyle) set(word string) bool {
	for _, o := range []struct {
		name string
		do   func()
	}{
		{"device", func() { s.device = true }},
		{"blkdevname", func() { s.kernelName = true }},
		{"nodevice", func() { s.device = false }},
		{"status", func() { s.targets = true }},
		{"table", func() { s.targets = true }},
		{"active", func() { s.active = true }},
		{"open", func() { s.open = true }},
		{"uuid", func() { s.uuid = true }},
		{"rw", func() { s.rw = true }},
		{"utf", func() { s.symbols = utfSymbols() }},
		{"vt100", func() { s.symbols = vt100Symbols() }},
		{"ascii", func() { s.symbols = asciiSymbols() }},
		{"inverted", func() { s.upward = true }},
		{"compact", func() { s.compact = true }},
		{"notrunc", func() { s.notrunc = true }},
	} {
		if strings.HasPrefix(o.name, word) {
			o.do()
			return true
		}
	}
	return false
}

// localeIsUTF8 reports whether the environment asks for UTF-8, looking at the variables
// in the order of setlocale(3).
func localeIsUTF8() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := os.Getenv(name); v != "" {
			v = strings.ToLower(v)
			return strings.HasSuffix(v, ".utf-8") || strings.HasSuffix(v, ".utf8")
		}
	}
	return false
}

// maxDepth is the depth down to which a tree is drawn.
const maxDepth = 100

// drawing is a tree that is being drawn.
type drawing struct {
	treeStyle
	below func(*mapper.TreeNode) []*mapper.TreeNode
	out   io.Writer

	column  int  // of the next character, from 1
	held    byte // the character in the last column, until it is known whether more follow
	indent  [maxDepth]int
	more    [maxDepth]bool // more nodes follow at this depth
	pending strings.Builder
}

// draw draws a tree.
func draw(t *mapper.Tree, out io.Writer, style treeStyle) error {
	top, below := ways(t, style.upward)
	d := &drawing{treeStyle: style, below: below, out: out, column: 1}
	d.level(top, 0)
	_, err := io.WriteString(out, d.pending.String())
	return err
}

func (d *drawing) level(nodes []*mapper.TreeNode, depth int) {
	for i, n := range nodes {
		below := d.below(n)
		d.node(n, depth, i == len(nodes)-1, len(below) > 0)
		if len(below) > 0 {
			d.level(below, depth+1)
		}
	}
}

func (d *drawing) node(n *mapper.TreeNode, depth int, last, hasChildren bool) {
	if depth+2 > maxDepth || n.Name() == "" && !d.device && !d.kernelName {
		return
	}
	d.more[depth], d.indent[depth] = !last, 0
	starts := d.column == 1
	if !d.isCompact() || starts {
		d.prefix(depth)
	}
	from := d.column
	if d.isCompact() && !starts {
		if last {
			d.text(d.single)
		} else {
			d.text(d.first)
		}
	}
	d.text(n.Name())
	if d.kernelName {
		if name, ok := mapper.KernelName(sysfs.Host, n.Number); ok {
			d.text(" <" + name + ">")
		}
	}
	if d.device {
		d.text(" (" + n.Number.String() + ")")
	}
	d.bracket(n)
	if d.isCompact() {
		d.indent[depth] = d.column - from
	}
	if !d.isCompact() || !hasChildren {
		d.newline()
	}
	if d.targets {
		d.more[depth+1] = hasChildren
	}
}

// bracket shows the requested attributes of a mapped device.
func (d *drawing) bracket(n *mapper.TreeNode) {
	if n.Info == nil {
		return
	}
	var words []string
	if d.active {
		words = append(words, ui.Choose(n.Info.Suspended(), "SUSPENDED", "ACTIVE"))
	}
	if d.rw {
		words = append(words, ui.Choose(n.Info.ReadOnly(), "RO", "RW"))
	}
	if d.open {
		words = append(words, strconv.FormatUint(uint64(uint32(n.Info.OpenCount)), 10))
	}
	if d.uuid {
		words = append(words, n.UUID())
	}
	if len(words) > 0 {
		d.text(" [" + strings.Join(words, ", ") + "]")
	}
}

func (d *drawing) prefix(depth int) {
	for i := range depth {
		d.text(strings.Repeat(" ", d.indent[i]+1))
		switch {
		case i == depth-1 && d.more[depth]:
			d.text(d.branch)
		case i == depth-1:
			d.text(d.last)
		case d.more[i+1]:
			d.text(d.vertical)
		default:
			d.text(d.empty)
		}
	}
}

func (d *drawing) text(s string) {
	for i := range len(s) {
		d.char(s[i])
	}
}

// char writes one byte. The first byte of a character takes up a column, further bytes
// none. Lines that exceed the width end in dots.
func (d *drawing) char(c byte) {
	counts := c&0xc0 != 0x80
	if counts {
		d.column++
	}
	if d.notrunc || d.column <= d.width {
		d.pending.WriteByte(c)
	}
	if d.notrunc || d.column != d.width+1 || !counts {
		return
	}
	if d.held != 0 || c >= 0x80 {
		d.pending.WriteString("...")
		return
	}
	d.held = c
	d.column--
}

func (d *drawing) newline() {
	if d.held != 0 && d.column == d.width {
		d.pending.WriteByte(d.held)
	}
	d.held = 0
	d.pending.WriteByte('\n')
	d.column = 1
}
