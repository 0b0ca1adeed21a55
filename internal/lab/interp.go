package lab

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// withInterpreter writes to dst a copy of the 64-bit little-endian program src
// that another ELF interpreter starts.
//
// The kernel reads the interpreter's path from the file offset in PT_INTERP
// (fs/binfmt_elf.c, load_elf_binary), so the path goes to the end of the file
// and the header points there. Nothing that is mapped moves, which matters to
// user-mode Linux: it keeps its memory right behind its own image.
func withInterpreter(src, dst, interp string) error {
	b, err := os.ReadFile(src)
	if err != nil {
		return err
	}
	if b, err = patchInterpreter(b, interp); err != nil {
		return fmt.Errorf("%s: %w", src, err)
	}
	if err := os.MkdirAll(filepath.Dir(dst), 0o755); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(dst), ".new-")
	if err != nil {
		return err
	}
	_, err = tmp.Write(b)
	if err = errors.Join(err, tmp.Chmod(0o755), tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), dst)
	}
	if err != nil {
		os.Remove(tmp.Name())
	}
	return err
}

// patchInterpreter appends the path to the image and points PT_INTERP at it.
// Offsets are those of Elf64_Ehdr and Elf64_Phdr.
func patchInterpreter(b []byte, interp string) ([]byte, error) {
	le := binary.LittleEndian
	if len(b) < 64 || string(b[:6]) != "\x7fELF\x02\x01" {
		return nil, errors.New("not a 64-bit little-endian ELF file")
	}
	off, size, n := le.Uint64(b[32:]), uint64(le.Uint16(b[54:])), uint64(le.Uint16(b[56:]))
	if size < 56 || off > uint64(len(b)) || size*n > uint64(len(b))-off {
		return nil, errors.New("ELF program headers lie outside the file")
	}
	for i := range n {
		ph := b[off+i*size:]
		if le.Uint32(ph) != uint32(elf.PT_INTERP) {
			continue
		}
		le.PutUint64(ph[8:], uint64(len(b)))         // p_offset
		le.PutUint64(ph[32:], uint64(len(interp))+1) // p_filesz, with the NUL
		return append(append(b, interp...), 0), nil
	}
	return nil, errors.New("a static program: it has no interpreter")
}
