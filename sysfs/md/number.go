package md

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Number is a count, or the word the kernel prints if there is none: "none",
// "max", "default". The zero value stands for the word.
type Number struct {
	N   uint64 // the count; 0 when Set is false
	Set bool   // false for the word
}

// None is the [Number] that stands for the kernel's word.
var None = Number{}

// Some is the [Number] n.
func Some(n uint64) Number { return Number{N: n, Set: true} }

// String returns the count, or "none".
func (n Number) String() string { return n.text("none") }

func (n Number) text(word string) string {
	if !n.Set {
		return word
	}
	return strconv.FormatUint(n.N, 10)
}

// MarshalJSON returns the count, or null.
func (n Number) MarshalJSON() ([]byte, error) { return []byte(n.text("null")), nil }

func parseNumber(s, word string) (Number, error) {
	if s == word {
		return None, nil
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return None, wanted("a number or " + word)
	}
	return Some(n), nil
}

// Transition is a number that a reshape changes: while it runs the kernel shows
// both values.
type Transition struct {
	Now       int64 // what the array is, or is being changed into
	Old       int64 // what it was; equal to Now when not Reshaping
	Reshaping bool  // both values are in use
}

// String returns the kernel's form: "5" or, while reshaping, "5 (4)".
func (t Transition) String() string {
	if !t.Reshaping {
		return strconv.FormatInt(t.Now, 10)
	}
	return fmt.Sprintf("%d (%d)", t.Now, t.Old)
}

// parseTransition reads "N" or "N (M)" (md.c layout_show, raid_disks_show,
// chunk_size_show).
func parseTransition(s string) (Transition, error) {
	now, old, both := strings.Cut(s, " ")
	if both {
		old, both = cutParens(old)
		if !both {
			return Transition{}, wanted("a number, or two as in 5 (4)")
		}
	} else {
		old = now
	}
	n, err1 := strconv.ParseInt(now, 10, 64)
	o, err2 := strconv.ParseInt(old, 10, 64)
	if err1 != nil || err2 != nil {
		return Transition{}, wanted("a number, or two as in 5 (4)")
	}
	return Transition{Now: n, Old: o, Reshaping: both}, nil
}

func cutParens(s string) (string, bool) {
	s, ok1 := strings.CutPrefix(s, "(")
	s, ok2 := strings.CutSuffix(s, ")")
	return s, ok1 && ok2
}

// Limit is a setting that an array either has for itself or takes from the
// system.
type Limit struct {
	N     uint64 // the value in force
	Local bool   // set for this array; false when it follows the system
}

// String returns the kernel's form: "1000 (system)".
func (l Limit) String() string {
	from := "system"
	if l.Local {
		from = "local"
	}
	return fmt.Sprintf("%d (%s)", l.N, from)
}

// parseLimit reads "1000 (system)" (md.c sync_min_show).
func parseLimit(s string) (Limit, error) {
	num, from, _ := strings.Cut(s, " ")
	n, err := strconv.ParseUint(num, 10, 64)
	if err != nil || from != "(local)" && from != "(system)" {
		return Limit{}, wanted("a number and (local) or (system)")
	}
	return Limit{N: n, Local: from == "(local)"}, nil
}

// System is what to write for a [Limit] to follow the system again.
const System uint64 = 0

func formatLimit(n uint64) string {
	if n == System {
		return "system"
	}
	return strconv.FormatUint(n, 10)
}

// Choice is a setting for which the kernel lists all values and marks one.
type Choice struct {
	Current   string   // the marked one; "" when none is
	Available []string // all of them, in the kernel's order
}

// String returns the kernel's form: "[write-through] write-back".
func (c Choice) String() string {
	words := make([]string, len(c.Available))
	for i, w := range c.Available {
		if w == c.Current {
			w = "[" + w + "]"
		}
		words[i] = w
	}
	return strings.Join(words, " ")
}

// parseChoice reads "[write-through] write-back" (raid5-cache.c
// r5c_journal_mode_show) and "none [bitmap] llbitmap" (md.c bitmap_type_show).
func parseChoice(s string) (Choice, error) {
	var c Choice
	for _, w := range strings.Fields(s) {
		if strings.HasPrefix(w, "[") && strings.HasSuffix(w, "]") && len(w) > 2 && c.Current == "" {
			w = w[1 : len(w)-1]
			c.Current = w
		}
		if w == "" || strings.ContainsAny(w, "[]") || slices.Contains(c.Available, w) {
			return Choice{}, wanted("words, one of them in brackets")
		}
		c.Available = append(c.Available, w)
	}
	if len(c.Available) == 0 {
		return Choice{}, wanted("words, one of them in brackets")
	}
	return c, nil
}

// Progress is how far a resync, recovery, check or reshape has progressed.
type Progress struct {
	Running bool   // false: nothing is running
	Delayed bool   // waits for another array that shares a disk
	Done    uint64 // sectors of 512 bytes done
	Total   uint64 // sectors of 512 bytes to do
}

// String returns the kernel's form: "none", "delayed" or "1024 / 4096".
func (p Progress) String() string {
	switch {
	case !p.Running:
		return "none"
	case p.Delayed:
		return "delayed"
	}
	return fmt.Sprintf("%d / %d", p.Done, p.Total)
}

// parseProgress reads md.c sync_completed_show.
func parseProgress(s string) (Progress, error) {
	switch s {
	case "none":
		return Progress{}, nil
	case "delayed":
		return Progress{Running: true, Delayed: true}, nil
	}
	done, total, _ := strings.Cut(s, " / ")
	d, err1 := strconv.ParseUint(done, 10, 64)
	t, err2 := strconv.ParseUint(total, 10, 64)
	if err1 != nil || err2 != nil {
		return Progress{}, wanted("none, delayed, or done / total")
	}
	return Progress{Running: true, Done: d, Total: t}, nil
}

// parseSeconds reads seconds with up to nine decimals, such as "0.204" (md.c
// safe_delay_show) and "5" (md-bitmap.c timeout_show).
func parseSeconds(s string) (time.Duration, error) {
	whole, frac, _ := strings.Cut(s, ".")
	sec, err := strconv.ParseUint(whole, 10, 32)
	if err != nil || len(frac) > 9 {
		return 0, wanted("seconds")
	}
	ns := uint64(0)
	if frac != "" {
		ns, err = strconv.ParseUint((frac + "000000000")[:9], 10, 32)
		if err != nil {
			return 0, wanted("seconds")
		}
	}
	return time.Duration(sec)*time.Second + time.Duration(ns), nil
}

// formatSeconds prints seconds with as many decimals as the kernel accepts: its
// parser cuts off any more (md.c strict_strtoul_scaled).
func formatSeconds(d time.Duration, decimals int) string {
	unit := time.Second
	for range decimals {
		unit /= 10
	}
	n := int64(d / unit)
	scale := int64(time.Second / unit)
	return fmt.Sprintf("%d.%0*d", n/scale, decimals, n%scale)
}

// UUID is the identity of an array, in the order of its superblock 1.x.
type UUID [16]byte

// String returns the kernel's form: 818ca0a2-0e43-63e9-fe4f-f39101401bd4.
func (u UUID) String() string {
	h := hex.EncodeToString(u[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func parseUUID(s string) (UUID, error) {
	var u UUID
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return u, wanted("a uuid of 8-4-4-4-12 digits")
	}
	b, err := hex.DecodeString(s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:])
	if err != nil || len(b) != len(u) {
		return u, wanted("a uuid of 8-4-4-4-12 digits")
	}
	return UUID(b), nil
}
