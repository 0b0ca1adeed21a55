package array_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/mdkit/mdkit/engine/block"
	"github.com/mdkit/mdkit/engine/block/blocktest"
	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/engine/md/array"
)

// stoppedInPlace makes an array that was stopped at array sector 96 while its chunks
// were being made larger in place, and returns its content too.
func stoppedInPlace(t testing.TB, backwards bool) (disks []block.Device, content []byte) {
	t.Helper()
	spec := arraySpec{level: md.LevelRAID5, layout: 2, chunk: 8, sizes: same(4, 128), change: func(_ int, s *md.Super1) {
		s.FeatureMap |= md.FeatureReshapeActive
		s.NewLevel, s.NewLayout, s.NewChunk, s.ReshapePosition, s.UTime = md.LevelRAID5, 2, 16, 96, 1000000
		if backwards {
			s.FeatureMap |= md.FeatureReshapeBackwards
		}
	}}
	memories := makeArray(t, spec)
	for i, d := range memories {
		if _, err := d.WriteAt(blocktest.Pattern(uint64(i), 128*md.SectorSize), dataStart*md.SectorSize); err != nil {
			t.Fatal(err)
		}
	}
	disks = devices(memories)
	a := mustOpen(t, disks, array.Options{ReadOnly: true})
	content = make([]byte, a.Size())
	if err := block.ReadFull(a, content, 0); err != nil {
		t.Fatal(err)
	}
	return disks, content
}

// backupFile is a backup as mdadm writes it, of one or two sections with content.
func backupFile(change func(*md.Backup), sections ...md.BackupSection) *block.Memory {
	b := &md.Backup{UUID: md.UUID{1, 2, 3}, MTime: 1000000, DevStart: 8, Second: len(sections) > 1}
	copy(b.Sections[:], sections)
	b.Offset2 = b.Sections[0].Length
	if change != nil {
		change(b)
	}
	p := b.AppendTo(nil)
	p = append(p, make([]byte, 4096-len(p))...)
	p = append(p, blocktest.Pattern(99, int(b.Sections[0].Length+b.Sections[1].Length)*md.SectorSize)...)
	return block.NewMemoryFrom("backup", p)
}

// TestBackupIsRead wants the sections of a backup that the reshape has not passed to
// replace the content of the members, and no others.
func TestBackupIsRead(t *testing.T) {
	for _, c := range []struct {
		name      string
		backwards bool
		sections  []md.BackupSection
		counts    []bool
	}{
		{"ahead", false, []md.BackupSection{{Start: 96, Length: 48}}, []bool{true}},
		{"two", false, []md.BackupSection{{Start: 144, Length: 24}, {Start: 96, Length: 24}}, []bool{true, true}},
		{"one is done", false, []md.BackupSection{{Start: 48, Length: 24}, {Start: 96, Length: 48}}, []bool{false, true}},
		{"behind", false, []md.BackupSection{{Start: 0, Length: 48}}, []bool{false}},
		{"backwards", true, []md.BackupSection{{Start: 48, Length: 48}, {Start: 96, Length: 48}}, []bool{true, false}},
	} {
		disks, want := stoppedInPlace(t, c.backwards)
		backup := backupFile(nil, c.sections...)
		held := make([]byte, backup.Size())
		if err := block.ReadFull(backup, held, 0); err != nil {
			t.Fatal(err)
		}
		held = held[4096:]
		for i, s := range c.sections {
			n := int(s.Length) * md.SectorSize
			if c.counts[i] {
				copy(want[s.Start*md.SectorSize:], held[:n])
			}
			held = held[n:]
		}
		a := mustOpen(t, disks, array.Options{ReadOnly: true, Backup: backup})
		got := make([]byte, len(want))
		if err := block.ReadFull(a, got, 0); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: the array has other content", c.name)
		}
		const from, n = 100*md.SectorSize - 100, 5000
		if _, err := a.ReadAt(got[:n], from); err != nil || !bytes.Equal(got[:n], want[from:][:n]) {
			t.Errorf("%s: a part that begins and ends anywhere has other content, error %v", c.name, err)
		}
	}
}

func TestBackupIsRefused(t *testing.T) {
	section := md.BackupSection{Start: 96, Length: 48}
	disks, _ := stoppedInPlace(t, false)
	refused := func(name string, disks []block.Device, backup block.Device) {
		t.Helper()
		if _, err := openArray(disks, array.Options{ReadOnly: true, Backup: backup}); !errors.Is(err, md.ErrBackup) {
			t.Errorf("%s: %v; want %v", name, err, md.ErrBackup)
		}
	}
	for name, change := range map[string]func(*md.Backup){
		"other array":    func(b *md.Backup) { b.UUID[0]++ },
		"too old":        func(b *md.Backup) { b.MTime -= 2*60*60 + 1 },
		"too new":        func(b *md.Backup) { b.MTime += 10*60 + 1 },
		"no place":       func(b *md.Backup) { b.DevStart = 0 },
		"far away":       func(b *md.Backup) { b.DevStart = 1 << 60 },
		"too long":       func(b *md.Backup) { b.Sections[0].Length = 1 << 50 },
		"behind the end": func(b *md.Backup) { b.Second, b.Sections[1], b.Offset2 = true, section, 1<<40 },
	} {
		b := &md.Backup{UUID: md.UUID{1, 2, 3}, MTime: 1000000, DevStart: 8, Sections: [2]md.BackupSection{section}}
		change(b)
		backup := block.NewMemory("backup", 64<<10)
		if _, err := backup.WriteAt(b.AppendTo(nil), 0); err != nil {
			t.Fatal(err)
		}
		refused(name, disks, backup)
	}
	torn := backupFile(func(b *md.Backup) { b.DevStart = 16 }, section)
	refused("torn", disks, torn)
	refused("nothing", disks, block.NewMemory("backup", 100))
	quiet := devices(makeArray(t, arraySpec{level: md.LevelRAID5, layout: 2, chunk: 8, sizes: same(4, 128)}))
	refused("no reshape", quiet, backupFile(nil, section))
}
