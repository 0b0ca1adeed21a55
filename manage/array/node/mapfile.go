package node

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mdkit/mdkit/engine/md"
)

// MapDir is where mdadm and its udev rules keep what they know about arrays between
// commands.
const MapDir = "/run/mdadm"

// MapUUID is an array's uuid in the form of the map: for superblocks 1.x the sixteen
// bytes taken as four numbers in this machine's byte order, for 0.90 the four words of
// the superblock.
type MapUUID [4]uint32

// MapUUIDFromBytes converts the uuid bytes of a 1.x superblock.
func MapUUIDFromBytes(b [16]byte) MapUUID {
	var u MapUUID
	for i := range u {
		u[i] = binary.NativeEndian.Uint32(b[4*i:])
	}
	return u
}

// MapUUIDFromWords converts the uuid of a 0.90 superblock: four words, as the text form
// of the uuid shows them.
func MapUUIDFromWords(b [16]byte) MapUUID {
	var u MapUUID
	for i := range u {
		u[i] = binary.BigEndian.Uint32(b[4*i:])
	}
	return u
}

// String returns the uuid as the map file shows it.
func (u MapUUID) String() string {
	return fmt.Sprintf("%08x:%08x:%08x:%08x", u[0], u[1], u[2], u[3])
}

// MapEntry is what the map says about one array.
type MapEntry struct {
	Name     string // kernel name, such as md127
	Metadata string // "0.90", "1.2", ...
	UUID     MapUUID
	Path     string // the array's name in /dev, such as /dev/md/home
}

// Map is mdadm's map file, which relates kernel names to uuids and names of arrays
// (mapfile.c): one line for each array. Dir is its folder, MapDir if empty.
type Map struct {
	Dir string

	Held bool // by Lock
}

// Lock prevents everyone else, including mdadm, from changing the map, and so also two
// assemblies of one array at the same time. The map it returns is for changes under the
// lock.
func (m Map) Lock() (held Map, unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(m.path("map")), 0o755); err != nil {
		return m, nil, fmt.Errorf("lock the map of arrays: %w", err)
	}
	unlock, err = m.lock()
	if err != nil {
		return m, nil, fmt.Errorf("lock the map of arrays: %w", err)
	}
	m.Held = true
	return m, unlock, nil
}

func (m Map) path(name string) string {
	dir := m.Dir
	if dir == "" {
		dir = MapDir
	}
	return filepath.Join(dir, name)
}

// Read returns the entries in mdadm's order: last line first. Lines that it cannot parse
// are skipped, as in mdadm. If the file does not exist, the error is fs.ErrNotExist.
func (m Map) Read() ([]MapEntry, error) {
	b, err := os.ReadFile(m.path("map"))
	if err != nil {
		return nil, fmt.Errorf("read the map of arrays: %w", err)
	}
	return parseMap(string(b)), nil
}

func parseMap(text string) []MapEntry {
	var entries []MapEntry
	for line := range strings.Lines(text) {
		w := strings.Fields(line)
		if len(w) < 4 {
			continue
		}
		uuid, ok := ParseMapUUID(w[2])
		if !ok {
			continue
		}
		entries = append(entries, MapEntry{Name: w[0], Metadata: w[1], UUID: uuid, Path: w[3]})
	}
	slices.Reverse(entries)
	return entries
}

// ParseMapUUID parses a uuid as the map of arrays shows it.
func ParseMapUUID(s string) (u MapUUID, ok bool) {
	words := strings.Split(s, ":")
	if len(words) != len(u) {
		return u, false
	}
	for i, w := range words {
		n, err := strconv.ParseUint(w, 16, 32)
		if err != nil {
			return u, false
		}
		u[i] = uint32(n)
	}
	return u, true
}

// Update adds e to the map, in place of the entry with the same kernel name, making
// folder and file as needed.
func (m Map) Update(e MapEntry) error {
	return m.change(func(entries []MapEntry) []MapEntry {
		if i := slices.IndexFunc(entries, func(o MapEntry) bool { return o.Name == e.Name }); i >= 0 {
			entries[i] = e
			return entries
		}
		return slices.Insert(entries, 0, e)
	})
}

// Remove removes the array with this kernel name from the map. It is not an error if the
// map, or the name in it, does not exist.
func (m Map) Remove(name string) error {
	if _, err := os.Stat(m.path("map")); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return m.change(func(entries []MapEntry) []MapEntry {
		return slices.DeleteFunc(entries, func(e MapEntry) bool { return e.Name == name })
	})
}

// change rewrites the map under the lock that mdadm respects too. It renames the new
// file into place, so that readers see either the old or the new one.
func (m Map) change(edit func([]MapEntry) []MapEntry) error {
	if err := os.MkdirAll(filepath.Dir(m.path("map")), 0o755); err != nil {
		return fmt.Errorf("change the map of arrays: %w", err)
	}
	if !m.Held {
		unlock, err := m.lock()
		if err != nil {
			return fmt.Errorf("change the map of arrays: %w", err)
		}
		defer unlock()
	}
	entries, err := m.Read()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var b strings.Builder
	for _, e := range edit(entries) {
		fmt.Fprintf(&b, "%s %s %s %s\n", e.Name, e.Metadata, e.UUID, e.Path)
	}
	if err := os.WriteFile(m.path("map.new"), []byte(b.String()), 0o600); err != nil {
		return fmt.Errorf("change the map of arrays: %w", err)
	}
	if err := os.Rename(m.path("map.new"), m.path("map")); err != nil {
		return fmt.Errorf("change the map of arrays: %w", err)
	}
	return nil
}

// lock takes map.lock. Its owner unlinks it; a lock on a file that has been unlinked
// does not count, and is tried again.
func (m Map) lock() (unlock func(), err error) {
	path := m.path("map.lock")
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return nil, err
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		var st unix.Stat_t
		if err := unix.Fstat(int(f.Fd()), &st); err == nil && st.Nlink > 0 {
			return func() {
				os.Remove(path)
				f.Close()
			}, nil
		}
		f.Close()
	}
}

// MapUUIDOf returns a member's array uuid in the form of the map.
func MapUUIDOf(m *md.Member) MapUUID {
	if s := m.Super0; s != nil {
		return MapUUID{s.SetUUID0, s.SetUUID1, s.SetUUID2, s.SetUUID3}
	}
	return MapUUIDFromBytes(m.Super1.SetUUID)
}
