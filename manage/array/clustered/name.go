// Package clustered has what changes to arrays that a cluster shares need besides the
// arrays themselves: the cluster's name, and the lock that one node at a time holds while
// it changes them.
package clustered

import (
	"bufio"
	"io"
	"os"
	"strings"

	"github.com/mdkit/mdkit/dlm"
	"github.com/mdkit/mdkit/sysfs"
)

// corosyncConf is where corosync keeps the cluster's name.
const corosyncConf = "/etc/corosync/corosync.conf"

// Name returns the name of the cluster that this node belongs to: the one that the
// kernel's DLM has, or else the one in corosync's configuration; "" if there is none.
// mdadm asks corosync alone, and while it runs.
func Name(fs sysfs.FS) string {
	if name, err := dlm.NewConfig(fs).ClusterName(); err == nil && name != "" {
		return name
	}
	f, err := os.Open(corosyncConf)
	if err != nil {
		return ""
	}
	defer f.Close()
	return nameFrom(f)
}

// nameFrom finds cluster_name in the section totem (corosync.conf(5)): sections are
// "name {" to "}", settings "key: value", comments whole lines.
func nameFrom(r io.Reader) string {
	var sections []string
	s := bufio.NewScanner(r)
	for s.Scan() {
		line := strings.TrimSpace(s.Text())
		switch name, opens := strings.CutSuffix(line, "{"); {
		case line == "" || line[0] == '#':
		case opens:
			sections = append(sections, strings.TrimSpace(name))
		case line == "}":
			sections = sections[:max(len(sections)-1, 0)]
		case len(sections) == 1 && sections[0] == "totem":
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "cluster_name" {
				return strings.TrimSpace(value)
			}
		}
	}
	return ""
}
