// Package mdconf reads mdadm.conf: which devices to look at, which arrays there are,
// what name this host has, what happens to devices that appear, and whom to tell when
// something breaks (mdadm.conf(5)).
//
// Reading never fails. What is not understood becomes a Warning, in mdadm's words and
// with its place, and the rest of the file still counts.
package mdconf
