package dlm

import (
	"fmt"
	"hash/crc32"
)

// MaxName is the longest name of a lockspace or a resource, in bytes
// (DLM_LOCKSPACE_LEN, DLM_RESNAME_MAXLEN).
const MaxName = 64

// MaxNodes is the largest number of nodes that dlm_controld accepts (MAX_NODES);
// the kernel itself has no limit of its own.
const MaxNodes = 128

// GlobalID is the number under which all nodes know a lockspace: each writes it to
// /sys/kernel/dlm/NAME/id before it starts it. It is what dlm_controld computes
// (group.c, cpgname_to_crc of "dlm:ls:NAME" with its closing zero), so that nodes of
// both kinds agree.
func GlobalID(lockspace string) uint32 {
	return crc32.ChecksumIEEE([]byte("dlm:ls:" + lockspace + "\x00"))
}

// CheckLockspaceName says why no lockspace can have that name: it is also a folder
// in sysfs and configfs and a device in /dev.
func CheckLockspaceName(name string) error {
	return checkName("lockspace", name)
}

// CheckClusterName says why no cluster can have that name. A newline would become
// a part of it, and the kernel then finds that no lockspace belongs to it
// (fs/dlm/config.c cluster_cluster_name_store).
func CheckClusterName(name string) error {
	return checkName("cluster", name)
}

// checkName allows what is one word in every file that shows it.
func checkName(what, name string) error {
	bad := func(why string) error {
		return &Error{Op: "name a " + what, Resource: name, Mode: ModeNone, Class: ErrInvalid, Meaning: why}
	}
	switch {
	case name == "":
		return bad("it needs a name")
	case len(name) >= MaxName:
		return bad(fmt.Sprintf("%d bytes; the kernel keeps at most %d", len(name), MaxName-1))
	case name == "." || name == "..":
		return bad("that is a folder")
	}
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c > '~' || c == '/' {
			return bad(fmt.Sprintf("byte %d is %q; only graphic ASCII without blank and slash goes", i, c))
		}
	}
	return nil
}
