package mapper

import "strings"

// SplitLVM splits the name of an LVM device into volume group, logical volume and layer,
// each empty if missing.
func SplitLVM(name string) (group, volume, layer string) {
	group, name = cutComponent(name)
	volume, name = cutComponent(name)
	layer, _ = cutComponent(name)
	return group, volume, layer
}

// cutComponent cuts a component off the front of a name: up to a single hyphen, with
// doubled ones made single. A hyphen at the very end is part of the component.
func cutComponent(name string) (component, rest string) {
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		if name[i] == '-' && i+1 < len(name) {
			if name[i+1] != '-' {
				return b.String(), name[i+1:]
			}
			i++
		}
		b.WriteByte(name[i])
	}
	return b.String(), ""
}
