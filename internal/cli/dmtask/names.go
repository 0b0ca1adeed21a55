package dmtask

import (
	"errors"
	"os"
	"strings"

	"github.com/mdkit/mdkit/internal/cli/dmopt"
	"github.com/mdkit/mdkit/ioctl/dm"
	"github.com/mdkit/mdkit/manage/mapper"
)

// Environment is what is set in the process's environment.
type Environment struct {
	DevDir string // $DM_DEV_DIR
	Mode   string // name mangling: auto, hex or none
	Cookie string // $DM_UDEV_COOKIE
	NoUdev bool   // $DM_DISABLE_UDEV
}

// Where device nodes are unless $DM_DEV_DIR is set, and where udev makes those of mapped
// devices.
const (
	defaultDevDir = "/dev"
	MapperFolder  = "/dev/mapper"
)

// Read reads the environment.
func (e *Environment) Read() error {
	e.DevDir, e.Mode = defaultDevDir, "auto"
	e.Cookie = os.Getenv("DM_UDEV_COOKIE")
	_, e.NoUdev = os.LookupEnv("DM_DISABLE_UDEV")
	if dir := os.Getenv("DM_DEV_DIR"); dir != "" {
		if dir[0] != '/' {
			return dmopt.Wrong("Invalid DM_DEV_DIR environment variable value.")
		}
		e.DevDir = dir
	}
	switch mode := strings.ToLower(os.Getenv("DM_DEFAULT_NAME_MANGLING_MODE")); mode {
	case "none", "auto", "hex":
		e.Mode = mode
	}
	return nil
}

// Folder returns the folder with the nodes of mapped devices.
func (e *Environment) Folder() string { return strings.TrimSuffix(e.DevDir, "/") + "/mapper" }

// The kernel's limits for names and UUIDs, including the terminating zero byte.
const (
	NameRoom = 128
	UUIDRoom = 129
)

// kindOf returns what package mapper calls the text that messages call "name", "new
// name", "UUID" or "new UUID".
func kindOf(what string) string {
	if strings.HasSuffix(what, mapper.WhatUUID) {
		return mapper.WhatUUID
	}
	return mapper.WhatName
}

// Names converts between the names and UUIDs of a command line and those in the kernel.
type Names struct {
	*Output
	Environment
}

// Mangling returns the mode that is in effect.
func (n *Names) Mangling() string {
	if n.Line.Mangle != "" {
		return n.Line.Mangle
	}
	return n.Mode
}

// mangleMode returns that mode for package mapper.
func (n *Names) mangleMode() mapper.Mangling {
	mode, _ := mapper.ParseMangling(n.Mangling())
	return mode
}

// mangledTwice refuses, in auto mode, a text that has been mangled more than once.
func (n *Names) mangledTwice(what, text string) error {
	if n.Mangling() == "auto" && strings.Contains(text, `\x5cx`) {
		return n.Refuse("The %s \"%s\" seems to be mangled more than once. This is not allowed in auto mode.", what, text)
	}
	return nil
}

// MangleName converts a name to its form in the kernel.
func (n *Names) MangleName(name string) (string, error) {
	if len(name) >= NameRoom {
		return "", n.Refuse("Name \"%s\" too long.", name)
	}
	return n.MangleAs("name", "device name", name, ".")
}

// MangleUUID converts a UUID to its form in the kernel.
func (n *Names) MangleUUID(uuid string) (string, error) {
	return n.MangleAs("UUID", "device uuid", uuid, ".")
}

// MangleAs converts a text to its form in the kernel. what is the name of the text in
// messages about mangling, and kind its name in the message that follows, which ends in
// end.
func (n *Names) MangleAs(what, kind, text, end string) (string, error) {
	if err := n.mangledTwice(what, text); err != nil || n.Mangling() == "none" {
		return text, err
	}
	known, err := n.Mangled(what, text)
	if err != nil {
		return "", n.Refuse("Failed to mangle %s \"%s\"%s", kind, text, end)
	}
	return known, nil
}

// Mangled encodes every byte that udev does not accept as \xNN. In auto mode, and if
// mangling is off, encoded bytes are left alone, unless there are also bytes that need
// encoding.
func (n *Names) Mangled(what, text string) (string, error) {
	mode := n.mangleMode()
	if mode == mapper.MangleNone {
		mode = mapper.MangleAuto
	}
	known, err := mapper.Mangle(kindOf(what), text, mode)
	switch {
	case errors.Is(err, mapper.ErrMixedName), errors.Is(err, mapper.ErrTwiceName):
		return "", n.Refuse("The %s \"%s\" contains mixed mangled and unmangled characters or it's already mangled improperly.", what, text)
	case errors.Is(err, mapper.ErrLongName):
		return "", n.Refuse("Mangled form of the %s too long for \"%s\".", what, text)
	}
	return known, err
}

// Unmangle decodes a text from the kernel, unless the mode is none.
func (n *Names) Unmangle(what string, text *string) error {
	if n.Mangling() == "none" {
		return nil
	}
	if err := n.mangledTwice(what, *text); err != nil {
		return err
	}
	clean, err := mapper.Unmangle(kindOf(what), *text, n.mangleMode())
	if err != nil {
		return n.Refuse("The %s \"%s\" should be mangled but it contains blacklisted characters.", what, *text)
	}
	*text = clean
	return nil
}

// UnmangleInfo decodes the texts in a device's state.
func (n *Names) UnmangleInfo(i *dm.Info) error {
	if err := n.Unmangle("name", &i.Name); err != nil {
		return err
	}
	return n.Unmangle("UUID", &i.UUID)
}

// ShownMangled returns a name with mangling, for reports.
func (n *Names) ShownMangled(what, text string) (string, error) {
	known, err := n.Mangled(what, text)
	if err != nil {
		return "", n.Refuse("Failed to mangle device %s \"%s\".", strings.ToLower(what), text)
	}
	return known, nil
}

// ShownUnmangled returns a name without mangling, for reports.
func (n *Names) ShownUnmangled(what, text string) (string, error) {
	if n.Mangling() != "none" {
		return text, nil // it is no longer mangled
	}
	return mapper.Unmangle(kindOf(what), text, mapper.MangleNone)
}
