package node

import (
	"crypto/sha1"
	"encoding/binary"
	"strings"

	"github.com/mdkit/mdkit/engine/md"
)

// Home is the host that arrays may belong to.
type Home struct {
	Host    string // "" for none
	Ignored bool   // names match with any host in front of them
}

// NameMatches compares an array's name with the one that is wanted; "host:" in front of
// it may be left out for arrays of this host (Assemble.c, name_matches).
func (h Home) NameMatches(found, want string) bool {
	if found == want {
		return true
	}
	host, name, ok := strings.Cut(found, ":")
	if !ok || name != want {
		return false
	}
	return host == "any" || h.Host == "any" || h.Ignored || h.Host != "" && host == h.Host
}

// Owns reports whether the array belongs to this host according to its superblock: by
// the name in format 1, by a hash in the uuid in 0.90 (match_home in super1.c and
// super0.c).
func (h Home) Owns(m *md.Member) bool {
	if h.Host == "" {
		return false
	}
	if m.Super0 != nil {
		sum := sha1.Sum([]byte(h.Host))
		return m.Super0.SetUUID2 == binary.NativeEndian.Uint32(sum[:]) &&
			m.Super0.SetUUID3 == binary.NativeEndian.Uint32(sum[4:])
	}
	return len(h.Host) < 32 && strings.HasPrefix(m.Super1.Name(), h.Host+":")
}
