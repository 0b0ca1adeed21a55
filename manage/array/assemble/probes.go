package assemble

import (
	"runtime"
	"sync"

	"github.com/mdkit/mdkit/engine/md"
	"github.com/mdkit/mdkit/manage/array/device"
)

// probes remembers what was found on devices, so that a scan for many arrays
// reads each device once. The zero value remembers nothing yet.
type probes struct {
	mu   sync.Mutex
	seen map[probeKey]probed
	free map[string]bool // devices that were found free
}

// claim is device.ClaimDevice, called once for each device that is free: while this scan
// holds the lock on the map of arrays, no other command takes one.
func (p *probes) claim(path string) error {
	if p.free[path] {
		return nil
	}
	err := device.ClaimDevice(path)
	if err == nil {
		if p.free == nil {
			p.free = make(map[string]bool)
		}
		p.free[path] = true
	}
	return err
}

type probeKey struct {
	path    string
	version md.Version // zero for any
	newest1 bool
}

type probed struct {
	found *FoundMember
	bad   *probeError
}

func keyOf(path string, v *md.Version, newest1 bool) probeKey {
	k := probeKey{path: path, newest1: newest1}
	if v != nil {
		k.version, k.newest1 = *v, false
	}
	return k
}

// probe is ProbeDevice, called once for each device.
func (p *probes) probe(path string, v *md.Version, newest1 bool) (*FoundMember, *probeError) {
	k := keyOf(path, v, newest1)
	p.mu.Lock()
	got, ok := p.seen[k]
	if !ok && v != nil {
		// A probe for any version also answers for the version that it found.
		got, ok = p.seen[probeKey{path: path}]
		ok = ok && got.found != nil && got.found.Member.Version == *v
	}
	p.mu.Unlock()
	if !ok {
		got.found, got.bad = ProbeDevice(path, v, newest1)
		p.keep(k, got)
	}
	if got.found == nil {
		return nil, got.bad
	}
	c := *got.found
	return &c, nil
}

func (p *probes) keep(k probeKey, got probed) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seen == nil {
		p.seen = make(map[probeKey]probed)
	}
	p.seen[k] = got
}

// prefetch probes many devices at once: disks answer independently of each other.
func (p *probes) prefetch(devices pool, v *md.Version, newest1 bool) {
	next := make(chan string)
	var wg sync.WaitGroup
	for range min(len(devices), 4*runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for path := range next {
				p.probe(path, v, newest1)
			}
		})
	}
	for _, d := range devices {
		next <- d.path
	}
	close(next)
	wg.Wait()
}

// forget drops what is remembered of a device whose superblock has changed.
func (p *probes) forget(path string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.free, path)
	for k := range p.seen {
		if k.path == path {
			delete(p.seen, k)
		}
	}
}
