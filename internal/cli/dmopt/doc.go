// Package dmopt reads the command line that dmsetup, dmstats and devmap_name of
// libdevmapper 1.02.185 have in common: its options, the tool that is meant, the
// command and its words, and numbers as the C library reads them.
package dmopt
