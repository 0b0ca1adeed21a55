package mapper

import "github.com/mdkit/mdkit/ioctl/dm"

// SuspendedUse is a device that uses one that is suspended already. Were it
// suspended too, I/O could be caught between the two.
type SuspendedUse struct {
	User      dm.Number // the zero value is the device that the search began at
	Suspended dm.Number
}

// SuspendedBelow searches what a device stands on for devices that are
// suspended, and goes no deeper there. uses are the devices that it uses itself.
// ask is asked about devices of that major number, which is the one of mapped
// devices. What was found before an error comes with it.
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
