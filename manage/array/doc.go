// Package array is what the tools do to md arrays, as a library: it plans
// changes and applies them, and it gathers what there is to report. It prints
// nothing and knows no command line.
package array
