package native

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/internal/cli/ui"
)

// scrubCheckpoint is the content of a checkpoint file: which array was being
// scrubbed, how far the scrub had come, and what it had counted by then.
type scrubCheckpoint struct {
	ui.Document
	UUID       md.UUID `json:"uuid"`
	Extent     int64   `json:"extent"`   // bytes
	Position   int64   `json:"position"` // bytes
	Mismatches int64   `json:"mismatches"`
	Provable   int64   `json:"provable"`
	Repaired   int64   `json:"repaired"`
	Lost       int64   `json:"lost"`
}

// resume reads the checkpoint, if there is one, and refuses that of another array.
func (o *scrubOptions) resume(s *scrubSummary) error {
	if o.checkpoint == "" {
		return nil
	}
	text, err := os.ReadFile(o.checkpoint)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	want := scrubCheckpoint{Document: ui.Schema("scrub.checkpoint")}
	var found scrubCheckpoint
	if err := json.Unmarshal(text, &found); err != nil || found.Schema != want.Schema {
		return fmt.Errorf("%s: is not a checkpoint of a scrub; name another file or remove it", o.checkpoint)
	}
	if found.UUID != s.Array.UUID || found.Extent != s.Extent || found.Position < 0 || found.Position > s.Extent {
		return fmt.Errorf("%s: is the checkpoint of array %v at %d of %d bytes, and this is array %v of %d; name another file or remove it",
			o.checkpoint, found.UUID, found.Position, found.Extent, s.Array.UUID, s.Extent)
	}
	s.Position, s.Mismatches, s.Provable = found.Position, found.Mismatches, found.Provable
	s.Repaired, s.Lost = found.Repaired, found.Lost
	return nil
}

// save writes the checkpoint such that, whenever the power fails, either the old or
// the new one is there. A complete scrub no longer needs one.
func (o *scrubOptions) save(s *scrubSummary) error {
	switch {
	case o.checkpoint == "":
		return nil
	case s.Complete:
		if err := os.Remove(o.checkpoint); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	text, err := json.Marshal(scrubCheckpoint{
		Document: ui.Schema("scrub.checkpoint"), UUID: s.Array.UUID, Extent: s.Extent, Position: s.Position,
		Mismatches: s.Mismatches, Provable: s.Provable, Repaired: s.Repaired, Lost: s.Lost,
	})
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(o.checkpoint), "."+filepath.Base(o.checkpoint)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), o.checkpoint)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
