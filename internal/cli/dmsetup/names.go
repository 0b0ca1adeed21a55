package dmsetup

import (
	"errors"
	"os"
	"strings"

	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/manage/mapper"
)

// environment is what the process's environment says.
type environment struct {
	devDir string // $DM_DEV_DIR
	mode   string // name mangling: auto, hex or none
	cookie string // $DM_UDEV_COOKIE
	noUdev bool   // $DM_DISABLE_UDEV
}

// Where device nodes are unless $DM_DEV_DIR says otherwise, and where udev makes
// those of mapped devices.
const (
	defaultDevDir = "/dev"
	mapperFolder  = "/dev/mapper"
)

func (e *environment) read() error {
	e.devDir, e.mode = defaultDevDir, "auto"
	e.cookie = os.Getenv("DM_UDEV_COOKIE")
	_, e.noUdev = os.LookupEnv("DM_DISABLE_UDEV")
	if dir := os.Getenv("DM_DEV_DIR"); dir != "" {
		if dir[0] != '/' {
			return dmopt.Wrong("Invalid DM_DEV_DIR environment variable value.")
		}
		e.devDir = dir
	}
	switch mode := strings.ToLower(os.Getenv("DM_DEFAULT_NAME_MANGLING_MODE")); mode {
	case "none", "auto", "hex":
		e.mode = mode
	}
	return nil
}

// folder is where the nodes of mapped devices are.
func (e *environment) folder() string { return strings.TrimSuffix(e.devDir, "/") + "/mapper" }

// Limits of the kernel on names and UUIDs, with the zero byte at the end.
const (
	nameRoom = 128
	uuidRoom = 129
)

// kindOf is the kind of text for package mapper of what messages call "name",
// "new name", "UUID" or "new UUID".
func kindOf(what string) string {
	if strings.HasSuffix(what, mapper.WhatUUID) {
		return mapper.WhatUUID
	}
	return mapper.WhatName
}

// mangleNothing switches the mangling off: the command mangle does its own.
func (s *session) mangleNothing() {
	s.target = s.mangling()
	if !s.args.Has(dmopt.MangleName) {
		s.target = "auto"
	}
	s.args.Mangle = "none"
}

// mangling is the mode in force.
func (s *session) mangling() string {
	if s.args.Mangle != "" {
		return s.args.Mangle
	}
	return s.mode
}

// mangleMode is mangling for package mapper.
func (s *session) mangleMode() mapper.Mangling {
	mode, _ := mapper.ParseMangling(s.mangling())
	return mode
}

// mangledTwice refuses, in auto mode, what has been mangled more than once.
func (s *session) mangledTwice(what, text string) error {
	if s.mangling() == "auto" && strings.Contains(text, `\x5cx`) {
		return s.refuse("The %s \"%s\" seems to be mangled more than once. This is not allowed in auto mode.", what, text)
	}
	return nil
}

// mangleName turns a name into the one that the kernel has.
func (s *session) mangleName(name string) (string, error) {
	if len(name) >= nameRoom {
		return "", s.refuse("Name \"%s\" too long.", name)
	}
	return s.mangleAs("name", "device name", name, ".")
}

// mangleUUID turns a UUID into the one that the kernel has.
func (s *session) mangleUUID(uuid string) (string, error) {
	return s.mangleAs("UUID", "device uuid", uuid, ".")
}

func (s *session) mangleAs(what, kind, text, end string) (string, error) {
	if err := s.mangledTwice(what, text); err != nil || s.mangling() == "none" {
		return text, err
	}
	known, err := s.mangled(what, text)
	if err != nil {
		return "", s.refuse("Failed to mangle %s \"%s\"%s", kind, text, end)
	}
	return known, nil
}

// mangled writes every byte that udev does not like as \xNN. In auto mode, and
// where mangling is off, what is written so already stays, but not beside bytes
// that would have to be.
func (s *session) mangled(what, text string) (string, error) {
	mode := s.mangleMode()
	if mode == mapper.MangleNone {
		mode = mapper.MangleAuto
	}
	known, err := mapper.Mangle(kindOf(what), text, mode)
	switch {
	case errors.Is(err, mapper.ErrMixedName), errors.Is(err, mapper.ErrTwiceName):
		return "", s.refuse("The %s \"%s\" contains mixed mangled and unmangled characters or it's already mangled improperly.", what, text)
	case errors.Is(err, mapper.ErrLongName):
		return "", s.refuse("Mangled form of the %s too long for \"%s\".", what, text)
	}
	return known, err
}

// unmangle takes the mangling off what the kernel says, unless the mode is none.
func (s *session) unmangle(what string, text *string) error {
	if s.mangling() == "none" {
		return nil
	}
	if err := s.mangledTwice(what, *text); err != nil {
		return err
	}
	clean, err := mapper.Unmangle(kindOf(what), *text, s.mangleMode())
	if err != nil {
		return s.refuse("The %s \"%s\" should be mangled but it contains blacklisted characters.", what, *text)
	}
	*text = clean
	return nil
}

// unmangleInfo does so for a device's state.
func (s *session) unmangleInfo(i *dm.Info) error {
	if err := s.unmangle("name", &i.Name); err != nil {
		return err
	}
	return s.unmangle("UUID", &i.UUID)
}

// shownMangled is a name as the kernel would have it, for reports.
func (s *session) shownMangled(what, text string) (string, error) {
	known, err := s.mangled(what, text)
	if err != nil {
		return "", s.refuse("Failed to mangle device %s \"%s\".", strings.ToLower(what), text)
	}
	return known, nil
}

// shownUnmangled is a name without mangling, for reports.
func (s *session) shownUnmangled(what, text string) (string, error) {
	if s.mangling() != "none" {
		return text, nil // it has none any more
	}
	return mapper.Unmangle(kindOf(what), text, mapper.MangleNone)
}
