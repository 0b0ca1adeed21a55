package md

import (
	"fmt"
	"strconv"
	"strings"
)

// Layouts of RAID5 and RAID6 (drivers/md/raid5.h, ALGORITHM_*). 8 to 10 and 16
// to 20 are RAID6 only.
const (
	LayoutLeftAsymmetric      int32 = 0
	LayoutRightAsymmetric     int32 = 1
	LayoutLeftSymmetric       int32 = 2
	LayoutRightSymmetric      int32 = 3
	LayoutParityFirst         int32 = 4
	LayoutParityLast          int32 = 5
	LayoutRotatingZeroRestart int32 = 8
	LayoutRotatingNRestart    int32 = 9
	LayoutRotatingNContinue   int32 = 10
	LayoutLeftAsymmetric6     int32 = 16
	LayoutRightAsymmetric6    int32 = 17
	LayoutLeftSymmetric6      int32 = 18
	LayoutRightSymmetric6     int32 = 19
	LayoutParityFirst6        int32 = 20
)

// Layouts of RAID0 (drivers/md/raid0.h, enum r0layout): they differ only in
// arrays whose members differ in size. LayoutRAID0Unspecified is what older
// tools wrote; it does not say which of the two is meant.
const (
	LayoutRAID0Unspecified int32 = 0
	LayoutRAID0Original    int32 = 1
	LayoutRAID0Alternate   int32 = 2
)

// Modes of the faulty level (drivers/md/md-faulty.c): the low five bits of the
// layout. The bits above them are the period in requests.
const (
	FaultyWriteTransient  int32 = 0
	FaultyReadTransient   int32 = 1
	FaultyWritePersistent int32 = 2
	FaultyReadPersistent  int32 = 3
	FaultyWriteAll        int32 = 4
	FaultyReadFixable     int32 = 5
	FaultyClearErrors     int32 = 31
	FaultyClearFaults     int32 = 30
	FaultyModeMask        int32 = 31
	FaultyPeriodShift           = 5
)

type layoutWord struct {
	word string
	n    int32
}

// The word tables are mdadm's (maps.c), in its order: the first word for a
// number is the one that is printed.
var (
	layoutWords5 = []layoutWord{
		{"left-asymmetric", LayoutLeftAsymmetric},
		{"right-asymmetric", LayoutRightAsymmetric},
		{"left-symmetric", LayoutLeftSymmetric},
		{"right-symmetric", LayoutRightSymmetric},
		{"default", LayoutLeftSymmetric},
		{"la", LayoutLeftAsymmetric},
		{"ra", LayoutRightAsymmetric},
		{"ls", LayoutLeftSymmetric},
		{"rs", LayoutRightSymmetric},
		{"parity-first", LayoutParityFirst},
		{"parity-last", LayoutParityLast},
		{"ddf-zero-restart", LayoutRightAsymmetric},
		{"ddf-N-restart", LayoutLeftAsymmetric},
		{"ddf-N-continue", LayoutLeftSymmetric},
	}
	layoutWords6 = []layoutWord{
		{"left-asymmetric", LayoutLeftAsymmetric},
		{"right-asymmetric", LayoutRightAsymmetric},
		{"left-symmetric", LayoutLeftSymmetric},
		{"right-symmetric", LayoutRightSymmetric},
		{"default", LayoutLeftSymmetric},
		{"la", LayoutLeftAsymmetric},
		{"ra", LayoutRightAsymmetric},
		{"ls", LayoutLeftSymmetric},
		{"rs", LayoutRightSymmetric},
		{"parity-first", LayoutParityFirst},
		{"parity-last", LayoutParityLast},
		{"ddf-zero-restart", LayoutRotatingZeroRestart},
		{"ddf-N-restart", LayoutRotatingNRestart},
		{"ddf-N-continue", LayoutRotatingNContinue},
		{"left-asymmetric-6", LayoutLeftAsymmetric6},
		{"right-asymmetric-6", LayoutRightAsymmetric6},
		{"left-symmetric-6", LayoutLeftSymmetric6},
		{"right-symmetric-6", LayoutRightSymmetric6},
		{"parity-first-6", LayoutParityFirst6},
	}
	layoutWords0 = []layoutWord{
		{"original", LayoutRAID0Original},
		{"alternate", LayoutRAID0Alternate},
		{"1", LayoutRAID0Original},
		{"2", LayoutRAID0Alternate},
		{"dangerous", LayoutRAID0Unspecified},
	}
	layoutWordsFaulty = []layoutWord{
		{"write-transient", FaultyWriteTransient},
		{"wt", FaultyWriteTransient},
		{"read-transient", FaultyReadTransient},
		{"rt", FaultyReadTransient},
		{"write-persistent", FaultyWritePersistent},
		{"wp", FaultyWritePersistent},
		{"read-persistent", FaultyReadPersistent},
		{"rp", FaultyReadPersistent},
		{"write-all", FaultyWriteAll},
		{"wa", FaultyWriteAll},
		{"read-fixable", FaultyReadFixable},
		{"rf", FaultyReadFixable},
		{"clear", FaultyClearErrors},
		{"flush", FaultyClearFaults},
		{"none", FaultyClearErrors},
		{"default", FaultyClearErrors},
	}
)

func layoutWords(l Level) []layoutWord {
	switch l {
	case LevelRAID0:
		return layoutWords0
	case LevelRAID5:
		return layoutWords5
	case LevelRAID6:
		return layoutWords6
	case LevelFaulty:
		return layoutWordsFaulty
	}
	return nil
}

// LayoutName returns the word for layout n at the given level, as mdadm prints or
// accepts it: "left-symmetric", "original", "n2". It reports false for numbers
// that have no word, and for levels that have no layouts.
func LayoutName(level Level, n int32) (string, bool) {
	if level == LevelRAID10 {
		r := ParseRAID10Layout(n)
		switch {
		case !r.Valid() || r.FarSets != 0:
			return "", false
		case r.Far == 1 && !r.Offset:
			return "n" + strconv.Itoa(r.Near), true
		case r.Near == 1 && r.Offset:
			return "o" + strconv.Itoa(r.Far), true
		case r.Near == 1:
			return "f" + strconv.Itoa(r.Far), true
		}
		return "", false
	}
	if level == LevelFaulty {
		n &= FaultyModeMask
	}
	for _, w := range layoutWords(level) {
		if w.n == n {
			return w.word, true
		}
	}
	return "", false
}

// ParseLayout understands mdadm's --layout words for a level: those of
// LayoutName, their short forms, "n3" "f2" "o2" for raid10, and a mode followed
// by a period, such as "rt100", for faulty. Any other word is an error.
func ParseLayout(level Level, word string) (int32, error) {
	switch level {
	case LevelRAID10:
		if n, ok := parseRAID10Word(word); ok {
			return n, nil
		}
	case LevelFaulty:
		mode, period, err := parseFaultyWord(word)
		if err != nil {
			return 0, err
		}
		for _, w := range layoutWordsFaulty {
			if w.word == mode {
				return w.n | int32(period)<<FaultyPeriodShift, nil
			}
		}
	default:
		for _, w := range layoutWords(level) {
			if w.word == word {
				return w.n, nil
			}
		}
	}
	return 0, fmt.Errorf("layout %q not understood for %v", word, level)
}

// parseFaultyWord is mdadm's parse_layout_faulty (util.c): the mode ends where digits
// begin, and what follows them does not count. A period that the layout has no room
// for is refused; mdadm cuts bits off it.
func parseFaultyWord(word string) (mode string, period int, err error) {
	at := strings.IndexAny(word, "0123456789")
	if at < 0 {
		return word, 0, nil
	}
	mode, digits := word[:at], word[at:]
	digits = digits[:len(digits)-len(strings.TrimLeft(digits, "0123456789"))]
	if period, err = strconv.Atoi(digits); err != nil || period > 1<<26-1 {
		return "", 0, fmt.Errorf("layout %q: period out of range", word)
	}
	return mode, period, nil
}

// parseRAID10Word is mdadm's parse_layout_10 (util.c): a letter and the number of
// copies, 1 to 200, which strtoul reads: blanks and a sign may come before it.
func parseRAID10Word(word string) (int32, bool) {
	if len(word) < 2 {
		return 0, false
	}
	n, err := strconv.Atoi(strings.TrimLeft(word[1:], " \t\n\v\f\r"))
	if err != nil || n < 1 || n > 200 {
		return 0, false
	}
	copies := int32(n)
	switch word[0] {
	case 'n':
		return 1<<8 + copies, true
	case 'f':
		return copies<<8 + 1, true
	case 'o':
		return 1<<16 + copies<<8 + 1, true
	}
	return 0, false
}

// RAID10Layout holds the parts of a RAID10 layout number (drivers/md/raid10.c,
// setup_geo).
type RAID10Layout struct {
	Near    int  // copies next to each other; bits 0-7
	Far     int  // copies far apart; bits 8-15
	Offset  bool // far copies are one stripe apart instead of half a device; bit 16
	FarSets int  // 0 original far layout, 1 and 2 the improved ones; bits 17 and up
}

// ParseRAID10Layout splits a layout number into its parts. It accepts any number;
// see Valid.
func ParseRAID10Layout(n int32) RAID10Layout {
	return RAID10Layout{
		Near:    int(n & 0xff),
		Far:     int(n >> 8 & 0xff),
		Offset:  n&0x10000 != 0,
		FarSets: int(uint32(n) >> 17),
	}
}

// Copies is how many times each chunk is stored.
func (r RAID10Layout) Copies() int { return r.Near * r.Far }

// Valid reports whether the kernel knows such a layout: at least one near and
// one far copy, and a known way of placing the far ones.
func (r RAID10Layout) Valid() bool {
	return r.Near > 0 && r.Far > 0 && r.FarSets <= 2
}
