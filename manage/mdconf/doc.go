// Package mdconf reads mdadm.conf: which devices are looked at, which arrays
// there are, whose host this is, what happens to devices that appear, and whom
// to tell when something breaks (mdadm.conf(5)).
//
// Reading never fails. What is not understood becomes a Warning, in mdadm's
// words and with its place, and the rest of the file counts.
package mdconf
