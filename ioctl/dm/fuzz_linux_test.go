package dm

import (
	"bytes"
	"testing"
)

// parsers are all functions that read replies; none may panic, or return a
// string with a zero byte or more records than fit.
func FuzzReply(f *testing.F) {
	f.Add([]byte{}, uint32(1))
	f.Add(bytes.Repeat([]byte{0}, headerSize), uint32(0))
	for _, s := range sessionReplies(f) {
		f.Add(s, uint32(2))
	}
	f.Fuzz(func(t *testing.T, b []byte, n uint32) {
		data := b
		if rep, err := parseReply(b); err == nil {
			data = rep.data
		}
		for _, events := range []bool{false, true} {
			list, err := parseNames(data, events, events)
			if err != nil && len(list) > 0 || len(list)*listName > len(data) {
				t.Errorf("%d names, %v", len(list), err)
			}
			for _, e := range list {
				plain(t, e.Name)
				plain(t, e.UUID)
			}
		}
		versions, err := parseVersions(data)
		if err != nil && len(versions) > 0 || len(versions)*versName > len(data) {
			t.Errorf("%d versions, %v", len(versions), err)
		}
		deps, err := parseDeps(data)
		if err != nil && len(deps) > 0 || len(deps)*8 > len(data) {
			t.Errorf("%d dependencies, %v", len(deps), err)
		}
		lines, err := parseTargets(data, n)
		if err != nil && len(lines) > 0 || uint64(len(lines)) > uint64(n) || len(lines)*specSize > len(data) {
			t.Errorf("%d lines of %d, %v", len(lines), n, err)
		}
		for _, l := range lines {
			plain(t, l.Type)
			plain(t, l.Params)
		}
	})
}

func plain(t *testing.T, s string) {
	t.Helper()
	if bytes.IndexByte([]byte(s), 0) >= 0 {
		t.Errorf("%q has a zero byte", s)
	}
}

// Recorded exchanges are read back as they were written.
func FuzzExchanges(f *testing.F) {
	f.Add(`{"command":"DM_VERSION","request":"04","reply":"04"}`)
	f.Add(`{"command":"poll"}{"command":"DM_DEV_STATUS","errno":6}`)
	f.Fuzz(func(t *testing.T, text string) {
		list, err := ReadExchanges(text)
		if err != nil {
			return
		}
		out, err := WriteExchanges(list)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ReadExchanges(out)
		if err != nil || len(again) != len(list) {
			t.Fatalf("%d exchanges, then %d, %v", len(list), len(again), err)
		}
		for i := range list {
			if list[i].what() != again[i].what() || !bytes.Equal(list[i].Reply, again[i].Reply) || list[i].Errno != again[i].Errno {
				t.Errorf("%+v became %+v", list[i], again[i])
			}
		}
	})
}
