// Package examine prints what mdadm --examine prints about one superblock: the text, the
// line for mdadm.conf and the variables.
package examine

import (
	"fmt"

	"github.com/mdkit/mdkit/internal/cli/mdadm/mdtext"
	"github.com/mdkit/mdkit/manage/array/node"
	"github.com/mdkit/mdkit/manage/array/report"
)

// Text prints the superblock of a member as --examine does. nodes knows the names of
// the devices in a 0.90 table.
func Text(w mdtext.Writer, x *report.Examined, homeHost string, nodes *node.Nodes, compat mdtext.Compat) {
	if x.Super0 != nil {
		text0(w, x, homeHost, nodes)
		shared(w, x)
	} else {
		text1(w, x, homeHost, compat)
	}
}

// shared says that the superblock is that of a partition as well, which mdadm does not.
func shared(w mdtext.Writer, x *report.Examined) {
	if p := x.Shared; p != nil {
		fmt.Fprintf(w, "       the superblock at its end is that of its partition %d: give that partition\n", p.Number)
	}
}
