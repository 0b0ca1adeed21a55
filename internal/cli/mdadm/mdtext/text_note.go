package mdtext

import "github.com/mdkit/mdkit/manage/note"

// noteText are mdadm's sentences for the notes of package note.
var noteText = map[note.ID]string{
	"note.held-up-by-its-own-action-idle-ends": "%s is held up by its own %s; --action=idle ends that",
	"note.kernel":                      "kernel: %s",
	"note.too-small-for-md":            "%s is too small for md: size is %d sectors.",
	"note.cannot-read-superblock":      "Cannot read superblock on %s",
	"note.no-superblock-magic":         "No super block found on %s (Expected magic %08x, got %08x)",
	"note.cannot-interpret-superblock": "Cannot interpret superblock on %s - version is %d",
	"note.superblock-elsewhere":        "No superblock found on %s (super_offset is wrong)",
}
