package plan

import "context"

// Setting is a value for a sysfs attribute, as package sysfs/md makes them: it knows the
// attribute's name and the text that is written.
type Setting interface {
	Name() string
	Path() string
	Value() string
	Write() error
}

// SettingInfo describes the step that writes a setting.
func SettingInfo(s Setting) StepInfo {
	return StepInfo{Kind: KindSysfs, Target: s.Path(), What: s.Name(), Value: s.Value()}
}

// NewSetting returns a step that writes a setting. A nil undo means that there is
// nothing to undo.
func NewSetting(s Setting, undo func(context.Context) error) Step {
	return NewStep(SettingInfo(s), func(context.Context) error { return s.Write() }, undo)
}
