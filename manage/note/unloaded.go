package note

import "github.com/mdkit/mdkit/engine/md"

// Unloaded says why a device has no superblock of the version asked for.
func Unloaded(e *md.LoadError) Sentence {
	switch e.Why {
	case md.LoadTooSmall:
		return Of("note.too-small-for-md", e.Device, e.Size)
	case md.LoadUnreadable:
		return Of("note.cannot-read-superblock", e.Device)
	case md.LoadMagic:
		return Of("note.no-superblock-magic", e.Device, uint32(md.SuperMagic), e.Found)
	case md.LoadVersion:
		return Of("note.cannot-interpret-superblock", e.Device, e.Found)
	}
	return Of("note.superblock-elsewhere", e.Device)
}
