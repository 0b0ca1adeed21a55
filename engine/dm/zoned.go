package dm

import "strings"

// Zoned makes a zoned device look like a regular one (dm-zoned-target.c). If
// there is more than one device, the first is a regular one that holds the
// cache.
type Zoned struct {
	Device []string // "major:minor" or paths, at least one
}

// Type is "zoned".
func (Zoned) Type() string { return "zoned" }

// Params is `<dev>...`.
func (a Zoned) Params() string { return strings.Join(a.Device, " ") }

// Devices are all its devices.
func (a Zoned) Devices() []Ref {
	var refs []Ref
	for _, d := range a.Device {
		refs = append(refs, Ref(d))
	}
	return refs
}

func parseZoned(c *ctr) (Args, error) {
	n := len(c.args)
	if n < 1 {
		return nil, c.fail("", "Invalid argument count")
	}
	var a Zoned
	var zone uint32
	for i := range n {
		name := c.next()
		a.Device = append(a.Device, name)
		info, err := c.device("device", name, "Get target device failed")
		if err != nil {
			return nil, err
		}
		if c.world == nil {
			continue
		}
		if reason := zonedRole(i, n, info); reason != "" {
			return nil, c.fail("device", reason)
		}
		if c.start != 0 {
			return nil, c.fail("", "Partial mapping is not supported")
		}
		if n > 1 && i > 0 {
			if zone != 0 && zone != info.ZoneSectors {
				return nil, c.fail("device", "Zone nr sectors mismatch")
			}
			zone = info.ZoneSectors
		}
	}
	return a, nil
}

// zonedRole judges the i-th of n devices as dmz_get_zoned_device does.
func zonedRole(i, n int, info DeviceInfo) string {
	switch zoned := info.ZoneSectors != 0; {
	case !zoned && n == 1:
		return "Invalid regular device"
	case !zoned && i != 0, zoned && i == 0 && n > 1:
		return "First device must be a regular device"
	}
	return ""
}

// ZonedStatus is the state of a zoned target: how many zones there are of each
// kind, and how many of them are free.
type ZonedStatus struct {
	Zones            uint32
	FreeCache, Cache uint32
	Device           []ZonedDeviceStatus // one for each device that holds more than cache zones
}

// ZonedDeviceStatus is the part of one device.
type ZonedDeviceStatus struct {
	FreeRandom, Random         uint32
	FreeSequential, Sequential uint32
}

// Type is "zoned".
func (ZonedStatus) Type() string { return "zoned" }

// String is `<n> zones <free>/<n> cache{ <free>/<n> random <free>/<n> sequential}...`.
func (s ZonedStatus) String() string {
	words := []string{utoa(s.Zones), "zones", ratio(s.FreeCache, s.Cache), "cache"}
	for _, d := range s.Device {
		words = append(words, ratio(d.FreeRandom, d.Random), "random", ratio(d.FreeSequential, d.Sequential), "sequential")
	}
	return strings.Join(words, " ")
}

func parseZonedStatus(s *scan) (Status, error) {
	var st ZonedStatus
	st.Zones = s.u32("zones")
	s.expect("zones")
	st.FreeCache, st.Cache = s.pair32("cache zones")
	s.expect("cache")
	for len(s.words) > 0 && s.err == nil {
		var d ZonedDeviceStatus
		d.FreeRandom, d.Random = s.pair32("random zones")
		s.expect("random")
		d.FreeSequential, d.Sequential = s.pair32("sequential zones")
		s.expect("sequential")
		st.Device = append(st.Device, d)
	}
	return st, nil
}
