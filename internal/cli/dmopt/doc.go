// Package dmopt parses the command lines of dmsetup, dmstats and devmap_name of
// libdevmapper 1.02.185, which have a common form: the options, the tool that is meant,
// the command and its words, and numbers as the C library reads them.
package dmopt
