package md

import "fmt"

// Level is a RAID level as superblocks and the kernel number it
// (include/linux/raid/md_u.h, drivers/md/md.h).
type Level int32

// Levels. LevelContainer is mdadm's own, for arrays that hold other arrays; it is
// in no superblock of this package.
const (
	LevelContainer Level = -100
	LevelFaulty    Level = -5
	LevelMultipath Level = -4
	LevelLinear    Level = -1
	LevelRAID0     Level = 0
	LevelRAID1     Level = 1
	LevelRAID4     Level = 4
	LevelRAID5     Level = 5
	LevelRAID6     Level = 6
	LevelRAID10    Level = 10
)

// levelWords is in mdadm's order (maps.c, pers): the first word for a level is
// the one that is printed.
var levelWords = [...]struct {
	word  string
	level Level
}{
	{"linear", LevelLinear},
	{"raid0", LevelRAID0},
	{"0", LevelRAID0},
	{"stripe", LevelRAID0},
	{"raid1", LevelRAID1},
	{"1", LevelRAID1},
	{"mirror", LevelRAID1},
	{"raid4", LevelRAID4},
	{"4", LevelRAID4},
	{"raid5", LevelRAID5},
	{"5", LevelRAID5},
	{"multipath", LevelMultipath},
	{"mp", LevelMultipath},
	{"raid6", LevelRAID6},
	{"6", LevelRAID6},
	{"raid10", LevelRAID10},
	{"10", LevelRAID10},
	{"faulty", LevelFaulty},
	{"container", LevelContainer},
}

// Known reports whether the level has a name.
func (l Level) Known() bool {
	for _, w := range levelWords {
		if w.level == l {
			return true
		}
	}
	return false
}

// String returns mdadm's word, such as "raid5", or "level(7)" for a number that
// is not a level.
func (l Level) String() string {
	for _, w := range levelWords {
		if w.level == l {
			return w.word
		}
	}
	return fmt.Sprintf("level(%d)", int32(l))
}

// MarshalText returns the same word for encoders.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// ParseLevel understands every word that mdadm accepts for --level: "raid5", "5",
// "mirror", "stripe", "mp", ... Any other word is an error.
func ParseLevel(word string) (Level, error) {
	for _, w := range levelWords {
		if w.word == word {
			return w.level, nil
		}
	}
	return 0, fmt.Errorf("invalid raid level: %s", word)
}

// Redundant reports whether arrays of this level can lose a member and go on
// (raid1, 4, 5, 6, 10 and multipath).
func (l Level) Redundant() bool {
	switch l {
	case LevelRAID1, LevelRAID4, LevelRAID5, LevelRAID6, LevelRAID10, LevelMultipath:
		return true
	}
	return false
}

// Striped reports whether the level cuts data into chunks (raid0, 4, 5, 6, 10).
func (l Level) Striped() bool {
	switch l {
	case LevelRAID0, LevelRAID4, LevelRAID5, LevelRAID6, LevelRAID10:
		return true
	}
	return false
}

// Parity reports whether the level keeps parity (raid4, 5, 6): a degraded array of
// such a level that was not shut down cleanly cannot be trusted.
func (l Level) Parity() bool {
	return l == LevelRAID4 || l == LevelRAID5 || l == LevelRAID6
}
