package mapper

import "github.com/mdkit/mdkit/ioctl/dm"

// SuspendedUse is a device and a suspended device that it uses. If both were suspended,
// I/O could get stuck between them.
type SuspendedUse struct {
	User      dm.Number // the zero value is the device for which the search was made
	Suspended dm.Number
}

// SuspendedBelow searches the devices that a device is built on for suspended ones, and
// goes no deeper at those. uses are the devices that it uses directly. ask is called for
// devices with that major number, which is the one of mapped devices. If there is an
// error, what was found before is returned with it.
func SuspendedBelow(uses []dm.Number, major uint32, ask Asker) (found []SuspendedUse, err error) {
	var search func(user dm.Number, uses []dm.Number) error
	search = func(user dm.Number, uses []dm.Number) error {
		for _, n := range uses {
			if n.Major != major {
				continue
			}
			info, below, err := ask(n)
			if err != nil {
				return err
			}
			if info.Suspended() {
				found = append(found, SuspendedUse{User: user, Suspended: n})
				continue
			}
			if err := search(n, below); err != nil {
				return err
			}
		}
		return nil
	}
	err = search(dm.Number{}, uses)
	return found, err
}
