package md

import (
	"strconv"
	"strings"

	"github.com/mdkit/mdkit/sysfs"
)

// parseState reads what follows the name: state, level, members. If an array
// has neither members nor a size, its metadata is on this line, too.
func (a *MdstatArray) parseState(words []string) {
	a.Metadata = Metadata{Kind: MetadataNative, Minor: 90}
	if len(words) == 0 {
		return
	}
	a.State, words = words[0], words[1:]
	for len(words) > 0 && strings.HasPrefix(words[0], "(") {
		switch words[0] {
		case "(read-only)":
			a.ReadOnly = true
		case "(auto-read-only)":
			a.AutoReadOnly = true
		default:
			a.Unparsed = append(a.Unparsed, words[0])
		}
		words = words[1:]
	}
	if len(words) > 0 && a.State != "inactive" && !strings.Contains(words[0], "[") && words[0] != "super" {
		a.Level, words = Level(words[0]), words[1:]
	}
	for i, w := range words {
		if w == "super" {
			a.parseSize(words[i:])
			return
		}
		m, flags, ok := parseMember(w)
		if !ok {
			a.Unparsed = append(a.Unparsed, w)
			continue
		}
		a.Unparsed = append(a.Unparsed, flags...)
		a.Members = append(a.Members, m)
	}
}

// parseMember reads "sda1[0](W)(F)". The name may hold anything but a space.
// Flags that are not the kernel's, such as a vendor's "(E)", are returned.
func parseMember(w string) (m MdstatMember, flags []string, ok bool) {
	rest := w
	for strings.HasSuffix(rest, ")") {
		i := strings.LastIndexByte(rest, '(')
		if i < 0 {
			return m, nil, false
		}
		switch rest[i:] {
		case "(W)":
			m.WriteMostly = true
		case "(J)":
			m.Journal = true
		case "(F)":
			m.Faulty = true
		case "(S)":
			m.Spare = true
		case "(R)":
			m.Replacement = true
		default:
			flags = append([]string{rest[i:]}, flags...)
		}
		rest = rest[:i]
	}
	rest, ok = strings.CutSuffix(rest, "]")
	i := strings.LastIndexByte(rest, '[')
	if !ok || i < 1 {
		return m, nil, false
	}
	n, err := strconv.Atoi(rest[i+1:])
	m.Name, m.Number = rest[:i], n
	return m, flags, err == nil
}

// parseDetail reads one indented line. Progress and bitmap lines are recognized
// by how they begin; any other line that begins with a number is the size.
func (a *MdstatArray) parseDetail(line string) {
	words := strings.Fields(line)
	var ok bool
	switch {
	case words[0] == "bitmap:":
		ok = a.parseBitmap(line)
	case strings.HasPrefix(words[0], "[") && len(words) > 1 && strings.Contains(line, "="):
		ok = a.parseProgress(words[1:])
	case len(words) == 1 && strings.Contains(line, "="):
		ok = a.parseWaiting(line)
	case words[0] == "super" || len(words) > 1 && words[1] == "blocks":
		a.parseSize(words)
		ok = true
	}
	if !ok {
		a.Unparsed = append(a.Unparsed, line)
	}
}

// parseWaiting reads "resync=DELAYED" and the like (md.c status_resync).
func (a *MdstatArray) parseWaiting(line string) bool {
	action, why, _ := strings.Cut(line, "=")
	s := MdstatSync{Action: action}
	switch why {
	case "DELAYED":
		s.Delayed = true
	case "PENDING":
		s.Pending = true
	case "REMOTE":
		s.Remote = true
	default:
		return false
	}
	switch action {
	case "resync", "recover", "recovery", "reshape", "check":
		a.Sync = &s
		return true
	}
	return false
}

// parseProgress reads "reshape =  1.1% (3072/260096) finish=1.3min
// speed=3072K/sec", the text after the bar. The space on either side of the
// first = may be missing.
func (a *MdstatArray) parseProgress(words []string) bool {
	rest := strings.Join(words, " ")
	action, rest, ok := strings.Cut(rest, "=")
	if !ok {
		return false
	}
	s := MdstatSync{Action: strings.TrimSpace(action)}
	f := strings.Fields(rest)
	if len(f) != 4 {
		return false
	}
	percent, ok1 := strings.CutSuffix(f[0], "%")
	amounts, ok2 := cutParens(f[1])
	finish, ok3 := strings.CutPrefix(f[2], "finish=")
	finish, ok4 := strings.CutSuffix(finish, "min")
	speed, ok5 := strings.CutPrefix(f[3], "speed=")
	speed, ok6 := strings.CutSuffix(speed, "K/sec")
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || !ok6 {
		return false
	}
	perMille, ok1 := parseTenths(percent)
	s.PerMille = int(perMille)
	done, total, ok2 := strings.Cut(amounts, "/")
	s.FinishTenths, ok3 = parseTenths(finish)
	var err1, err2, err3 error
	s.Done, err1 = strconv.ParseUint(done, 10, 64)
	s.Total, err2 = strconv.ParseUint(total, 10, 64)
	s.SpeedKiB, err3 = strconv.ParseInt(speed, 10, 64)
	if !ok1 || !ok2 || !ok3 || err1 != nil || err2 != nil || err3 != nil || perMille > 1000 {
		return false
	}
	switch s.Action {
	case "resync", "recovery", "reshape", "check":
		a.Sync = &s
		return true
	}
	return false
}

// parseTenths reads a number with one decimal, in tenths.
func parseTenths(s string) (uint64, bool) {
	whole, frac, ok := strings.Cut(s, ".")
	if !ok || len(frac) != 1 || frac[0] < '0' || frac[0] > '9' {
		return 0, false
	}
	n, err := strconv.ParseUint(whole, 10, 56)
	return n*10 + uint64(frac[0]-'0'), err == nil
}

// parseBitmap reads "bitmap: 0/1 pages [0KB], 65536KB chunk, file: /path".
func (a *MdstatArray) parseBitmap(line string) bool {
	head, file, _ := strings.Cut(line, ", file: ")
	f := strings.Fields(head)
	if len(f) != 6 || f[2] != "pages" || f[5] != "chunk" {
		return false
	}
	used, total, _ := strings.Cut(f[1], "/")
	memory, ok1 := strings.CutPrefix(f[3], "[")
	memory, ok2 := strings.CutSuffix(memory, "KB],")
	if !ok1 || !ok2 {
		return false
	}
	unit := uint64(1)
	chunk, kb := strings.CutSuffix(f[4], "KB")
	if kb {
		unit = 1024
	} else if chunk, kb = strings.CutSuffix(f[4], "B"); !kb {
		return false
	}
	b := MdstatBitmap{File: sysfs.Unescape(file)}
	var err [4]error
	b.PagesUsed, err[0] = strconv.ParseUint(used, 10, 64)
	b.PagesTotal, err[1] = strconv.ParseUint(total, 10, 64)
	b.UsedKiB, err[2] = strconv.ParseUint(memory, 10, 64)
	b.Chunk, err[3] = strconv.ParseUint(chunk, 10, 54)
	b.Chunk *= unit
	for _, e := range err {
		if e != nil {
			return false
		}
	}
	a.Bitmap = &b
	return true
}

// parseSize reads "1040384 blocks super 1.2" and what the personality adds. Words
// that it does not know are set aside; those in a row are kept together.
func (a *MdstatArray) parseSize(words []string) {
	var unknown []string
	for len(words) > 0 {
		n := a.parseSizeWord(words)
		if n == 0 {
			unknown, words = append(unknown, words[0]), words[1:]
			continue
		}
		a.setAside(unknown)
		unknown, words = nil, words[min(n, len(words)):]
	}
	a.setAside(unknown)
}

func (a *MdstatArray) setAside(unknown []string) {
	if len(unknown) > 0 {
		a.Unparsed = append(a.Unparsed, strings.Join(unknown, " "))
	}
}

// parseSizeWord parses one item at the front and returns how many words it
// took.
func (a *MdstatArray) parseSizeWord(w []string) int {
	next := func(i int) string {
		if i < len(w) {
			return strings.TrimSuffix(w[i], ",")
		}
		return ""
	}
	g := &a.Geometry
	switch w[0] {
	case "super":
		if next(1) == "non-persistent" {
			a.Metadata = Metadata{}
			return 2
		}
		m, err := parseMetadata(next(1))
		if err != nil || m.Kind == MetadataNone {
			return 0
		}
		if m.Kind == MetadataExternal {
			m.External = strings.TrimPrefix(w[1], "external:") // may end with a comma
		}
		a.Metadata = m
		return 2
	case "level":
		return setInt(&g.Level, next(1), 2)
	case "algorithm":
		return setInt(&g.Algorithm, next(1), 2)
	}
	if strings.HasPrefix(w[0], "[") {
		return a.parseSlots(w[0])
	}
	switch next(1) {
	case "blocks":
		n, err := strconv.ParseUint(w[0], 10, 64)
		if err != nil {
			return 0
		}
		a.Blocks = n
		return 2
	case "chunk", "chunks":
		return setKiB(&g.ChunkKiB, w[0])
	case "rounding":
		return setKiB(&g.RoundingKiB, w[0])
	case "near-copies":
		return setInt(&g.NearCopies, w[0], 2)
	case "far-copies":
		return setInt(&g.FarCopies, w[0], 2)
	case "offset-copies":
		return setInt(&g.OffsetCopies, w[0], 2)
	case "devices":
		if next(2) == "per" && next(3) == "set" {
			return setInt(&g.DevicesPerSet, w[0], 4)
		}
		return 0
	}
	return g.parseFault(w[0])
}

// parseSlots reads "[5/3]" and "[_UUU_]", in which a vendor's kernel may use
// letters of its own.
func (a *MdstatArray) parseSlots(w string) int {
	w, ok := strings.CutSuffix(w[1:], "]")
	if !ok {
		return 0
	}
	if total, working, ok := strings.Cut(w, "/"); ok {
		n, err1 := strconv.Atoi(total)
		m, err2 := strconv.Atoi(working)
		if err1 != nil || err2 != nil || n < 0 {
			return 0
		}
		a.RaidDisks, a.Working = n, m
		return 1
	}
	if w == "" || strings.ContainsFunc(w, func(r rune) bool { return r != '_' && (r < 'A' || r > 'Z') }) {
		return 0
	}
	a.Slots = w
	return 1
}

// parseFault reads what md-faulty.c faulty_status prints: "ReadTransient=3(10)",
// "WriteAll", "nfaults=2".
func (g *MdstatGeometry) parseFault(w string) int {
	key, value, _ := strings.Cut(w, "=")
	switch key {
	case "WriteTransient", "ReadTransient", "WritePersistent", "ReadPersistent", "ReadFixable", "WriteAll", "nfaults":
		if g.Faults == nil {
			g.Faults = make(map[string]string)
		}
		g.Faults[key] = value
		return 1
	}
	return 0
}

func setInt(dst *int, s string, words int) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	*dst = n
	return words
}

// setKiB parses the number of "512k" or "512K".
func setKiB(dst *uint64, s string) int {
	num, ok := strings.CutSuffix(strings.ToLower(s), "k")
	n, err := strconv.ParseUint(num, 10, 64)
	if !ok || err != nil {
		return 0
	}
	*dst = n
	return 2
}
